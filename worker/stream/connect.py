"""Reaching the brokers: credentials, waiting for a broker and for the topics.

A broker that is down is waited for; one that refuses us (wrong password, untrusted certificate) is a person's error, and
the worker ends with one line: aiokafka itself says only "unable to bootstrap" in both cases.
"""

import asyncio
import ssl
from typing import Any

import faust
from aiokafka import errors
from aiokafka.abc import AbstractTokenProvider
from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.conn import create_conn
from faust.types.auth import CredentialsT

from worker import log, oauth, sasl
from worker.errors import BrokerError, SettingsError
from worker.settings import Settings
from worker.status import Status

CONNECT_SECONDS = 10.0
RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
CLOSED_AT_ONCE = 5
"""A TLS or SASL port that closes so many connections in a row does not want us (no client certificate, no TLS there)."""
TOPIC_POLL_SECONDS = 2.0
_REFUSALS = (
    errors.AuthenticationFailedError,
    errors.SaslAuthenticationFailed,
    errors.UnsupportedSaslMechanismError,
    errors.IllegalSaslStateError,
    errors.AuthenticationMethodNotSupported,
    ssl.SSLError,
)

logger = log.get()


class _Token(AbstractTokenProvider):  # type: ignore[misc] # aiokafka has no types
    """OAUTHBEARER, see `worker.oauth`."""

    def __init__(self, settings: Settings) -> None:
        self._ask = oauth.source(settings)

    async def token(self) -> str:
        """Ask for it, on a thread: it may be fetched from somewhere."""
        try:
            return await asyncio.to_thread(self._ask)
        except OSError as error:
            raise errors.KafkaError(str(error)) from None  # tried again, as a broker that is away


def ssl_context(settings: Settings) -> ssl.SSLContext | None:
    """TLS as the settings say; None without TLS.

    Raises:
        SettingsError: a certificate file cannot be read.
    """
    if not settings.security_protocol.endswith("SSL"):
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ssl_cafile or None)
        if settings.ssl_certfile:
            context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile)
    except OSError as error:  # ssl.SSLError is one
        message = f"KHABAR_SSL_CAFILE, KHABAR_SSL_CERTFILE or KHABAR_SSL_KEYFILE cannot be used: {error}"
        raise SettingsError(message) from error
    return context


def credentials(settings: Settings) -> CredentialsT | None:
    """What Faust calls ``broker_credentials``; None for PLAINTEXT."""
    context = ssl_context(settings)
    if settings.security_protocol == "PLAINTEXT":
        return None
    if settings.security_protocol == "SSL":
        return faust.SSLCredentials(context=context)
    if settings.sasl_mechanism == "OAUTHBEARER":
        from faust.auth import OAuthCredentials

        return OAuthCredentials(oauth_cb=_Token(settings), ssl_context=context)
    return faust.SASLCredentials(
        username=settings.sasl_username, password=settings.sasl_password, mechanism=settings.sasl_mechanism, ssl_context=context
    )


def client_options(settings: Settings) -> dict[str, Any]:
    """The same for an aiokafka client."""
    security = {"security_protocol": settings.security_protocol, "ssl_context": ssl_context(settings)}
    return security | sasl.options(settings, token=_Token)


async def wait_for_broker(settings: Settings) -> None:
    """Wait until one of the brokers answers, for ever.

    Raises:
        BrokerError: a broker refuses the credentials or the certificate does not fit.
    """
    options = client_options(settings)
    attempt = closed = 0
    while True:
        for broker in settings.broker_list:
            try:
                await _try(broker, options)
            except (OSError, errors.KafkaError, TimeoutError) as error:  # ssl.SSLError is an OSError
                if isinstance(error, _REFUSALS) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
                    message = f"{broker} refuses: {_line(error)}"
                    raise BrokerError(message) from error
                closed = closed + 1 if _closes(error) and settings.security_protocol != "PLAINTEXT" else 0
                if closed >= CLOSED_AT_ONCE:
                    reason = f"no {settings.security_protocol} on that port, or it wants another client certificate"
                    message = f"{broker} closes every connection: {reason}"
                    raise BrokerError(message) from error
                if attempt & (attempt - 1) == 0:
                    logger.warning("broker_unreachable", broker=broker, error=_line(error), attempt=attempt + 1)
            else:
                return
        await asyncio.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
        attempt += 1


async def wait_for_topics(settings: Settings, status: Status) -> None:
    """Wait until the three topics exist; they may be made while the worker waits, and it never makes them itself.

    Raises:
        BrokerError: this user may not read as the group.
    """
    wanted = {settings.input_topic, settings.output_topic, settings.dead_letter_topic}
    client = AIOKafkaClient(bootstrap_servers=settings.broker_list, client_id="khabar", **client_options(settings))
    attempt = 0
    try:
        while True:
            try:
                await client.bootstrap()
                missing = wanted - (await client.fetch_all_metadata()).topics(exclude_internal_topics=False)
            except (OSError, errors.KafkaError, TimeoutError) as error:
                missing = wanted
                logger.warning("topics_unknown", error=_line(error))
            if not missing:
                await _check_group(client, settings.group)
                status.met("topics")
                return
            if attempt & (attempt - 1) == 0:
                logger.warning("topics_missing", topics=sorted(missing), hint="khabar topics create, or the right to see them")
            attempt += 1
            await asyncio.sleep(TOPIC_POLL_SECONDS)
    finally:
        await client.close()


async def _check_group(client: AIOKafkaClient, group: str) -> None:
    """Ask for the group's coordinator: without the right to join, Faust would wait for ever and say nothing."""
    try:
        await client.coordinator_lookup(CoordinationType.GROUP, group)
    except errors.GroupAuthorizationFailedError as error:
        message = f"this user lacks the right to read as group {group}: {_line(error)}"
        raise BrokerError(message) from error
    except (OSError, errors.KafkaError, TimeoutError) as error:  # the coordinator may be on its way: joining retries
        logger.warning("group_unknown", error=_line(error))


async def _try(broker: str, options: dict[str, Any]) -> None:
    """Connect, log in, and see the broker answer one request."""
    host, _, port = broker.rpartition(":")
    milliseconds = int(CONNECT_SECONDS * 1000)
    async with asyncio.timeout(CONNECT_SECONDS):  # not wait_for, which can swallow a cancellation (cpython #86296)
        connection = await create_conn(host.strip("[]"), int(port), client_id="khabar", request_timeout_ms=milliseconds, **options)
    connection.close()


def _closes(error: BaseException) -> bool:
    return isinstance(error, errors.KafkaConnectionError | ConnectionResetError | ssl.SSLError) and not isinstance(
        error, ConnectionRefusedError
    )


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
