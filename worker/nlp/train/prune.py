"""Narrow a network: of each layer only the heads and the feed-forward columns stay that the loss would miss.

What a part is worth is how much the loss changes when its output is scaled, summed over batches (the first-order term of
Michel et al. 2019, "Are Sixteen Heads Really Better than One?", and Molchanov et al. 2017). It is read off the gradient of
the matrix behind the part: scaling a column of the input scales that column of the weight.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from worker.nlp.train.average import State
from worker.nlp.train.fit import gold_loss
from worker.nlp.train.network import Layer, Network
from worker.nlp.train.quantise import layers_of
from worker.nlp.train.scoring import Batch


def worth(network: Network, batches: Iterable[Batch]) -> list[tuple[Tensor, Tensor]]:
    """Of each layer (heads,) and (feed,): what its parts are worth on labelled batches."""
    found = [(torch.zeros(layer.heads), torch.zeros(len(layer.fi_b))) for layer in layers_of(network)]
    for batch in batches:
        network.zero_grad()
        torch.autograd.backward(gold_loss(network(batch.ids, batch.lengths, batch.firsts), batch.allowed))
        for layer, part in zip(layers_of(network), found, strict=True):
            part[0].add_(_scaling(layer.ao_w).view(layer.heads, layer.head).sum(1).abs())
            part[1].add_(_scaling(layer.fo_w).abs())
    network.zero_grad()
    return found


def _scaling(weight: torch.nn.Parameter) -> Tensor:
    """(in,) gradient of the loss for a factor before each column of an (out, in) weight."""
    return torch.zeros(weight.shape[1]) if weight.grad is None else (weight.detach() * weight.grad).sum(0)


def narrowed(network: Network, values: list[tuple[Tensor, Tensor]], *, heads: int, feed: int, words_from: int) -> State:
    """The network with the ``heads`` heads and ``feed`` columns of each layer that are worth most, in their old order.

    Args:
        network: of full width.
        values: of :func:`worth`.
        heads: that stay.
        feed: columns that stay.
        words_from: the layer from which on words stand for their pieces.
    """
    state = {name: value for name, value in network.state_dict().items() if not name.startswith("layers.")}
    state["words_from"] = torch.tensor(words_from)
    for number, (layer, value) in enumerate(zip(layers_of(network), values, strict=True)):
        state |= {f"layers.{number}.{name}": part for name, part in _layer(layer, *value, heads=heads, feed=feed).items()}
    return state


def _layer(layer: Layer, head_worth: Tensor, feed_worth: Tensor, *, heads: int, feed: int) -> State:
    """One narrowed layer."""
    kept_heads, kept = (part.topk(count).indices.sort().values for part, count in ((head_worth, heads), (feed_worth, feed)))
    rows = (kept_heads[:, None] * layer.head + torch.arange(layer.head)).flatten()
    width = layer.heads * layer.head
    triple = torch.cat([rows + part * width for part in range(3)])
    own = {name: value.clone() for name, value in layer.state_dict().items()}
    own |= {"qkv_w": own["qkv_w"][triple], "qkv_b": own["qkv_b"][triple], "ao_w": own["ao_w"][:, rows]}
    return own | {"fi_w": own["fi_w"][kept], "fi_b": own["fi_b"][kept], "fo_w": own["fo_w"][:, kept]}
