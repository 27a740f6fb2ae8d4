"""Lanes with traces and an in-memory exporter: what the tests of spans play in."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from msgspec import structs
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import format_span_id

from tests.unit.stream.fakes import FakeBroker, FakePool, done, failed, record
from worker.enrich.job import Headers
from worker.settings import Settings
from worker.status import Status
from worker.stream.brake import Brake
from worker.stream.delivery import Delivery
from worker.stream.lane import Record
from worker.stream.lanes import Flow, Lanes
from worker.stream.traces import Traces
from worker.stream.work import Outcome

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
