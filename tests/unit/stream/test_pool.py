"""The pool of enricher processes: batches, deaths, hangs, leaks, signals. Real processes, no models."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from tests.unit.stream import standin
from worker import metrics
from worker.enrich.job import Done, Failed, Job
from worker.errors import ModelError
from worker.settings import Settings
from worker.stream.pool import BATCH_BYTES, Pool, time_limit
from worker.stream.work import Outcome


def job(value: bytes, offset: int = 0) -> Job:
    """A record with that value."""
    return Job(value=value, key=None, headers=[], topic="in", partition=0, offset=offset, timestamp_ms=None)


@asynccontextmanager
async def running(*, factory: str = "tests.unit.stream.standin:load", **settings: object) -> AsyncIterator[Pool]:
    """A started pool."""
    pool = Pool(Settings(**{"processes": 2, "article_timeout": 1.0, **settings}), factory=factory)  # type: ignore[arg-type]
    try:
        await pool.start()
        yield pool
    finally:
        await pool.stop()


def fields(outcome: Outcome) -> dict[str, int]:
    """What the stand-in answered."""
    assert isinstance(outcome.result, Done)
    return dict(json.loads(outcome.result.value))


def test_every_article_gets_its_own_answer() -> None:
    """500 articles over two processes come back, each to the one who asked."""

    async def scenario() -> None:
        async with running() as pool:
            outcomes = await asyncio.gather(*(pool.run(job(b"x", n)) for n in range(500)))
        answers = [fields(outcome) for outcome in outcomes]
        assert [answer["n"] for answer in answers] == list(range(500))
        assert len({answer["pid"] for answer in answers}) == 2
        assert max(answer["mates"] for answer in answers) == Settings().batch_articles
        assert {outcome.attempts for outcome in outcomes} == {1}

    asyncio.run(scenario())


def test_an_idle_pool_does_not_wait_for_company() -> None:
    """A single article starts at once, alone."""

    async def scenario() -> None:
        async with running() as pool:
            await pool.run(job(b"x"))
            start = time.monotonic()
            answer = fields(await pool.run(job(b"x")))
            assert answer["mates"] == 1
            assert time.monotonic() - start < 0.2

    asyncio.run(scenario())


def test_a_batch_is_bounded_in_bytes() -> None:
    """Large articles do not share a batch."""

    async def scenario() -> None:
        async with running(processes=1) as pool:
            blocker = pool.submit(job(b"SLEEP 0.2"))
            await asyncio.sleep(0.05)
            large = [pool.submit(job(b"x " + b"." * (BATCH_BYTES // 2), n)) for n in range(4)]
            await blocker
            assert [fields(await future)["mates"] for future in large] == [1, 1, 1, 1]

    asyncio.run(scenario())


def test_a_crash_fails_the_culprit_and_nobody_else() -> None:
    """An article that kills its process is given up after two tries alone; its batch mates come through."""

    async def scenario() -> None:
        restarts = metrics.POOL_RESTARTS._value.get()  # noqa: SLF001 - prometheus-client has no other way to read
        async with running(processes=1) as pool:
            blocker = pool.submit(job(b"SLEEP 0.3"))
            futures = [pool.submit(job(b"CRASH" if n == 5 else b"x", n)) for n in range(12)]
            await blocker
            outcomes = await asyncio.gather(*futures)
        assert metrics.POOL_RESTARTS._value.get() - restarts == 3  # noqa: SLF001
        for n, outcome in enumerate(outcomes):
            if n == 5:
                assert outcome.result == Failed(
                    reason="worker_crashed", stage="enrich", error="the article ended its process, alone, 2 times"
                )
                assert outcome.attempts == 3
            else:
                assert fields(outcome)["n"] == n

    asyncio.run(scenario())


def test_a_hang_is_killed_in_time_and_fails_the_culprit_alone() -> None:
    """An article that never ends is killed at its time limit, twice alone, while the other process goes on."""

    async def scenario() -> None:
        async with running(article_timeout=0.5) as pool:
            start = time.monotonic()
            hanging = pool.submit(job(b"HANG"))
            await asyncio.sleep(0.05)
            others = await asyncio.gather(*(pool.run(job(b"x", n)) for n in range(50)))
            assert time.monotonic() - start < 0.5
            assert len({fields(outcome)["pid"] for outcome in others}) == 1
            outcome = await hanging
            assert isinstance(outcome.result, Failed)
            assert (outcome.result.reason, outcome.attempts) == ("enrich_timeout", 2)
            assert 1.0 <= time.monotonic() - start < 6

    asyncio.run(scenario())


def test_an_article_in_hand_is_in_time_until_its_limit() -> None:
    """So long the watchdog waits, however long that is; with nothing in hand nothing is in time."""

    async def scenario() -> None:
        async with running(article_timeout=0.5) as pool:
            assert not pool.in_time()
            hanging = pool.submit(job(b"HANG"))
            await asyncio.sleep(0.1)
            assert pool.in_time()
            await hanging
            assert not pool.in_time()

    asyncio.run(scenario())


def test_an_article_that_breaks_once_is_not_given_up(tmp_path: Path) -> None:
    """A process that dies for another reason costs no article."""

    async def scenario() -> None:
        async with running() as pool:
            outcome = await pool.run(job(b"CRASH-ONCE " + os.fsencode(tmp_path / "once")))
            assert isinstance(outcome.result, Done)
            assert outcome.attempts == 2

    asyncio.run(scenario())


def test_a_leak_is_killed() -> None:
    """An article that takes memory without end is killed long before its time limit."""

    async def scenario() -> None:
        async with running(processes=1, article_timeout=60.0, process_memory_mb=600) as pool:
            outcome = await asyncio.wait_for(pool.run(job(b"LEAK 1200")), timeout=30)
            assert isinstance(outcome.result, Failed)
            assert outcome.result.reason == "worker_crashed"
            assert "memory" in outcome.result.error
            assert isinstance((await pool.run(job(b"x"))).result, Done)

    asyncio.run(scenario())


def test_a_process_killed_while_idle_is_replaced_at_once() -> None:
    """Nobody has to lose a try to a process that is already dead, nor to wait for its successor: it is started without being asked."""

    async def scenario() -> None:
        async with running(processes=1) as pool:
            pid = fields(await pool.run(job(b"x")))["pid"]
            restarts = metrics.POOL_RESTARTS._value.get()  # noqa: SLF001
            os.kill(pid, signal.SIGKILL)
            async with asyncio.timeout(30):
                while metrics.POOL_RESTARTS._value.get() == restarts or not pool._idle:  # noqa: ASYNC110, SLF001 - nobody tells
                    await asyncio.sleep(0.01)
            outcome = await pool.run(job(b"x"))
            assert fields(outcome)["pid"] != pid
            assert outcome.attempts == 1

    asyncio.run(scenario())


def test_a_cancelled_article_is_not_started() -> None:
    """What was given up while it waited costs no time."""

    async def scenario() -> None:
        async with running(processes=1) as pool:
            blocker = pool.submit(job(b"SLEEP 0.2"))
            hanging = pool.submit(job(b"HANG"))
            hanging.cancel()
            await blocker
            assert fields(await pool.run(job(b"x", 7)))["n"] == 7

    asyncio.run(scenario())


def test_signals_to_the_group_do_not_end_processes() -> None:
    """SIGTERM and SIGINT reach the whole process group: the enricher processes leave them to the worker."""

    async def scenario() -> None:
        async with running(processes=1) as pool:
            pid = fields(await pool.run(job(b"x")))["pid"]
            slow = pool.submit(job(b"SLEEP 0.5"))
            await asyncio.sleep(0.1)
            server = psutil.Process(pid).ppid()
            for process in (pid, server):
                os.kill(process, signal.SIGTERM)
                os.kill(process, signal.SIGINT)
            assert fields(await slow)["pid"] == pid

    asyncio.run(scenario())


def test_a_model_that_cannot_be_loaded_is_a_persons_error() -> None:
    """The factory's ModelError arrives as it was raised."""

    async def scenario() -> None:
        with pytest.raises(ModelError, match=r"^no model here$"):
            async with running(factory="tests.unit.stream.standin:refuse"):
                pass

    asyncio.run(scenario())


def test_a_factory_that_breaks_is_told_in_one_line() -> None:
    """Any other error of the factory names itself."""

    async def scenario() -> None:
        with pytest.raises(Exception, match=r"^RuntimeError: bug$"):
            async with running(factory="tests.unit.stream.standin:break_down"):
                pass

    asyncio.run(scenario())


def test_processes_end_with_the_worker() -> None:
    """A worker that is killed leaves no enricher process behind, not even a hanging one."""
    program = (
        "import asyncio\nfrom tests.unit.stream import test_pool\n"
        "async def main():\n"
        "    async with test_pool.running(article_timeout=100) as pool:\n"
        "        pool.submit(test_pool.job(b'HANG'))\n"
        "        print('up', flush=True)\n"
        "        await asyncio.sleep(100)\n"
        "asyncio.run(main())\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(Path(metrics.__file__).parents[1])}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"up\n"
        children = psutil.Process(worker.pid).children(recursive=True)
        assert len(children) >= 3
        worker.kill()
    _, alive = psutil.wait_procs(children, timeout=5)
    assert alive == []


def test_the_time_limit_grows_with_the_bytes() -> None:
    """An article of 64 KiB gets twice the article timeout, and so do 17 small ones."""
    assert time_limit([job(b"")], article_timeout=30) == 30
    assert time_limit([job(b"x" * 65536)], article_timeout=30) == 60
    assert time_limit([job(b"")] * 17, article_timeout=30) == 60


def test_the_models_are_told() -> None:
    """The pool returns what its processes loaded."""

    async def scenario() -> None:
        async with running() as pool:
            assert pool.models == [("", standin.MODEL)]

    asyncio.run(scenario())
