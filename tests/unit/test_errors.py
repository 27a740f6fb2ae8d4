"""The error tree: slugs, stages, one line."""

import pytest

from worker.errors import (
    REASONS,
    ArticleError,
    BrokerError,
    DecodeError,
    EnrichError,
    KhabarError,
    ModelError,
    OutputTooLargeError,
    RegistryError,
    SettingsError,
    UserError,
)

PROMISED = [
    "invalid_utf8",
    "invalid_json",
    "invalid_schema",
    "empty_body",
    "too_large",
    "too_deep",
    "invalid_avro",
    "unknown_schema",
    "enrich_failed",
    "enrich_timeout",
    "worker_crashed",
    "output_too_large",
    "unreadable",
]


def test_the_reasons_are_those_promised() -> None:
    """Dashboards, alerts and replays name these slugs."""
    assert list(REASONS) == PROMISED


@pytest.mark.parametrize("kind", [SettingsError, ModelError, BrokerError, RegistryError])
def test_what_a_person_can_put_right_ends_with_exit_code_2(kind: type[UserError]) -> None:
    """Every error of a person's input is a `UserError`."""
    assert issubclass(kind, UserError)
    assert kind("no").exit_code == 2


@pytest.mark.parametrize(
    ("error", "reason", "stage"),
    [
        (DecodeError("no JSON", reason="invalid_json"), "invalid_json", "decode"),
        (EnrichError("it raised"), "enrich_failed", "enrich"),
        (EnrichError("too slow", reason="enrich_timeout", stage="entities"), "enrich_timeout", "entities"),
        (OutputTooLargeError("too large"), "output_too_large", "publish"),
    ],
)
def test_an_article_error_carries_its_reason_and_stage(error: ArticleError, reason: str, stage: str) -> None:
    """What the dead letter and the metric say comes from the error itself."""
    assert isinstance(error, ArticleError)
    assert isinstance(error, KhabarError)
    assert (error.reason, error.stage) == (reason, stage)


def test_a_message_is_one_line() -> None:
    """Newlines and runs of blanks are folded: the message goes into a header and a log line."""
    assert str(EnrichError("first\n  second\tthird ")) == "first second third"
