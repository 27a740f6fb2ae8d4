"""Teach a small network with larger ones: each teacher scores every sentence once, in its context, and is then put away.

Part of the loss is the corpus's tags, part the KL divergence from the teacher's probabilities (Hinton et al. 2015). The
student starts as the teacher's lower layers (Sajjad et al. 2020: for tagging, dropping the top layers loses least).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from worker.nlp.decode import log_probabilities
from worker.nlp.pieces import Pieces
from worker.nlp.train.data import Example
from worker.nlp.train.network import Network
from worker.nlp.train.scoring import score

LEAST = 1e-8
"""A probability that no logarithm minds."""

NEIGHBOURS = 12
"""Sentences that the teacher may see together."""


def teach(teacher: Network, corpora: Sequence[Sequence[Example]], pieces: Pieces) -> list[NDArray[np.float16]]:
    """The teacher's (words, labels) scores of every sentence, in the order of the corpora."""
    scores: list[NDArray[np.float16]] = []
    for corpus in corpora:
        runs = [range(start, min(start + NEIGHBOURS, len(corpus))) for start in range(0, len(corpus), NEIGHBOURS)]
        scores.extend(part.astype(np.float16) for part in score(teacher, corpus, pieces, groups=runs))
    return scores


def joint(teachers: Sequence[Sequence[NDArray[np.float16]]]) -> list[NDArray[np.float16]]:
    """Logarithms of the mean of the teachers' probabilities, sentence by sentence."""
    return [
        np.log(np.mean([np.exp(log_probabilities(part.astype(np.float32))) for part in parts], 0) + LEAST).astype(np.float16)
        for parts in zip(*teachers, strict=True)
    ]
