"""Label scores to valid BIO."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from worker.nlp.decode import agreed, best_paths, transitions

Scores = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


def valid(path: tuple[int, ...]) -> bool:
    """Whether no I- follows anything but its own type."""
    names = ["O", *(LABELS[label] for label in path)]
    return all(not after.startswith("I-") or before[2:] == after[2:] for before, after in itertools.pairwise(names))


@given(st.lists(st.integers(0, 4), max_size=4), st.data())
def test_each_path_is_the_best_valid_one(lengths: list[int], data: st.DataObject) -> None:
    """No valid path of labels is worth more than the one found, whatever other sentences stand beside; the one found is valid."""
    numbers = st.floats(-5, 5, width=32)
    scores = data.draw(arrays.arrays(np.float32, (sum(lengths), 5), elements=numbers))

    def worth(part: Scores, path: tuple[int, ...]) -> float:
        return float(part[range(len(part)), list(path)].sum())

    found_of_all = best_paths(scores, np.array(lengths, np.intp), transitions(LABELS))
    ends = np.cumsum(lengths, dtype=np.intp)
    for path, part in zip(np.split(found_of_all, ends), np.split(scores, ends), strict=True):
        found = tuple(path.tolist())
        assert valid(found)
        every = (other for other in itertools.product(range(5), repeat=len(part)) if valid(other))
        assert worth(part, found) >= max(worth(part, other) for other in every) - 1e-4


def test_a_doubtful_occurrence_follows_a_plain_one() -> None:
    """A word that one sentence leaves in doubt takes the label it plainly has elsewhere; words on their own keep their scores."""
    scores = np.zeros((4, 5), np.float32)
    scores[0, 1] = 9.0  # plainly a person here …
    scores[1, 0], scores[1, 1] = 1.0, 0.9  # … in doubt there
    scores[2, 0], scores[2, 1] = 1.0, 0.9  # as much in doubt, and another word
    scores[3] = 300.0 * np.eye(5, dtype=np.float32)[2]  # no overflow
    found = agreed(scores, np.array([0, 0, 1, 2]), share=0.3)
    assert found.argmax(1).tolist() == [1, 1, 0, 2]
    exact = scores[2] - np.log(np.exp(scores[2]).sum())
    assert np.allclose(found[2], exact)


def test_nothing_to_agree_on() -> None:
    """No words at all are no error."""
    assert agreed(np.zeros((0, 5), np.float32), np.zeros(0, np.intp), share=0.3).shape == (0, 5)
