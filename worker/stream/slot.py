"""A slot of the pool: the enricher process in it, and the successor that a reload has made ready.

The successor waits until the process before it has answered its batch: so a reload takes no article away from anybody.
"""

import asyncio
from collections.abc import Callable

from worker import log, metrics
from worker.errors import KhabarError
from worker.stream.process import EnricherProcess

START_RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)

logger = log.get()


class Slot:
    """A place for one enricher process at a time."""

    def __init__(self, make: Callable[[], EnricherProcess]) -> None:
        """Make the first process; it is started by whoever owns the slot."""
        self._make = make
        self.process = make()
        self._successor: EnricherProcess | None = None
        self._settled = asyncio.Event()
        self.woken = asyncio.Event()
        """Set when there is something to look at: articles, the process's death, a successor."""

    @property
    def has_successor(self) -> bool:
        """Whether a process with fresh models waits to take over."""
        return self._successor is not None

    async def renew(self) -> None:
        """Start a process beside the one at work; return when it has taken over.

        Raises:
            ModelError: the models cannot be loaded; the process at work stays.
            ProcessLostError: the new process died while loading; the process at work stays.
        """
        successor = self._make()
        try:
            await successor.start()
        except KhabarError:
            successor.close()
            raise
        self._settled.clear()
        self._successor = successor
        self.woken.set()
        await self._settled.wait()

    def settle(self) -> bool:
        """Between two batches: let the successor take over, if there is one; tell whether it did."""
        if self._successor is None:
            return False
        self.process.close()
        self.process, self._successor = self._successor, None
        self._settled.set()
        return True

    async def replace(self, why: str) -> None:
        """Put a living process in the place of this one: the successor, or one started anew, as often as it takes."""
        metrics.POOL_RESTARTS.inc()
        logger.warning("process_replaced", why=why)
        attempt = 0
        while not self.settle():
            self.process.close()
            try:
                await self.process.start()
            except KhabarError as error:
                pause = START_RETRY_SECONDS[min(attempt, len(START_RETRY_SECONDS) - 1)]
                attempt += 1
                logger.error("process_start_failed", error=str(error), attempt=attempt, retry_in_seconds=pause)  # noqa: TRY400 - one line
                await self._pause(pause)
            else:
                return

    async def _pause(self, seconds: float) -> None:
        """Wait; a successor ends the waiting."""
        self.woken.clear()
        try:
            async with asyncio.timeout(seconds):
                while not self.has_successor:
                    await self.woken.wait()
                    self.woken.clear()
        except TimeoutError:
            pass

    def kill(self) -> None:
        """End what runs here, at once."""
        self.process.kill()
        if self._successor is not None:
            self._successor.kill()
