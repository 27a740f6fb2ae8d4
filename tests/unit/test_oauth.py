"""Where an OAUTHBEARER token comes from."""

import asyncio
import sys
from types import ModuleType

import pytest
from aiokafka.errors import KafkaError

from worker import kafka, oauth
from worker.errors import BrokerError, SettingsError
from worker.settings import Settings
from worker.stream import connect

SECRET = "s3cret"  # noqa: S105 - a test's own


def broken() -> str:
    """A token service that is down, and says more than may be logged."""
    message = f"no answer for client {SECRET}"
    raise RuntimeError(message)


@pytest.fixture(autouse=True)
def tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module as an operator would write it."""
    made = ModuleType("tokens")
    made.fetch = lambda: "fresh"  # type: ignore[attr-defined]
    made.broken = broken  # type: ignore[attr-defined]
    made.nothing = lambda: None  # type: ignore[attr-defined]
    made.text = "no function"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tokens", made)


def settings(function: str) -> Settings:
    """OAUTHBEARER with this function."""
    return Settings(security_protocol="SASL_PLAINTEXT", sasl_mechanism="OAUTHBEARER", sasl_token=function)


def test_both_clients_ask_the_function() -> None:
    """Once for every connection; without one the password is the token."""
    assert kafka.security(settings("tokens:fetch"))["sasl_oauth_token_provider"].token() == "fresh"
    provider = connect.client_options(settings("tokens:fetch"))["sasl_oauth_token_provider"]
    assert asyncio.run(provider.token()) == "fresh"
    assert oauth.source(Settings(sasl_password="itself"))() == "itself"  # noqa: S106


@pytest.mark.parametrize("function", ["tokens:missing", "no.such.module:f", "tokens", "tokens:text"])
def test_a_name_of_no_function_is_a_persons_error(function: str) -> None:
    """Told before anything is connected."""
    with pytest.raises(SettingsError, match="KHABAR_SASL_TOKEN"):
        oauth.source(settings(function))


@pytest.mark.parametrize("function", ["tokens:broken", "tokens:nothing"])
def test_a_function_that_gives_none_is_told_without_its_secrets(function: str) -> None:
    """A command ends with one line; the worker tries again, as with a broker that is away."""
    with pytest.raises(BrokerError) as caught:
        kafka.security(settings(function))
    assert SECRET not in str(caught.value)
    provider = connect.client_options(settings(function))["sasl_oauth_token_provider"]
    with pytest.raises(KafkaError) as raised:
        asyncio.run(provider.token())
    assert SECRET not in str(raised.value)
