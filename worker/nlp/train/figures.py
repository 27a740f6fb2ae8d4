"""What a finished model is worth: F1 with its confidence interval, and words a second."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.nlp.evaluate import DOCUMENT, SCORED, Tag, neighbours, spans
from worker.nlp.train.data import Example

RESAMPLES = 1000
LEVEL = 95


def counts(examples: Sequence[Example], tag: Tag) -> NDArray[np.int64]:
    """(sentences, 3): right, predicted and expected mentions of PER, LOC and ORG."""
    documents = [[one.words for one in part] for part in neighbours(examples, DOCUMENT)]
    rows = []
    for example, tags in zip(examples, (tags for guess in tag(documents) for tags in guess), strict=True):
        gold = {span for span in spans(example.tags) if span[2] in SCORED}
        found = {span for span in spans(tags) if span[2] in SCORED}
        rows.append((len(gold & found), len(found), len(gold)))
    return np.array(rows)


def f1(table: NDArray[np.int64]) -> float:
    """F1 of summed counts, as a fraction of 1."""
    right, predicted, support = table.sum(0)
    return float(2 * right / max(1, predicted + support))


def interval(table: NDArray[np.int64], *, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of F1 by resampling sentences (Efron 1979, percentile bootstrap)."""
    source = np.random.default_rng(seed)
    draws = [f1(table[source.integers(len(table), size=len(table))]) for _ in range(RESAMPLES)]
    low, high = np.percentile(draws, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return float(low), float(high)


def figures(parts: Mapping[str, Sequence[Example]], tag: Tag) -> dict[str, Any]:
    """By part: ``f1``, ``interval`` (fractions of 1), ``mentions`` and ``sentences``."""
    result: dict[str, Any] = {}
    for name, examples in parts.items():
        table = counts(examples, tag)
        low, high = interval(table)
        result[name] = {
            "f1": round(f1(table), 4),
            "interval": [round(low, 4), round(high, 4)],
            "mentions": int(table[:, 2].sum()),
            "sentences": len(examples),
        }
    return result


def words_per_second(examples: Sequence[Example], tag: Tag) -> float:
    """Words tagged in a second of one thread's processor time, in bulk, with a warm cache of pieces."""
    documents = [[one.words for one in part] for part in neighbours(examples, DOCUMENT)]
    tag(documents)
    started = time.process_time()
    tag(documents)
    return sum(len(one.words) for one in examples) / (time.process_time() - started)
