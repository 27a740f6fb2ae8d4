"""kafka-python clients made from `Settings`: what the commands use; only `kafka_access` and `kafka_reading` import kafka-python too."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import kafka
import kafka.admin
from kafka import errors as kafka_errors
from kafka.structs import OffsetAndMetadata, TopicPartition

from worker import kafka_reading
from worker.errors import BrokerError, one_line
from worker.kafka_access import CONNECT_MS, quiet, refusals, security
from worker.settings import Settings

__all__ = [
    "OffsetAndMetadata",
    "Record",
    "TopicPartition",
    "admin",
    "consumer",
    "largest_record",
    "partitions",
    "producer",
    "refusals",
    "security",
]

SEND_SECONDS = 60
"""Seconds to wait for the broker's answer to one record."""
MAX_RECORD_BYTES = 32 * 1024 * 1024
"""Largest record a command sends or asks for: the dead-letter topic's own limit (see ``worker.commands.topics``)."""


class Record(Protocol):
    """A consumed record, as kafka-python gives it: bytes as they were sent, ``timestamp`` in milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


@contextmanager
def admin(settings: Settings) -> Iterator[Any]:
    """A connected admin client.

    Raises:
        BrokerError: see `refusals`.
    """
    quiet()
    with refusals(settings):
        client = kafka.admin.KafkaAdminClient(**security(settings))
        try:
            yield client
        finally:
            client.close()


@contextmanager
def producer(settings: Settings) -> Iterator[Any]:
    """An idempotent producer that waits for all in-sync replicas and takes records of any size the topics take.

    Leaving the block waits for what was sent. Futures tell about single records: ``send(…).get()``.

    Raises:
        BrokerError: see `refusals`.
    """
    quiet()
    with refusals(settings):
        client = kafka.KafkaProducer(
            **security(settings),
            acks="all",
            enable_idempotence=True,
            max_request_size=MAX_RECORD_BYTES,
            linger_ms=5,
            max_block_ms=CONNECT_MS,
            allow_auto_create_topics=False,
        )
        try:
            yield client
            client.flush()
        finally:
            client.close(timeout=5)


@contextmanager
def consumer(settings: Settings, **options: Any) -> Iterator[Any]:  # noqa: ANN401 - kafka-python's own options
    """A consumer that commits nothing by itself and makes no topics.

    Raises:
        BrokerError: see `refusals`.
    """
    quiet()
    defaults = {"enable_auto_commit": False, "auto_offset_reset": "earliest", "allow_auto_create_topics": False}
    kafka_reading.install()
    with refusals(settings):
        client = kafka.KafkaConsumer(**security(settings), **(defaults | options))
        try:
            yield client
        finally:
            client.close(autocommit=False)


def _no_topic(topic: str) -> str:
    return f"there is no topic {topic}; `khabar topics create` makes the three topics"


def partitions(client: Any, topic: str) -> list[TopicPartition]:  # noqa: ANN401 - kafka-python has no types
    """The topic's partitions in order.

    Raises:
        BrokerError: there is no such topic.
    """
    numbers = client.partitions_for_topic(topic)
    if not numbers:
        raise BrokerError(_no_topic(topic))
    return [TopicPartition(topic, number) for number in sorted(numbers)]


def largest_record(client: Any, topic: str) -> int | None:  # noqa: ANN401 - kafka-python has no types
    """``max.message.bytes`` of a topic, from an admin client; None where the broker does not tell (it may want a right for that)."""
    resource = kafka.admin.ConfigResource("topic", topic)
    entries = client.describe_configs([resource], config_filter="all").get("topic", {}).get(topic, {})
    text = entries.get("max.message.bytes", {}).get("value")
    return int(text) if text else None


class Sent:
    """A record on its way."""

    def __init__(self, future: Any, *, problem: str = "") -> None:  # noqa: ANN401 - kafka-python has no types
        """``problem``: the client refused it before it was sent."""
        self._future = future
        self._problem = problem

    def refused(self) -> str:
        """Wait for the broker; why it will never take this record (its size), or nothing when it has it.

        Raises:
            kafka.errors.KafkaError: any other failure; `refusals` makes a line of it.
        """
        if self._problem:
            return self._problem
        try:
            self._future.get(timeout=SEND_SECONDS)
        except kafka_errors.MessageSizeTooLargeError as error:
            return f"too large for the topic: {one_line(error)}"
        return ""

    def position(self) -> tuple[int, int]:
        """Wait for the broker; the record's partition and offset.

        Raises:
            kafka.errors.KafkaError: it was not taken.
        """
        metadata = self._future.get(timeout=SEND_SECONDS)
        return metadata.partition, metadata.offset


def send(  # noqa: PLR0913 - a record has this many parts
    client: Any,  # noqa: ANN401 - kafka-python has no types
    topic: str,
    value: bytes | None,
    *,
    key: bytes | None,
    headers: Sequence[tuple[str, bytes | None]],
    partition: int | None = None,
) -> Sent:
    """Give one record to a producer; returns at once. A header's null value goes out empty: kafka-python cannot write null."""
    sendable = [(name, content or b"") for name, content in headers]
    try:
        return Sent(client.send(topic, value=value, key=key, headers=sendable, partition=partition))
    except kafka_errors.MessageSizeTooLargeError as error:
        return Sent(None, problem=f"too large to send: {one_line(error)}")


def require(client: Any, topic: str) -> int:  # noqa: ANN401 - kafka-python has no types
    """Number of partitions of a topic, asked of a producer.

    Raises:
        BrokerError: there is no such topic.
    """
    try:
        numbers = client.partitions_for(topic)
    except kafka_errors.KafkaTimeoutError:
        numbers = None
    if not numbers:
        raise BrokerError(_no_topic(topic))
    return len(numbers)
