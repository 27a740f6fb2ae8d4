"""What the worker knows about itself: written by the stream, read by the web server on its own thread.

Every method takes the lock for a few assignments only. Times are ``time.monotonic()`` seconds.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

RECENT_ARTICLES = 50


class Status:
    """Health and the last articles of one worker."""

    def __init__(self, *, stall_timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Start not ready: every named condition has to be met first.

        Args:
            stall_timeout: seconds of lag without progress after which the worker is not live.
            clock: seconds, monotonic.
        """
        self._lock = threading.Lock()
        self._clock = clock
        self._stall_timeout = stall_timeout
        self._waiting_for = {"models", "topics", "partitions"}
        self._lag: dict[tuple[str, int], int] = {}
        self._progress = clock()
        self._recent: deque[tuple[int, bytes]] = deque(maxlen=RECENT_ARTICLES)
        self._published = 0
        self._dead_lettered = 0

    def met(self, condition: str) -> None:
        """Note that a condition of ``/ready`` (``models``, ``topics``, ``partitions``, ``group``, ``brake`` …) holds."""
        with self._lock:
            self._waiting_for.discard(condition)

    def unmet(self, condition: str) -> None:
        """Note that a condition of ``/ready`` no longer holds."""
        with self._lock:
            self._waiting_for.add(condition)

    def lag(self, lag: dict[tuple[str, int], int]) -> None:
        """Replace the lag, in articles, of every assigned (topic, partition)."""
        with self._lock:
            if not any(self._lag.values()):
                self._progress = self._clock()  # an idle stream is no stall: the clock starts when lag does
            self._lag = dict(lag)

    def published(self, value: bytes) -> None:
        """Note an acknowledged enriched article (as it was published: JSON, or Avro in its frame)."""
        with self._lock:
            self._published += 1
            self._recent.append((self._published, value))
            self._progress = self._clock()

    def dead_lettered(self) -> None:
        """Note an acknowledged dead letter."""
        with self._lock:
            self._dead_lettered += 1
            self._progress = self._clock()

    def progressed(self) -> None:
        """Note any other progress (a tombstone passed on)."""
        with self._lock:
            self._progress = self._clock()

    def not_ready(self) -> list[str]:
        """Conditions still waited for, sorted; empty when ready."""
        with self._lock:
            return sorted(self._waiting_for)

    def stalled_for(self) -> float:
        """Seconds of lag without progress beyond the allowed time; 0 when live."""
        with self._lock:
            if not any(self._lag.values()):
                return 0.0
            idle = self._clock() - self._progress
            return idle if idle > self._stall_timeout else 0.0

    def recent(self, after: int = 0) -> list[tuple[int, bytes]]:
        """Number and value of the last enriched articles published after number ``after``, oldest first."""
        with self._lock:
            return [(number, value) for number, value in self._recent if number > after]

    def counts(self) -> tuple[int, int, int]:
        """Articles published, dead-lettered, and the lag in all."""
        with self._lock:
            return self._published, self._dead_lettered, sum(self._lag.values())
