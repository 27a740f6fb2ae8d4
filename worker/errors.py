"""Every error Khabar raises on purpose.

::

    KhabarError
    ├── UserError                 a person's input: one clear line, exit code 2, no traceback
    │   ├── SettingsError         a KHABAR_* variable is missing, malformed or contradicts another
    │   ├── ModelError            a model directory is absent, incomplete or fails its checksum
    │   ├── BrokerError           the broker refused what was asked: credentials, certificates, topics
    │   └── RegistryError         the schema registry refused: credentials, certificate, an incompatible schema; or cannot be had at start
    └── ArticleError              this article can never succeed: dead-letter it under ``reason``
        ├── DecodeError           stage ``decode``
        ├── EnrichError           stage ``enrich``, or the stage that failed
        └── OutputTooLargeError   stage ``publish``

``reason`` is a fixed slug: the dead letter's field, its header and the label of the metric are the same word. What may
succeed later (broker gone, disk full) is not in this tree: it is retried until it does.
"""

from typing import ClassVar, Literal, get_args

Reason = Literal[
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
"""Why an article can never succeed."""

REASONS: tuple[str, ...] = get_args(Reason)


class KhabarError(Exception):
    """Root of every error of this package."""


class UserError(KhabarError):
    """A person's input cannot be used; ``str(error)`` is the one line to show."""

    exit_code: ClassVar[int] = 2


class SettingsError(UserError):
    """A setting is missing, malformed or contradicts another."""


class ModelError(UserError):
    """A model directory is absent, incomplete or does not match its checksums."""


class BrokerError(UserError):
    """The broker refused: wrong credentials, untrusted certificate, missing or differing topics."""


class RegistryError(UserError):
    """The schema registry refused: wrong credentials, untrusted certificate, incompatible schema; or there is none at start."""


class ArticleError(KhabarError):
    """An article that can never succeed.

    Args:
        message: one line for people; newlines are folded.
        reason: the dead letter's slug.
        stage: where it failed: a stage's file name (``decode``, ``entities``, ``publish`` …).
    """

    def __init__(self, message: str, *, reason: Reason, stage: str) -> None:
        """Keep the slug and the stage beside the message."""
        super().__init__(" ".join(message.split()))
        self.reason: Reason = reason
        self.stage = stage


class DecodeError(ArticleError):
    """The record's bytes are no article."""

    def __init__(self, message: str, *, reason: Reason) -> None:
        """Stage is always ``decode``."""
        super().__init__(message, reason=reason, stage="decode")


class EnrichError(ArticleError):
    """Enrichment of this article failed, hung or killed its process."""

    def __init__(self, message: str, *, reason: Reason = "enrich_failed", stage: str = "enrich") -> None:
        """Stage names the step that failed where it is known."""
        super().__init__(message, reason=reason, stage=stage)


class OutputTooLargeError(ArticleError):
    """The broker refuses the enriched article for its size."""

    def __init__(self, message: str) -> None:
        """Stage is always ``publish``."""
        super().__init__(message, reason="output_too_large", stage="publish")


def one_line(error: BaseException) -> str:
    """An error as one line for people."""
    return " ".join(str(error).split()) or type(error).__name__
