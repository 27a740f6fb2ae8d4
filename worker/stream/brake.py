"""The dead-letter brake: when the fault is ours, hold the articles instead of dead-lettering them all.

A model that broke, a full disk or a bad build fails every article, and none of them is to blame. When too large a share
of the recent ones fails for such a cause, the worker stops consuming, keeps the failing articles un-acked and tries
them again now and then; the first that comes through releases the brake (after arroyo's ``DlqLimit``).
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable

from worker import log, metrics
from worker.enrich.job import Failed
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
            retry_seconds: pause between tries of a held article.
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

    async def released(self) -> None:
        """Wait until the brake is off."""
        await self._released.wait()

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
            self._status.holding()  # held on purpose: the watchdog must not restart us into more dead letters
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._retry_seconds):
                    await self._released.wait()
            outcome = await again()
            if not _suspicious(outcome):
                self._release()
        return outcome

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
