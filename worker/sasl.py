"""How to log in to the brokers: kafka-python and aiokafka name these options alike, so they are chosen once."""

from collections.abc import Callable
from typing import Any

from worker.settings import Settings


def options(settings: Settings, *, token: Callable[[Settings], object]) -> dict[str, Any]:
    """Keyword options of a client; none where the protocol has no SASL.

    Args:
        settings: protocol, mechanism, user and password.
        token: makes the client's own token provider for OAUTHBEARER, see `worker.oauth`.
    """
    if not settings.security_protocol.startswith("SASL"):
        return {}
    mechanism = {"sasl_mechanism": settings.sasl_mechanism}
    if settings.sasl_mechanism == "OAUTHBEARER":
        return {**mechanism, "sasl_oauth_token_provider": token(settings)}
    return {**mechanism, "sasl_plain_username": settings.sasl_username, "sasl_plain_password": settings.sasl_password}
