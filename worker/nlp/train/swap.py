"""Sentences with other names in the places of theirs, for a student to hear from its teachers alone.

Where a strange name fits badly a tag that is merely kept would be wrong (a teacher agrees with two thirds of such tags); what the
teachers make of it is not. So the student hears them judge names that no corpus has.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from worker.nlp.train.data import Example
from worker.nlp.train.harmonise import UNLABELLED, spans

SWAPPED_SHARE = 0.65
"""Of the mentions."""

FROM_TEXT = {"PER": 0.3, "LOC": 0.45, "ORG": 0.45}
"""Share of the new names that are mentions of the same text, by type; the others are of the lists. No other type is swapped."""

CLITICS = "وبلف"
CLITIC_SHARE = 0.12
"""Of the new names in Arabic: they get a clitic before their first word."""

LONGEST_PERSON = 3

Names = Mapping[str, Sequence[Sequence[str]]]
"""Type → names, each as its words."""


def read_names(folder: Path, language: str) -> dict[str, list[list[str]]]:
    """The lists of one language, ``{language}-{type}.tsv``; those of persons hold single parts of names."""
    return {
        kind: [line.partition("\t")[0].split() for line in (folder / f"{language}-{kind}.tsv").read_text(encoding="utf-8").splitlines()]
        for kind in FROM_TEXT
    }


def swapped(examples: Sequence[Example], names: Names, source: random.Random) -> list[Example]:
    """The sentences with most of their names exchanged for others of the same type, their tags forgotten.

    Args:
        examples: of one language.
        names: the lists.
        source: of everything random.
    """
    own: dict[str, list[Sequence[str]]] = {kind: [] for kind in FROM_TEXT}
    for example in examples:
        for start, end, kind in spans(example.tags):
            if kind in own:
                own[kind].append(example.words[start:end])
    found: list[Example] = []
    for example in examples:
        words = list(example.words)
        for start, end, kind in reversed(list(spans(example.tags))):
            if kind in own and source.random() < SWAPPED_SHARE:
                words[start:end] = _name(kind, end - start, own, names, source, clitics=example.corpus.startswith("ar/"))
        found.append(replace(example, words=words, tags=[UNLABELLED] * len(words)))
    return found


def _name(kind: str, length: int, own: Names, names: Names, source: random.Random, *, clitics: bool) -> list[str]:  # noqa: PLR0913 - as many things decide
    """Another name; a person's has as many parts as the one before."""
    if source.random() < FROM_TEXT[kind]:
        words = list(source.choice(own[kind]))
    elif kind == "PER":
        words = []
        while len(words) < min(length, LONGEST_PERSON):
            words += source.choice(names[kind])
    else:
        words = list(source.choice(names[kind]))
    if clitics and source.random() < CLITIC_SHARE:
        words[0] = source.choice(CLITICS) + words[0]
    return words
