"""Label scores to valid BIO: the best path that never puts an ``I-`` after anything but its own type."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def transitions(labels: Sequence[str]) -> NDArray[np.float32]:
    """(labels + 1, labels): 0 where the column may follow the row, else −∞; the last row is a sentence's start."""
    table = np.zeros((len(labels) + 1, len(labels)), np.float32)
    for row, before in enumerate([*labels, "O"]):
        for column, after in enumerate(labels):
            if after.startswith("I-") and before[2:] != after[2:]:
                table[row, column] = -np.inf
    return table


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
