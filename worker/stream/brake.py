"""The dead-letter brake: when the fault is ours, hold the articles instead of dead-lettering them all.

A model that broke, a full disk or a bad build fails every article, and none of them is to blame. When too large a share
of the recent ones fails for such a cause, the worker stops consuming, keeps the failing articles un-acked and tries
them again now and then (after arroyo's ``DlqLimit``). Beside them it takes one fresh article at a time: the held ones may be to
blame after all, or be gone with a rebalance. The first article that is enriched, held or fresh, releases the brake.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from worker import log, metrics
from worker.enrich.job import Done, Failed
from worker.status import Status
from worker.stream.work import Outcome

NOT_THE_ARTICLES_OWN = frozenset({"enrich_failed", "enrich_timeout", "worker_crashed"})
"""Reasons that may be the worker's fault; a record that cannot be decoded is always its sender's."""
RETRY_SECONDS = 10.0
LEAST_SHARE = 5
"""One in so many of the window must be known before the share means anything."""
CONDITION = "brake"

logger = log.get()


class Brake:
    """Counts recent outcomes and holds articles while too many fail."""

    def __init__(self, *, share: float, articles: int, status: Status, retry_seconds: float = RETRY_SECONDS) -> None:
        """Start released.

        Args:
            share: fraction of recent articles that may fail for a cause not their own.
            articles: how many recent articles count.
            status: ``/ready`` fails while the brake is on.
            retry_seconds: pause between tries of a held article, and between fresh ones.
        """
        self._share = share
        self._recent: deque[bool] = deque(maxlen=articles)
        self._least = max(1, articles // LEAST_SHARE)
        self._status = status
        self._retry_seconds = retry_seconds
        self._released = asyncio.Event()
        self._released.set()
        self.releases = 0
        """How often the brake was let go."""

    @property
    def on(self) -> bool:
        """Whether articles are held."""
        return not self._released.is_set()

    async def pause(self) -> None:
        """Wait until the brake is off, or it is time for an article, held or fresh, to show whether it still fails."""
        if not self.on:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._retry_seconds):
                await self._released.wait()

    def watch(self, outcome: "asyncio.Future[Outcome]") -> None:
        """Let go as soon as an article that was taken in with the brake on is enriched; its lane may be held."""
        if self.on:
            outcome.add_done_callback(self._shown)

    def _shown(self, outcome: "asyncio.Future[Outcome]") -> None:
        if not outcome.cancelled() and isinstance(outcome.result().result, Done):
            self._release()

    async def judge(self, outcome: Outcome, *, since: int, retry: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Count an outcome and pass it on; while the brake is on, hold a suspicious failure and try the article again.

        Args:
            outcome: what the pool made of the article.
            since: `releases` when the article was given to the pool: what failed before a release gets another try.
            retry: run the same article again.
        """
        tries = outcome.attempts

        async def again() -> Outcome:
            nonlocal tries
            fresh = await retry()
            tries += fresh.attempts
            return fresh._replace(attempts=tries)

        if _suspicious(outcome) and since != self.releases:
            outcome = await again()
        self._count(failed=_suspicious(outcome))
        while _suspicious(outcome) and self.on:
            self._status.holding()
            await self.pause()
            outcome = await self._holding(again())
            if not _suspicious(outcome):
                self._release()
        return outcome

    async def _holding(self, trial: Coroutine[Any, Any, Outcome]) -> Outcome:
        """Wait for a try, however long it takes: held on purpose, the watchdog must not restart us into more dead letters."""
        task = asyncio.ensure_future(trial)
        try:
            while not (await asyncio.wait({task}, timeout=self._retry_seconds))[0]:
                self._status.holding()
            return task.result()
        finally:
            task.cancel()

    def _count(self, *, failed: bool) -> None:
        self._recent.append(failed)
        seen = len(self._recent)
        if failed and not self.on and seen >= self._least and sum(self._recent) / seen > self._share:
            self._released.clear()
            metrics.BRAKE.set(1)
            self._status.unmet(CONDITION)
            logger.error(
                "brake_on", failed=sum(self._recent), of=seen, hint="articles fail for a cause not their own; they are held un-acked"
            )

    def _release(self) -> None:
        if self.on:
            self._recent.clear()
            self.releases += 1
            self._released.set()
            metrics.BRAKE.set(0)
            self._status.met(CONDITION)
            logger.warning("brake_released")


def _suspicious(outcome: Outcome) -> bool:
    return isinstance(outcome.result, Failed) and outcome.result.reason in NOT_THE_ARTICLES_OWN
