"""Keeps numbered articles coming, past the proxy where there is a way, and remembers which of them the brokers acknowledged."""

import contextlib
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from tests.faults import articles
from tests.faults.verify import FEED_HEADER

RECENT = 20_000
"""Articles whose feeding time is kept: more than are fed between a fault and its recovery."""


@dataclass(frozen=True)
class Fed:
    """An acknowledged article.

    Args:
        number: of the article.
        partition: where it stands in the input topic.
        at: wall-clock time in seconds when its sending began.
    """

    number: int
    partition: int
    at: float


class Feeder:
    """A thread that sends ``rate`` articles a second until it is stopped."""

    def __init__(self, bootstrap: str, *, topic: str, rate: float, seed: int, apache: bool = True) -> None:
        """Prepare; `start` starts.

        Args:
            bootstrap: brokers, ``host:port``, comma between.
            topic: the input topic.
            rate: articles a second.
            seed: of the articles.
            apache: Apache Kafka. The embedded broker knows no idempotent producer (one request at a time keeps the order) and no
                largest message.
        """
        self._bootstrap = bootstrap
        self._topic = topic
        self._rate = rate
        self._seed = seed
        self._apache = apache
        self._poison: list[str] = []
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True, name="feeder")
        self.expected: dict[int, frozenset[str]] = {}
        self.acknowledged: list[Fed] = []
        self.sent: deque[tuple[int, float]] = deque(maxlen=RECENT)
        """Number and wall-clock time, in seconds, of the last articles fed."""
        self.refused_numbers: set[int] = set()
        self.poisoned: set[int] = set()
        self.refused: list[str] = []
        self.clock_jump = 0.0
        """Seconds added to the records' timestamps."""

    def start(self) -> None:
        """Start feeding."""
        self._thread.start()

    def poison(self, kind: str) -> None:
        """Let the next article be a poisoned one."""
        with self._lock:
            self._poison.append(kind)

    def stop(self) -> None:
        """Stop, and wait until everything sent is acknowledged or given up."""
        self._stopping.set()
        self._thread.join(400)

    def _run(self) -> None:
        producer = KafkaProducer(
            bootstrap_servers=self._bootstrap.split(","),
            acks="all",
            enable_idempotence=self._apache,
            max_in_flight_requests_per_connection=5 if self._apache else 1,
            delivery_timeout_ms=300_000,
            request_timeout_ms=10_000,
            max_block_ms=300_000,
            linger_ms=5,
            max_request_size=4 * 2**20,
            metadata_max_age_ms=10_000,
        )
        number = 0
        next_at = time.monotonic()
        while not self._stopping.is_set():
            self._send(producer, number)
            number += 1
            next_at = max(next_at + 1 / self._rate, time.monotonic() - 2)  # after an outage: catch up a little, not all at once
            self._stopping.wait(max(0.0, next_at - time.monotonic()))
        with contextlib.suppress(KafkaError):
            producer.flush(timeout=300)
        producer.close(timeout=10)

    def _send(self, producer: Any, number: int) -> None:  # noqa: ANN401 - kafka-python has no types
        with self._lock:
            poison = self._poison.pop(0) if self._poison else None
        article = articles.make(number, seed=self._seed, poison=poison)
        unlimited = not self._apache and "output_too_large" in article.expect
        self.expected[number] = article.expect | {"enriched"} if unlimited else article.expect
        if poison is not None:
            self.poisoned.add(number)
        began = time.time()
        self.sent.append((number, began))
        try:
            future = producer.send(
                self._topic,
                value=article.value,
                key=article.key,
                headers=[(FEED_HEADER, str(number).encode()), ("traceparent", b"00-" + b"ab" * 16 + b"-" + b"cd" * 8 + b"-01")],
                timestamp_ms=int((began + self.clock_jump) * 1000),
            )
        except KafkaError as error:
            self._refuse(number, error)
            return
        future.add_callback(lambda metadata: self.acknowledged.append(Fed(number, metadata.partition, began)))
        future.add_errback(lambda error: self._refuse(number, error))

    def _refuse(self, number: int, error: Exception) -> None:
        """The brokers did not take it, or did not say so: the input topic knows."""
        self.refused.append(f"article {number}: {error!r}")
        self.refused_numbers.add(number)
