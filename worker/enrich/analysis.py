"""What the language models hand over: plain data, and the one call every set of models answers."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from worker.records import EntityType, Model


class Span(Struct, frozen=True):
    """A stretch of text that a model took for a name, clitics and all.

    Args:
        start: first code point of the text given.
        end: one past its last code point.
        type: one set of types for every language and model.
    """

    start: int
    end: int
    type: EntityType


class Analysis(Struct):
    """One text, analysed.

    Args:
        sentences: (start, end) of every sentence in code points, in order, without overlaps.
        spans: the names found, in order of ``start``, without overlaps.
    """

    sentences: list[tuple[int, int]]
    spans: list[Span]


class Analyser(Protocol):
    """A set of models. Deterministic: a text's analysis does not depend on the texts beside it."""

    def models_for(self, language: str) -> Sequence[Model]:
        """What stands in the provenance of an article in that language; none where there is no entity model for it."""

    def supports(self, language: str) -> bool:
        """Whether there is an entity model for this ISO 639 code."""

    def analyse(self, texts: Sequence[tuple[str, str]]) -> list[Analysis]:
        """Analyse many (language, text) pairs at once, languages mixed; every language is one that is supported."""
