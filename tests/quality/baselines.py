"""What the summary is compared with: lead-3, LexRank and TextRank, written plainly.

Each orders the sentences; `choose` then takes the best that fit the budget, the same for all. Words are spelled for
comparison as ours are, so that no method wins by its word splitting.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from worker.enrich.text import fold

Order = Callable[[Sequence[str]], list[int]]
"""Sentences to their indices, best first."""

_WORD = re.compile(r"[^\W_]+")
_DAMPING = 0.85
_ROUNDS = 100


def choose(sentences: Sequence[str], order: Sequence[int], *, max_sentences: int, max_characters: int) -> list[int]:
    """The best sentences that fit: at most so many, and so many code points with a space between two; in text order."""
    chosen: list[int] = []
    room = max_characters
    for index in order:
        if len(chosen) < max_sentences and len(sentences[index]) <= room:
            chosen.append(index)
            room -= len(sentences[index]) + 1
    return sorted(chosen)


def lead(sentences: Sequence[str]) -> list[int]:
    """The order of the text: lead-3 where three are taken."""
    return list(range(len(sentences)))


def lexrank(sentences: Sequence[str]) -> list[int]:
    """Continuous LexRank: cosine of TF-IDF vectors (Erkan and Radev, JAIR 22, 2004, section 3.3).

    Their threshold of 0.1 wants a background corpus for IDF: on one short article it cuts nearly every link and leaves
    the order of the text, which lead-3 shows already. So the form without a threshold is taken.
    """
    words = [_words(sentence) for sentence in sentences]
    place = {word: index for index, word in enumerate(sorted({word for row in words for word in row}))}
    counts = np.zeros((len(words), max(len(place), 1)))
    for row, sentence in enumerate(words):
        for word, count in Counter(sentence).items():
            counts[row, place[word]] = count
    spread = np.maximum((counts > 0).sum(axis=0), 1)
    weighed = counts * np.log(len(words) / spread)
    weighed /= np.maximum(np.linalg.norm(weighed, axis=1, keepdims=True), 1e-12)
    links = weighed @ weighed.T
    np.fill_diagonal(links, 0.0)
    return _ranked(links)


def textrank(sentences: Sequence[str]) -> list[int]:
    """TextRank: shared words over the sum of the logarithms of both lengths (Mihalcea and Tarau, EMNLP 2004)."""
    words = [set(_words(sentence)) for sentence in sentences]
    size = len(words)
    links = np.zeros((size, size))
    for one in range(size):
        for other in range(size):
            if one != other:
                lengths = np.log(max(len(words[one]), 1)) + np.log(max(len(words[other]), 1))
                links[one, other] = len(words[one] & words[other]) / lengths if lengths > 0 else 0.0
    return _ranked(links)


BASELINES: dict[str, Order] = {"lead-3": lead, "LexRank": lexrank, "TextRank": textrank}


def _words(sentence: str) -> list[str]:
    return _WORD.findall(fold(sentence))


def _ranked(links: NDArray[np.float64]) -> list[int]:
    """PageRank of the rows by power iteration; earlier sentences first where two are equal."""
    size = len(links)
    sums = links.sum(axis=1, keepdims=True)
    steps = np.where(sums > 0, links / np.maximum(sums, 1e-12), 1 / size)
    rank = np.full(size, 1 / size)
    for _ in range(_ROUNDS):
        rank = (1 - _DAMPING) / size + _DAMPING * (rank @ steps)
    return sorted(range(size), key=lambda index: (-round(float(rank[index]), 12), index))
