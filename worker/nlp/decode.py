"""Label scores to valid BIO, the occurrences of a word in a document heard together.

The path is the best one that never puts an ``I-`` after anything but its own type.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_LEAST = 1e-30
"""A probability that no logarithm minds."""


def transitions(labels: Sequence[str]) -> NDArray[np.float32]:
    """(labels + 1, labels): 0 where the column may follow the row, else −∞; the last row is a sentence's start."""
    table = np.zeros((len(labels) + 1, len(labels)), np.float32)
    for row, before in enumerate([*labels, "O"]):
        for column, after in enumerate(labels):
            if after.startswith("I-") and before[2:] != after[2:]:
                table[row, column] = -np.inf
    return table


def log_probabilities(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """(words, labels) scores as logarithms of probabilities."""
    logs: NDArray[np.float32] = scores - scores.max(1, keepdims=True)
    logs -= np.log(np.exp(logs).sum(1, keepdims=True))
    return logs


def agreed(scores: NDArray[np.float32], groups: NDArray[np.intp], *, share: float) -> NDArray[np.float32]:
    """Log probabilities of the labels, those of a repeated word drawn towards the mean of all its occurrences.

    The name that one sentence leaves in doubt is plain in another (article-wide consistency: Krishnan and Manning 2006).

    Args:
        scores: (words, labels).
        groups: (words,) number of the group a word belongs to, from 0 on; a word on its own has a group to itself.
        share: of the mean, 0 to 1.
    """
    logs = log_probabilities(scores)
    counts = np.bincount(groups)
    repeated = np.flatnonzero(counts[groups] > 1)
    sums = np.zeros((len(counts), scores.shape[1]), np.float32)
    np.add.at(sums, groups[repeated], np.exp(logs[repeated]))
    means = np.log(sums[groups[repeated]] / counts[groups[repeated], None] + _LEAST)
    logs[repeated] = (1 - share) * logs[repeated] + share * means
    return logs


def best_paths(scores: NDArray[np.float32], lengths: NDArray[np.intp], allowed: NDArray[np.float32]) -> NDArray[np.intp]:
    """(words,) the best label of each word, as its number.

    Args:
        scores: (words, labels) of the sentences, one after the other.
        lengths: (sentences,) words of each.
        allowed: of :func:`transitions`.
    """
    path: NDArray[np.intp] = scores.argmax(1)
    starts = np.cumsum(lengths) - lengths
    before = np.concatenate(([-1], path))[:-1]
    before[starts[lengths > 0]] = -1
    # Nearly every sentence's best labels are valid as they stand: only the others pay for Viterbi.
    broken = np.unique(np.repeat(np.arange(len(lengths)), lengths)[np.isinf(allowed[before, path])])
    if len(broken):
        _viterbi(scores, starts[broken], lengths[broken], allowed, path)
    return path


def _viterbi(
    scores: NDArray[np.float32], starts: NDArray[np.intp], lengths: NDArray[np.intp], allowed: NDArray[np.float32], path: NDArray[np.intp]
) -> None:
    """Write the best valid path of some sentences, none of them empty, into ``path``: a step a word, all sentences at once."""
    order = np.argsort(-lengths, kind="stable")
    starts = starts[order]
    left = np.bincount(lengths)[::-1].cumsum()[::-1][1:].tolist()  # how many sentences have a first, second, … word
    total = scores[starts] + allowed[-1]
    backs: list[NDArray[np.intp]] = []
    for step, count in enumerate(left[1:], 1):
        behind = total[:count, :, None] + allowed[:-1]
        backs.append(behind.argmax(1))
        total[:count] = behind.max(1) + scores[starts[:count] + step]
    label = total.argmax(1)
    for step, count in reversed(list(enumerate(left))):
        path[starts[:count] + step] = label[:count]
        if step:
            label[:count] = np.take_along_axis(backs[step - 1], label[:count, None], 1)[:, 0]
