"""Spans of articles on their way through the lanes: an in-memory exporter collects them."""

import asyncio
import inspect
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from msgspec import structs
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import messaging_attributes
from opentelemetry.semconv.attributes import error_attributes
from opentelemetry.semconv.schemas import Schemas
from opentelemetry.trace import SpanKind, StatusCode, format_span_id, format_trace_id
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from tests.unit.stream.fakes import FakeBroker, FakePool, done, failed, record
from worker.enrich.job import Headers
from worker.settings import Settings
from worker.status import Status
from worker.stream import traces as module
from worker.stream.brake import Brake
from worker.stream.delivery import Delivery
from worker.stream.lane import Flow, Lanes, Record
from worker.stream.pool import Outcome
from worker.stream.traces import Traces, sent_with

ENRICHED, DEAD = "articles.enriched", "articles.dead-letter"
TRACE, SENDER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{SENDER}-01".encode()
SENT: Headers = [("traceparent", TRACEPARENT), ("tracestate", b"vendor=1")]
RETRY_SECONDS = 0.1
TEXT = b"secret text of an article"


class World:
    """Lanes with traces, and fakes around them."""

    def __init__(self, *, brake_articles: int = 50) -> None:
        """Wire it up."""
        self.pool, self.broker, self.exporter = FakePool(), FakeBroker(), InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.traces = Traces(provider, group="khabar")
        status = Status(stall_timeout=300)
        self.brake = Brake(share=0.5, articles=brake_articles, status=status, retry_seconds=RETRY_SECONDS)
        send = self.traces.sending(self.broker.send)
        self.lanes = Lanes(
            pool=self.pool,
            delivery=Delivery(Settings(), send=send, status=status, permit=nothing, sleep=nothing),
            brake=self.brake,
            full_at=64,
            flow=Flow(pause=lambda _: None, resume=lambda _: None),
            traces=self.traces,
        )

    async def put(self, *records: Record) -> None:
        """Take records in."""
        for one in records:
            await self.lanes.put(one, ack=nothing, wanted=lambda: True)

    def spans(self) -> dict[str, ReadableSpan]:
        """Every span that has ended, by name."""
        ended = {span.name: span for span in self.exporter.get_finished_spans()}
        assert len(ended) == len(self.exporter.get_finished_spans())
        return ended


async def nothing(*_: float) -> None:
    """A pause that takes no time; an acknowledgement; publishing is always allowed."""


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(30):
        await asyncio.sleep(0)


def play(scenario: Callable[[World], Coroutine[Any, Any, None]], **options: int) -> World:
    """Run a scenario in a world of its own."""
    world = World(**options)

    async def run() -> None:
        await scenario(world)
        await settle()
        world.lanes.release("end of test")
        await settle()

    asyncio.run(run())
    return world


def one(outcome: Any, **options: Any) -> World:  # noqa: ANN401 - of a record
    """One record at offset 7 that comes to this."""

    async def scenario(world: World) -> None:
        await world.put(record(7, **options))
        if options.get("value", TEXT) is not None:
            world.pool.answer(7, outcome)

    return play(scenario)


def enriched(**changes: Any) -> Outcome:  # noqa: ANN401 - fields of several types
    """An enriched article, with these fields."""
    return Outcome(structs.replace(done(7).result, **changes), 1)


def broken(**changes: Any) -> Outcome:  # noqa: ANN401 - fields of several types
    """An article whose enrichment failed, with these fields."""
    return Outcome(structs.replace(failed("enrich_failed", stage="entities").result, **changes), 1)


def attributes(span: ReadableSpan) -> dict[str, Any]:
    """Attributes as a plain dictionary."""
    return dict(span.attributes or {})


def parent(span: ReadableSpan) -> str | None:
    """The parent's id."""
    return format_span_id(span.parent.span_id) if span.parent else None


def own(span: ReadableSpan) -> str:
    """The span's id."""
    return format_span_id(span.context.span_id)


def test_an_article_continues_its_senders_trace() -> None:
    """A consumer's span below the sender's and linked to it; stages and send below that; all in the sender's trace."""
    spans = one(done(7), headers=SENT, value=TEXT).spans()
    assert spans.keys() == {"process in", "language", "entities", f"send {ENRICHED}"}
    assert {format_trace_id(span.context.trace_id) for span in spans.values()} == {TRACE}
    assert {(span.context.trace_state or {}).get("vendor") for span in spans.values()} == {"1"}
    process = spans["process in"]
    assert (process.kind, parent(process)) == (SpanKind.CONSUMER, SENDER)
    assert [format_span_id(link.context.span_id) for link in process.links] == [SENDER]
    assert {parent(span) for name, span in spans.items() if name != "process in"} == {own(process)}
    assert process.status.status_code == StatusCode.UNSET
    assert attributes(process) == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "in",
        "messaging.destination.partition.id": "0",
        "messaging.kafka.offset": 7,
        "messaging.kafka.message.key": "k",
        "messaging.message.body.size": len(TEXT),
        "messaging.consumer.group.name": "khabar",
        "khabar.article.id": "7",
        "khabar.language": "en",
    }


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


def test_the_senders_context_goes_out_as_it_came() -> None:
    """Byte for byte; so the send is no producer's span but links to what its message carries."""
    world = one(enriched(headers=[*SENT, ("ce_id", b"1")]), headers=SENT)
    [(_, _, _, headers)] = world.broker.sent
    assert headers == [*SENT, ("ce_id", b"1")]
    send = world.spans()[f"send {ENRICHED}"]
    assert send.kind == SpanKind.CLIENT
    assert [format_span_id(link.context.span_id) for link in send.links] == [SENDER]
    assert attributes(send) == {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": ENRICHED,
        "messaging.destination.partition.id": "1",
        "messaging.kafka.offset": 0,
        "messaging.kafka.message.key": "k",
        "messaging.message.body.size": 7,
    }


def test_a_record_without_a_context_gets_that_of_its_send() -> None:
    """A trace of its own, which the next reader can continue."""
    world = one(done(7))
    [(_, _, _, headers)] = world.broker.sent
    send, process = world.spans()[f"send {ENRICHED}"], world.spans()["process in"]
    assert (send.kind, send.links, parent(process), process.links) == (SpanKind.PRODUCER, (), None, ())
    assert headers[:-1] == [("ce_id", b"1")]
    assert headers[-1][0] == "traceparent"
    context = sent_with(headers)
    assert context is not None
    assert (context.trace_id, format_span_id(context.span_id)) == (send.context.trace_id, own(send))
    assert context.trace_flags.sampled


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


def test_what_the_sender_does_not_sample_is_not_recorded() -> None:
    """The flag is the sender's; its context goes out all the same."""
    headers: Headers = [("traceparent", TRACEPARENT[:-1] + b"0")]
    world = one(enriched(headers=headers), headers=headers)
    assert world.spans() == {}
    assert world.broker.sent[0][3] == headers


def test_log_lines_name_the_trace() -> None:
    """From a line about an article to its trace."""
    with capture_logs(processors=[merge_contextvars]) as said:
        one(failed(), headers=SENT)
    assert [(line["event"], line["trace_id"]) for line in said] == [("dead_lettered", TRACE)]


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


@pytest.mark.parametrize(
    "traceparent",
    [
        b"",
        b"nonsense",
        b"\xff\xfe",
        TRACEPARENT.upper(),
        TRACEPARENT[:-1],
        TRACEPARENT + b"-more",
        TRACEPARENT.replace(b"00-", b"ff-", 1),
        f"00-{'0' * 32}-{SENDER}-01".encode(),
        f"00-{TRACE}-{'0' * 16}-01".encode(),
        TRACEPARENT * 1000,
        None,
    ],
)
def test_a_malformed_context_is_none(traceparent: bytes | None) -> None:
    """The article begins a trace of its own; what the sender wrote goes out as it came."""
    headers: Headers = [("traceparent", traceparent)]
    assert sent_with(headers) is None
    world = one(enriched(headers=headers), headers=headers)
    assert world.spans()["process in"].parent is None
    assert world.broker.sent[0][3] == headers


def test_the_last_context_of_a_record_counts() -> None:
    """Whatever the case of its name; a later version of the format is read as far as it is known."""
    first = TRACEPARENT.replace(SENDER.encode(), b"1" * 16)
    context = sent_with([("traceparent", first), ("TraceParent", TRACEPARENT.replace(b"00-", b"cc-", 1) + b"-more")])
    assert context is not None
    assert (format_trace_id(context.trace_id), format_span_id(context.span_id)) == (TRACE, SENDER)
    assert sent_with([("traceparent", TRACEPARENT), ("traceparent", b"nonsense")]) is None
    assert sent_with([("tracestate", b"vendor=1")]) is None


@pytest.mark.parametrize("tracestate", [b"no pair", b"\xff=1", b"a=" + b"x" * 100_000, b"a=1,a=2"])
def test_a_malformed_tracestate_costs_nothing_else(tracestate: bytes) -> None:
    """The trace is continued without it."""
    context = sent_with([("traceparent", TRACEPARENT), ("tracestate", tracestate)])
    assert context is not None
    assert not context.trace_state


def test_without_traces_nothing_of_opentelemetry_is_imported() -> None:
    """The worker's modules, and the lanes' and the delivery's work, do without the extra."""
    program = """
import sys
import worker.stream.app
from worker.settings import Settings
from worker.stream import otlp
assert otlp.make(Settings(), {"OTEL_EXPORTER_OTLP_ENDPOINT": "nonsense"}) is None
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
