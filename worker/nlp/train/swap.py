"""Sentences with other names in the places of theirs, for a student to hear from its teachers alone.

Where a strange name fits badly a tag that is merely kept would be wrong (a teacher agrees with two thirds of such tags); what the
teachers make of it is not. So the student hears them judge names that no corpus has.
"""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from worker.enrich.segment import words
from worker.nlp.evaluate import spans
from worker.nlp.train.data import Example, untagged

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
    """The lists of one language, ``{language}-{type}.tsv``, cut into words; most of those of persons hold single parts of names."""
    return {
        kind: [found for line in (folder / f"{language}-{kind}.tsv").read_text(encoding="utf-8").splitlines() if (found := _words(line))]
        for kind in FROM_TEXT
    }


def _words(line: str) -> list[str]:
    """The words of the first column as the worker cuts them."""
    name = line.partition("\t")[0]
    return [name[start:end] for start, end in words(name)]


def swapped(examples: Sequence[Example], names: Names, source: random.Random) -> list[Example]:
    """The sentences with most of their names exchanged for others of the same type, their tags forgotten.

    Args:
        examples: of one language.
        names: the lists.
        source: of everything random.
    """
    own: dict[str, list[Sequence[str]]] = {kind: [] for kind in FROM_TEXT}
    for example in examples:
        for start, end, kind in sorted(spans(example.tags)):
            if kind in own:
                own[kind].append(example.words[start:end])
    found: list[Example] = []
    for example in examples:
        text = list(example.words)
        for start, end, kind in sorted(spans(example.tags), reverse=True):
            if kind in own and source.random() < SWAPPED_SHARE:
                text[start:end] = _name(kind, end - start, own, names, source, clitics=example.corpus.startswith("ar/"))
        found.append(untagged(text, example.corpus))
    return found


def _name(kind: str, length: int, own: Names, names: Names, source: random.Random, *, clitics: bool) -> list[str]:  # noqa: PLR0913 - as many things decide
    """Another name; a person's that is made of parts has about as many as the one before."""
    if source.random() < FROM_TEXT[kind]:
        name = list(source.choice(own[kind]))
    elif kind == "PER":
        name = []
        while len(name) < min(length, LONGEST_PERSON):
            name += source.choice(names[kind])
    else:
        name = list(source.choice(names[kind]))
    if clitics and source.random() < CLITIC_SHARE:
        clitic, first = source.choice(CLITICS), name[0]
        name[0] = clitic + (first[1:] if clitic == "ل" and first.startswith("ال") else first)  # لل for ل and ال
    return name
