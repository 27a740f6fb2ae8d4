"""Avro in and out through real workers, a real broker and a real schema registry; read back by fastavro alone."""

import base64
import io
import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
import pytest

from tests.faults.proxy import Proxy
from tests.integration import avro_articles as articles
from tests.integration.brokers import SETTINGS
from tests.integration.mixed import MAX_ARTICLE_BYTES, TEXTS
from tests.integration.registries import SchemaRegistry, address
from tests.integration.workers import ROOT, Topics, Worker
from worker.broker import free_port
from worker.errors import REASONS

EXIT_SECONDS = 120
PASSWORD = "hunter-two"  # noqa: S105 - made up
"""This registry asks for none; it must be in no log all the same."""


def variables(topics: Topics, kind: str, url: str, **more: str) -> dict[str, str]:
    """A worker that reads and writes Avro."""
    return {
        **topics.environ(),
        **SETTINGS[kind],
        "KHABAR_MODELS": "fast",
        "KHABAR_PROCESSES": "1",
        "KHABAR_MAX_ARTICLE_BYTES": str(MAX_ARTICLE_BYTES),
        "KHABAR_INPUT_FORMAT": "avro",
        "KHABAR_OUTPUT_FORMAT": "avro",
        "KHABAR_REGISTRY_URL": url,
        "KHABAR_REGISTRY_USERNAME": "me",
        "KHABAR_REGISTRY_PASSWORD": PASSWORD,
        **more,
    }


def send(topics: Topics, sent: list[articles.Sent], *, first: int = 0, partition: int | None = None) -> None:
    """Publish under the keys 0, 1, 2 …, and wait for the broker."""
    producer = topics.producer()
    for number, one in enumerate(sent, start=first):
        producer.send(topics.raw, one.value, key=b"%d" % number, headers=list(one.headers), partition=partition)
    producer.flush(30)
    producer.close()


def read(topics: Topics, count: int, *, seconds: float = 120.0) -> dict[int, Any]:
    """The first output of every key, as soon as there are ``count``."""
    consumer = topics.consumer()
    found: dict[int, Any] = {}
    deadline = time.monotonic() + seconds
    while len(found) < count:
        assert time.monotonic() < deadline, f"{sorted(found)} of {count}"
        for batch in consumer.poll(timeout_ms=200).values():
            for record in batch:
                found.setdefault(int(record.key), record)
    consumer.close()
    return found


def decoded(value: bytes, registry: SchemaRegistry) -> Any:  # noqa: ANN401 - any record
    """An output as any consumer reads it: the schema by its id from the registry, fastavro, nothing of ours."""
    magic, number = struct.unpack(">bI", value[:5])
    assert magic == 0
    stream = io.BytesIO(value[5:])
    record = fastavro.schemaless_reader(stream, fastavro.parse_schema(registry.schema(number)), None)
    assert stream.read() == b""
    return record


def wait_for(condition: Callable[[], Any], seconds: float = 90.0) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.timeout(600)
def test_articles_in_three_languages_come_out_in_avro(
    broker: tuple[str, str], registry: SchemaRegistry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each value comes out as it should: enriched in Avro, offsets true, foreign members in `extra`; or as a dead letter in JSON."""
    kind, where = broker
    topics = Topics(where, f"avro-{kind}")
    sent = articles.mixture(registry, topics.raw)
    with Worker(variables(topics, kind, registry.url), log=tmp_path / "log") as worker:
        worker.wait_ready()
        send(topics, sent)
        records = read(topics, len(sent))
        wait_for(lambda: not worker.metrics()["khabar_articles_in_flight"])  # a record is here before the worker has counted it
        counted = worker.metrics()
        assert worker.terminate() == 0
        assert PASSWORD not in worker.logged()
    for number, one in enumerate(sent):
        check(records[number], one, topics, registry)
    assert registry.call("GET", f"/subjects/{topics.enriched}-value/versions") == [1]
    assert counted["khabar_articles_dead_lettered_total{reason=unknown_schema}"] == 4
    assert counted["khabar_pool_restarts_total"] == 0
    assert counted.get("khabar_registry_retries_total", 0) == 0
    check_tail(topics, registry, capsys)


def check(record: Any, one: articles.Sent, topics: Topics, registry: SchemaRegistry) -> None:  # noqa: ANN401 - kafka-python's record
    """One output is what it should be."""
    if one.expected == "tombstone":
        assert (record.topic, record.value) == (topics.enriched, None)
        return
    if one.expected in REASONS:
        letter = json.loads(record.value)
        assert (record.topic, letter["reason"], letter["stage"]) == (topics.dead, one.expected, "decode"), letter
        assert base64.b64decode(letter["value"]) == one.value
        return
    assert record.topic == topics.enriched, record.value
    assert dict(record.headers)["content-type"] == b"application/avro"
    assert dict(record.headers)["ce_type"] == b"khabar.article.enriched.v1"
    body = decoded(record.value, registry)
    article = body["article"]
    assert body["schema"] == "enriched-article/1"
    assert body["language"]["code"] == one.expected
    assert article["body"] == TEXTS[one.expected]
    assert json.loads(article["extra"] or "{}") == one.members
    if one.members is articles.EXTRA:
        assert (article["id"], article["published_at"]) == (f"{one.expected}-0", "2023-11-14T22:13:20.123000Z")
    for entity in body["entities"]:
        for mention in entity["mentions"]:
            assert article[mention["field"]][mention["start"] : mention["end"]] == mention["text"]
    assert body["entities"], "the bundled models know all three languages"
    texts = [article[part["field"]][part["start"] : part["end"]] for part in body["summary"]["sentences"]]
    assert body["summary"]["text"] == " ".join(texts)


def check_tail(topics: Topics, registry: SchemaRegistry, capsys: pytest.CaptureFixture[str]) -> None:
    """`khabar tail` shows Avro readably, as text and as JSON, on either topic."""
    from worker.commands import tail
    from worker.settings import Settings

    settings = Settings.from_env({**topics.environ(), "KHABAR_REGISTRY_URL": registry.url})
    options: dict[str, Any] = {"from_beginning": True, "number": None, "end": True}
    tail.run(settings, topic=None, as_json=True, **options)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    wired = [row["article"] for row in rows if row and row["article"].get("rank")]
    assert {article["id"] for article in wired} == {"ar-0", "fa-0", "en-0"}
    assert all(articles.EXTRA.items() <= article.items() for article in wired)
    tail.run(settings, topic=None, as_json=False, **options)
    assert "not what this topic should hold" not in (shown := capsys.readouterr()).err
    assert TEXTS["en"].split(".")[0] in shown.out
    tail.run(settings, topic=topics.raw, as_json=True, **options)
    captured = capsys.readouterr()
    assert '"rank":"HIGH"' in captured.out
    assert f"the registry has no schema {articles.UNKNOWN_ID}; shown as text" in captured.err


@pytest.mark.parametrize("forms", [("avro", "json"), ("json", "avro")], ids=["input", "output"])
def test_input_and_output_are_set_apart(embedded: str, registry: SchemaRegistry, tmp_path: Path, forms: tuple[str, str]) -> None:
    """Avro on one side alone: a sender or a consumer can change over by itself."""
    reading, writing = forms
    topics = Topics(embedded, f"half-{reading}")
    number = registry.register("plain-value", articles.PLAIN)
    text = TEXTS["ar"]
    value = articles.encoded(number, articles.PLAIN, {"body": text}) if reading == "avro" else json.dumps({"body": text}).encode()
    more = {"KHABAR_INPUT_FORMAT": reading, "KHABAR_OUTPUT_FORMAT": writing}
    with Worker(variables(topics, "embedded", registry.url, **more), log=tmp_path / "log") as worker:
        worker.wait_ready()
        send(topics, [articles.Sent(value, "ar")])
        record = read(topics, 1)[0]
        assert worker.terminate() == 0
    assert dict(record.headers)["content-type"] == f"application/{writing}".encode()
    body = decoded(record.value, registry) if writing == "avro" else json.loads(record.value)
    assert (body["article"]["body"], body["language"]["code"]) == (text, "ar")


def ended(environ: dict[str, str]) -> str:
    """The last line of a worker that must not start; exit code 2 and no traceback."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "KHABAR_HTTP_PORT": "0", **environ}
    command = [sys.executable, "-m", "worker.cli", "worker"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=EXIT_SECONDS, check=False)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert PASSWORD not in done.stderr
    return done.stderr.splitlines()[-1]


def test_an_incompatible_subject_is_one_line(embedded: str, registry: SchemaRegistry) -> None:
    """Somebody else's schema holds the subject: the worker says so and does not start, and registers nothing."""
    topics = Topics(embedded, "incompatible")
    subject = f"{topics.enriched}-value"
    theirs = {"type": "record", "name": "EnrichedArticle", "namespace": "khabar", "fields": [{"name": "id", "type": "long"}]}
    registry.register(subject, theirs)
    registry.call("PUT", f"/config/{subject}", {"compatibility": "BACKWARD"})
    line = ended(variables(topics, "embedded", registry.url))
    assert line.startswith(f"khabar: our schema is not compatible with the latest one of {subject}")
    assert registry.call("GET", f"/subjects/{subject}/versions") == [1]


@pytest.mark.parametrize(
    ("url", "said"),
    [("http://127.0.0.1:{free}", "does not answer"), ("http://127.0.0.1:{registry}/wrong", "is the path right?")],
    ids=["down", "path"],
)
def test_no_registry_at_start_is_one_line(embedded: str, registry: SchemaRegistry, url: str, said: str) -> None:
    """Down, or not what is at that address: a line that names the address, exit code 2."""
    topics = Topics(embedded, f"none-{said[:4].strip()}")
    url = url.format(free=free_port(), registry=registry.port)
    line = ended(variables(topics, "embedded", url))
    assert said in line
    assert url in line


@pytest.mark.usefixtures("registry")  # skips where there is none
@pytest.mark.timeout(600)
def test_a_registry_that_goes_away_loses_nothing(embedded: str, tmp_path: Path) -> None:
    """Stopped while the worker runs: known schemas go on, the others wait un-acked, and all come out when it is there again."""
    topics = Topics(embedded, "away")
    front = free_port()
    with SchemaRegistry(tmp_path / "first.log") as first:
        plain = first.register("plain-value", articles.PLAIN)
        proxy = Proxy([(front, first.port)])
        proxy.start()
        with Worker(variables(topics, "embedded", address(front)), log=tmp_path / "log") as worker:
            worker.wait_ready()
            send(topics, [plainly(plain, number) for number in range(5)])
            ours = decoded(read(topics, 5)[0].value, first)["schema"]
            assert ours == "enriched-article/1"
            proxy.stop()
            first.stop()
            new = plain + 2  # behind the worker's own
            wired = [articles.Sent(articles.wire(new, language, index=index), language) for language in TEXTS for index in range(20)]
            send(topics, wired, first=5, partition=0)
            send(topics, [plainly(plain, number) for number in range(10)], first=65, partition=1)
            assert set(read(topics, 15)) == {*range(5), *range(65, 75)}, "known schemas go on, unknown ones are held"
            wait_for(lambda: worker.metrics().get("khabar_registry_retries_total", 0) >= 2)
            assert worker.get("/ready") == (503, "waiting for: registry\n")
            assert worker.get("/live")[0] == 200
            assert "registry_retry" in worker.logged()
            with SchemaRegistry(tmp_path / "second.log") as second:
                assert second.register("plain-value", articles.PLAIN) == plain
                second.register("filler-value", {**articles.PLAIN, "name": "Filler"})
                assert second.register(f"{topics.raw}-value", articles.WIRE) == new
                proxy = Proxy([(front, second.port)])
                proxy.start()
                records = read(topics, 75)
                wait_for(lambda: worker.get("/ready")[0] == 200)
                proxy.stop()
            wait_for(lambda: not worker.metrics()["khabar_articles_in_flight"])
            counted = worker.metrics()
            assert worker.terminate() == 0
    assert {record.topic for record in records.values()} == {topics.enriched}
    assert counted["khabar_articles_dead_lettered_total"] == counted["khabar_pool_restarts_total"] == 0
    assert counted["khabar_articles_enriched_total"] == 75
    assert len(worker.logged().splitlines()) < 150, "an outage must not flood the log"


def plainly(number: int, index: int) -> articles.Sent:
    """An article of the smallest schema."""
    return articles.Sent(articles.encoded(number, articles.PLAIN, {"body": f"{TEXTS['fa']} {index}"}), "fa")


def test_a_stop_while_the_registry_is_away_gives_articles_back(embedded: str, registry: SchemaRegistry, tmp_path: Path) -> None:
    """Held articles hinder no drained stop; the next worker gets them."""
    topics = Topics(embedded, "giveback")
    number = registry.register(f"{topics.raw}-value", articles.WIRE)
    front = free_port()
    proxy = Proxy([(front, registry.port)])
    proxy.start()
    settings = variables(topics, "embedded", address(front))
    with Worker(settings, log=tmp_path / "log") as worker:
        worker.wait_ready()
        proxy.stop()
        send(topics, [articles.Sent(articles.wire(number, "ar", index=index), "ar") for index in range(10)])
        wait_for(lambda: worker.metrics().get("khabar_registry_retries_total", 0) >= 1)
        assert worker.terminate() == 0
        assert "Traceback" not in worker.logged()
    with Worker({**settings, "KHABAR_REGISTRY_URL": registry.url}, log=tmp_path / "log2") as worker:
        records = read(topics, 10)
        assert worker.terminate() == 0
    assert {record.topic for record in records.values()} == {topics.enriched}
