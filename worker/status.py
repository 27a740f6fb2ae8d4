"""What the worker knows about itself: written by the stream, read by the web server on its own thread.

Every method takes the lock for a few assignments only. Times are ``time.monotonic()`` seconds.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping

RECENT_ARTICLES = 50


class Status:
    """Health and the last articles of one worker."""

    def __init__(self, *, stall_timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Start not ready: every named condition has to be met first.

        Args:
            stall_timeout: seconds that a partition may have lag and not move before the worker is not live.
            clock: seconds, monotonic.
        """
        self._lock = threading.Lock()
        self._clock = clock
        self._stall_timeout = stall_timeout
        self._waiting_for = {"models", "topics", "partitions"}
        self._lag: dict[tuple[str, int], int] = {}
        self._reached: dict[tuple[str, int], int] = {}
        self._moved: dict[tuple[str, int], float] = {}
        self._held = clock()
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

    def lag(self, lag: Mapping[tuple[str, int], int]) -> None:
        """Replace the lag, in articles, of every assigned (topic, partition)."""
        with self._lock:
            now = self._clock()
            for partition, count in lag.items():
                if not count or not self._lag.get(partition):
                    self._moved[partition] = now  # an idle partition is no stall: the clock starts when lag does
            self._lag = dict(lag)

    def moving(self, reached: Mapping[tuple[str, int], int], *, busy: Collection[tuple[str, int]]) -> None:
        """Note how far each assigned (topic, partition) is done; ``busy`` ones have an article that is in good time."""
        with self._lock:
            now = self._clock()
            for partition, offset in reached.items():
                if self._reached.get(partition) != offset or partition in busy:
                    self._moved[partition] = now
            self._reached = dict(reached)

    def holding(self) -> None:
        """Note that articles are held on purpose: standing still is no stall now."""
        with self._lock:
            self._held = self._clock()

    def published(self, value: bytes) -> None:
        """Note an acknowledged enriched article (as it was published: JSON, or Avro in its frame)."""
        with self._lock:
            self._published += 1
            self._recent.append((self._published, value))

    def dead_lettered(self) -> None:
        """Note an acknowledged dead letter."""
        with self._lock:
            self._dead_lettered += 1

    def not_ready(self) -> list[str]:
        """Conditions still waited for, sorted; empty when ready."""
        with self._lock:
            return sorted(self._waiting_for)

    def stalled_for(self) -> float:
        """Longest time, in seconds, that a partition with lag has not moved; 0 within the allowed time."""
        with self._lock:
            now = self._clock()
            idle = max((now - max(self._moved.get(one, now), self._held) for one, count in self._lag.items() if count), default=0.0)
            return idle if idle > self._stall_timeout else 0.0

    def recent(self, after: int = 0) -> list[tuple[int, bytes]]:
        """Number and value of the last enriched articles published after number ``after``, oldest first."""
        with self._lock:
            return [(number, value) for number, value in self._recent if number > after]

    def counts(self) -> tuple[int, int, int]:
        """Articles published, dead-lettered, and the lag in all."""
        with self._lock:
            return self._published, self._dead_lettered, sum(self._lag.values())
