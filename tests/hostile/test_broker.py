"""The whole hostile corpus through a real broker and a running worker."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from kafka import KafkaProducer

from tests.faults import topics
from tests.faults.cluster import UNCLOSED, Cluster, available
from tests.faults.verify import Kept
from tests.faults.workers import Worker
from tests.hostile import checks
from tests.hostile.cases import MAX_BYTES, Case, Dead, Enriched, Headers, Tombstone
from tests.hostile.corpus import CASES

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600), pytest.mark.filterwarnings(UNCLOSED)]

CASE_HEADER = "case"
SECONDS = 240.0
SENDABLE = [
    case
    for case in CASES
    if case.timestamp_ms is not None
    and 0 <= case.timestamp_ms < 2**62
    and all(value is not None for _, value in case.headers)
    and (case.key, case.value) != (None, None)
]
"""kafka-python sends no record without a timestamp, with a negative one, or with neither key nor value, and no header without a value."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """One broker with the three topics, wide enough for everything in the corpus."""
    made = Cluster(tmp_path / "kafka")
    try:
        made.start()
        limits = {topics.INPUT: 16, topics.OUTPUT: 24, topics.DEAD: 32}
        anytime = {"message.timestamp.after.max.ms": str(2**62), "message.timestamp.before.max.ms": str(2**62), "retention.ms": "-1"}
        with made.admin() as admin:
            admin.create_topics(
                {
                    name: {"num_partitions": 1, "configs": {"max.message.bytes": str(size * 2**20), **anytime}}
                    for name, size in limits.items()
                },
                wait_for_metadata=True,
            )
        yield made
    finally:
        made.stop()


@pytest.mark.skipif(not available(), reason="needs Apache Kafka (KAFKA_HOME) and Java")
def test_the_corpus_through_a_running_worker(cluster: Cluster, tmp_path: Path) -> None:
    """Every record comes out exactly as the corpus says, with its original bytes, key and headers, and the worker lives on."""
    environ = {"KHABAR_BROKERS": cluster.direct, "KHABAR_MAX_ARTICLE_BYTES": str(MAX_BYTES), "KHABAR_PROCESSES": "2"}
    worker = Worker("hostile", folder=tmp_path, environ=environ)
    worker.start()
    try:
        _publish(cluster)
        found = _outputs(cluster)
    finally:
        end = worker.close(seconds=40)
    wrong = {f"{case.kind}-{case.name}": list(_wrong(case, number, found)) for number, case in enumerate(SENDABLE)}
    assert {name: lines for name, lines in wrong.items() if lines} == {}
    assert end is not None
    assert (end.code, len(worker.ended)) == (0, 1), worker.log.read_text()[-3000:]


def _publish(cluster: Cluster) -> None:
    servers = cluster.direct.split(",")
    producer = KafkaProducer(bootstrap_servers=servers, max_request_size=16 * 2**20, acks="all", max_in_flight_requests_per_connection=1)
    for number, case in enumerate(SENDABLE):
        sent = producer.send(topics.INPUT, case.value, key=case.key, headers=list(_headers(case, number)), timestamp_ms=case.timestamp_ms)
        if len(case.value or b"") > 2**20:
            sent.get(60)
    producer.flush(120)
    producer.close(timeout=10)


def _headers(case: Case, number: int) -> Headers:
    return [*case.headers, (CASE_HEADER, str(number).encode())]


def _outputs(cluster: Cluster) -> dict[int, list[tuple[str, Kept]]]:
    """Number of the case to what came out of it: topic and record."""
    topics.wait_for(cluster.direct, (topics.OUTPUT, topics.DEAD), count=len(SENDABLE), seconds=SECONDS)
    found: dict[int, list[tuple[str, Kept]]] = {}
    for topic in (topics.OUTPUT, topics.DEAD):
        for record in topics.read(cluster.direct, topic):
            found.setdefault(_number(record, dead=topic == topics.DEAD), []).append((topic, record))
    return found


def _number(record: Kept, *, dead: bool) -> int:
    headers = record.headers
    if dead:
        encoded = json.loads(record.value or b"{}")["headers"]
        headers = [(name, None if value is None else base64.b64decode(value)) for name, value in encoded]
    return int([value for name, value in headers if name == CASE_HEADER and value is not None][-1])


def _wrong(case: Case, number: int, found: dict[int, list[tuple[str, Kept]]]) -> Iterator[str]:
    outputs = found.get(number, [])
    if len(outputs) != 1:
        yield f"{len(outputs)} outputs"
        return
    ((topic, record),) = outputs
    place = f"{topics.INPUT}/0/{number}"
    sent = replace(case, headers=_headers(case, number))
    if isinstance(case.expect, Dead):
        yield from _dead(sent, case.expect, topic, record) if topic == topics.DEAD else ["came out enriched"]
    elif topic == topics.DEAD:
        yield f"dead letter: {json.loads(record.value or b'{}')['error']}"
    elif isinstance(case.expect, Tombstone):
        if record.value is not None or record.key != (place.encode() if case.key is None else case.key):
            yield f"no tombstone: {record.key!r} {record.value!r}"
    else:
        expect: Enriched = case.expect
        if expect.id == f"{topics.INPUT}/0/7":
            expect = replace(expect, id=place, key=place.encode() if case.key is None else expect.key)
        yield from checks.enriched(sent, value=record.value or b"", key=record.key or b"", headers=record.headers, expect=expect)


def _dead(case: Case, expect: Dead, topic: str, record: Kept) -> Iterator[str]:
    letter = json.loads(record.value or b"{}")
    yield from checks.invalid("dead-letter", letter)
    yield from checks.error_line(letter["error"])
    original = {"value": case.value, "key": case.key}
    for name, sent in original.items():
        got = None if letter[name] is None else base64.b64decode(letter[name])
        if got != sent:
            yield f"{name}: not the original bytes"
    headers = [(name, None if value is None else base64.b64decode(value)) for name, value in letter["headers"]]
    if headers != list(case.headers):
        yield f"headers: {headers}"
    if letter["reason"] != expect.reason or dict(record.headers).get("khabar.error.reason") != expect.reason.encode():
        yield f"reason: {letter['reason']} on {topic}"
    if record.key != case.key:
        yield f"key: {record.key!r}"
