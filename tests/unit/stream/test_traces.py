"""Spans of articles on their way through the lanes: an in-memory exporter collects them."""

import asyncio
import inspect
import json
import re
import time

import pytest
from opentelemetry.semconv._incubating.attributes import messaging_attributes
from opentelemetry.semconv.attributes import error_attributes
from opentelemetry.semconv.schemas import Schemas
from opentelemetry.trace import SpanKind, StatusCode
from structlog.testing import capture_logs

from tests.unit.stream.fakes import done, failed, record
from tests.unit.stream.traced import (
    DEAD,
    ENRICHED,
    RETRY_SECONDS,
    SENT,
    TEXT,
    TRACE,
    World,
    attributes,
    broken,
    enriched,
    one,
    own,
    parent,
    play,
    settle,
)
from worker.stream import traces as module


def test_stages_are_as_long_as_the_process_says() -> None:
    """One behind the other, within the article's span, up to the process's answer."""
    spans = one(enriched(seconds={"decode": 0.0, "language": 1e-6, "entities": 2e-6}), headers=SENT).spans()
    process, decode, language, entities = (spans[name] for name in ("process in", "decode", "language", "entities"))
    times = [span_time for span in (decode, language, entities) for span_time in (span.start_time or 0, span.end_time or 0)]
    assert [end - start for start, end in zip(times[::2], times[1::2], strict=True)] == [0, 1000, 2000]
    assert times[1] == times[2]
    assert times[3] == times[4]
    assert (process.start_time or 0) <= times[0]
    assert times[-1] <= (spans[f"send {ENRICHED}"].start_time or 0)
    assert {span.kind for span in (decode, language, entities)} == {SpanKind.INTERNAL}
    assert attributes(entities) == {"khabar.language": "en"}


def test_a_stage_never_begins_before_its_article() -> None:
    """Clocks differ a little between processes: what would not fit begins with the article."""
    spans = one(enriched(seconds={"entities": 1000.0})).spans()
    assert (spans["entities"].start_time or 0) >= (spans["process in"].start_time or 0)


def test_a_dead_letter_says_why_in_its_span() -> None:
    """Its reason is the error's type; the letter's own headers get the context of its send."""
    world = one(broken(), headers=SENT, value=TEXT)
    spans = world.spans()
    assert spans.keys() == {"process in", f"send {DEAD}"}
    process, send = spans["process in"], spans[f"send {DEAD}"]
    assert (process.status.status_code, process.status.description) == (StatusCode.ERROR, None)
    assert attributes(process)["error.type"] == "enrich_failed"
    assert attributes(process)["khabar.stage"] == "entities"
    assert (send.status.status_code, send.kind, parent(send)) == (StatusCode.UNSET, SpanKind.PRODUCER, own(process))
    [(_, _, value, headers)] = world.broker.sent
    assert dict(headers)["traceparent"] == f"00-{TRACE}-{own(send)}-01".encode()
    assert dict(headers)["tracestate"] == b"vendor=1"
    assert json.loads(value or b"")["headers"][0][0] == "traceparent", "the raw record's own stands in the letter"


def test_an_output_that_is_too_large_fails_its_send_and_its_article() -> None:
    """The stages it went through are there all the same."""

    async def scenario(world: World) -> None:
        world.broker.largest[ENRICHED] = 3
        await world.put(record(7, headers=SENT))
        world.pool.answer(7, done(7))

    spans = play(scenario).spans()
    assert spans.keys() == {"process in", "language", "entities", f"send {ENRICHED}", f"send {DEAD}"}
    assert attributes(spans[f"send {ENRICHED}"])["error.type"] == "TooLargeError"
    assert attributes(spans["process in"])["error.type"] == "output_too_large"
    assert attributes(spans["process in"])["khabar.article.id"] == "7"


def test_each_try_to_publish_is_a_span() -> None:
    """What the broker did not take has an error; the article itself has none."""

    async def scenario(world: World) -> None:
        world.broker.trouble[ENRICHED] = [ConnectionError("gone")]
        await world.put(record(7, headers=SENT))
        world.pool.answer(7, done(7))

    ended = play(scenario).exporter.get_finished_spans()
    sends = [span for span in ended if span.name == f"send {ENRICHED}"]
    assert [attributes(span).get("error.type") for span in sends] == ["ConnectionError", None]
    assert [span.status.status_code for span in sends] == [StatusCode.ERROR, StatusCode.UNSET]
    assert not sends[0].events, "an exception's message may quote a record"
    [process] = [span for span in ended if span.name == "process in"]
    assert process.status.status_code == StatusCode.UNSET


def test_a_tombstone_has_its_span() -> None:
    """Passed on, with nothing to enrich."""
    spans = one(None, value=None, headers=SENT).spans()
    assert spans.keys() == {"process in", f"send {ENRICHED}"}
    for span in spans.values():
        assert attributes(span)["messaging.kafka.message.tombstone"] is True
        assert "messaging.message.body.size" not in attributes(span)


@pytest.mark.parametrize("key", [None, b"", b"\xff\x00", b"a\nb", b"x" * 1000])
def test_a_key_that_is_no_short_text_is_left_out(key: bytes | None) -> None:
    """The convention wants a string that stands for the key without a doubt."""
    assert "messaging.kafka.message.key" not in attributes(one(done(7), key=key).spans()["process in"])


def test_a_released_article_ends_its_span_without_an_error() -> None:
    """Whoever owns its partition next begins it anew."""

    async def scenario(world: World) -> None:
        await world.put(record(7, headers=SENT))

    spans = play(scenario).spans()
    assert spans.keys() == {"process in"}
    assert attributes(spans["process in"])["khabar.released"] is True
    assert spans["process in"].status.status_code == StatusCode.UNSET


def test_an_article_released_while_it_is_sent_ends_once() -> None:
    """The cancelled send has an error, and nothing is said of spans that have ended."""

    async def scenario(world: World) -> None:
        world.broker.on.clear()
        await world.put(record(7, headers=SENT))
        world.pool.answer(7, done(7))
        await settle()

    with capture_logs() as said:
        spans = play(scenario).spans()
    assert attributes(spans[f"send {ENRICHED}"])["error.type"] == "CancelledError"
    assert attributes(spans["process in"])["khabar.released"] is True
    assert [line["event"] for line in said] == ["articles_released"]


def test_a_held_article_shows_the_stages_of_its_last_try() -> None:
    """While the brake is on an article is tried again; its span lasts until it is out."""
    again = 0

    async def scenario(world: World) -> None:
        nonlocal again
        world.pool.retries = [enriched(seconds={"language": 0.0})]
        await world.put(record(7, headers=SENT))
        world.pool.answer(7, failed("enrich_failed"))
        await settle()
        again = time.time_ns()
        await asyncio.sleep(2 * RETRY_SECONDS)

    spans = play(scenario, brake_articles=5).spans()
    assert (spans["language"].start_time or 0) > again
    assert spans["process in"].status.status_code == StatusCode.UNSET


def test_no_text_of_an_article_is_in_a_span() -> None:
    """Neither where all goes well nor where it fails."""
    for outcome in (enriched(value=TEXT), broken(error=TEXT.decode())):
        world = one(outcome, headers=SENT, value=TEXT)
        assert world.spans()
        assert TEXT.decode() not in "".join(span.to_json() for span in world.spans().values())


def test_names_are_those_of_the_convention() -> None:
    """Every attribute is the convention's, none a deprecated one, or our own; and the schema is the installed one's newest."""
    source = inspect.getsource(messaging_attributes) + inspect.getsource(error_attributes)
    known = set(re.findall(r'Final = "([^"]+)"', source))
    deprecated = set(re.findall(r'Final = "([^"]+)"\n"""\nDeprecated', source))
    used = set()
    for world in (one(done(7), headers=SENT), one(failed()), one(None, value=None)):
        used |= {name for span in world.spans().values() for name in attributes(span)}
    assert {name for name in used if not name.startswith("khabar.")} <= known - deprecated
    assert "messaging.kafka.message.offset" in deprecated, "the pattern finds what is deprecated"
    assert list(Schemas)[-1].value == module.SCHEMA
