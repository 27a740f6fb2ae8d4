"""Small stand-ins for what surrounds the lanes: a pool that answers when told, a broker that refuses when told."""

import asyncio
from collections import defaultdict
from typing import NamedTuple

from worker.enrich.job import Done, Failed, Headers, Job
from worker.errors import Reason
from worker.stream.lane import Record
from worker.stream.work import Outcome

TOPIC = "in"


def record(offset: int, *, partition: int = 0, key: bytes | None = b"k", value: bytes | None = b"x", **options: object) -> Record:
    """A record of the input topic."""
    headers: Headers = options.get("headers", [("n", b"1")])  # type: ignore[assignment]
    return Record(TOPIC, partition, offset, key, value, headers, 1_700_000_000_000)


def job(offset: int = 0, *, key: bytes | None = b"k", value: bytes = b"x", headers: Headers | None = None) -> Job:
    """The same as a job."""
    return Job(value, key, headers or [], TOPIC, 0, offset, 1_700_000_000_000)


def done(offset: int = 0, *, key: bytes = b"k", value: bytes | None = None) -> Outcome:
    """An enriched article."""
    value = value or b'{"n":%d}' % offset
    result = Done(value, key, [("ce_id", b"1")], "1", str(offset), "en", {"language": 0.001, "entities": 0.1}, {"PER": 2})
    return Outcome(result, 1)


def failed(reason: Reason = "invalid_json", *, stage: str = "decode", attempts: int = 1) -> Outcome:
    """A failed article."""
    return Outcome(Failed(reason, stage, "one line"), attempts)


class FakePool:
    """Answers an article when the test says so."""

    def __init__(self) -> None:
        """Nothing asked yet."""
        self.asked: dict[int, asyncio.Future[Outcome]] = {}
        self.jobs: dict[int, Job] = {}
        self.started: set[int] = set()
        self.retries: list[Outcome] = []

    def submit(self, job: Job, *, future: "asyncio.Future[Outcome] | None" = None) -> "asyncio.Future[Outcome]":
        """Note the article."""
        self.asked[job.offset] = future or asyncio.get_running_loop().create_future()
        self.jobs[job.offset] = job
        return self.asked[job.offset]

    async def run(self, job: Job) -> Outcome:  # noqa: ARG002 - the pool's signature
        """Answer a second try with the next prepared outcome."""
        return self.retries.pop(0)

    def waiting(self) -> "set[asyncio.Future[Outcome]]":
        """Articles no process has been given."""
        return {future for offset, future in self.asked.items() if offset not in self.started and not future.done()}

    async def stop(self) -> None:
        """Drop what waits."""
        for future in self.waiting():
            future.cancel()

    def answer(self, offset: int, outcome: Outcome) -> None:
        """Settle an article."""
        self.started.add(offset)
        self.asked[offset].set_result(outcome)


class Place(NamedTuple):
    """Where the broker put a record."""

    partition: int
    offset: int


class FakeBroker:
    """Remembers what was sent; raises what the test prepared for a topic, once each."""

    def __init__(self) -> None:
        """Empty topics, no trouble."""
        self.sent: list[tuple[str, bytes | None, bytes | None, Headers]] = []
        self.trouble: dict[str, list[Exception]] = defaultdict(list)
        self.largest: dict[str, int] = {}
        self.on = asyncio.Event()
        self.on.set()

    async def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> Place:
        """Take one record."""
        from worker.stream.delivery import TooLargeError

        await self.on.wait()
        if self.trouble[topic]:
            raise self.trouble[topic].pop(0)
        size = len(key or b"") + len(value or b"") + sum(len(name) + len(content or b"") for name, content in headers)
        if size > self.largest.get(topic, size):
            message = "MESSAGE_SIZE_TOO_LARGE"
            raise TooLargeError(message)
        self.sent.append((topic, key, value, headers))
        return Place(1, len(self.sent) - 1)
