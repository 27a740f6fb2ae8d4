"""The fence: closed before the group can have given the partitions to somebody else."""

import asyncio

from worker import metrics
from worker.stream.fence import Fence


class Clock:
    """Seconds that pass when told."""

    now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def test_it_is_closed_until_the_coordinator_answers() -> None:
    """A worker that has not joined publishes nothing."""
    fence = Fence(session_timeout=10, clock=Clock())
    assert not fence.is_open()
    fence.renew()
    assert fence.is_open()


def test_it_closes_before_the_session_ends() -> None:
    """Counted from when the last answered heartbeat was sent; the clock runs on while the process is stopped."""
    clock = Clock()
    fence = Fence(session_timeout=10, clock=clock)
    fence.renew()
    clock.now += 5
    fence.renew(sent=clock.now - 3)
    clock.now += 4.9
    assert fence.is_open()
    clock.now += 0.2
    assert not fence.is_open()
    assert metrics.REGISTRY.get_sample_value("khabar_fence_closed") == 1
    fence.renew()
    assert fence.is_open()
    assert metrics.REGISTRY.get_sample_value("khabar_fence_closed") == 0


def test_a_late_answer_does_not_shorten_it() -> None:
    """Answers may come out of order."""
    clock = Clock()
    fence = Fence(session_timeout=10, clock=clock)
    fence.renew()
    fence.renew(sent=clock.now - 9)
    assert fence.is_open()


def test_an_expelled_member_is_stopped_at_once() -> None:
    """And publishing waits until it has joined again."""

    async def scenario() -> None:
        fence = Fence(session_timeout=10, clock=Clock())
        fence.renew()
        fence.close()
        waiting = asyncio.create_task(fence.opened())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        fence.renew()
        await asyncio.wait_for(waiting, timeout=1)

    asyncio.run(scenario())
