"""Spans of a real worker on a real broker, sent to a real OTLP/HTTP receiver, to none, and to one that never answers."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.brokers import SETTINGS
from tests.integration.collector import Collector, Got
from tests.integration.mixed import TEXTS
from tests.integration.workers import ROOT, Topics, Worker
from worker.broker import free_port

FACTORY = "tests.unit.stream.standin:load"
TRACE, SENDER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{SENDER}-01".encode()
MARK = "Quixotetown"
"""Stands in every article and nowhere else."""
Headers = list[tuple[str, bytes]]


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A receiver."""
    with Collector() as running:
        yield running


def settings(topics: Topics, kind: str, endpoint: str, **more: str) -> dict[str, str]:
    """Variables of a worker that sends its spans there, and does so only when it has to."""
    return {
        **topics.environ(),
        **SETTINGS[kind],
        "KHABAR_PROCESSES": "1",
        "KHABAR_TRACES": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_BSP_SCHEDULE_DELAY": "600000",
        **more,
    }


def send(topics: Topics, records: list[tuple[bytes | None, bytes | None, Headers]]) -> None:
    """Publish key, value and headers to the first partition, and wait for the broker."""
    producer = topics.producer()
    for key, value, headers in records:
        producer.send(topics.raw, value, key=key, headers=headers, partition=0)
    producer.flush(30)
    producer.close()


def read(topics: Topics, count: int) -> dict[bytes | None, Any]:
    """Records of both output topics by key, as soon as there are ``count``."""
    consumer = topics.consumer()
    records: dict[bytes | None, Any] = {}
    deadline = time.monotonic() + 90
    while len(records) < count:
        assert time.monotonic() < deadline, f"{len(records)} of {count}"
        for batch in consumer.poll(timeout_ms=200).values():
            records |= {record.key: record for record in batch}
    consumer.close()
    return records


def article(language: str) -> bytes:
    """An article that says the mark."""
    return json.dumps({"id": f"id-{language}", "title": MARK, "body": f"{TEXTS[language]} {MARK}."}).encode()


def below(spans: list[Got], process: Got) -> list[Got]:
    """Children of an article's span."""
    return [span for span in spans if span.parent == process.id]


def test_spans_reach_a_collector(broker: tuple[str, str], models: str, tmp_path: Path, collector: Collector) -> None:
    """Articles with a context, without one, with a malformed one, broken, and a tombstone; real models, real OTLP.

    Nothing is exported before the worker stops: what the collector got is what the drain flushed.
    """
    kind, address = broker
    topics = Topics(address, f"traces-{kind}")
    sent: list[tuple[bytes | None, bytes | None, Headers]] = [
        (b"en", article("en"), [("traceparent", TRACEPARENT), ("tracestate", b"vendor=1")]),
        (b"fa", article("fa"), []),
        (b"ar", article("ar"), [("traceparent", b"00-nonsense-01")]),
        (b"bad", b'{"text": "' + MARK.encode() + b'"}', [("traceparent", TRACEPARENT)]),
        (b"gone", None, [("traceparent", TRACEPARENT)]),
    ]
    more = {
        "KHABAR_MODELS": models,
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=secret%20word",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
    }
    with Worker(settings(topics, kind, collector.url, **more), log=tmp_path / "log") as worker:
        worker.wait_ready()
        send(topics, sent)
        records = read(topics, len(sent))
        assert collector.bodies == []
        assert worker.terminate() == 0
        logged = worker.logged()
    check_resource(collector)
    spans = collector.spans()
    processes = {span.attributes["messaging.kafka.message.key"]: span for span in spans if span.kind == "consumer"}
    assert processes.keys() == {"en", "fa", "ar", "bad", "gone"}
    check_common(topics, spans, processes)
    check_enriched(topics, spans, processes, records)
    check_others(topics, spans, processes, records)
    assert MARK.encode() not in b"".join(collector.bodies)
    for secret in (MARK, "secret"):
        assert secret not in logged
    [line] = [line for line in map(json.loads, logged.splitlines()) if line["event"] == "dead_lettered"]
    assert (line["article_id"], line["offset"], line["trace_id"]) == ("bad", 3, TRACE)


def check_resource(collector: Collector) -> None:
    """Who sends: named, with version, and what OTEL_RESOURCE_ATTRIBUTES adds; with the headers that were set."""
    resource = collector.resource()
    assert resource["service.name"] == "khabar"
    assert resource["service.version"]
    assert resource["deployment.environment.name"] == "test"
    assert {headers["api-key"] for headers in collector.headers} == {"secret word"}


def check_common(topics: Topics, spans: list[Got], processes: dict[str, Got]) -> None:
    """Names, positions and nesting of every span."""
    for offset, process in enumerate(sorted(processes.values(), key=lambda span: span.attributes["messaging.kafka.offset"])):
        assert process.name == f"process {topics.raw}"
        assert process.attributes["messaging.system"] == "kafka"
        assert process.attributes["messaging.destination.name"] == topics.raw
        assert process.attributes["messaging.destination.partition.id"] == "0"
        assert process.attributes["messaging.consumer.group.name"] == topics.group
        assert process.attributes["messaging.kafka.offset"] == offset
        for child in below(spans, process):
            assert child.trace == process.trace
            assert process.start <= child.start <= child.end <= process.end
    assert len(spans) == sum(1 + len(below(spans, process)) for process in processes.values()), "no span stands alone"


def check_enriched(topics: Topics, spans: list[Got], processes: dict[str, Got], records: dict[bytes | None, Any]) -> None:
    """Stages with the seconds of the record's own provenance, a send, and the contexts that go out."""
    for language in ("en", "fa", "ar"):
        process, record = processes[language], records[language.encode()]
        assert (process.failed, process.attributes["khabar.article.id"]) == (False, f"id-{language}")
        stages = json.loads(record.value)["provenance"]["stages"]
        children = {span.name: span for span in below(spans, process)}
        assert children.keys() == {"decode", "language", "entities", "summary", f"send {topics.enriched}"}
        for stage in ("language", "entities", "summary"):
            assert children[stage].end - children[stage].start == round(stages[stage]["seconds"] * 1e9)
        sending = children[f"send {topics.enriched}"]
        assert sending.attributes["messaging.kafka.offset"] == record.offset
        assert sending.attributes["messaging.destination.partition.id"] == str(record.partition)
    english, persian, arabic = (records[key] for key in (b"en", b"fa", b"ar"))
    assert (processes["en"].trace, processes["en"].parent, processes["en"].links) == (TRACE, SENDER, [SENDER])
    assert (processes["fa"].parent, processes["ar"].parent) == ("", "")
    assert [value for name, value in english.headers if name == "traceparent"] == [TRACEPARENT]
    assert [value for name, value in arabic.headers if name == "traceparent"] == [b"00-nonsense-01"]
    kinds = {span.parent: span for span in spans if span.name == f"send {topics.enriched}"}
    assert (kinds[processes["en"].id].kind, kinds[processes["en"].id].links) == ("client", [SENDER])
    sending = kinds[processes["fa"].id]
    assert sending.kind == "producer"
    assert dict(persian.headers)["traceparent"][:-3] == f"00-{sending.trace}-{sending.id}".encode()


def check_others(topics: Topics, spans: list[Got], processes: dict[str, Got], records: dict[bytes | None, Any]) -> None:
    """The dead letter and the tombstone."""
    bad = processes["bad"]
    assert (bad.failed, bad.attributes["error.type"], bad.attributes["khabar.stage"]) == (True, "invalid_schema", "decode")
    [letter] = below(spans, bad)
    assert (letter.name, letter.kind, letter.failed) == (f"send {topics.dead}", "producer", False)
    assert dict(records[b"bad"].headers)["traceparent"][:-3] == f"00-{TRACE}-{letter.id}".encode()
    [passed] = below(spans, processes["gone"])
    assert (passed.name, passed.attributes["messaging.kafka.message.tombstone"]) == (f"send {topics.enriched}", True)
    assert list(records[b"gone"].headers) == [("traceparent", TRACEPARENT)]


@pytest.fixture(params=["refuses", "never answers"])
def away(request: pytest.FixtureRequest) -> Iterator[str]:
    """Address of a collector that is away."""
    if request.param == "refuses":
        yield f"http://127.0.0.1:{free_port()}"
        return
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_collector_that_is_away_costs_spans_and_nothing_else(away: str, embedded: str, tmp_path: Path) -> None:
    """Every article comes out, more of them than the queue of spans holds; the log stays quiet, the stop in time."""
    topics = Topics(embedded, f"away-{away.rpartition(':')[2]}")
    variables = settings(topics, "embedded", away, OTEL_BSP_SCHEDULE_DELAY="100", KHABAR_DRAIN_TIMEOUT="10")
    with Worker(variables, log=tmp_path / "log", factory=FACTORY) as worker:
        worker.wait_ready()
        count = 1500  # three spans each
        send(topics, [(b"%d" % number, b"x", []) for number in range(count)])
        read(topics, count)
        start = time.monotonic()
        assert worker.terminate() == 0
        assert time.monotonic() - start < 10
        lines = [json.loads(line) for line in worker.logged().splitlines()]
    about_spans = [line for line in lines if line["logger"] != "khabar" or line["event"].startswith("traces")]
    assert 1 <= len(about_spans) <= 8, about_spans
    assert not [line for line in lines if "exception" in line]


def test_the_last_spans_never_cost_the_drain_its_deadline(embedded: str, tmp_path: Path) -> None:
    """A drain that takes nearly all its time exits 0: the spans have what is left of it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        topics = Topics(embedded, "late")
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        variables = settings(topics, "embedded", endpoint, KHABAR_DRAIN_TIMEOUT="8", KHABAR_ARTICLE_TIMEOUT="20")
        with Worker(variables, log=tmp_path / "log", factory=FACTORY) as worker:
            worker.wait_ready()
            send(topics, [(b"a", b"x", []), (b"b", b"SLEEP 5", [])])
            read(topics, 1)
            start = time.monotonic()
            assert worker.terminate() == 0, "75 would say that something was not finished"
            assert time.monotonic() - start > 4
            assert "traces_left" in worker.logged()


def run_worker(program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A worker that must end by itself."""
    environ = {**os.environ, "KHABAR_TRACES": "otlp", "KHABAR_HTTP_PORT": "0", "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, timeout=120, check=False)


RUN = "import sys; sys.argv = ['khabar', 'worker']; from worker.cli import main; main()"


@pytest.mark.parametrize(
    ("program", "variables", "line"),
    [
        (f"import sys; sys.modules['opentelemetry'] = None; {RUN}", {}, "needs the extra `otel`: pip install 'khabar[otel]'"),
        (RUN, {"OTEL_EXPORTER_OTLP_HEADERS": "Bearer hunter2"}, "is not name=value"),
    ],
    ids=["no extra", "no header"],
)
def test_what_a_person_can_mend_is_one_line(program: str, variables: dict[str, str], line: str) -> None:
    """Before anything is consumed: exit code 2, no traceback, no secret."""
    done = run_worker(program, **variables)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert line in done.stderr.splitlines()[-1]
    assert "hunter2" not in done.stderr
