"""The fence: a worker that may have been expelled from its group stops publishing before its successor starts.

Two members can work on the same partitions: one that cannot reach its coordinator goes on while the group has given its
partitions away. The coordinator does that when it has heard nothing for the session timeout, so the fence closes a
little earlier, counted from when the last answered heartbeat was *sent*; a worker that was stopped (SIGSTOP) finds it
closed when it wakes, because the clock ran on.
"""

import asyncio
import time
from collections.abc import Callable

from worker import log, metrics

SHARE_OF_SESSION = 0.8
"""What is left of the session is for sends on their way."""
POLL_SECONDS = 0.1

logger = log.get()


class Fence:
    """Whether this worker's membership is beyond doubt."""

    def __init__(self, *, session_timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Start closed.

        Args:
            session_timeout: seconds of silence after which the coordinator expels a member.
            clock: seconds, monotonic.
        """
        self._seconds = session_timeout * SHARE_OF_SESSION
        self._clock = clock
        self._renewed = float("-inf")
        self._noted = False

    def renew(self, sent: float | None = None) -> None:
        """Note that the coordinator answered what was sent at ``sent`` (default: now); any thread may call."""
        self._renewed = max(self._renewed, self._clock() if sent is None else sent)

    def close(self) -> None:
        """Close at once: the coordinator does not know this member any more; any thread may call."""
        self._renewed = float("-inf")

    def is_open(self) -> bool:
        """Whether publishing is allowed now."""
        is_open = self._clock() - self._renewed < self._seconds
        if self._noted == is_open:
            self._noted = not is_open
            metrics.FENCE_CLOSED.set(not is_open)
            logger.warning("fence_opened" if is_open else "fence_closed")
        return is_open

    async def opened(self) -> None:
        """Wait until publishing is allowed."""
        while not self.is_open():  # noqa: ASYNC110 - time closes it, no event does
            await asyncio.sleep(POLL_SECONDS)
