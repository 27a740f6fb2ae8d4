"""What logs say of an article: each event names it and where it lies, and none says what is in it."""

import asyncio
import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.unit.stream.fakes import FakeBroker, done, failed, job, record
from worker.enrich.job import Failed, Job
from worker.settings import Settings
from worker.status import Status
from worker.stream.about import MOST_CHARACTERS, about
from worker.stream.delivery import Delivery
from worker.stream.pool import Pool
from worker.stream.work import Outcome

FIELDS = {"article_id", "topic", "partition", "offset", "stage", "reason"}
"""What each event about one article has."""
TEXT = b"secret text of an article, " * 40
ENRICHED, DEAD = "articles.enriched", "articles.dead-letter"


async def nothing(*_: float) -> None:
    """A pause that takes no time; publishing is always allowed."""


def delivered(broker: FakeBroker, outcome: Outcome, *, source: Job | None = None) -> list[Any]:
    """What is logged while one outcome is delivered."""
    status = Status(stall_timeout=300)
    delivery = Delivery(Settings(), send=broker.send, status=status, permit=nothing, sleep=nothing)
    with capture_logs() as said:
        asyncio.run(delivery.deliver(source or job(7, value=TEXT), outcome))
    return list(said)


def test_an_article_is_called_by_its_id_else_its_key_else_its_position() -> None:
    """The same rule as for the id of its record."""
    assert about(job(7), "a-1") == {"article_id": "a-1", "topic": "in", "partition": 0, "offset": 7}
    assert about(record(7, key="مفتاح".encode()))["article_id"] == "مفتاح"
    assert about(record(7, partition=2, key=b"\xff\x00"))["article_id"] == "in/2/7"
    assert about(job(7, key=None))["article_id"] == "in/0/7"


def test_a_senders_id_cannot_write_lines_of_its_own() -> None:
    """Line ends, escapes and marks that turn the writing round are replaced, and an id is cut; a joiner within a word stays."""
    assert about(job(7), "a\nb\x1b[2Jc\u202ed\u2028e")["article_id"] == "a�b�[2Jc�d�e"
    assert about(job(7), "می\u200cرود")["article_id"] == "می\u200cرود"
    assert len(str(about(job(7), "x" * 100_000)["article_id"])) == MOST_CHARACTERS


@pytest.mark.parametrize(
    ("outcome", "trouble", "largest", "events"),
    [
        (failed(), {}, {}, ["dead_lettered"]),
        (failed("enrich_failed", stage="entities"), {DEAD: [OSError("gone")]}, {}, ["publish_retry", "dead_lettered"]),
        (done(7), {ENRICHED: [OSError("gone")]}, {}, ["publish_retry"]),
        (done(7), {}, {ENRICHED: 10}, ["dead_lettered"]),
        (failed("too_large"), {}, {DEAD: 900}, ["dead_letter_without_value", "dead_lettered"]),
    ],
    ids=["dead letter", "dead letter tried again", "article tried again", "output too large", "dead letter too large"],
)
def test_each_event_of_delivery_names_its_article(
    outcome: Outcome, trouble: dict[str, list[Exception]], largest: dict[str, int], events: list[str]
) -> None:
    """Id, topic, partition, offset, stage and reason; of the raw record, not of the one that goes out."""
    broker = FakeBroker()
    broker.trouble.update(trouble)
    broker.largest.update(largest)
    said = delivered(broker, outcome)
    assert [line["event"] for line in said] == events
    for line in said:
        assert line.keys() >= FIELDS
        assert (line["topic"], line["partition"], line["offset"]) == ("in", 0, 7)
        assert line["article_id"] == ("k" if isinstance(outcome.result, Failed) else "7")
    assert TEXT.decode() not in json.dumps(said)


def test_a_failed_article_that_was_read_keeps_its_id() -> None:
    """The enricher process knows it, and says it with the failure."""
    [line] = delivered(FakeBroker(), Outcome(Failed("enrich_failed", "entities", "one line", "a-1"), 1))
    assert line["article_id"] == "a-1"


def test_an_article_that_breaks_its_process_is_named() -> None:
    """Once for each process it broke."""

    async def scenario() -> None:
        pool = Pool(Settings(processes=1), factory="tests.unit.stream.standin:load")
        try:
            await pool.start()
            await pool.run(job(7, value=b"CRASH " + TEXT))
        finally:
            await pool.stop()

    with capture_logs() as said:
        asyncio.run(scenario())
    broke = [line for line in said if line["event"] == "article_broke_process"]
    assert [line["times"] for line in broke] == [1, 2]
    for line in broke:
        assert line.keys() >= FIELDS
        assert (line["article_id"], line["offset"], line["stage"], line["reason"]) == ("k", 7, "enrich", "crashed")
    assert TEXT.decode() not in json.dumps(said)
