"""Eight bits: the grids of activations and weights, found by watching real text, and trained through.

Activations take one fixed scale and zero point a matrix product, so that a word's result never depends on what else is in
the batch; weights take one scale an output column. Straight-through gradients: Bengio et al. 2013; training with the
rounding in place: Jacob et al. 2018.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from worker.nlp.train.network import PRODUCTS, Layer, Network

LEVELS = 255
WEIGHT_LEVELS = 127
_CANDIDATES = 24


class Watcher:
    """Collects the values that flow into one product (a sample of them) and changes nothing."""

    def __init__(self, keep: int = 200_000) -> None:
        """Keep at most ``keep`` values a call."""
        self.low, self.high = 0.0, 0.0
        self.keep = keep
        self.sample: list[Tensor] = []

    def __call__(self, value: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Note the range and a sample of ``value``."""
        flat = value.detach().float().reshape(-1)
        self.low, self.high = min(self.low, float(flat.min())), max(self.high, float(flat.max()))
        self.sample.append(flat[:: max(1, flat.numel() // self.keep)].clone())
        return value, weight


@dataclass(frozen=True)
class Grid:
    """An affine grid of 256 levels for activations: value = (level − zero) × scale.

    Args:
        scale: width of a step.
        zero: the level of 0, between 0 and 255.
    """

    scale: float
    zero: int

    def round(self, value: Tensor) -> Tensor:
        """The nearest values on the grid."""
        return ((value / self.scale).round() + self.zero).clamp(0, LEVELS).sub(self.zero) * self.scale

    def __call__(self, value: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Round both, with gradients that pass straight through where nothing is clipped."""
        value = value.float()
        low, high = -self.zero * self.scale, (LEVELS - self.zero) * self.scale
        clipped = value.clamp(low, high)
        rounded = clipped + (self.round(value) - clipped).detach()
        return rounded, weight + (round_weight(weight) - weight).detach()


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


def best_grid(watcher: Watcher) -> Grid:
    """The grid with the least mean squared error on what was seen: clipping rare outliers buys finer steps."""
    sample = torch.cat(watcher.sample)
    best, best_error = grid_between(watcher.low, watcher.high), float("inf")
    for step in range(_CANDIDATES):
        part = 1.0 - step / (_CANDIDATES * 1.25)
        grid = grid_between(watcher.low * part, watcher.high * part)
        error = float((grid.round(sample) - sample).square().mean())
        if error < best_error:
            best, best_error = grid, error
    return best


def layers_of(network: Network) -> list[Layer]:
    """The network's layers, typed."""
    return [cast("Layer", layer) for layer in network.layers]


def calibrate(network: Network, batches: Iterable[Any]) -> list[dict[str, Grid]]:
    """The grids of every layer's products, from a few batches of text; the network is left without any."""
    watchers = [{name: Watcher() for name in PRODUCTS} for _ in network.layers]
    for layer, part in zip(layers_of(network), watchers, strict=True):
        layer.grids = dict(part)
    with torch.no_grad():
        for batch in batches:
            network(batch.ids, batch.lengths, batch.firsts)
    for layer in layers_of(network):
        layer.grids = {}
    return [{name: best_grid(watcher) for name, watcher in part.items()} for part in watchers]


def attach(network: Network, grids: list[dict[str, Grid]]) -> None:
    """Make the network compute as the quantised one will."""
    for layer, part in zip(layers_of(network), grids, strict=True):
        layer.grids = dict(part)
