"""The brake: hold articles while too many fail for a cause that is not their own."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.unit.stream.fakes import done, failed
from worker import metrics
from worker.status import Status
from worker.stream.brake import Brake
from worker.stream.work import Outcome

BROKEN = failed("enrich_failed", stage="entities")


async def never() -> Outcome:
    """A retry that is not expected."""
    raise AssertionError


def ready_brake(**options: float) -> tuple[Brake, Status]:
    """A brake over the last ten articles, and a status that is otherwise ready."""
    status = Status(stall_timeout=300)
    for condition in ("models", "topics", "partitions"):
        status.met(condition)
    return Brake(share=0.5, articles=10, status=status, retry_seconds=options.get("retry_seconds", 0.01)), status


async def judged(brake: Brake, outcomes: list[Outcome]) -> list[Outcome]:
    """Let the brake judge some outcomes it should let pass."""
    return [await asyncio.wait_for(brake.judge(outcome, since=brake.releases, retry=never), timeout=1) for outcome in outcomes]


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run it."""

    async def run() -> None:
        await scenario()

    asyncio.run(run())


def test_single_failures_pass() -> None:
    """Half of the recent articles may fail."""

    async def scenario() -> None:
        brake, status = ready_brake()
        outcomes = [done(), BROKEN] * 20
        assert await judged(brake, outcomes) == outcomes
        assert not brake.on
        assert status.not_ready() == []

    play(scenario)


def test_articles_that_are_bad_themselves_never_brake() -> None:
    """A sender of garbage stops nobody."""

    async def scenario() -> None:
        brake, _ = ready_brake()
        await judged(brake, [failed("invalid_json"), failed("too_large"), failed("output_too_large")] * 20)
        assert not brake.on

    play(scenario)


def test_too_many_failures_hold_the_article_until_it_works() -> None:
    """The brake fails /ready, shows in the metrics, tries again, and lets go when the article comes through."""

    async def scenario() -> None:
        brake, status = ready_brake()
        await judged(brake, [BROKEN])
        retries = [BROKEN, BROKEN, done(1)]
        during: list[tuple[bool, list[str], float | None]] = []

        async def retry() -> Outcome:
            during.append((brake.on, status.not_ready(), metrics.REGISTRY.get_sample_value("khabar_brake")))
            return retries.pop(0)

        outcome = await asyncio.wait_for(brake.judge(BROKEN, since=0, retry=retry), timeout=2)
        assert during == [(True, ["brake"], 1.0)] * 3
        assert outcome.result == done(1).result
        assert outcome.attempts == 4
        assert not brake.on
        assert status.not_ready() == []
        assert metrics.REGISTRY.get_sample_value("khabar_brake") == 0

    play(scenario)


def test_nothing_is_taken_while_the_brake_is_on() -> None:
    """``pause`` waits; the first article that comes through lets all others go, failed ones too."""

    async def scenario() -> None:
        brake, _ = ready_brake(retry_seconds=0.5)
        await judged(brake, [BROKEN])

        async def works() -> Outcome:
            return done(1)

        async def fails() -> Outcome:
            await asyncio.sleep(0.02)
            return BROKEN

        good = asyncio.create_task(brake.judge(BROKEN, since=0, retry=works))
        bad = asyncio.create_task(brake.judge(BROKEN, since=0, retry=fails))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(brake.pause())
        await asyncio.sleep(0)
        assert brake.on
        assert not waiting.done()
        assert (await good).result == done(1).result
        assert (await bad).result == BROKEN.result
        await asyncio.wait_for(waiting, timeout=1)

    play(scenario)


def test_a_held_article_counts_as_progress() -> None:
    """The watchdog must not restart a worker into dead-lettering the next few."""

    async def scenario() -> None:
        now = [0.0]
        status = Status(stall_timeout=5, clock=lambda: now[0])
        brake = Brake(share=0.5, articles=10, status=status, retry_seconds=0.01)
        status.lag({("in", 0): 9})
        await judged(brake, [BROKEN])
        tries = 0

        async def retry() -> Outcome:
            nonlocal tries
            tries += 1
            now[0] += 4
            return BROKEN if tries < 5 else done()

        await brake.judge(BROKEN, since=0, retry=retry)
        assert now[0] == 20
        assert status.stalled_for() == 0

    play(scenario)


def test_what_failed_before_a_release_gets_another_try() -> None:
    """Outcomes that were waiting in their lanes from the bad time neither dead-letter the article nor brake again."""

    async def scenario() -> None:
        brake, _ = ready_brake()
        await judged(brake, [BROKEN])

        async def works() -> Outcome:
            return done(1)

        await brake.judge(BROKEN, since=0, retry=works)
        assert brake.releases == 1
        for _ in range(20):
            assert (await brake.judge(BROKEN, since=0, retry=works)).result == done(1).result
        assert not brake.on

    play(scenario)
