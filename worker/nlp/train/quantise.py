"""Eight bits: the grids of activations and weights, found by watching real text.

Activations take one fixed scale and zero point a matrix product, so that a word's result never depends on what else is in
the batch; weights take one scale an output column. Each grid is the one that changes the product's output least.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from worker.nlp.pieces import Pieces
from worker.nlp.tagger import Embeddings
from worker.nlp.train.data import Example, Window, batches, pack, spell
from worker.nlp.train.embeddings import quantise_embeddings
from worker.nlp.train.network import PRODUCTS, Layer, Network
from worker.nlp.train.scoring import Batch, collate

LEVELS = 255
WEIGHT_LEVELS = 127
_CLIPS = [1 - step / 15 for step in range(12)]
"""Shares of the range seen that a grid may cover: clipping rare outliers buys finer steps."""
_SHARES = {"qkv": (0.5, 0.7, 0.85), "fi": (0.5, 0.7, 0.85)}
"""How much of the columns' unevenness may be moved into the weight, where the input is a layer norm's: its outliers
sit in a few columns (SmoothQuant's alpha: Xiao et al. 2023)."""
_LOUD = frozenset({"fo"})
"""Products whose input has a single column far above all others ("massive activations": Sun et al. 2024): it stays in float."""
_JUDGED = 600
"""Rows of the sample that the choice of a grid is judged by."""


class Watcher:
    """Collects the values that flow into one product (a sample of rows) and changes nothing."""

    def __init__(self, keep: int = 400) -> None:
        """Keep about ``keep`` rows a call."""
        self.keep = keep
        self.peak = torch.zeros(1)
        self.weight = torch.zeros(1, 1)
        self.rows: list[Tensor] = []

    def __call__(self, value: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Note each column's peak, some rows, and the weight they meet."""
        flat = value.detach().float().reshape(-1, value.shape[-1])
        self.peak = torch.maximum(self.peak, flat.abs().amax(0))
        self.rows.append(flat[:: max(1, len(flat) // self.keep)].clone())
        self.weight = weight.detach()
        return value, weight


@dataclass(frozen=True)
class Grid:
    """An affine grid of 256 levels for activations: value = (level − zero) × scale × column.

    Args:
        scale: width of a step.
        zero: the level of 0, between 0 and 255.
        column: (in,) divisor of each column, moved into the weight, where outliers are confined to a few columns; None for 1.
        loud: the one column that is multiplied in float beside the grid, None for none.
    """

    scale: float
    zero: int
    column: Tensor | None = None
    loud: int | None = None

    def round(self, value: Tensor) -> Tensor:
        """The nearest values on the grid; the loud column as it is."""
        even = value if self.column is None else value / self.column
        rounded = ((even / self.scale).round() + self.zero).clamp(0, LEVELS).sub(self.zero) * self.scale
        rounded = rounded if self.column is None else rounded * self.column
        if self.loud is not None:
            rounded[..., self.loud] = value[..., self.loud]
        return rounded

    def weight(self, weight: Tensor) -> Tensor:
        """A (out, in) weight as it meets the rounded columns: what becomes levels."""
        met = weight.clone() if self.column is None else weight * self.column
        if self.loud is not None:
            met[:, self.loud] = 0
        return met

    def __call__(self, value: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Input and weight of a product as the shipped file will have them."""
        rounded = round_weight(self.weight(weight))
        rounded = rounded if self.column is None else rounded / self.column
        if self.loud is not None:
            rounded[:, self.loud] = weight[:, self.loud]
        return self.round(value.float()), rounded


def round_weight(weight: Tensor) -> Tensor:
    """A (out, in) weight on the grid of signed eight bits, one scale an output."""
    levels, scale = weight_levels(weight)
    return levels * scale[:, None]


def weight_levels(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Levels (out, in) from −127 to 127 and the scale (out,) of each output."""
    scale = weight.detach().abs().amax(1).clamp_min(1e-8) / WEIGHT_LEVELS
    return (weight / scale[:, None]).round().clamp(-WEIGHT_LEVELS, WEIGHT_LEVELS), scale


def grid_between(low: float, high: float) -> Grid:
    """The grid that covers ``low`` to ``high``, zero exactly on a level."""
    scale = max(high - low, 1e-6) / LEVELS
    return Grid(scale, min(LEVELS, max(0, round(-low / scale))))


def best_grid(watcher: Watcher, *, shares: Sequence[float] = (), loud: bool = False) -> Grid:
    """The grid that changes the product's output least (mean squared) on what was seen.

    Args:
        watcher: what was seen.
        shares: how much of the columns' unevenness may be moved into the weight; none: the columns stay as they are.
        loud: whether the column with the highest peak is kept in float.
    """
    sample = torch.cat(watcher.rows)
    sample = sample[:: max(1, len(sample) // _JUDGED)]
    wanted = sample @ watcher.weight.T
    peak, weight = watcher.peak.clamp_min(1e-4), watcher.weight.abs().amax(0).clamp_min(1e-4)
    column = int(peak.argmax()) if loud else None
    divisors: list[Tensor | None] = [peak**share / weight ** (1 - share) for share in shares]
    candidates = (grid for divisor in divisors or [None] for grid in _clipped(sample, divisor, column))
    return min(candidates, key=lambda grid: _error(grid, sample, watcher.weight, wanted))


def _clipped(sample: Tensor, divisor: Tensor | None, loud: int | None) -> Iterator[Grid]:
    """Grids over less and less of the range of the quiet columns."""
    quiet = sample.clone() if divisor is None else sample / divisor
    if loud is not None:
        quiet[:, loud] = 0
    low, high = min(0.0, float(quiet.min())), max(0.0, float(quiet.max()))
    for part in _CLIPS:
        grid = grid_between(low * part, high * part)
        yield Grid(grid.scale, grid.zero, divisor, loud)


def _error(grid: Grid, sample: Tensor, weight: Tensor, wanted: Tensor) -> float:
    """Mean squared difference that a grid makes to the output."""
    value, met = grid(sample, weight)
    return float((value @ met.T - wanted).square().mean())


def round_embeddings(network: Network) -> None:
    """Put the piece embeddings on the 4-bit grid of the shipped file."""
    nibbles, scales = quantise_embeddings(network.words.detach().float().numpy())
    unpacked = Embeddings.unpack(nibbles, scales, np.zeros((1, network.words.shape[1]), np.float16))
    with torch.no_grad():
        network.words.copy_(torch.from_numpy(unpacked.rows(np.arange(len(nibbles)))))


def sample_batches(corpora: Sequence[Sequence[Example]], pieces: Pieces, *, seed: int, runs: int = 40, count: int = 8) -> list[Batch]:
    """A few batches of running text of every corpus, to watch activations on.

    Args:
        corpora: sentences in running order.
        pieces: the vocabulary.
        seed: of the choice.
        runs: of eight neighbouring sentences, a corpus.
        count: of batches.
    """
    source = random.Random(seed)  # noqa: S311 - no secret
    windows: list[Window] = []
    for corpus in corpora:
        starts = range(0, max(1, len(corpus) - 8), 8)
        for start in source.sample(starts, min(runs, len(starts))):
            sentences = [spell(example, pieces) for example in corpus[start : start + 8]]
            windows.extend(pack(sentences, [range(len(sentences))]))
    return [collate(batch) for batch in batches(windows, budget=2048, source=source)[:count]]


def layers_of(network: Network) -> list[Layer]:
    """The network's layers, typed."""
    return [cast("Layer", layer) for layer in network.layers]


def calibrate(network: Network, batches: Iterable[Any], *, fine: bool = True) -> list[dict[str, Grid]]:
    """The grids of every layer's products, from a few batches of text; the network is left without any.

    Args:
        network: fitted, in float.
        batches: of text like what will be read.
        fine: whether uneven columns are evened out and loud ones kept in float, for a few more operators a layer.
    """
    watchers = [{name: Watcher() for name in PRODUCTS} for _ in network.layers]
    for layer, part in zip(layers_of(network), watchers, strict=True):
        layer.grids = dict(part)
    with torch.no_grad():
        for batch in batches:
            network(batch.ids, batch.lengths, batch.firsts)
        for layer in layers_of(network):
            layer.grids = {}
        return [
            {
                name: best_grid(watcher, shares=_SHARES.get(name, ()), loud=name in _LOUD) if fine else best_grid(watcher)
                for name, watcher in part.items()
            }
            for part in watchers
        ]
