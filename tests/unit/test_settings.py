"""Settings: read from a mapping, checked, frozen, secrets masked."""

from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from worker.errors import SettingsError
from worker.settings import MASK, PREFIX, Settings, reference, unknown

PROMISED = [
    "BROKERS",
    "INPUT_TOPIC",
    "OUTPUT_TOPIC",
    "DEAD_LETTER_TOPIC",
    "GROUP",
    "PROCESSES",
    "HTTP_HOST",
    "HTTP_PORT",
    "MODELS",
    "MODEL_DIR",
    "MAX_ARTICLE_BYTES",
    "SESSION_TIMEOUT",
    "REBALANCE_TIMEOUT",
    "DRAIN_TIMEOUT",
    "SECURITY_PROTOCOL",
    "SASL_MECHANISM",
    "SASL_USERNAME",
    "SASL_PASSWORD",
    "SSL_CAFILE",
    "SSL_CERTFILE",
    "SSL_KEYFILE",
    "LOG_LEVEL",
    "LOG_FORMAT",
]


def test_every_promised_variable_is_a_setting() -> None:
    """Deployments rely on these names."""
    assert {PREFIX + name for name in PROMISED} <= {variable for variable, _, _ in reference()}


def test_defaults_stand_without_any_variable() -> None:
    """An empty environment gives the documented defaults."""
    settings = Settings.from_env({})
    assert settings == Settings()
    assert (settings.input_topic, settings.output_topic, settings.dead_letter_topic) == (
        "articles.raw",
        "articles.enriched",
        "articles.dead-letter",
    )
    assert (settings.group, settings.http_host, settings.http_port) == ("khabar", "127.0.0.1", 8080)
    assert settings.max_article_bytes == 1_048_576
    assert settings.processes >= 1


def test_variables_are_read_as_their_types() -> None:
    """Numbers, paths and choices arrive as such; choices whatever their case."""
    settings = Settings.from_env(
        {
            "KHABAR_BROKERS": "one:9092, two:9093",
            "KHABAR_PROCESSES": "3",
            "KHABAR_ARTICLE_TIMEOUT": "2.5",
            "KHABAR_MODEL_DIR": "~/models",
            "KHABAR_LOG_LEVEL": "WARNING",
            "KHABAR_GROUP": "",
            "PATH": "/bin",
        }
    )
    assert settings.broker_list == ["one:9092", "two:9093"]
    assert settings.processes == 3
    assert settings.article_timeout == pytest.approx(2.5)
    assert settings.model_dir == Path.home() / "models"
    assert settings.log_level == "warning"
    assert settings.group == "khabar", "an empty variable is none"


@pytest.mark.parametrize(
    ("environ", "part"),
    [
        ({"KHABAR_PROCESSES": "two"}, "KHABAR_PROCESSES='two' is not a whole number"),
        ({"KHABAR_PROCESSES": "1.5"}, "not a whole number"),
        ({"KHABAR_PROCESSES": "0"}, "KHABAR_PROCESSES=0 is below 1"),
        ({"KHABAR_SESSION_TIMEOUT": "soon"}, "is not a number"),
        ({"KHABAR_SESSION_TIMEOUT": "nan"}, "below"),
        ({"KHABAR_LOG_LEVEL": "loud"}, "choose one of debug, info, warning, error"),
        ({"KHABAR_TRACES": "jaeger"}, "choose one of off, otlp"),
        ({"KHABAR_SECURITY_PROTOCOL": "TLS"}, "choose one of PLAINTEXT, SSL"),
        ({"KHABAR_BROKERS": " , "}, "KHABAR_BROKERS is empty"),
        ({"KHABAR_BROKERS": "kafka"}, "'kafka' is not host:port"),
        ({"KHABAR_BROKERS": "kafka:x"}, "is not host:port"),
        ({"KHABAR_OUTPUT_TOPIC": "articles.raw"}, "must differ"),
        ({"KHABAR_DRAIN_TIMEOUT": "60"}, "must be below KHABAR_REBALANCE_TIMEOUT"),
        ({"KHABAR_SSL_CERTFILE": "/c.pem"}, "go together"),
        ({"KHABAR_SECURITY_PROTOCOL": "SASL_SSL"}, "needs KHABAR_SASL_USERNAME"),
        ({"KHABAR_SASL_PASSWORD_FILE": "/does/not/exist"}, "KHABAR_SASL_PASSWORD_FILE: cannot read"),
        ({"KHABAR_MODEL_DIR": "~no-such-user/models"}, "KHABAR_MODEL_DIR='~no-such-user/models': "),
        ({"KHABAR_INPUT_FORMAT": "xml"}, "choose one of json, avro"),
        ({"KHABAR_INPUT_FORMAT": "avro"}, "need KHABAR_REGISTRY_URL"),
        ({"KHABAR_OUTPUT_FORMAT": "avro"}, "need KHABAR_REGISTRY_URL"),
        ({"KHABAR_REGISTRY_URL": "registry:8081"}, "KHABAR_REGISTRY_URL is no http:// or https:// address"),
        ({"KHABAR_REGISTRY_URL": "http://registry:port"}, "KHABAR_REGISTRY_URL is no"),
        ({"KHABAR_REGISTRY_URL": "http://[::1"}, "KHABAR_REGISTRY_URL is no"),
        ({"KHABAR_REGISTRY_URL": "http://registry/?a=b"}, "KHABAR_REGISTRY_URL is no"),
        ({"KHABAR_REGISTRY_URL": "http://me:hunter@registry"}, "KHABAR_REGISTRY_URL holds credentials"),
        ({"KHABAR_REGISTRY_URL": "http://registry", "KHABAR_REGISTRY_PASSWORD": "p"}, "needs KHABAR_REGISTRY_USERNAME"),
    ],
)
def test_a_wrong_setting_is_one_clear_line(environ: dict[str, str], part: str) -> None:
    """The message names the variable and what is wrong, on one line."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(environ)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "hunter" not in str(caught.value)


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    """`…_FILE` names a file; its last newline does not count."""
    secret = tmp_path / "password"
    secret.write_text("hunter two\n", encoding="utf-8")
    settings = Settings.from_env({"KHABAR_SASL_PASSWORD_FILE": str(secret)})
    assert settings.sasl_password == "hunter two"  # noqa: S105 - written by this test


def test_secrets_are_masked_where_settings_are_shown() -> None:
    """Neither the rows logged at start nor the reference show a password; an unset one is shown as unset."""
    rows = dict(Settings(sasl_password="hunter two", registry_password="hunter three").rows())  # noqa: S106 - written by this test
    assert rows["KHABAR_SASL_PASSWORD"] == rows["KHABAR_REGISTRY_PASSWORD"] == MASK
    assert "hunter" not in str(rows)
    assert dict(Settings().rows())["KHABAR_SASL_PASSWORD"] == ""


def test_settings_are_frozen() -> None:
    """Nothing changes a setting after start."""
    with pytest.raises(FrozenInstanceError):
        Settings().group = "other"  # type: ignore[misc]


def test_the_reference_has_a_row_for_every_field() -> None:
    """Variable, default and meaning of each; a meaning is a sentence."""
    rows = list(reference())
    assert [variable for variable, _, _ in rows] == [PREFIX + row.name.upper() for row in fields(Settings)]
    for variable, default, meaning in rows:
        assert meaning.endswith("."), variable
        assert "/root" not in default
        assert "/home" not in default


def test_variables_that_are_no_settings_are_named() -> None:
    """A typing error is noticed; secrets' files and foreign variables are not complained about."""
    environ = {"KHABAR_BROKER": "x", "KHABAR_SASL_PASSWORD_FILE": "/run/p", "KHABAR_GROUP": "g", "HOME": "/"}
    assert unknown(environ) == ["KHABAR_BROKER"]
