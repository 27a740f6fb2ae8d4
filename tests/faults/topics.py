"""The rig's three topics, read whole at the end and tailed meanwhile."""

import base64
import json
import threading
import time
from collections.abc import Sequence
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from tests.faults.articles import MAX_OUTPUT_BYTES
from tests.faults.verify import FEED_HEADER, Kept, number_of

INPUT, OUTPUT, DEAD = "articles.raw", "articles.enriched", "articles.dead-letter"
READ_SECONDS = 300.0
LARGEST = 40 * 2**20


def create(admin: Any, *, partitions: int, replication: int) -> None:  # noqa: ANN401 - kafka-python has no types
    """Make the three topics: outputs carry the broker's own time, any timestamp goes into the input."""
    forever = {"retention.ms": "-1"}
    stamped = {**forever, "message.timestamp.type": "LogAppendTime"}
    configs = {
        INPUT: {
            **forever,
            "max.message.bytes": str(4 * 2**20),
            "message.timestamp.after.max.ms": str(2**62),
            "message.timestamp.before.max.ms": str(2**62),
        },
        OUTPUT: {**stamped, "max.message.bytes": str(MAX_OUTPUT_BYTES)},
        DEAD: {**stamped, "max.message.bytes": str(8 * 2**20)},
    }
    wanted = {
        name: {"num_partitions": partitions, "replication_factor": replication, "configs": config} for name, config in configs.items()
    }
    admin.create_topics(wanted, wait_for_metadata=True)


def read(bootstrap: str, topic: str) -> list[Kept]:
    """Every record of a topic.

    Raises:
        TimeoutError: it could not be read to its end in time.
    """
    consumer = _consumer(bootstrap)
    try:
        parts = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
        consumer.assign(parts)
        consumer.seek_to_beginning(*parts)
        ends = consumer.end_offsets(parts)
        records: list[Kept] = []
        deadline = time.monotonic() + READ_SECONDS
        while any(consumer.position(part) < ends[part] for part in parts):
            if time.monotonic() > deadline:
                message = f"{topic} could not be read to its end"
                raise TimeoutError(message)
            for batch in consumer.poll(timeout_ms=500, max_records=5000).values():
                records += [_kept(record) for record in batch]
        return records
    finally:
        consumer.close()


def wait_for(bootstrap: str, names: Sequence[str], *, count: int, seconds: float) -> None:
    """Wait until these topics hold so many records in all, or the time is over; asks for their ends, reads nothing."""
    deadline = time.monotonic() + seconds
    consumer = _consumer(bootstrap)
    try:
        parts = [TopicPartition(name, number) for name in names for number in consumer.partitions_for_topic(name) or ()]
        while sum(consumer.end_offsets(parts).values()) < count and time.monotonic() < deadline:
            time.sleep(0.5)
    finally:
        consumer.close()


class Tail:
    """Follows both output topics and notes when the broker got the first copy of each article."""

    def __init__(self, bootstrap: str, *, stamped: bool = True) -> None:
        """Prepare; `start` starts.

        Args:
            bootstrap: the brokers.
            stamped: whether the broker stamps records with its own time; else the time of reading counts.
        """
        self._bootstrap = bootstrap
        self._stamped = stamped
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="tail")
        self.seen: dict[int, float] = {}
        """Article number to the broker's wall-clock time, in seconds, of its first copy."""

    def start(self) -> None:
        """Start following."""
        self._thread.start()

    def stop(self) -> None:
        """Stop."""
        self._stopping.set()
        self._thread.join(30)

    def _run(self) -> None:
        positions: dict[TopicPartition, int] = {}
        while not self._stopping.is_set():
            try:
                self._follow(positions)
            except (KafkaError, OSError):  # a broker is away: from where we were, with a new client
                time.sleep(0.5)

    def _follow(self, positions: dict[TopicPartition, int]) -> None:
        consumer = _consumer(self._bootstrap)
        try:
            parts = [
                TopicPartition(topic, number) for topic in (OUTPUT, DEAD) for number in sorted(consumer.partitions_for_topic(topic) or ())
            ]
            consumer.assign(parts)
            for part in parts:
                consumer.seek(part, positions.get(part, 0))
            while not self._stopping.is_set():
                for part, batch in consumer.poll(timeout_ms=200).items():
                    for record in batch:
                        self._note(_kept(record), dead=part.topic == DEAD)
                    positions[part] = batch[-1].offset + 1
        finally:
            consumer.close()

    def _note(self, record: Kept, *, dead: bool) -> None:
        number = _dead_number(record) if dead else number_of(record.headers)
        if number not in self.seen:
            self.seen[number] = record.timestamp / 1000 if self._stamped else time.time()


def _dead_number(record: Kept) -> int:
    """A dead letter carries the raw record's headers inside; some workers carry them outside too."""
    number = number_of(record.headers)
    if number >= 0 or record.value is None:
        return number
    headers = json.loads(record.value)["headers"]
    return number_of([(name, base64.b64decode(value)) for name, value in headers if name == FEED_HEADER and value is not None])


def _consumer(bootstrap: str) -> Any:  # noqa: ANN401 - kafka-python has no types
    return KafkaConsumer(
        bootstrap_servers=bootstrap.split(","),
        enable_auto_commit=False,
        check_crcs=False,  # in pure Python the slowest part of all; the brokers check them too
        auto_offset_reset="earliest",
        request_timeout_ms=10_000,
        metadata_max_age_ms=5_000,
        fetch_max_bytes=LARGEST,
        max_partition_fetch_bytes=LARGEST,
        bootstrap_timeout_ms=20_000,
    )


def _kept(record: Any) -> Kept:  # noqa: ANN401 - kafka-python has no types
    return Kept(record.partition, record.offset, record.timestamp, record.key, record.value, list(record.headers))
