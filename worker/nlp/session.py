"""The graph in onnxruntime, opened in the fastest way that computes on this CPU what it computed where the model was made.

A CPU without VNNI adds the products of pairs of bytes in 16 bits and saturates: no error, only worse tags. So every way is
tried on the model's own check before it is taken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

WAYS: tuple[Mapping[str, str], ...] = ({}, {"session.x64quantprecision": "1"})
"""Session options, the fastest first; the second takes slower, exact products where the first would saturate."""

TOLERANCE = 0.25
"""How far a score may be off: a value on the edge between two levels may fall to the other side; saturation moves scores by whole units."""


@dataclass(frozen=True)
class Check:
    """A short text's pieces and what the network says about its words.

    Args:
        ids: (pieces,).
        firsts: (words,) position of each word's first piece.
        labels: (words,) the best label of each, as its number.
        scores: (words,) that label's score.
    """

    ids: NDArray[np.intp]
    firsts: NDArray[np.intp]
    labels: NDArray[np.intp]
    scores: NDArray[np.float32]

    @classmethod
    def of_card(cls, card: Mapping[str, Any]) -> Self:
        """The check on a model's card.

        Raises:
            ValueError: there is none, or one of pieces: a model of an earlier version.
        """
        entry = card.get("check", {})
        if "firsts" not in entry:
            message = "the model is of an earlier version of Khabar: make it anew (khabar models train)"
            raise ValueError(message)
        ids, firsts, labels = (np.array(entry[name], np.intp) for name in ("ids", "firsts", "labels"))
        return cls(ids, firsts, labels, np.array(entry["scores"], np.float32))

    def holds(self, scores: NDArray[np.float32]) -> bool:
        """Whether these (words, labels) scores give the same labels, and nearly the same certainty."""
        same = np.array_equal(scores.argmax(1), self.labels)
        return same and float(np.abs(scores.max(1) - self.scores).max()) <= TOLERANCE


def exact_session(graph: Path, *, threads: int) -> ort.InferenceSession:
    """Open a verified graph in the exact way: where a model is made and has no check yet."""
    return _session(graph, threads, WAYS[-1])


def checked_session(graph: Path, check: Check, x: NDArray[np.float32], *, threads: int) -> ort.InferenceSession:
    """Open a graph whose bytes the caller has verified.

    Args:
        graph: the file.
        check: what must come out.
        x: (pieces, hidden) summed embeddings of the check's pieces.
        threads: of onnxruntime.

    Raises:
        ValueError: no way computes on this CPU what it should.
    """
    for way in WAYS:
        session = _session(graph, threads, way)
        if check.holds(run(session, x, check.firsts)):
            return session
    message = "on this CPU the network gives other scores than where it was made, in every way of onnxruntime's"
    raise ValueError(message)


def run(session: ort.InferenceSession, x: NDArray[np.float32], firsts: Sequence[int] | NDArray[np.intp]) -> NDArray[np.float32]:
    """One window: (pieces, hidden) summed embeddings to (words, labels) scores; ``firsts`` are the positions of words' first pieces.

    The graph takes each word's share of the pieces, the marks at both ends beside them, since attention rests on these where it
    has nothing to look at.
    """
    lengths = np.diff([0, *firsts, len(x) - 1, len(x)])
    means = np.zeros((len(lengths), len(x)), np.float32)
    means[np.repeat(np.arange(len(lengths)), lengths), np.arange(len(x))] = np.repeat(1 / lengths, lengths)
    (scores,) = session.run(["scores"], {"x": x[None], "means": means})
    found: NDArray[np.float32] = np.asarray(scores, np.float32)[0, 1:-1]
    return found


def _session(graph: Path, threads: int, way: Mapping[str, str]) -> ort.InferenceSession:
    ort.disable_telemetry_events()  # nothing of Khabar speaks to a network but its brokers
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    # The graph is written fused; onnxruntime's own fusion of sum and norm is five times slower than the two apart.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    for name, value in way.items():
        options.add_session_config_entry(name, value)
    return ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
