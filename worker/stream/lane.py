"""Ordered lanes, one a partition: compute in any order, deliver and acknowledge in the partition's.

An article enters its lane with the pool already at work on it. The lane delivers what is finished at its head, waits
for the broker, and only then acknowledges, in offset order: the run of acknowledged offsets has no gap, so a commit
never passes an article without an output. Several articles at the head go out together, but never two with the same key,
so order per key holds even where one of them has to be sent again.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from worker.enrich.job import Done, Headers, Job

if TYPE_CHECKING:  # the first needs the extra `otel`
    from worker.stream.traces import ArticleTrace
    from worker.stream.work import Outcome

SENDS_AT_ONCE = 16

Partition = tuple[str, int]
"""Topic and partition."""


class Record(NamedTuple):
    """A record of the input topic, whatever client read it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int | None


class Entry(NamedTuple):
    """A record in its lane.

    Args:
        record: as it was read.
        job: its article; None for a tombstone.
        outcome: what becomes of the article.
        ack: acknowledges the record.
        releases: how often the brake had been released when it came.
        trace: its spans, where there are any.
    """

    record: Record
    job: Job | None
    outcome: "asyncio.Future[Outcome] | None"
    ack: Callable[[], Awaitable[object]]
    releases: int
    trace: "ArticleTrace | None"


class Lane:
    """Articles of one partition, in offset order."""

    def __init__(self, *, deliver: Callable[[Entry], Awaitable[object]], done: Callable[[Entry], None]) -> None:
        """Start; ``deliver`` returns when the broker has what became of an entry, ``done`` hears of each acknowledged one."""
        self._deliver = deliver
        self._done = done
        self._more = asyncio.Event()
        self.entries: deque[Entry] = deque()
        self.task = asyncio.create_task(self._run())

    def add(self, entry: Entry) -> None:
        """Take in the partition's next record."""
        self.entries.append(entry)
        self._more.set()

    async def _run(self) -> None:
        while True:
            while not self.entries:
                self._more.clear()
                await self._more.wait()
            head = self.entries[0].outcome
            if head is not None:
                await asyncio.wait({head})
            window = self._window()
            if len(window) == 1:
                await self._deliver(window[0])
            else:
                await asyncio.gather(*map(self._deliver, window))
            for entry in window:
                if not self.entries or self.entries[0] is not entry:  # released meanwhile
                    return
                await entry.ack()
                self.entries.popleft()
                self._done(entry)

    def _window(self) -> list[Entry]:
        """Finished articles at the head, no key twice."""
        window: list[Entry] = []
        keys: set[bytes | None] = set()
        for entry in islice(self.entries, SENDS_AT_ONCE):
            if entry.outcome is not None and not entry.outcome.done():
                break
            key = _output_key(entry)
            if key in keys:
                break
            keys.add(key)
            window.append(entry)
        return window


def _output_key(entry: Entry) -> bytes | None:
    """The key the output will have: an article without one gets its id."""
    if entry.outcome is not None:
        result = entry.outcome.result().result
        if isinstance(result, Done):
            return result.key
    return entry.record.key
