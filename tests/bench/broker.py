"""The broker of a measurement, its topics, and what its topics tell afterwards."""

import contextlib
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from tests.faults.cluster import Cluster, available

PARTITIONS = 6
KEPT_BYTES = 64 * 2**20
"""Of a partition whose topic is not to grow for ever."""


class Stamped(NamedTuple):
    """A record of a topic, as far as a measurement needs it.

    Args:
        at: Unix time in seconds: of an output topic when the broker appended it, of an input topic what its sender said.
        key: its key.
        size: bytes of its value.
    """

    at: float
    key: bytes
    size: int


@contextmanager
def broker() -> Iterator[str]:
    """Apache Kafka where it is, else the embedded broker; ``host:port``. SIGTERM ends it and what runs inside the block."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    if not available():
        from worker.broker import EmbeddedBroker

        with EmbeddedBroker() as embedded:
            yield embedded.address
        return
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(Path(folder))
        cluster.start()
        try:
            yield cluster.direct
        finally:
            cluster.stop()


def make_topics(address: str, *names: str, appended: bool = False, bounded: bool = False, partitions: int = PARTITIONS) -> None:
    """Make topics.

    Args:
        address: of the broker.
        names: of the topics.
        appended: the broker stamps each record when it appends it (the embedded one leaves the sender's stamp).
        bounded: old records go, so that an endless run fits the disk.
        partitions: of each.
    """
    settings = {"message.timestamp.type": "LogAppendTime"} if appended else {}
    if bounded:
        settings |= {"retention.bytes": str(KEPT_BYTES), "segment.bytes": str(KEPT_BYTES // 4)}
    admin = KafkaAdminClient(bootstrap_servers=address)
    admin.create_topics([NewTopic(name, num_partitions=partitions, replication_factor=1, topic_configs=settings) for name in names])
    admin.close()


@contextmanager
def producer(address: str) -> Iterator[Any]:
    """A producer that waits for every in-sync replica; flushed at the end."""
    made = KafkaProducer(bootstrap_servers=address, enable_idempotence=False, acks="all", linger_ms=20, compression_type="gzip")
    try:
        yield made
        made.flush()
    finally:
        made.close()


def fill(address: str, topic: str, articles: Iterable[Mapping[str, Any]]) -> None:
    """Publish articles, each under its id."""
    with producer(address) as sender:
        for article in articles:
            sender.send(topic, key=article["id"].encode(), value=msgspec.json.encode(article))


class Ends:
    """How many records topics hold, asked without reading any of them."""

    def __init__(self, address: str) -> None:
        """Connect."""
        self._consumer = KafkaConsumer(bootstrap_servers=address, group_id=None)

    def count(self, topic: str) -> int:
        """Records ever appended to a topic."""
        partitions = [TopicPartition(topic, number) for number in self._consumer.partitions_for_topic(topic) or ()]
        return sum(self._consumer.end_offsets(partitions).values()) if partitions else 0

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()


def records(address: str, topic: str) -> list[Stamped]:
    """Every record of a topic, by time."""
    consumer = KafkaConsumer(bootstrap_servers=address, group_id=None, auto_offset_reset="earliest", max_poll_records=2000)
    found: list[Stamped] = []
    with contextlib.closing(consumer):
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        while any(consumer.position(partition) < end for partition, end in ends.items()):
            for batch in consumer.poll(timeout_ms=500).values():
                found += [Stamped(one.timestamp / 1000, one.key or b"", len(one.value or b"")) for one in batch]
    return sorted(found)
