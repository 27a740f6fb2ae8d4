"""Resuming after a rebalance, however long the coordinator takes.

Faust resumes its streams in a task that first seeks to the committed offsets, with the request timeout around it. When
that passes (a coordinator that hangs, a worker that was stopped at that moment), mode's ``wait_first`` reports it like a
stop, the task ends, and after the next assignment the worker owns its partitions and never reads them: alive, ready and idle.
Seen with a SIGSTOP right after an assignment, and with an `OffsetFetch` that takes longer than the request timeout.
"""

from typing import Any

from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery


class PatientRecovery(Recovery):
    """Waits without a time limit: a stop or another rebalance still ends the waiting, and the watchdog sees a standstill."""

    async def _wait(self, coro: Any, timeout: Any = None) -> None:  # noqa: ANN401, ARG002, ASYNC109 - Faust's signature
        """Wait for ``coro``, the worker's stop or another rebalance."""
        await super()._wait(coro)


class Tables(TableManager):
    """Faust's table manager (which resumes streams even where there are no tables) with our recovery."""

    @property
    def recovery(self) -> Recovery:
        """The one recovery of this app."""
        if self._recovery is None:
            self._recovery = PatientRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery
