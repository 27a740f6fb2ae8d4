"""How kafka-python reaches the brokers: addresses, TLS and SASL from `Settings`, and what they refuse as one line.

Nothing is read from the environment here, nothing is logged: kafka-python prints its whole configuration, password
included, at debug level, so its logger is cut off and only the last failure it saw is kept, to say why a broker
could not be reached (the library itself raises a bare time-out for a wrong password).
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kafka import errors as kafka_errors
from kafka.net.sasl.oauth import AbstractTokenProvider

from worker import oauth, sasl
from worker.errors import BrokerError, one_line
from worker.settings import Settings

CLIENT_ID = "khabar"
CONNECT_MS = 10_000
"""Milliseconds to wait for a first broker before saying that there is none."""

_TIME_OUTS = (kafka_errors.KafkaTimeoutError, kafka_errors.RequestTimedOutError)


class _LastFailure(logging.Handler):
    """Keeps the last warning of kafka-python instead of printing it."""

    text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Remember the exception among the arguments; the time-out that only follows from it is none."""
        for argument in record.args if isinstance(record.args, tuple) else ():
            if isinstance(argument, Exception) and not isinstance(argument, _TIME_OUTS):
                self.text = one_line(argument)


_last_failure = _LastFailure(level=logging.WARNING)


def quiet() -> None:
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
        message = f"{settings.brokers}: {one_line(error)}"
        raise BrokerError(message) from error


def _explain(error: Exception, settings: Settings) -> str:
    """One line: which brokers, what happened, and the cause that kafka-python only logged."""
    if isinstance(error, kafka_errors.KafkaTimeoutError):
        why = _last_failure.text or one_line(error)
        return f"no broker can be used at {settings.brokers} over {settings.security_protocol}: {why}"
    if isinstance(error, kafka_errors.AuthorizationError):
        return f"{settings.brokers}: this user lacks the right: {one_line(error)}"
    return f"{settings.brokers}: {one_line(error)}"
