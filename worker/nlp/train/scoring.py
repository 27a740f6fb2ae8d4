"""Windows as tensors, and what a network in training says about sentences."""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from worker.nlp.decode import best_paths, transitions
from worker.nlp.evaluate import evaluate
from worker.nlp.pieces import Pieces
from worker.nlp.train.data import Example, Window, batches, pack, spell
from worker.nlp.train.harmonise import LABELS
from worker.nlp.train.network import Network


@dataclass(frozen=True)
class Batch:
    """A batch as tensors: see ``Network.forward``; ``allowed`` and ``taught`` are (words, labels)."""

    ids: Tensor
    lengths: Tensor
    firsts: Tensor
    allowed: Tensor
    taught: Tensor | None


def collate(windows: Sequence[Window]) -> Batch:
    """Pad the windows to the longest."""
    longest = max(len(window.ids) for window in windows)
    ids = np.full((len(windows), longest), Pieces.pad, np.int64)
    for row, window in enumerate(windows):
        ids[row, : len(window.ids)] = window.ids
    firsts = np.concatenate([window.firsts + row * longest for row, window in enumerate(windows)])
    table = np.concatenate([window.allowed for window in windows])
    lengths = np.array([len(window.ids) for window in windows])
    taught = [window.taught for window in windows if window.taught is not None]
    return Batch(
        torch.from_numpy(ids),
        torch.from_numpy(lengths),
        torch.from_numpy(firsts),
        torch.from_numpy(table),
        torch.from_numpy(np.concatenate(taught)).float() if taught else None,
    )


def dev_scores(network: Network, dev: dict[str, list[Example]], pieces: Pieces, *, document: int = 1) -> dict[str, float]:
    """F1 in per cent of each dev part, tagged by the torch network."""
    return {
        name: round(100 * evaluate(pairs(part), tag_with(network, part, pieces), document=document)["overall"]["f1"], 2)
        for name, part in dev.items()
    }


def pairs(examples: Sequence[Example]) -> list[tuple[list[str], list[str]]]:
    """(words, tags) of each example."""
    return [(example.words, example.tags) for example in examples]


def score(network: Network, examples: Sequence[Example], pieces: Pieces, *, groups: Iterable[Sequence[int]]) -> list[NDArray[np.float32]]:
    """The network's (words, labels) scores of every example.

    Args:
        network: fitted.
        examples: sentences.
        pieces: the vocabulary.
        groups: numbers of the examples that may share windows.
    """
    spelled = [spell(example, pieces) for example in examples]
    scores = [np.zeros((len(example.words), len(LABELS)), np.float32) for example in examples]
    with torch.no_grad():
        for group in batches(list(pack(spelled, groups)), budget=2048, source=random.Random(0)):  # noqa: S311 - no secret
            batch = collate(group)
            found = network(batch.ids, batch.lengths, batch.firsts).numpy()
            for (sentence, word), row in zip((pair for one in group for pair in one.words), found, strict=True):
                scores[sentence][word] = row
    return scores


def tag_with(network: Network, examples: Sequence[Example], pieces: Pieces) -> Callable[[Any], list[list[list[str]]]]:
    """A tagger for ``evaluate`` that knows the examples by their order."""

    def tag(documents: Sequence[Sequence[Sequence[str]]]) -> list[list[list[str]]]:
        numbers = iter(range(len(examples)))
        together = [[next(numbers) for _ in document] for document in documents]
        scores = score(network, examples, pieces, groups=together)
        lengths = np.array([len(one) for one in scores], np.intp)
        paths = np.split(best_paths(np.concatenate(scores), lengths, transitions(LABELS)), lengths.cumsum()[:-1])
        return [[[LABELS[label] for label in paths[n]] for n in group] for group in together]

    return tag
