"""300 mixed articles through real workers on real brokers, one killed with SIGKILL, one stopped with SIGTERM, while they work."""

import json
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from jsonschema import Draft202012Validator

from tests.integration.brokers import SETTINGS
from tests.integration.mixed import MAX_ARTICLE_BYTES, Case, cases
from tests.integration.workers import ROOT, Topics, Worker
from worker.errors import REASONS

KILL_AT = 25
STOP_AT = 130
CARRIED = ("n", "trace")


@pytest.fixture(scope="module")
def validators() -> dict[str, Draft202012Validator]:
    """The published schemas, read by an independent validator."""
    names = ("enriched-article", "dead-letter")
    return {name: Draft202012Validator(json.loads((ROOT / "schemas" / f"{name}.v1.json").read_text())) for name in names}


class Reader(threading.Thread):
    """Collects both output topics while the workers run."""

    def __init__(self, topics: Topics) -> None:
        """Start reading from the start."""
        super().__init__(daemon=True)
        self.records: list[Any] = []
        self.seen: set[tuple[int, int]] = set()
        self._topics = topics
        self._ended = threading.Event()
        self.start()

    def run(self) -> None:
        """Read until told to stop."""
        consumer = self._topics.consumer()
        while not self._ended.is_set():
            for batch in consumer.poll(timeout_ms=200).values():
                for record in batch:
                    self.records.append(record)
                    self.seen.add(source(record))
        consumer.close()

    def wait(self, count: int, seconds: float = 120.0) -> None:
        """Wait until that many different articles have an output."""
        deadline = time.monotonic() + seconds
        while len(self.seen) < count:
            assert time.monotonic() < deadline, f"only {len(self.seen)} of {count} after {seconds} s"
            time.sleep(0.02)

    def stop(self) -> None:
        """Read what is left, and end."""
        time.sleep(1)
        self._ended.set()
        self.join(10)


def source(record: Any) -> tuple[int, int]:  # noqa: ANN401 - kafka-python's record
    """Which input record an output record came from: partition and number of the case."""
    if record.value is None:
        return -1, int(dict(record.headers)["n"])
    body = json.loads(record.value)
    where = body["source"] if body["schema"] == "dead-letter/1" else body["provenance"]["source"]
    return where["partition"], where["offset"]


def send(topics: Topics, part: list[Case]) -> dict[tuple[int, int], Case]:
    """Publish, wait for the broker, and note where each case came to lie."""
    producer = topics.producer()
    futures = [(case, producer.send(topics.raw, case.value, key=case.key, headers=case.headers)) for case in part]
    producer.flush(120)
    placed = {}
    for case, future in futures:
        metadata = future.get(30)
        placed[(-1, case.number) if case.value is None else (metadata.partition, metadata.offset)] = case
    producer.close()
    return placed


@pytest.fixture
def outcome(broker: tuple[str, str], models: str, tmp_path: Path) -> tuple[dict[tuple[int, int], Case], list[Any], dict[str, float]]:
    """Run the whole story once: what was sent, what came out, what the last worker counted."""
    kind, address = broker
    topics = Topics(address, f"mixed-{kind}")
    settings = {
        **topics.environ(),
        **SETTINGS[kind],
        "KHABAR_MODELS": models,
        "KHABAR_PROCESSES": "2",
        "KHABAR_BATCH_ARTICLES": "4",  # a stop waits for the batches that have been started
        "KHABAR_MAX_ARTICLE_BYTES": str(MAX_ARTICLE_BYTES),
    }
    todo = cases()
    with Worker(settings, log=tmp_path / "1.log") as first, Worker(settings, log=tmp_path / "2.log") as second:
        first.wait_ready()
        second.wait_ready()
        reader = Reader(topics)
        placed = send(topics, todo[:100])
        reader.wait(KILL_AT)
        first.kill()
        with Worker(settings, log=tmp_path / "3.log") as third:
            placed |= send(topics, todo[100:200])
            reader.wait(STOP_AT)
            placed |= send(topics, todo[200:])
            assert second.terminate() == 0
            reader.wait(len(todo))
            reader.stop()
            wait_idle(third)
            counted = third.metrics()
            assert third.get("/ready")[0] == third.get("/live")[0] == 200
            assert third.terminate() == 0
    return placed, reader.records, counted


def wait_idle(worker: Worker) -> None:
    """Wait until its lag is measured as none."""
    deadline = time.monotonic() + 30
    while (counted := worker.metrics()).get("khabar_consumer_lag", 1) or counted["khabar_articles_in_flight"]:
        assert time.monotonic() < deadline, counted
        time.sleep(0.2)


def test_every_article_comes_out_once_killed_and_once_stopped(
    outcome: tuple[dict[tuple[int, int], Case], list[Any], dict[str, float]], validators: dict[str, Draft202012Validator]
) -> None:
    """Every article is enriched, dead-lettered or passed on as expected, in order per key, and the metrics add up."""
    placed, records, counted = outcome
    copies = defaultdict(list)
    for record in records:
        copies[source(record)].append(record)
    assert copies.keys() == placed.keys()
    for place, case in placed.items():
        for record in copies[place]:
            check_record(record, case, validators)
        check_copies(copies[place])
    check_order(records, placed)
    check_metrics(counted)


def check_record(record: Any, case: Case, validators: dict[str, Draft202012Validator]) -> None:  # noqa: ANN401 - kafka-python's record
    """One output is what its case expects, valid, with key and headers carried on."""
    if case.expected == "tombstone":
        assert record.value is None
        assert record.key == case.key or case.key is None
        return
    body = json.loads(record.value)
    if case.expected in REASONS:
        validators["dead-letter"].validate(body)
        assert body["reason"] == case.expected
        assert body["stage"] == "decode"
        assert record.key == case.key
        assert dict(record.headers)["khabar.error.reason"] == case.expected.encode()
        return
    validators["enriched-article"].validate(body)
    assert body["language"]["code"] == case.expected
    assert record.key == (body["id"].encode() if case.key is None else case.key)
    assert [header for header in record.headers if header[0] in CARRIED] == [header for header in case.headers if header[0] in CARRIED]
    check_offsets(body)
    key = None if record.key.startswith(b"\xff") else record.key  # the SDK takes every key for text; ours may be any bytes
    event = from_binary_event(KafkaMessage(headers=dict(record.headers), key=key, value=record.value))
    assert event.get_type() == "khabar.article.enriched.v1"
    assert event.get_data() == body


def check_offsets(body: dict[str, Any]) -> None:
    """``article[field][start:end] == text`` for every mention; summary sentences lie in the article."""
    for entity in body["entities"]:
        for mention in entity["mentions"]:
            assert body["article"][mention["field"]][mention["start"] : mention["end"]] == mention["text"]
    texts = [body["article"][part["field"]][part["start"] : part["end"]] for part in body["summary"]["sentences"]]
    assert body["summary"]["text"] == " ".join(texts)


def check_copies(copies: list[Any]) -> None:
    """An article that came out twice has the same id and the same content each time."""
    ids = {dict(record.headers).get("ce_id") for record in copies}
    assert len(ids) == 1
    contents = set()
    for record in copies:
        body = json.loads(record.value or b"{}")
        body.pop("provenance", None)
        body.pop("failed_at", None)
        contents.add(json.dumps(body, sort_keys=True))
    assert len(contents) == 1


def check_order(records: list[Any], placed: dict[tuple[int, int], Case]) -> None:
    """First copies of a key stand in the order in which they were sent, in each output topic."""
    seen = set()
    last: dict[tuple[str, bytes], int] = {}
    for record in records:
        place = source(record)
        case = placed[place]
        if place in seen or case.key is None:
            continue
        seen.add(place)
        assert last.get((record.topic, record.key), -1) < case.number
        last[record.topic, record.key] = case.number


def check_metrics(counted: dict[str, float]) -> None:
    """What the last worker took in is what it sent out."""
    assert counted["khabar_ready"] == 1
    done = sum(
        counted.get(f"khabar_{name}_total", 0)
        for name in ("articles_enriched", "articles_dead_lettered", "tombstones", "articles_released")
    )
    assert counted["khabar_articles_consumed_total"] == done > 0
    assert counted["khabar_articles_in_flight"] == 0
    assert counted["khabar_stage_seconds_count{stage=entities}"] == counted["khabar_articles_enriched_total"]
    assert counted["khabar_end_to_end_seconds_count"] == counted["khabar_articles_enriched_total"]
    assert counted["khabar_model_info"] >= 1
    assert counted["khabar_build_info"] == 1
    assert counted["process_resident_memory_bytes"] > 50e6
