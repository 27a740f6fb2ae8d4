"""kafka-python clients made from `Settings`: what the commands use; only `worker.kafka_reading` imports kafka-python too.

Nothing is read from the environment here, nothing is logged: kafka-python prints its whole configuration, password
included, at debug level, so its logger is cut off and only the last failure it saw is kept, to say why a broker
could not be reached (the library itself raises a bare time-out for a wrong password).
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import kafka
import kafka.admin
from kafka import errors as kafka_errors
from kafka.net.sasl.oauth import AbstractTokenProvider
from kafka.structs import OffsetAndMetadata, TopicPartition

from worker import kafka_reading, oauth, sasl
from worker.errors import BrokerError
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

CLIENT_ID = "khabar"
CONNECT_MS = 10_000
"""Milliseconds to wait for a first broker before saying that there is none."""
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


_TIME_OUTS = (kafka_errors.KafkaTimeoutError, kafka_errors.RequestTimedOutError)


class _LastFailure(logging.Handler):
    """Keeps the last warning of kafka-python instead of printing it."""

    text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Remember the exception among the arguments; the time-out that only follows from it is none."""
        for argument in record.args if isinstance(record.args, tuple) else ():
            if isinstance(argument, Exception) and not isinstance(argument, _TIME_OUTS):
                self.text = _line(argument)


_last_failure = _LastFailure(level=logging.WARNING)


def _quiet() -> None:
    """Cut kafka-python's logger off from the root and keep its last failure."""
    logger = logging.getLogger("kafka")
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    logger.handlers = [_last_failure]


class _Token(AbstractTokenProvider):  # type: ignore[misc]  # kafka-python has no types
    """OAUTHBEARER, see `worker.oauth`."""

    def __init__(self, settings: Settings) -> None:
        self._ask = oauth.source(settings)
        try:
            self._ask()
        except OSError as error:
            raise BrokerError(str(error)) from error

    def token(self) -> str:
        """The bearer token."""
        return self._ask()

    def extensions(self) -> dict[str, str]:
        """No SASL extensions."""
        return {}


def security(settings: Settings) -> dict[str, Any]:
    """kafka-python's options for reaching these brokers: addresses, TLS, SASL.

    Raises:
        BrokerError: `KHABAR_SASL_TOKEN` gives no token.
        SettingsError: it names no function.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": settings.broker_list,
        "client_id": CLIENT_ID,
        "security_protocol": settings.security_protocol,
        "bootstrap_timeout_ms": CONNECT_MS,
    }
    if settings.security_protocol.endswith("SSL"):
        options |= {
            "ssl_cafile": settings.ssl_cafile or None,
            "ssl_certfile": settings.ssl_certfile or None,
            "ssl_keyfile": settings.ssl_keyfile or None,
        }
    return options | sasl.options(settings, token=_Token)


@contextmanager
def refusals(settings: Settings) -> Iterator[None]:
    """Turn what the brokers or the way to them refuse into one `BrokerError` line.

    Raises:
        BrokerError: no broker answered, credentials or certificates were refused, a right or a topic is missing.
    """
    _last_failure.text = ""
    try:
        yield
    except kafka_errors.KafkaError as error:
        raise BrokerError(_explain(error, settings)) from error
    except BrokenPipeError:  # who read our output has gone: the command line ends quietly
        raise
    except (OSError, ValueError) as error:  # an unreadable certificate file, an address that no resolver takes
        message = f"{settings.brokers}: {_line(error)}"
        raise BrokerError(message) from error


def _explain(error: Exception, settings: Settings) -> str:
    """One line: which brokers, what happened, and the cause that kafka-python only logged."""
    if isinstance(error, kafka_errors.KafkaTimeoutError):
        why = _last_failure.text or _line(error)
        return f"no broker can be used at {settings.brokers} over {settings.security_protocol}: {' '.join(why.split())}"
    if isinstance(error, kafka_errors.AuthorizationError):
        return f"{settings.brokers}: this user lacks the right: {_line(error)}"
    return f"{settings.brokers}: {_line(error)}"


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def admin(settings: Settings) -> Iterator[Any]:
    """A connected admin client.

    Raises:
        BrokerError: see `refusals`.
    """
    _quiet()
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
    _quiet()
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
    _quiet()
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
            return f"too large for the topic: {_line(error)}"
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
        return Sent(None, problem=f"too large to send: {_line(error)}")


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
