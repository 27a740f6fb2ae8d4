"""Analysers that need no trained model: what they tag is plain from their rule."""

import re
import zlib
from collections.abc import Sequence
from typing import get_args

from worker.enrich.analysis import Analysis, Span
from worker.enrich.segment import sentences, words
from worker.records import EntityType, Model

TYPES: tuple[EntityType, ...] = get_args(EntityType)
MODEL = Model(stage="entities", name="rule", version="1", sha256="ab" * 32)


class Capitals:
    """Tags runs of capitalised words as people; knows English only. Records every call."""

    models: Sequence[Model] = (MODEL,)

    def __init__(self, *, fails_on: str = "\0") -> None:
        """Raise on every batch in which a text holds `fails_on`."""
        self.calls: list[list[tuple[str, str]]] = []
        self._fails_on = fails_on

    def supports(self, language: str) -> bool:
        """English."""
        return language == "en"

    def models_for(self, language: str) -> Sequence[Model]:
        """The one model, where the language is supported."""
        return self.models if self.supports(language) else ()

    def analyse(self, texts: Sequence[tuple[str, str]]) -> list[Analysis]:
        """Sentences of our own splitter, capitalised words as spans."""
        self.calls.append(list(texts))
        if any(self._fails_on in text for _, text in texts):
            message = f"cannot read\n{self._fails_on}"
            raise ValueError(message)
        return [
            Analysis(sentences(text), [Span(*match.span(), "PER") for match in re.finditer(r"[A-Z]\w+(?: [A-Z]\w+)*", text)])
            for _, text in texts
        ]


class Anything:
    """Tags stretches of any text, in any language, by a checksum of the words: arbitrary, but always the same."""

    models: Sequence[Model] = (MODEL,)

    def supports(self, language: str) -> bool:
        """Every language, `und` too."""
        return bool(language)

    def models_for(self, language: str) -> Sequence[Model]:
        """The one model, where the language is supported."""
        return self.models if self.supports(language) else ()

    def analyse(self, texts: Sequence[tuple[str, str]]) -> list[Analysis]:
        """Spans of one to three words, and some that begin and end anywhere, also overlapping or beyond the text."""
        return [Analysis(sentences(text), self._spans(text)) for _, text in texts]

    def _spans(self, text: str) -> list[Span]:
        places = words(text)
        spans = []
        for index, (start, end) in enumerate(places):
            draw = zlib.crc32(text[start:end].encode("utf-8", "surrogatepass"))
            if draw % 3 == 0:
                last = places[min(index + draw % 7 % 3, len(places) - 1)][1]
                spans.append(Span(start - draw % 2, max(last, end) + draw // 7 % 2, TYPES[draw % len(TYPES)]))
        return spans
