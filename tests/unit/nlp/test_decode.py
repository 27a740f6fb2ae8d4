"""Label scores to valid BIO."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from worker.nlp.decode import best_path, transitions

LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


def valid(path: tuple[int, ...]) -> bool:
    """Whether no I- follows anything but its own type."""
    names = ["O", *(LABELS[label] for label in path)]
    return all(not after.startswith("I-") or before[2:] == after[2:] for before, after in itertools.pairwise(names))


@given(arrays.arrays(np.float32, st.tuples(st.integers(1, 4), st.just(5)), elements=st.floats(-5, 5, width=32)))
def test_the_path_is_the_best_valid_one(scores: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> None:
    """No valid path of labels scores higher than the one found, and the one found is valid."""
    path = tuple(best_path(scores, transitions(LABELS)))
    assert valid(path)
    every = (path for path in itertools.product(range(5), repeat=len(scores)) if valid(path))
    best = max(float(scores[range(len(scores)), list(other)].sum()) for other in every)
    assert float(scores[range(len(scores)), list(path)].sum()) >= best - 1e-4
