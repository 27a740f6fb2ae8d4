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


def best_path(scores: NDArray[np.float32], allowed: NDArray[np.float32]) -> list[int]:
    """Label numbers of one sentence.

    Args:
        scores: (words, labels).
        allowed: of :func:`transitions`.
    """
    greedy = scores.argmax(1)
    path = greedy.tolist()
    # Nearly every sentence's best labels are valid as they stand: only the others pay for Viterbi.
    if not len(path) or not np.isinf(allowed[np.concatenate(([-1], greedy[:-1])), greedy]).any():
        return [int(label) for label in path]
    total = scores[0] + allowed[-1]
    back = np.zeros(scores.shape, np.intp)
    for row in range(1, len(scores)):
        steps = total[:, None] + allowed[:-1]
        back[row] = steps.argmax(0)
        total = steps.max(0) + scores[row]
    label = int(total.argmax())
    result = [label]
    for row in range(len(scores) - 1, 0, -1):
        label = int(back[row, label])
        result.append(label)
    return result[::-1]
