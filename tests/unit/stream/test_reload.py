"""Reloads: fresh processes take over between batches; nothing is lost, nothing breaks. Real processes, no models."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from worker import metrics
from worker.enrich.job import Done, Job
from worker.errors import ModelError
from worker.settings import Settings
from worker.stream.pool import Pool
from worker.stream.reload import Reload
from worker.stream.work import Outcome


def job(value: bytes = b"SLEEP 0.01", offset: int = 0) -> Job:
    """A record with that value."""
    return Job(value=value, key=None, headers=[], topic="in", partition=0, offset=offset, timestamp_ms=None)


def fields(outcome: Outcome) -> dict[str, Any]:
    """What the stand-in answered."""
    assert isinstance(outcome.result, Done)
    return dict(json.loads(outcome.result.value))


@pytest.fixture
def named(tmp_path: Path) -> Path:
    """The file that names the model; an empty one is a broken model."""
    file = tmp_path / "model"
    file.write_text("old")
    return file


def become(file: Path, model: str) -> None:
    """Change the model on disk, as ``name`` or as ``name seconds`` that it takes to load."""
    file.write_text(model)


@asynccontextmanager
async def running(named: Path, **settings: object) -> AsyncIterator[Pool]:
    """A started pool of two processes whose model the file names."""
    options = {"processes": 2, "article_timeout": 1.0, "models": str(named), **settings}
    pool = Pool(Settings(**options), factory="tests.unit.stream.standin:load_named")  # type: ignore[arg-type]
    try:
        await pool.start()
        yield pool
    finally:
        await pool.stop()


def at_work(pool: Pool) -> list[str]:
    """The names of the models at work."""
    return [model.name for _, model in pool.models]


def shown() -> set[str]:
    """The names of the models that the metrics show."""
    return {sample.labels["name"] for family in metrics.MODEL_INFO.collect() for sample in family.samples}


def reloads(outcome: str) -> float:
    """How many reloads ended so."""
    return metrics.REGISTRY.get_sample_value("khabar_model_reloads_total", {"outcome": outcome}) or 0.0


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)


def test_a_reload_under_load_takes_no_article_and_swaps_every_process(named: Path) -> None:
    """Each article has one answer, by the old model first and by the new one at the end; the metrics show the new one alone."""

    async def scenario() -> None:
        async with running(named, batch_articles=4) as pool:
            assert shown() == {"old"}
            restarts = metrics.POOL_RESTARTS._value.get()  # noqa: SLF001 - prometheus-client has no other way to read
            futures = [pool.submit(job(offset=n)) for n in range(100)]
            become(named, "new")
            renewing = asyncio.create_task(pool.reload())
            while not renewing.done():
                futures += [pool.submit(job(offset=len(futures) + n)) for n in range(4)]
                await asyncio.sleep(0.02)
            await renewing
            futures += [pool.submit(job(offset=len(futures) + n)) for n in range(20)]
            answers = [fields(outcome) for outcome in await asyncio.gather(*futures)]
            assert [answer["n"] for answer in answers] == list(range(len(futures)))
            assert (answers[0]["model"], answers[-1]["model"]) == ("old", "new")
            assert len({(answer["pid"], answer["model"]) for answer in answers}) == 4
            assert at_work(pool) == ["new"]
            assert shown() == {"new"}
            assert metrics.POOL_RESTARTS._value.get() == restarts  # noqa: SLF001

    asyncio.run(scenario())


def test_an_idle_pool_is_renewed_too_and_the_old_processes_end(named: Path) -> None:
    """Nobody has to send an article for it; there is one process too many at a time, and one that is just ending."""

    async def scenario() -> None:
        async with running(named, processes=4) as pool:
            server = psutil.Process(fields(await pool.run(job(b"x")))["pid"]).parent()
            assert server is not None
            before, most = {child.pid for child in server.children()}, 0
            become(named, "new")
            renewing = asyncio.create_task(pool.reload())
            while not renewing.done():
                most = max(most, len(server.children()))
                await asyncio.sleep(0.01)
            await renewing
            assert 5 <= most <= 6
            await until(lambda: len(server.children()) == 4)
            assert not before & {child.pid for child in server.children()}
            assert at_work(pool) == ["new"]

    asyncio.run(scenario())


def test_a_broken_model_leaves_the_old_one_at_work(named: Path) -> None:
    """The error is told, the processes are the same, and a later reload works."""

    async def scenario() -> None:
        async with running(named, processes=1) as pool:
            pid = fields(await pool.run(job(b"x")))["pid"]
            become(named, "")
            with pytest.raises(ModelError, match="sha256 differs"):
                await pool.reload()
            answer = fields(await pool.run(job(b"x")))
            assert (answer["pid"], answer["model"], at_work(pool)) == (pid, "old", ["old"])
            become(named, "new")
            await pool.reload()
            assert fields(await pool.run(job(b"x")))["model"] == "new"

    asyncio.run(scenario())


def test_a_batch_under_way_is_finished_by_the_process_that_has_it(named: Path) -> None:
    """A slow article keeps its process, and its successor waits."""

    async def scenario() -> None:
        async with running(named, processes=1, article_timeout=10.0) as pool:
            slow = pool.submit(job(b"SLEEP 1.5"))
            await asyncio.sleep(0.05)
            next_one = pool.submit(job(b"x", 1))
            become(named, "new")
            await pool.reload()
            assert slow.done()
            first, second = fields(await slow), fields(await next_one)
            assert (first["model"], second["model"]) == ("old", "new")

    asyncio.run(scenario())


def test_an_article_that_kills_its_process_meets_a_successor_with_its_tries_counted(named: Path) -> None:
    """The successor takes the dead one's place; the culprit is given up all the same, its mates are not."""

    async def scenario() -> None:
        async with running(named, processes=1, article_timeout=10.0) as pool:
            blocker = pool.submit(job(b"SLEEP 1"))
            await asyncio.sleep(0.05)
            futures = [pool.submit(job(b"CRASH" if n == 3 else b"SLEEP 0.1", n)) for n in range(6)]
            become(named, "new")
            renewing = asyncio.create_task(pool.reload())
            outcomes = await asyncio.gather(blocker, *futures)
            await renewing
            failed = [index for index, outcome in enumerate(outcomes) if not isinstance(outcome.result, Done)]
            assert failed == [4]
            assert at_work(pool) == ["new"]

    asyncio.run(scenario())


def test_a_process_that_cannot_start_again_gets_its_successor(named: Path) -> None:
    """Killed while the directory is broken, it pauses longer and longer; mended, a reload brings it back at once."""

    async def scenario() -> None:
        async with running(named, processes=1) as pool:
            pid = fields(await pool.run(job(b"x")))["pid"]
            become(named, "")
            os.kill(pid, signal.SIGKILL)
            waiting = pool.submit(job(b"x"))
            await asyncio.sleep(2.5)  # three tries have failed, the next is two seconds away
            become(named, "new")
            await asyncio.wait_for(pool.reload(), 10)
            assert fields(await waiting)["model"] == "new"

    asyncio.run(scenario())


def test_two_requests_are_two_reloads_and_the_second_counts(named: Path) -> None:
    """What changes while a reload goes on is taken up by the next, which was asked for then; many requests are one."""

    async def scenario() -> None:
        async with running(named) as pool:
            done = reloads("done")
            reload = Reload(pool)
            reload.ask()  # before it runs: remembered
            become(named, "first 0.3")
            task = asyncio.create_task(reload.run())
            await until(lambda: "first" in at_work(pool))
            become(named, "second")
            for _ in range(5):
                reload.ask()
            await until(lambda: reloads("done") == done + 2)
            assert at_work(pool) == ["second"]
            assert shown() == {"second"}
            await asyncio.sleep(0.5)
            assert reloads("done") == done + 2
            task.cancel()

    asyncio.run(scenario())


def test_a_failed_reload_is_counted_and_does_not_end_the_reloading(named: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One clear line, a count, and the next request is served."""

    async def scenario() -> None:
        async with running(named, processes=1) as pool:
            done, failed = reloads("done"), reloads("failed")
            reload = Reload(pool)
            task = asyncio.create_task(reload.run())
            become(named, "")
            reload.ask()
            await until(lambda: reloads("failed") == failed + 1)
            assert at_work(pool) == ["old"]
            become(named, "new")
            reload.ask()
            await until(lambda: reloads("done") == done + 1)
            assert at_work(pool) == ["new"]
            task.cancel()

    asyncio.run(scenario())
    printed = capsys.readouterr()
    [line] = [line for line in (printed.out + printed.err).splitlines() if "models_reload_failed" in line]
    assert "sha256 differs" in line
    assert "old" in line


def test_a_stopping_worker_reloads_nothing(named: Path) -> None:
    """A reload under way is given up, its process ends, later requests are ignored, what is in flight is finished."""

    async def scenario() -> None:
        async with running(named, processes=1, article_timeout=10.0) as pool:
            pid = fields(await pool.run(job(b"x")))["pid"]
            reload = Reload(pool)
            task = asyncio.create_task(reload.run())
            become(named, "new 30")
            reload.ask()
            server = psutil.Process(pid).parent()
            assert server is not None
            await until(lambda: len(server.children()) == 2)
            slow = pool.submit(job(b"SLEEP 0.3"))
            reload.close()
            await until(lambda: len(server.children()) == 1)
            reload.ask()
            await asyncio.wait_for(task, 1)
            assert fields(await slow)["pid"] == pid

    start = time.monotonic()
    asyncio.run(scenario())
    assert time.monotonic() - start < 20
