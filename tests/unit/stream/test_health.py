"""Lag and the watchdog: measured from the broker, and the end of a worker that does not get on."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from worker import metrics
from worker.status import Status
from worker.stream import health
from worker.stream.lane import Partition


def lag_of(partition: int) -> float | None:
    """The gauge of a partition."""
    return metrics.REGISTRY.get_sample_value("khabar_consumer_lag", {"topic": "lag", "partition": str(partition)})


def test_lag_is_shown_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A partition that went to another worker has no lag here; a broker that does not answer changes nothing."""
    monkeypatch.setattr(health, "LAG_SECONDS", 0.001)
    answers: list[Mapping[Partition, int] | Exception] = [{("lag", 0): 5, ("lag", 1): 7}, ConnectionError("gone"), {("lag", 1): 3}]
    seen: list[tuple[float | None, float | None]] = []
    expected = [(None, None), (5, 7), (5, 7), (None, 3)]
    enough = asyncio.Event()
    status = Status(stall_timeout=300)

    async def measure() -> Mapping[Partition, int]:
        seen.append((lag_of(0), lag_of(1)))
        if len(seen) == len(expected):
            enough.set()
        answer = answers.pop(0) if answers else {}
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def scenario() -> None:
        task = asyncio.create_task(health.watch_lag(measure, lambda: None, status))
        await asyncio.wait_for(enough.wait(), timeout=10)
        task.cancel()

    asyncio.run(scenario())
    assert seen[: len(expected)] == expected


def test_a_worker_out_of_reach_of_its_group_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the coordinator answers again."""
    monkeypatch.setattr(health, "MEMBERSHIP_SECONDS", 0.001)
    answers = [True, False, True]
    seen: list[list[str]] = []
    status = Status(stall_timeout=300)
    for condition in ("models", "topics", "partitions"):
        status.met(condition)

    def is_member() -> bool:
        seen.append(status.not_ready())
        if not answers:
            raise asyncio.CancelledError
        return answers.pop(0)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(health.watch_membership(is_member, status))
    assert seen == [[], [], ["group"], []]


def run(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program of its own."""
    environ = {**os.environ, "PYTHONPATH": str(Path(metrics.__file__).parents[1])}
    return subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_lag_without_progress_ends_the_worker() -> None:
    """With its own exit code, so that it is started again; the log says why."""
    program = """
import asyncio
from worker.status import Status
from worker.stream import health
health.LAG_SECONDS, health.GRACE_SECONDS = 0.01, 0.05
async def measure():
    return {("t", 0): 3}
asyncio.run(health.watch_lag(measure, lambda: None, Status(stall_timeout=0.2)))
"""
    done = run(program)
    assert done.returncode == 75
    assert "stalled" in done.stdout


def test_progress_in_the_grace_time_saves_it() -> None:
    """A worker that gets on again is not ended."""
    program = """
import asyncio
from worker.status import Status
from worker.stream import health
health.LAG_SECONDS, health.GRACE_SECONDS = 0.01, 0.3
status = Status(stall_timeout=0.2)
async def measure():
    return {("t", 0): 3}
async def main():
    reached = {("t", 0): 0}
    task = asyncio.create_task(health.watch_lag(measure, lambda: status.moving(reached, busy=()), status))
    await asyncio.sleep(0.35)
    for _ in range(20):
        reached["t", 0] += 1
        await asyncio.sleep(0.05)
asyncio.run(main())
"""
    assert run(program).returncode == 0


def test_the_deadline_ends_a_drain_that_hangs() -> None:
    """Also while the event loop is blocked."""
    start = time.monotonic()
    done = run("import time\nfrom worker.stream.health import start_deadline\nstart_deadline(0.3)\ntime.sleep(50)")
    assert done.returncode == 75
    assert "drain_deadline" in done.stdout
    assert time.monotonic() - start < 30


def test_our_own_bug_ends_the_worker_unacked() -> None:
    """An error in a lane must not let anything be acknowledged past it."""
    done = run("from worker.stream.fatal import end\nend('lane', ValueError('bug'))")
    assert done.returncode == 70
    assert "ValueError: bug" in done.stdout
