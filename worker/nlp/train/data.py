"""Read BIO corpora and lay their sentences out as windows of pieces."""

import random
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from worker.nlp.pieces import Pieces
from worker.nlp.train.harmonise import LABELS, UNLABELLED, allowed, countries_as_places

WINDOW = 128
"""Pieces of one window, ``<s>`` and ``</s>`` included."""

HAS_MISC = frozenset({"ar/anercorp"})
"""Corpora that tag MISC; the others leave it open where they say O."""


@dataclass(frozen=True)
class Example:
    """One sentence: its words, its tags (harmonised, the corpus's own types) and the corpus it is from."""

    words: list[str]
    tags: list[str]
    corpus: str

    @property
    def persian(self) -> bool:
        """Whether ya and kaf are read as Persian ones."""
        return self.corpus.startswith("fa/")


def untagged(words: list[str], corpus: str) -> Example:
    """A sentence whose tags nobody knows."""
    return Example(words, [UNLABELLED] * len(words), corpus)


def read_bio(path: Path) -> Iterator[tuple[list[str], list[str]]]:
    """(words, tags) of every sentence of a BIO file: a token, a tab and its tag a line, a blank line after a sentence.

    Raises:
        ValueError: a line without a tab, named by its number.
    """
    words: list[str] = []
    tags: list[str] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line.strip():
            word, tab, tag = line.rstrip("\r").partition("\t")
            if not tab:
                message = f"{path}:{number}: expected a token, a tab and a tag"
                raise ValueError(message)
            words.append(word)
            tags.append(tag.strip())
        elif words:
            yield words, tags
            words, tags = [], []
    if words:
        yield words, tags


def read_corpus(root: Path, name: str) -> list[Example]:
    """Sentences of one corpus file, ``ar/anercorp.train`` for instance, countries made LOC."""
    corpus = name.partition(".")[0]
    return [Example(words, countries_as_places(words, tags), corpus) for words, tags in read_bio(root / f"{name}.bio")]


@dataclass(frozen=True)
class Window:
    """Pieces of one or more neighbouring sentences.

    Args:
        ids: (pieces,) int64, between ``<s>`` and ``</s>``.
        firsts: (words,) int64 position of each word's first piece.
        allowed: (words, labels) bool: which labels the corpus leaves possible.
        words: how the words are found again: (sentence, word) pairs.
        taught: (words, labels) float16 scores of a teacher, where there is one.
    """

    ids: NDArray[np.int64]
    firsts: NDArray[np.int64]
    allowed: NDArray[np.bool_]
    words: list[tuple[int, int]]
    taught: NDArray[np.float16] | None = None


def read_words(path: Path) -> list[Example]:
    """The sentences of a CoNLL-U file as bare words; a token of several words counts once, as it is written.

    In Arabic, words that touch are one, punctuation aside, as in the entity corpora: clitics stand with what they lean on.
    """
    examples: list[Example] = []
    words: list[str] = []
    inside, touching = 0, False
    language = path.name[:2]
    for line in path.read_text(encoding="utf-8").split("\n"):
        number, _, rest = line.partition("\t")
        if not line.strip():
            if words:
                examples.append(untagged(words, f"{language}/{path.stem}"))
            words, inside, touching = [], 0, False
        elif not line.startswith("#") and ("-" in number or (number.isdigit() and int(number) > inside)):
            form, _, rest = rest.partition("\t")
            inside = int(number.partition("-")[2] or inside)
            sign = unicodedata.category(form[0])[0] in "PS"
            if touching and not sign:
                words[-1] += form
            else:
                words.append(form)
            touching = language == "ar" and not sign and "SpaceAfter=No" in rest
    return examples


@dataclass(frozen=True)
class Spelled:
    """A sentence as pieces.

    Args:
        words: the pieces of each word.
        allowed: (words, labels) bool: which labels the corpus leaves possible.
        taught: (words, labels) float16 scores of a teacher, where there is one.
    """

    words: list[tuple[int, ...]]
    allowed: NDArray[np.bool_]
    taught: NDArray[np.float16] | None = None


def spell(example: Example, pieces: Pieces) -> Spelled:
    """The sentence's pieces and what its tags allow."""
    has_misc = example.corpus in HAS_MISC
    table = np.zeros((len(example.words), len(LABELS)), np.bool_)
    for row, tag in enumerate(example.tags):
        for label in allowed(tag, has_misc=has_misc):
            table[row, LABELS.index(label)] = True
    return Spelled([pieces.spell(word, persian=example.persian) for word in example.words], table)


def pack(sentences: Sequence[Spelled], numbers: Iterable[Sequence[int]]) -> Iterator[Window]:
    """Windows of at most ``WINDOW`` pieces.

    Args:
        sentences: spelled sentences.
        numbers: groups of sentences that may share a window; long ones are cut at a word.
    """
    for group in numbers:
        parts: list[tuple[int, int]] = []
        used = 2
        for number in group:
            spelled = sentences[number].words
            if parts and used + sum(map(len, spelled)) > WINDOW:
                yield _window(sentences, parts)
                parts, used = [], 2
            for index, word in enumerate(spelled):
                if used + len(word) > WINDOW:
                    yield _window(sentences, parts)
                    parts, used = [], 2
                parts.append((number, index))
                used += len(word)
        if parts:
            yield _window(sentences, parts)


def _window(sentences: Sequence[Spelled], parts: list[tuple[int, int]]) -> Window:
    """One window of these words."""
    ids: list[int] = [Pieces.bos]
    firsts: list[int] = []
    for number, index in parts:
        firsts.append(len(ids))
        ids.extend(sentences[number].words[index])
    ids.append(Pieces.eos)
    rows = np.stack([sentences[number].allowed[index] for number, index in parts])
    taught = [scores[index] for number, index in parts if (scores := sentences[number].taught) is not None]
    return Window(np.array(ids), np.array(firsts), rows, parts, np.stack(taught) if taught else None)


def groups(corpora: Sequence[Sequence[int]], *, packed: float, source: random.Random) -> Iterator[list[int]]:
    """Sentence numbers grouped for one epoch: a share ``packed`` of the text as runs of neighbours, the rest alone."""
    for corpus in corpora:
        run: list[int] = []
        together = source.random() < packed
        for number in corpus:
            if together:
                run.append(number)
            else:
                yield [number]
            # Runs of 16 sentences on average, so that a share of the text, not of the corpora, is packed.
            if source.random() < 1 / 16:
                if run:
                    yield run
                run, together = [], source.random() < packed
        if run:
            yield run


def batches(windows: Sequence[Window], *, budget: int, source: random.Random) -> list[list[Window]]:
    """Windows of like length together, at most ``budget`` pieces with padding each, in random order."""
    order = sorted(windows, key=lambda window: (len(window.ids), source.random()))
    result: list[list[Window]] = []
    batch: list[Window] = []
    for window in order:
        if batch and (len(batch) + 1) * len(window.ids) > budget:
            result.append(batch)
            batch = []
        batch.append(window)
    if batch:
        result.append(batch)
    source.shuffle(result)
    return result
