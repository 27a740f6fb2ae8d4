"""Credentials and certificates, from the settings to the clients; no secret leaves through an error."""

import ssl
from pathlib import Path

import faust
import pytest

from worker.errors import SettingsError
from worker.settings import Settings
from worker.stream import connect


def test_plaintext_needs_nothing() -> None:
    """No credentials, no context."""
    assert connect.credentials(Settings()) is None
    assert connect.client_options(Settings()) == {"security_protocol": "PLAINTEXT", "ssl_context": None}


@pytest.mark.parametrize(("protocol", "tls"), [("SASL_PLAINTEXT", False), ("SASL_SSL", True)])
def test_sasl_with_a_password(protocol: str, *, tls: bool) -> None:
    """The same user, password and mechanism for Faust and for the start-up check."""
    settings = Settings(security_protocol=protocol, sasl_mechanism="SCRAM-SHA-512", sasl_username="u", sasl_password="p")  # type: ignore[arg-type]  # noqa: S106
    credentials = connect.credentials(settings)
    assert isinstance(credentials, faust.SASLCredentials)
    assert (credentials.username, credentials.password, credentials.protocol.value) == ("u", "p", protocol)
    assert (credentials.ssl_context is not None) == tls
    options = connect.client_options(settings)
    assert (options["sasl_mechanism"], options["sasl_plain_username"], options["sasl_plain_password"]) == ("SCRAM-SHA-512", "u", "p")
    assert "'p'" not in repr(credentials)


def test_tls_verifies_names_and_certificates() -> None:
    """SSL without a file of authorities uses the system's."""
    context = connect.ssl_context(Settings(security_protocol="SSL"))
    assert context is not None
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


def test_a_token_is_the_password() -> None:
    """OAUTHBEARER."""
    settings = Settings(security_protocol="SASL_SSL", sasl_mechanism="OAUTHBEARER", sasl_password="token")  # noqa: S106
    assert "sasl_oauth_token_provider" in connect.client_options(settings)
    assert type(connect.credentials(settings)).__name__ == "OAuthCredentials"


def test_a_certificate_that_cannot_be_read_is_a_settings_error(tmp_path: Path) -> None:
    """One line that names the settings."""
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    for path in (bad, tmp_path / "none.pem"):
        with pytest.raises(SettingsError, match="KHABAR_SSL_CAFILE"):
            connect.ssl_context(Settings(security_protocol="SSL", ssl_cafile=str(path)))
