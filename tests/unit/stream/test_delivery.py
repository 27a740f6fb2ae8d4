"""Delivery: publish, wait, try again, dead-letter; against a broker that refuses on demand."""

import asyncio
import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.unit.stream.fakes import FakeBroker, done, failed, job, record
from worker import metrics
from worker.settings import Settings
from worker.status import Status
from worker.stream import delivery as module
from worker.stream.delivery import Delivery
from worker.stream.work import Outcome

ENRICHED, DEAD = "articles.enriched", "articles.dead-letter"


async def permit() -> None:
    """Publishing is always allowed."""


def run(broker: FakeBroker, work: Any, *, settings: Settings | None = None) -> tuple[Status, list[float]]:  # noqa: ANN401 - a callback
    """Let a delivery do ``work``; return the status and the pauses it made."""
    status, pauses = Status(stall_timeout=300), []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def scenario() -> None:
        await work(Delivery(settings or Settings(), send=broker.send, status=status, permit=permit, sleep=sleep))

    asyncio.run(scenario())
    return status, pauses


def deliver(broker: FakeBroker, outcome: Outcome, **options: Any) -> tuple[Status, list[float]]:  # noqa: ANN401 - of a job
    """Deliver one outcome."""
    settings = options.pop("settings", None)
    return run(broker, lambda delivery: delivery.deliver(job(7, **options), outcome), settings=settings)


def counter(name: str, **labels: str) -> float:
    """A sample of the worker's registry."""
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


def test_an_enriched_article_goes_out_and_is_counted() -> None:
    """Key, value and headers as the enricher made them; metrics and status follow the acknowledgement."""
    before = counter("khabar_articles_enriched_total", language="en"), counter("khabar_entities_total", type="PER")
    broker = FakeBroker()
    status, pauses = deliver(broker, done(7))
    assert broker.sent == [(ENRICHED, b"k", b'{"n":7}', [("ce_id", b"1")])]
    assert pauses == []
    assert counter("khabar_articles_enriched_total", language="en") == before[0] + 1
    assert counter("khabar_entities_total", type="PER") == before[1] + 2
    assert counter("khabar_stage_seconds_count", stage="entities", language="en") >= 1
    assert status.counts()[:2] == (1, 0)
    assert status.recent() == [(1, b'{"n":7}')]


def test_the_broker_is_tried_for_ever() -> None:
    """Hours of failures are counted, pause longer and longer up to a limit, and lose nothing."""
    before = counter("khabar_publish_retries_total")
    broker = FakeBroker()
    broker.trouble[ENRICHED] = [ConnectionError("gone") for _ in range(1200)]
    _, pauses = deliver(broker, done(7))
    assert len(broker.sent) == 1
    assert counter("khabar_publish_retries_total") == before + 1200
    assert len(pauses) == 1200
    assert pauses[0] <= 0.1
    assert module.LONGEST_PAUSE_SECONDS / 2 <= pauses[-1] <= module.LONGEST_PAUSE_SECONDS


def test_a_dead_letter_explains_itself() -> None:
    """Original bytes, key, headers and position; reason, stage and source in its own headers."""
    broker = FakeBroker()
    status, _ = deliver(broker, failed(attempts=3), key=b"\xff\x00", value=b"\xfe{", headers=[("a", b"1"), ("a", None)])
    [(topic, key, value, headers)] = broker.sent
    letter = json.loads(value or b"")
    assert (topic, key) == (DEAD, b"\xff\x00")
    assert base64.b64decode(letter["value"]) == b"\xfe{"
    assert base64.b64decode(letter["key"]) == b"\xff\x00"
    assert letter["headers"] == [["a", "MQ=="], ["a", None]]
    assert letter["source"] == {"topic": "in", "partition": 0, "offset": 7, "timestamp": "2023-11-14T22:13:20.000Z"}
    assert (letter["reason"], letter["stage"], letter["attempts"]) == ("invalid_json", "decode", 3)
    assert dict(headers) == {
        "content-type": b"application/json",
        "khabar.error.reason": b"invalid_json",
        "khabar.error.stage": b"decode",
        "khabar.error.source": b"in/0/7",
    }
    assert status.counts()[:2] == (0, 1)


def test_an_output_the_broker_refuses_for_its_size_is_dead_lettered() -> None:
    """It is not tried again: it would block its lane for ever."""
    broker = FakeBroker()
    broker.largest[ENRICHED] = 100
    _, pauses = deliver(broker, done(7, value=b"x" * 200))
    assert [topic for topic, *_ in broker.sent] == [DEAD]
    assert json.loads(broker.sent[0][2] or b"")["reason"] == "output_too_large"
    assert pauses == []


def test_an_output_above_the_setting_is_not_even_sent() -> None:
    """KHABAR_MAX_OUTPUT_BYTES holds before the broker's limit."""
    broker = FakeBroker()
    deliver(broker, done(7, value=b"x" * 2000), settings=Settings(max_output_bytes=1024))
    assert json.loads(broker.sent[0][2] or b"")["stage"] == "publish"


@pytest.mark.parametrize(("limit", "kept"), [(900, {"value": None, "key": "a2V5"}), (600, {"value": None, "key": None})])
def test_a_dead_letter_too_large_for_the_broker_goes_without_its_value(limit: int, kept: dict[str, Sequence[str] | None]) -> None:
    """First the value is left out, then key and headers too; the position stays."""
    broker = FakeBroker()
    broker.largest[DEAD] = limit
    deliver(broker, failed("too_large"), key=b"key", value=b"x" * 5000, headers=[("h", b"y" * 200)])
    letter = json.loads(broker.sent[0][2] or b"")
    assert {name: letter[name] for name in kept} == kept
    assert letter["source"]["offset"] == 7


@pytest.mark.parametrize(("key", "expected"), [(b"k", b"k"), (b"", b""), (None, b"in/2/5")])
def test_a_tombstone_is_passed_on(key: bytes | None, expected: bytes) -> None:
    """A null value under the same key, headers carried on but for the raw event's id; without a key, under the article's id."""
    broker = FakeBroker()
    headers: list[tuple[str, bytes | None]] = [("t", b"1"), ("CE_ID", b"another"), ("ce_tenant", b"2")]
    run(broker, lambda delivery: delivery.tombstone(record(5, partition=2, key=key, value=None, headers=headers)))
    assert broker.sent == [(ENRICHED, expected, None, [("t", b"1"), ("ce_tenant", b"2")])]


@pytest.mark.parametrize(("limit", "key"), [(2_000, "aw=="), (700, None)])
def test_a_tombstone_too_large_for_the_output_is_a_dead_letter(limit: int, key: str | None) -> None:
    """Its key and headers alone may be too large; it must neither end the worker nor stop its partition."""
    broker = FakeBroker()
    broker.largest[ENRICHED], broker.largest[DEAD] = 100, limit
    run(broker, lambda delivery: delivery.tombstone(record(5, partition=2, key=b"k", value=None, headers=[("t", b"1" * 500)])))
    assert [topic for topic, *_ in broker.sent] == [DEAD]
    letter = json.loads(broker.sent[0][2] or b"")
    assert (letter["reason"], letter["stage"], letter["value"], letter["key"]) == ("output_too_large", "publish", None, key)
    assert letter["source"]["offset"] == 5


def test_a_timestamp_beyond_the_calendar_is_no_error() -> None:
    """A record from the year 292 million still becomes a dead letter."""
    strange = job(1).__class__(b"x", None, [], "in", 0, 1, 2**62)
    letter = json.loads(module.encode_dead_letter(strange, failed().result, attempts=1))  # type: ignore[arg-type]
    assert letter["source"]["timestamp"] is None
