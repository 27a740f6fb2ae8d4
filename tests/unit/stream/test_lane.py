"""Lanes: any order in, the partition's order out, acknowledged only behind the broker."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from tests.unit.stream.fakes import FakeBroker, FakePool, done, failed, record
from worker import metrics
from worker.settings import Settings
from worker.status import Status
from worker.stream import lanes as module
from worker.stream.brake import Brake
from worker.stream.delivery import Delivery
from worker.stream.lane import Partition, Record
from worker.stream.lanes import Flow, Lanes


class World:
    """Lanes with fakes around them."""

    def __init__(self, *, full_at: int = 64) -> None:
        """Wire it up."""
        self.pool, self.broker = FakePool(), FakeBroker()
        self.acked: list[tuple[int, int]] = []
        self.paused: list[Partition] = []
        self.resumed: list[Partition] = []
        status = Status(stall_timeout=300)
        self.brake = Brake(share=0.5, articles=5, status=status, retry_seconds=0.01)
        delivery = Delivery(Settings(), send=self.broker.send, status=status, permit=nothing)
        self.lanes = Lanes(
            pool=self.pool,
            delivery=delivery,
            brake=self.brake,
            full_at=full_at,
            flow=Flow(pause=self.paused.append, resume=self.resumed.append),
        )

    async def put(self, record: Record, *, wanted: bool = True) -> None:
        """Take a record in."""

        async def ack() -> None:
            self.acked.append((record.partition, record.offset))

        await self.lanes.put(record, ack=ack, wanted=lambda: wanted)

    def sent(self) -> list[bytes | None]:
        """Values sent so far."""
        return [value for _, _, value, _ in self.broker.sent]


async def nothing() -> None:
    """Publishing is always allowed."""


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


def play(scenario: Callable[[World], Coroutine[Any, Any, None]], **options: int) -> None:
    """Run a scenario in a world of its own."""

    async def run() -> None:
        world = World(**options)
        await scenario(world)
        world.lanes.release("end of test")
        await settle()

    asyncio.run(run())


def test_articles_leave_in_offset_order() -> None:
    """The second article is done first and waits for the first."""

    async def scenario(world: World) -> None:
        for offset in range(3):
            await world.put(record(offset))
        world.pool.answer(1, done(1))
        world.pool.answer(2, done(2))
        await settle()
        assert (world.sent(), world.acked) == ([], [])
        world.pool.answer(0, done(0))
        await settle()
        assert world.sent() == [b'{"n":0}', b'{"n":1}', b'{"n":2}']
        assert world.acked == [(0, 0), (0, 1), (0, 2)]

    play(scenario)


def test_a_lane_that_waits_for_the_pool_says_so() -> None:
    """One that waits for the broker does not: the watchdog looks at it."""

    async def scenario(world: World) -> None:
        world.broker.on.clear()
        await world.put(record(0))
        await world.put(record(0, partition=1))
        assert world.lanes.computing() == {("in", 0), ("in", 1)}
        world.pool.answer(0, done(0))
        await settle()
        assert ("in", 0) not in world.lanes.computing() or ("in", 1) not in world.lanes.computing()
        world.broker.on.set()

    play(scenario)


def test_nothing_is_acknowledged_before_the_broker_has_it() -> None:
    """While the broker is away, acknowledgements wait too."""

    async def scenario(world: World) -> None:
        world.broker.on.clear()
        await world.put(record(0))
        world.pool.answer(0, done(0))
        await settle()
        assert world.acked == []
        world.broker.on.set()
        await settle()
        assert world.acked == [(0, 0)]

    play(scenario)


def test_a_slow_lane_does_not_hold_another() -> None:
    """Partition 1 goes on while partition 0 computes."""

    async def scenario(world: World) -> None:
        await world.put(record(0, partition=0))
        await world.put(record(1, partition=1))
        world.pool.answer(1, done(1))
        await settle()
        assert world.acked == [(1, 1)]

    play(scenario)


def test_two_of_one_key_are_never_on_their_way_together() -> None:
    """Different keys go out at once; the same key waits until its predecessor is acknowledged."""

    async def scenario(world: World) -> None:
        keys = [b"a", b"b", b"a", b"c"]
        going = asyncio.Event()
        started: list[bytes | None] = []
        send = world.broker.send

        async def slow(topic: str, key: bytes | None, value: bytes | None, headers: Any) -> None:  # noqa: ANN401 - passed on
            started.append(key)
            await going.wait()
            await send(topic, key, value, headers)

        world.lanes._delivery._send = slow  # noqa: SLF001 - a send that waits
        for offset, key in enumerate(keys):
            await world.put(record(offset, key=key))
        for offset in reversed(range(4)):
            world.pool.answer(offset, done(offset, key=keys[offset]))
        await settle()
        assert started == [b"a", b"b"]
        going.set()
        await settle()
        assert started == keys
        assert world.acked == [(0, 0), (0, 1), (0, 2), (0, 3)]

    play(scenario)


def test_a_tombstone_keeps_its_place() -> None:
    """A null value is not enriched, and does not overtake."""

    async def scenario(world: World) -> None:
        await world.put(record(0, key=b"a"))
        await world.put(record(1, key=b"a", value=None))
        await settle()
        assert world.sent() == []
        world.pool.answer(0, done(0, key=b"a"))
        await settle()
        assert world.sent() == [b'{"n":0}', None]
        assert world.acked == [(0, 0), (0, 1)]

    play(scenario)


def test_a_failed_article_is_dead_lettered_in_its_place() -> None:
    """And acknowledged like any other."""

    async def scenario(world: World) -> None:
        await world.put(record(0))
        world.pool.answer(0, failed())
        await settle()
        assert [topic for topic, *_ in world.broker.sent] == ["articles.dead-letter"]
        assert world.acked == [(0, 0)]

    play(scenario)


def test_a_full_lane_pauses_its_partition_and_resumes_it() -> None:
    """At four it is full, at two it goes on."""

    async def scenario(world: World) -> None:
        for offset in range(4):
            await world.put(record(offset))
        assert world.paused == [("in", 0)]
        assert world.lanes.is_full(("in", 0))
        world.pool.answer(0, done(0))
        await settle()
        assert world.resumed == []
        world.pool.answer(1, done(1))
        await settle()
        assert world.resumed == [("in", 0)]
        assert not world.lanes.is_full(("in", 0))

    play(scenario, full_at=4)


def test_bytes_in_flight_are_bounded() -> None:
    """A record that would pass the limit waits until there is room; one alone always may."""

    async def scenario(world: World) -> None:
        await world.put(record(0, value=b"x" * module.MOST_BYTES_IN_FLIGHT))
        second = asyncio.create_task(world.put(record(1)))
        await settle()
        assert not second.done()
        world.pool.answer(0, done(0))
        await settle()
        assert second.done()
        assert 1 in world.pool.asked

    play(scenario)


def test_keys_and_headers_weigh_too() -> None:
    """Else records without a value could fill the memory."""

    async def scenario(world: World) -> None:
        await world.put(record(0, value=None, headers=[("h", b"x" * module.MOST_BYTES_IN_FLIGHT)]))
        assert (metrics.REGISTRY.get_sample_value("khabar_bytes_in_flight") or 0) > module.MOST_BYTES_IN_FLIGHT
        await settle()
        assert world.lanes.is_empty()
        assert metrics.REGISTRY.get_sample_value("khabar_bytes_in_flight") == 0

    play(scenario)


def test_a_rebalance_while_the_brake_is_on_stops_nothing() -> None:
    """The held articles are gone with their generation: a fresh one shows that the fault is mended."""

    async def scenario(world: World) -> None:
        await world.put(record(0))
        world.pool.answer(0, failed("enrich_failed"))
        await settle()
        assert world.brake.on
        world.lanes.release("partitions revoked")
        world.lanes.open()
        await asyncio.wait_for(world.put(record(1)), timeout=5)
        assert world.brake.on
        world.pool.answer(1, done(1))
        await settle()
        assert not world.brake.on
        assert world.acked == [(0, 1)]

    play(scenario)


def test_articles_to_blame_hold_up_no_others() -> None:
    """What brakes the worker fails for ever; a fresh article is taken in beside it, is enriched, and both go out."""

    async def scenario(world: World) -> None:
        world.pool.retries = [failed("worker_crashed")] * 1000
        await world.put(record(0, partition=0))
        world.pool.answer(0, failed("worker_crashed"))
        await settle()
        assert world.brake.on
        await asyncio.wait_for(world.put(record(1, partition=0, key=b"other")), timeout=5)
        world.pool.answer(1, done(1))
        for _ in range(200):
            await asyncio.sleep(0.01)
            if len(world.acked) == 2:
                break
        assert world.acked == [(0, 0), (0, 1)]
        assert [topic for topic, *_ in world.broker.sent] == ["articles.dead-letter", "articles.enriched"]

    play(scenario)


def test_what_is_released_is_neither_published_nor_acknowledged() -> None:
    """The articles of a lost partition are its next owner's, also those that are finished but wait for the broker."""

    async def scenario(world: World) -> None:
        released = metrics.REGISTRY.get_sample_value("khabar_articles_released_total") or 0
        world.broker.on.clear()
        for offset in range(3):
            await world.put(record(offset))
        world.pool.answer(0, done(0))
        await settle()
        world.lanes.release("lost")
        world.broker.on.set()
        await settle()
        assert (world.sent(), world.acked) == ([], [])
        assert world.lanes.is_empty()
        assert world.pool.asked[2].cancelled()
        assert metrics.REGISTRY.get_sample_value("khabar_articles_released_total") == released + 3
        await world.put(record(3))
        assert world.lanes.is_empty()
        world.lanes.open()
        await world.put(record(0))
        assert world.lanes.in_flight(("in", 0)) == 1

    play(scenario)


def test_a_hand_over_finishes_what_was_started_and_gives_up_the_rest() -> None:
    """What follows the first article that no process has is given up; what comes before is finished and acknowledged."""

    async def scenario(world: World) -> None:
        for offset in range(5):
            await world.put(record(offset))
        world.pool.started |= {0, 1, 3}
        world.lanes.hand_over()
        assert world.lanes.in_flight(("in", 0)) == 2
        assert [offset for offset in range(5) if world.pool.asked[offset].cancelled()] == [2, 3, 4]
        world.pool.answer(0, done(0))
        world.pool.answer(1, done(1))
        await settle()
        assert world.acked == [(0, 0), (0, 1)]
        assert world.lanes.is_empty()
        await world.put(record(5))
        assert 5 not in world.pool.asked

    play(scenario)


def test_an_article_of_an_older_generation_is_not_taken() -> None:
    """It will be delivered to whoever has the partition now."""

    async def scenario(world: World) -> None:
        await world.put(record(0), wanted=False)
        assert world.pool.asked == {}

    play(scenario)


def test_in_flight_is_counted() -> None:
    """The gauges go back to what they were."""

    async def scenario(world: World) -> None:
        def gauges() -> list[float]:
            names = ("khabar_articles_in_flight", "khabar_bytes_in_flight")
            return [metrics.REGISTRY.get_sample_value(name) or 0 for name in names]

        before = gauges()
        await world.put(record(0, value=b"12345"))
        assert gauges() == [before[0] + 1, before[1] + 5 + 1 + 2]
        world.pool.answer(0, done(0))
        await settle()
        assert gauges() == before

    play(scenario)
