"""All lanes of the current generation: take records in, bound what is in flight, hand over at a rebalance."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple

from worker import log, metrics
from worker.enrich.job import Done, Failed, Job
from worker.stream.brake import Brake
from worker.stream.delivery import Delivery
from worker.stream.fatal import end
from worker.stream.lane import Entry, Lane, Partition, Record
from worker.stream.work import Outcome, Work

if TYPE_CHECKING:  # needs the extra `otel`
    from worker.stream.traces import Traces

MOST_BYTES_IN_FLIGHT = 64 * 2**20
"""Bytes of records in flight, keys and headers included, all lanes together: what bounds memory whatever the backlog."""

logger = log.get()


class Flow(NamedTuple):
    """Stops and resumes fetching of one partition; what is already fetched may still come."""

    pause: Callable[[Partition], None]
    resume: Callable[[Partition], None]


class Lanes:
    """Every lane of the current generation."""

    def __init__(  # noqa: PLR0913 - what lanes are between, each by its name
        self, *, pool: Work, delivery: Delivery, brake: Brake, full_at: int, flow: Flow, traces: "Traces | None" = None
    ) -> None:
        """Prepare.

        Args:
            pool: enriches.
            delivery: publishes.
            brake: holds articles that fail for a cause not their own.
            full_at: articles in flight at which a partition is paused; at half of it, it is resumed.
            flow: pauses and resumes fetching.
            traces: makes the spans of articles; None: there are none.
        """
        self._pool = pool
        self._delivery = delivery
        self._brake = brake
        self._full_at = full_at
        self._flow = flow
        self._traces = traces
        self._lanes: dict[Partition, Lane] = {}
        self._paused: set[Partition] = set()
        self._bytes = 0
        self._room = asyncio.Event()
        self._closed = False

    async def put(
        self, record: Record, *, ack: Callable[[], Awaitable[object]], wanted: Callable[[], bool], failed: Failed | None = None
    ) -> None:
        """Take a record in; waits while the brake is on or too many bytes are in flight.

        Args:
            record: the next record of its partition.
            ack: acknowledges it.
            wanted: asked after waiting: False when the record's generation is over, then it is left to its successor.
            failed: what is known to be wrong with it: then it is not enriched, but dead-lettered in its turn.
        """
        size = _size(record)
        await self._brake.pause()
        while self._bytes and self._bytes + size > MOST_BYTES_IN_FLIGHT and not self._closed:
            self._room.clear()
            await self._room.wait()
        if self._closed or not wanted():
            return
        metrics.ARTICLES_CONSUMED.inc()
        trace = None if self._traces is None else self._traces.begin(record)
        job = None if record.value is None else Job(record.value, record.key, record.headers, *_position(record))
        outcome = None if job is None else self._pool.submit(job) if failed is None else _settled(failed)
        if outcome is not None:
            self._brake.watch(outcome)
        if trace is not None and outcome is not None:
            outcome.add_done_callback(trace.answered)
        partition = (record.topic, record.partition)
        lane = self._lanes.get(partition) or self._open(partition)
        lane.add(Entry(record, job, outcome, ack, self._brake.releases, trace))
        self._count(size, 1)
        if len(lane.entries) >= self._full_at and partition not in self._paused:
            self._paused.add(partition)
            self._flow.pause(partition)

    def open(self) -> None:
        """Take articles of a new generation."""
        self.release("new generation")
        self._closed = False

    def hand_over(self) -> None:
        """Take no more, and give up each lane from the first article on that no process has started on.

        So a rebalance waits for no backlog, and what will still be acknowledged has no gap.
        """
        self._closed = True
        self._room.set()
        waiting = self._pool.waiting()
        for lane in self._lanes.values():
            kept = next((place for place, entry in enumerate(lane.entries) if entry.outcome in waiting), len(lane.entries))
            while len(lane.entries) > kept:
                self._drop(lane.entries.pop())

    def is_empty(self) -> bool:
        """Whether nothing is in flight."""
        return not any(lane.entries for lane in self._lanes.values())

    def is_full(self, partition: Partition) -> bool:
        """Whether no more of this partition should be fetched now."""
        return partition in self._paused

    def release(self, why: str) -> None:
        """Take no more, and give up everything in flight, unpublished and un-acked; whoever owns the partitions next gets it again."""
        self._closed = True
        count = 0
        for lane in self._lanes.values():
            lane.task.cancel()
            count += len(lane.entries)
            for entry in lane.entries:
                self._drop(entry)
            lane.entries.clear()  # should a library swallow the cancellation, nothing is left to deliver
        self._lanes.clear()
        self._paused.clear()
        self._room.set()
        if count:
            logger.warning("articles_released", articles=count, why=why)

    def computing(self) -> set[Partition]:
        """Partitions whose first article is still with the pool."""
        firsts = {partition: lane.entries[0].outcome for partition, lane in self._lanes.items() if lane.entries}
        return {partition for partition, outcome in firsts.items() if outcome is not None and not outcome.done()}

    def in_flight(self, partition: Partition) -> int:
        """Articles of a partition that are not acknowledged yet."""
        lane = self._lanes.get(partition)
        return len(lane.entries) if lane else 0

    def _open(self, partition: Partition) -> Lane:
        lane = self._lanes[partition] = Lane(deliver=self._deliver if self._traces is None else self._traced, done=self._done)
        lane.task.add_done_callback(_report)
        return lane

    async def _traced(self, entry: Entry) -> None:
        if entry.trace is not None:
            with entry.trace.current():
                entry.trace.delivered(await self._deliver(entry))

    async def _deliver(self, entry: Entry) -> Done | Failed | None:
        """Deliver; tell what the article became (None: a tombstone that was passed on)."""
        record, job = entry.record, entry.job
        if job is None or entry.outcome is None:
            return await self._delivery.tombstone(record)
        outcome = await self._brake.judge(entry.outcome.result(), since=entry.releases, retry=lambda: self._pool.run(job))
        if entry.trace is not None:
            entry.trace.enriched(outcome.result)
        return await self._delivery.deliver(job, outcome)

    def _done(self, entry: Entry) -> None:
        partition = (entry.record.topic, entry.record.partition)
        self._count(-_size(entry.record), -1)
        self._room.set()
        if partition in self._paused and self.in_flight(partition) <= self._full_at // 2:
            self._paused.discard(partition)
            self._flow.resume(partition)

    def _drop(self, entry: Entry) -> None:
        self._count(-_size(entry.record), -1)
        metrics.ARTICLES_RELEASED.inc()
        if entry.outcome is not None:
            entry.outcome.cancel()
        if entry.trace is not None:
            entry.trace.released()

    def _count(self, size: int, articles: int) -> None:
        self._bytes += size
        metrics.BYTES_IN_FLIGHT.inc(size)
        metrics.ARTICLES_IN_FLIGHT.inc(articles)


def _settled(failed: Failed) -> "asyncio.Future[Outcome]":
    future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    future.set_result(Outcome(failed, 1))
    return future


def _size(record: Record) -> int:
    """Bytes that a record holds on to: headers and key may be most of it."""
    headers = sum(len(name) + len(value or b"") for name, value in record.headers)
    return len(record.value or b"") + len(record.key or b"") + headers


def _position(record: Record) -> tuple[str, int, int, int | None]:
    return record.topic, record.partition, record.offset, record.timestamp_ms


def _report(task: "asyncio.Task[None]") -> None:
    """An error in a lane is a bug of ours: nothing may be acknowledged past it."""
    if not task.cancelled() and task.exception() is not None:
        end("lane", task.exception())
