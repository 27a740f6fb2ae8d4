"""Eight bits: the grids of activations and weights, found by watching real text, and trained through.

Activations take one fixed scale and zero point a matrix product, so that a word's result never depends on what else is in
the batch; weights take one scale an output column. Straight-through gradients: Bengio et al. 2013; training with the
rounding in place: Jacob et al. 2018.
"""

import random
from collections.abc import Collection, Iterable, Sequence
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
_CANDIDATES = 24
SMOOTHED = ("qkv", "fi", "fo")
"""Products whose input has outliers in a few columns; attention's mixture has none."""


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
        column: (in,) divisor of each column, moved into the weight, where outliers are confined to a few columns
            (SmoothQuant: Xiao et al. 2023); None for 1.
    """

    scale: float
    zero: int
    column: Tensor | None = None

    def round(self, value: Tensor) -> Tensor:
        """The nearest values on the grid."""
        if self.column is not None:
            value = value / self.column
        rounded = ((value / self.scale).round() + self.zero).clamp(0, LEVELS).sub(self.zero) * self.scale
        return rounded if self.column is None else rounded * self.column

    def weight(self, weight: Tensor) -> Tensor:
        """A (out, in) weight as it meets the rounded columns."""
        return weight if self.column is None else weight * self.column

    def __call__(self, value: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Round both; gradients pass straight through."""
        value = value.float()
        rounded = self.weight(weight.detach())
        rounded = round_weight(rounded) if self.column is None else round_weight(rounded) / self.column
        return value + (self.round(value) - value).detach(), weight + (rounded - weight).detach()


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


def best_grid(watcher: Watcher, *, smooth: bool) -> Grid:
    """The grid with the least mean squared error on what was seen: clipping rare outliers buys finer steps.

    Args:
        watcher: what was seen.
        smooth: even out the columns first, half of the difficulty moved into the weight.
    """
    sample = torch.cat(watcher.rows)
    column = None
    if smooth:
        column = (watcher.peak.clamp_min(1e-4) / watcher.weight.abs().amax(0).clamp_min(1e-4)).sqrt()
        sample = sample / column
    low, high = min(0.0, float(sample.min())), max(0.0, float(sample.max()))
    best, best_error = grid_between(low, high), float("inf")
    for step in range(_CANDIDATES):
        part = 1.0 - step / (_CANDIDATES * 1.25)
        grid = grid_between(low * part, high * part)
        error = float((grid.round(sample) - sample).square().mean())
        if error < best_error:
            best, best_error = grid, error
    return Grid(best.scale, best.zero, column)


def round_embeddings(network: Network) -> None:
    """Put the piece embeddings on the 4-bit grid of the shipped file."""
    nibbles, scales = quantise_embeddings(network.words.detach().float().numpy())
    unpacked = Embeddings.unpack(nibbles, scales, np.zeros((1, network.words.shape[1]), np.float16))
    ids = np.arange(len(nibbles))[:, None]
    with torch.no_grad():
        network.words.copy_(torch.from_numpy(unpacked(ids)[:, 0]))


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


def calibrate(network: Network, batches: Iterable[Any], *, smooth: Collection[str] = SMOOTHED) -> list[dict[str, Grid]]:
    """The grids of every layer's products, from a few batches of text; the network is left without any.

    Args:
        network: fitted, in float.
        batches: of text like what will be read.
        smooth: products whose columns are evened out.
    """
    watchers = [{name: Watcher() for name in PRODUCTS} for _ in network.layers]
    for layer, part in zip(layers_of(network), watchers, strict=True):
        layer.grids = dict(part)
    with torch.no_grad():
        for batch in batches:
            network(batch.ids, batch.lengths, batch.firsts)
    for layer in layers_of(network):
        layer.grids = {}
    return [{name: best_grid(watcher, smooth=name in smooth) for name, watcher in part.items()} for part in watchers]


def attach(network: Network, grids: list[dict[str, Grid]]) -> None:
    """Make the network compute as the quantised one will."""
    for layer, part in zip(layers_of(network), grids, strict=True):
        layer.grids = dict(part)
