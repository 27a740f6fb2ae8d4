"""A worker's life on a real broker: waiting, ready, trouble, stop. A stand-in enricher does what the articles' bytes say."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kafka
import psutil
import pytest

from tests.integration.brokers import SETTINGS
from tests.integration.workers import ROOT, Topics, Worker
from worker.broker import EmbeddedBroker, free_port

FACTORY = "tests.unit.stream.standin:load"


def settings(topics: Topics, kind: str, **more: str) -> dict[str, str]:
    """Variables of a worker with one process and short time limits."""
    return {**topics.environ(), **SETTINGS[kind], "KHABAR_PROCESSES": "1", "KHABAR_ARTICLE_TIMEOUT": "2", **more}


def send(topics: Topics, values: list[bytes | None], *, partition: int = 0) -> None:
    """Publish values under keys of their own to one partition, and wait for the broker."""
    producer = topics.producer()
    for number, value in enumerate(values):
        producer.send(topics.raw, value, key=b"k%d" % number, partition=partition)
    producer.flush(120)
    producer.close()


def read(topics: Topics, count: int, *, seconds: float = 90.0, until: Callable[[list[Any]], bool] | None = None) -> list[Any]:
    """Records of both output topics, as soon as there are ``count``."""
    consumer = topics.consumer()
    records: list[Any] = []
    deadline = time.monotonic() + seconds
    while len(records) < count and not (until and until(records)):
        assert time.monotonic() < deadline, f"{len(records)} of {count}"
        for batch in consumer.poll(timeout_ms=200).values():
            records += batch
    consumer.close()
    return records


def reasons(topics: Topics, records: list[Any]) -> list[str]:
    """Why articles were dead-lettered."""
    return [json.loads(record.value)["reason"] for record in records if record.topic == topics.dead]


def wait_for(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_broken_articles_are_dead_lettered_and_nobody_else(broker: tuple[str, str], tmp_path: Path) -> None:
    """Articles that kill, hang, fail or grow too large; a tombstone; a 10 MB record; and a killed process in between."""
    kind, address = broker
    topics = Topics(address, f"trouble-{kind}")
    values = [b"x", b"CRASH", b"x", b"HANG", b"x", b"FAIL", b"x", None, b"BIG 3000000", b"x" * 10_000_000, b"x"]
    variables = settings(topics, kind, KHABAR_MAX_OUTPUT_BYTES="2000000", KHABAR_MAX_ARTICLE_BYTES="20000000")
    with Worker(variables, log=tmp_path / "log", factory=FACTORY) as worker:
        worker.wait_ready()
        [server] = [child for child in psutil.Process(worker.process.pid).children() if child.children()]
        server.children()[0].kill()
        send(topics, values)
        records = sorted(read(topics, len(values)), key=lambda record: int(record.key[1:]))
        assert reasons(topics, records) == ["worker_crashed", "enrich_timeout", "enrich_failed", "output_too_large"]
        enriched = [record for record in records if record.topic == topics.enriched]
        assert [record.key for record in enriched] == [b"k%d" % number for number in (0, 2, 4, 6, 7, 9, 10)]
        assert [record.value is None for record in enriched].index(True) == 4
        counted = worker.metrics()
        assert counted["khabar_pool_restarts_total"] >= 5
        assert counted["khabar_articles_consumed_total"] == len(values)
        assert worker.terminate() == 0


@pytest.mark.kafka
def test_an_output_the_topic_refuses_is_dead_lettered(apache_kafka: str, tmp_path: Path) -> None:
    """The topic's own limit, told by the broker, and the article behind it goes on."""
    topics = Topics(apache_kafka, "limit")
    admin = kafka.admin.KafkaAdminClient(bootstrap_servers=apache_kafka)
    resource = kafka.admin.ConfigResource(kafka.admin.ConfigResourceType.TOPIC, topics.enriched, {"max.message.bytes": "20000"})
    admin.alter_configs([resource])
    admin.close()
    with Worker(settings(topics, "kafka"), log=tmp_path / "log", factory=FACTORY) as worker:
        worker.wait_ready()
        send(topics, [b"BIG 1", b"NOISE 40000", b"NOISE 40000", b"x"])
        records = read(topics, 4)
        assert reasons(topics, records) == ["output_too_large"] * 2
        assert worker.terminate() == 0


def test_the_brake_holds_articles_while_everything_fails(embedded: str, tmp_path: Path) -> None:
    """A model that breaks costs a handful of articles, not the backlog; when it works again, everything comes out."""
    topics = Topics(embedded, "brake")
    broken = tmp_path / "broken"
    broken.touch()
    variables = settings(topics, "embedded", KHABAR_BRAKE_ARTICLES="10", KHABAR_DRAIN_TIMEOUT="14")
    with Worker(variables, log=tmp_path / "log", factory=FACTORY) as worker:
        worker.wait_ready()
        send(topics, [b"FAIL-WHILE " + os.fsencode(broken)] * 60)
        wait_for(lambda: worker.get("/ready")[0] == 503)
        assert "brake" in worker.get("/ready")[1]
        assert worker.metrics()["khabar_brake"] == 1
        assert worker.metrics()["khabar_ready"] == 0
        time.sleep(3)
        dead = worker.metrics()["khabar_articles_dead_lettered_total"]
        assert dead <= 10
        assert worker.terminate() == 0, "a stop gives held articles back"
    with Worker(variables, log=tmp_path / "log2", factory=FACTORY) as worker:
        wait_for(lambda: worker.metrics().get("khabar_brake") == 1, 120)
        broken.unlink()
        records = read(topics, 60)
        wait_for(lambda: worker.get("/ready")[0] == 200)
        assert len(reasons(topics, records)) == 2 * dead, "one of each start, before the share meant anything"
        assert worker.terminate() == 0


def test_topics_may_come_later(embedded: str, tmp_path: Path) -> None:
    """The worker waits for missing topics, says which, and never makes them itself."""
    topics = Topics(embedded, "later")
    variables = settings(topics, "embedded", KHABAR_INPUT_TOPIC="later.other", KHABAR_GROUP="later.other")
    with Worker(variables, log=tmp_path / "log", factory=FACTORY) as worker:
        wait_for(lambda: "topics_missing" in worker.logged())
        status, text = worker.get("/ready")
        assert status == 503
        assert "topics" in text
        assert worker.get("/live")[0] == 200
        admin = kafka.admin.KafkaAdminClient(bootstrap_servers=embedded)
        assert "later.other" not in admin.list_topics()
        admin.create_topics([kafka.admin.NewTopic("later.other", 1, 1)])
        admin.close()
        worker.wait_ready()
        assert worker.terminate() == 0


def test_a_broker_may_come_later_and_a_stop_needs_none(tmp_path: Path) -> None:
    """The worker waits for a broker that is down, answers its probes, and stops at once."""
    variables = {"KHABAR_BROKERS": f"127.0.0.1:{free_port()}", "KHABAR_PROCESSES": "1"}
    with Worker(variables, log=tmp_path / "log", factory=FACTORY) as worker:
        wait_for(lambda: "broker_unreachable" in worker.logged() and "models_loaded" in worker.logged())
        assert worker.get("/live")[0] == 200
        assert worker.get("/ready")[0] == 503
        assert worker.process.poll() is None
        assert worker.terminate() == 0


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"KHABAR_MODELS": "/nowhere"}, "/nowhere"),
        pytest.param({"KHABAR_SECURITY_PROTOCOL": "SSL", "KHABAR_BROKERS": "KAFKA"}, "no SSL on that port", marks=pytest.mark.kafka),
    ],
    ids=["model", "tls"],
)
def test_what_a_person_can_mend_is_one_line(variables: dict[str, str], line: str, models: str, request: pytest.FixtureRequest) -> None:
    """No traceback, exit code 2: a model that is not there; TLS to a port that speaks none."""
    if "KHABAR_BROKERS" in variables:
        variables = {**variables, "KHABAR_BROKERS": request.getfixturevalue("apache_kafka"), "KHABAR_MODELS": models}
    environ = {**os.environ, "KHABAR_HTTP_PORT": "0", "KHABAR_PROCESSES": "1", "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(
        [sys.executable, "-m", "worker.cli", "worker"], env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert line in done.stderr.splitlines()[-1]


def test_a_signal_to_the_group_drains_first(embedded: str, tmp_path: Path) -> None:
    """Ctrl-C reaches the enricher processes too; what they work on is finished and committed."""
    topics = Topics(embedded, "group")
    with Worker(settings(topics, "embedded", KHABAR_BATCH_ARTICLES="2"), log=tmp_path / "log", factory=FACTORY) as worker:
        worker.wait_ready()
        send(topics, [b"SLEEP 0.3"] * 30)
        read(topics, 2)
        os.killpg(worker.process.pid, signal.SIGINT)
        assert worker.process.wait(30) == 0
        assert "process_replaced" not in worker.logged()
    with Worker(settings(topics, "embedded"), log=tmp_path / "log2", factory=FACTORY):
        offsets = sorted(json.loads(record.value)["n"] for record in read(topics, 30))
    assert offsets == list(range(30)), "nothing twice, nothing lost"


def test_a_stop_with_the_broker_gone_ends_within_its_deadline(tmp_path: Path) -> None:
    """What is in flight cannot be finished: the worker ends un-acked, with the exit code that says so."""
    with EmbeddedBroker() as gone:
        topics = Topics(gone.address, "gone")
        variables = settings(topics, "embedded", KHABAR_DRAIN_TIMEOUT="4")
        with Worker(variables, log=tmp_path / "log", factory=FACTORY) as worker:
            worker.wait_ready()
            send(topics, [b"SLEEP 0.1"] * 200)
            read(topics, 3)
            gone.stop()
            wait_for(lambda: worker.get("/ready") == (503, "waiting for: group\n"))
            assert worker.get("/live")[0] == 200
            start = time.monotonic()
            assert worker.terminate() == 75
            assert time.monotonic() - start < 4 + 3
            assert len(worker.logged().splitlines()) < 150, "an outage must not flood the log"


def test_a_stop_while_models_load_does_not_wait_for_them(tmp_path: Path) -> None:
    """Nothing is in flight yet: the worker ends at once, and leaves no process behind."""
    variables = {"KHABAR_BROKERS": f"127.0.0.1:{free_port()}", "KHABAR_PROCESSES": "2"}
    with Worker(variables, log=tmp_path / "log", factory=FACTORY) as worker:
        wait_for(lambda: "listening" in worker.logged())
        children = psutil.Process(worker.process.pid).children(recursive=True)
        start = time.monotonic()
        assert worker.terminate() == 0
        assert time.monotonic() - start < 5
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []
