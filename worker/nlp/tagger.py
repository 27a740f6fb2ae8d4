"""Words to tags: pieces, windows of neighbouring sentences, the network, decoding.

Each window goes through the network by itself and every activation has a fixed scale, so the tags of a document do not depend
on what else is tagged in the same call. Runs on numpy and onnxruntime alone.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from worker.nlp.decode import agreed, best_paths, transitions
from worker.nlp.pieces import Pieces, is_persian
from worker.nlp.session import Check, checked_session, exact_session, run

FILES = frozenset({"model.onnx", "pieces.npz"})
"""What a model's directory must hold beside its card."""

EMBEDDING_BLOCK = 32
"""Values of an embedding that share one scale."""

AGREEMENT = 0.45
"""How far the labels of a repeated word are drawn towards the mean of its occurrences in the document."""

SHORTEST_NAME = 3
"""Letters of a word whose occurrences are heard together; shorter ones are particles."""

CLITICS = frozenset("وفبلك")
"""Letters that stand before a name in Arabic as words of their own: what is left is taken for the name where that occurs too …"""

SHORTEST_BEHIND_CLITICS = 4
"""… and has so many letters: ريم is no كريم without its clitic."""

Document = Sequence[Sequence[str]]
"""Sentences → words."""


@dataclass(frozen=True)
class Embeddings:
    """Piece embeddings in 4 bits, a byte each in memory, and the positions'.

    Args:
        levels: (pieces, hidden) int8 from −8 to 7.
        scales: (pieces, blocks) float32.
        positions: (window, hidden) float32.
    """

    levels: NDArray[np.int8]
    scales: NDArray[np.float32]
    positions: NDArray[np.float32]

    @classmethod
    def unpack(cls, nibbles: NDArray[np.uint8], scales: NDArray[np.float16], positions: NDArray[np.float16]) -> Self:
        """From bytes of two levels each: low nibbles are the first half of each block."""
        blocks = nibbles.reshape(len(nibbles), -1, EMBEDDING_BLOCK // 2)
        levels = np.concatenate([blocks & 15, blocks >> 4], axis=2).astype(np.int8) - 8
        return cls(levels.reshape(len(nibbles), -1), scales.astype(np.float32), positions.astype(np.float32))

    def __call__(self, ids: NDArray[np.intp]) -> NDArray[np.float32]:
        """(length,) pieces to (length, hidden) sums of piece and position."""
        return self.rows(ids) + self.positions[: len(ids)]

    def rows(self, ids: NDArray[np.intp]) -> NDArray[np.float32]:
        """(length,) pieces to their (length, hidden) embeddings alone."""
        blocks = self.levels[ids].reshape(len(ids), -1, EMBEDDING_BLOCK).astype(np.float32)
        blocks *= self.scales[ids][..., None]
        return blocks.reshape(len(ids), -1)


def occurrences(documents: Sequence[Document]) -> NDArray[np.intp]:
    """(words,) numbers that occurrences of one word in one document share, those behind an Arabic clitic of one letter too."""
    numbers: list[int] = []
    fresh = 0
    for document in documents:
        words = set(chain.from_iterable(document))
        known: dict[str, int] = {}
        for word in chain.from_iterable(document):
            bare = word
            while bare[:1] in CLITICS and len(bare) > SHORTEST_BEHIND_CLITICS and bare[1:] in words:
                bare = bare[1:]
            number = fresh if len(bare) < SHORTEST_NAME else known.setdefault(bare, fresh)
            numbers.append(number)
            fresh += number == fresh
    return np.array(numbers, np.intp)


@dataclass(frozen=True)
class Window:
    """Neighbouring words of one document that the network sees together.

    Args:
        start: number of the first word, counted over all documents.
        ids: pieces, ``<s>`` and ``</s>`` included.
        firsts: position of each word's first piece.
    """

    start: int
    ids: list[int]
    firsts: list[int]


def windows(sentences: Iterable[Sequence[tuple[int, ...]]], *, start: int, limit: int) -> Iterator[Window]:
    """Fill windows of at most ``limit`` pieces with whole sentences; a longer sentence is cut between words.

    Args:
        sentences: pieces of each word of each sentence of one document.
        start: number of the document's first word.
        limit: pieces of a window, its two marks included.
    """
    ids, firsts = [Pieces.bos], list[int]()
    for sentence in sentences:
        if firsts and len(ids) + sum(map(len, sentence)) >= limit:
            yield Window(start, [*ids, Pieces.eos], firsts)
            start += len(firsts)
            ids, firsts = [Pieces.bos], []
        for word in sentence:
            if len(ids) + len(word) >= limit:
                yield Window(start, [*ids, Pieces.eos], firsts)
                start += len(firsts)
                ids, firsts = [Pieces.bos], []
            firsts.append(len(ids))
            ids.extend(word)
    if firsts:
        yield Window(start, [*ids, Pieces.eos], firsts)


class Tagger:
    """A fitted tagger read from a directory (``model.onnx pieces.npz card.json``)."""

    def __init__(self, session: ort.InferenceSession, embeddings: Embeddings, pieces: Pieces, card: dict[str, Any]) -> None:
        """Keep the parts; use :meth:`load`."""
        self.card = card
        self._session, self._embed, self._pieces = session, embeddings, pieces
        self._labels: list[str] = list(card["labels"])
        self._limit = int(card["window"])
        self._allowed = transitions(self._labels)

    @classmethod
    def load(cls, directory: Path, *, threads: int = 1, checked: bool = True) -> Self:
        """Read a model whose bytes the caller has verified.

        Args:
            directory: of the model.
            threads: of onnxruntime; one a process is fastest in bulk.
            checked: whether the card's check must hold here; a model that is being made has none yet.

        Raises:
            OSError, ValueError, KeyError: the directory holds no such model, or this CPU does not compute what it should.
        """
        card = json.loads((directory / "card.json").read_text(encoding="utf-8"))
        with np.load(directory / "pieces.npz", allow_pickle=False) as arrays:
            embeddings = Embeddings.unpack(arrays["nibbles"], arrays["scales"], arrays["positions"])
            pieces = Pieces(arrays["text"].tobytes().decode().split("\n"), arrays["scores"].tolist())
        graph = directory / "model.onnx"
        if checked:
            check = Check.of_card(card)
            session = checked_session(graph, check, embeddings(check.ids), threads=threads)
        else:
            session = exact_session(graph, threads=threads)
        return cls(session, embeddings, pieces, card)

    def tag(self, documents: Sequence[Document]) -> list[list[list[str]]]:
        """Valid BIO tags of every word, in the shape of ``documents`` (documents → sentences → words)."""
        lengths = [len(sentence) for document in documents for sentence in document]
        scores = np.zeros((sum(lengths), len(self._labels)), np.float32)
        for window in self._windows(documents):
            scores[window.start : window.start + len(window.firsts)] = self._run(window)
        heard = agreed(scores, occurrences(documents), share=AGREEMENT)
        tags = map(self._labels.__getitem__, best_paths(heard, np.array(lengths, np.intp), self._allowed).tolist())
        return [[list(islice(tags, len(sentence))) for sentence in document] for document in documents]

    def check(self, sentences: Document) -> Check:
        """The scores of a short document (one window) as this machine computes them: what a model's card keeps."""
        [window] = self._windows([sentences])
        scores = self._run(window)
        return Check(np.array(window.ids, np.intp), np.array(window.firsts, np.intp), scores.argmax(1), scores.max(1))

    def _windows(self, documents: Sequence[Document]) -> Iterator[Window]:
        """The windows of all documents; words are numbered through."""
        start = 0
        for document in documents:
            persian = is_persian(word for sentence in document for word in sentence)
            spelled = [[self._pieces.spell(word, persian=persian) for word in sentence] for sentence in document]
            yield from windows(spelled, start=start, limit=self._limit)
            start += sum(map(len, document))

    def _run(self, window: Window) -> NDArray[np.float32]:
        """(words, labels) scores."""
        return run(self._session, self._embed(np.array(window.ids, np.intp)), window.firsts)
