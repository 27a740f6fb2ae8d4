"""The tagger as a torch network: BERT's layers (post-norm, exact GELU) and a linear head on each word.

The lower layers see pieces, the upper ones words, each the mean of its pieces (a sequence that is shortened on its way up: Dai et al. 2020,
"Funnel-Transformer"). In a teacher all layers see pieces, and the head a word's first one.

Matrix products run in bfloat16 where the CPU has it, everything else in float32. Attention is written as plain products and dropout
takes its masks from a pool, because torch's fused attention in bfloat16 and its random generator are slow on CPUs.
"""

import math
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from worker.nlp.train.encoder import Encoder

BERT_PARTS = ("ao", "fi", "fo")


def fastest_format() -> torch.dtype:
    """bfloat16 where the CPU multiplies it, float32 elsewhere: without the instructions it is four times slower, not faster."""
    able = torch.cpu.get_capabilities()
    return torch.bfloat16 if able.get("avx512_bf16") or able.get("amx_bf16") else torch.float32


FORMAT = fastest_format()


class Dropout:
    """Dropout by masks cut at random places out of one pool of random bits.

    Args:
        rate: share of zeros.
        size: values in the pool.
    """

    def __init__(self, rate: float, *, size: int = 1 << 23, seed: int = 0) -> None:
        """Draw the pool once."""
        generator = torch.Generator().manual_seed(seed)
        self.rate = rate
        self._generator = generator
        self._pool = (torch.rand(size, generator=generator) >= rate).to(FORMAT) / (1 - rate)

    def __call__(self, value: Tensor) -> Tensor:
        """``value`` with a share of its entries zeroed and the rest scaled up."""
        count = value.numel()
        start = int(torch.randint(self._pool.numel() - count + 1, (1,), generator=self._generator))
        return value * self._pool[start : start + count].view(value.shape).to(value.dtype)


Grid = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""What quantisation does to the input and the weight of a product, or a mere observer of them."""

PRODUCTS = ("qkv", "ao", "fi", "fo")
"""The four matrix products of a layer."""


def product(value: Tensor, weight: Tensor, bias: Tensor, grid: Grid | None) -> Tensor:
    """A linear layer in ``FORMAT``, its input and weight first put on the grid where there is one."""
    if grid is not None:
        value, weight = grid(value, weight)
    return functional.linear(value.to(FORMAT), weight.to(FORMAT), bias.to(FORMAT))


class Layer(nn.Module):
    """One encoder layer; its fields are named as in the encoder's file, query, key and value in one matrix."""

    def __init__(self, size: dict[str, int], epsilon: float) -> None:
        """Empty weights of the right shapes; heads may have been pruned, so all of them together may be narrower than the layer."""
        super().__init__()
        hidden, feed, self.heads, self.head, self.epsilon = size["hidden"], size["feed"], size["heads"], size["head"], epsilon
        self.grids: dict[str, Grid] = {}
        self.qkv_w = nn.Parameter(torch.empty(3 * self.heads * self.head, hidden))
        self.qkv_b = nn.Parameter(torch.empty(3 * self.heads * self.head))
        self.ao_w = nn.Parameter(torch.empty(hidden, self.heads * self.head))
        self.ao_b = nn.Parameter(torch.empty(hidden))
        self.aln_w = nn.Parameter(torch.empty(hidden))
        self.aln_b = nn.Parameter(torch.empty(hidden))
        self.fi_w = nn.Parameter(torch.empty(feed, hidden))
        self.fi_b = nn.Parameter(torch.empty(feed))
        self.fo_w = nn.Parameter(torch.empty(hidden, feed))
        self.fo_b = nn.Parameter(torch.empty(hidden))
        self.oln_w = nn.Parameter(torch.empty(hidden))
        self.oln_b = nn.Parameter(torch.empty(hidden))

    def forward(self, value: Tensor, bias: Tensor, dropout: Dropout | None) -> Tensor:
        """(batch, length, hidden) float32 to the same; ``bias`` (batch, 1, 1, length) hides padding."""
        batch, length, hidden = value.shape
        qkv = product(value, self.qkv_w, self.qkv_b, self.grids.get("qkv")).view(batch, length, 3, self.heads, self.head)
        query, key, content = qkv.permute(2, 0, 3, 1, 4).contiguous().unbind(0)
        scores = torch.matmul(query * (1 / math.sqrt(self.head)), key.transpose(-1, -2)) + bias
        weights = torch.softmax(scores, -1)
        if dropout is not None:
            weights = dropout(weights)
        mixed = torch.matmul(weights, content).transpose(1, 2).reshape(batch, length, self.heads * self.head)
        out = product(mixed, self.ao_w, self.ao_b, self.grids.get("ao"))
        if dropout is not None:
            out = dropout(out)
        value = functional.layer_norm(value + out, (hidden,), self.aln_w, self.aln_b, self.epsilon)
        inner = functional.gelu(product(value, self.fi_w, self.fi_b, self.grids.get("fi")))
        out = product(inner, self.fo_w, self.fo_b, self.grids.get("fo"))
        if dropout is not None:
            out = dropout(out)
        return functional.layer_norm(value + out, (hidden,), self.oln_w, self.oln_b, self.epsilon)


class Network(nn.Module):
    """Pieces to label scores.

    Args:
        sizes: ``hidden feed heads head vocabulary positions labels layers`` (``head``: width of one), ``words_from`` (the layer
            from which on words stand for their pieces; ``layers`` for none) and ``epsilon``.
    """

    def __init__(self, sizes: dict[str, float]) -> None:
        """Empty weights of the right shapes."""
        super().__init__()
        size = {name: int(value) for name, value in sizes.items()}
        self.sizes, self.epsilon = sizes, float(sizes["epsilon"])
        hidden = size["hidden"]
        self.words = nn.Parameter(torch.empty(size["vocabulary"], hidden))
        self.positions = nn.Parameter(torch.empty(size["positions"], hidden))
        self.ln_w = nn.Parameter(torch.empty(hidden))
        self.ln_b = nn.Parameter(torch.empty(hidden))
        self.layers = nn.ModuleList(Layer(size, self.epsilon) for _ in range(size["layers"]))
        # Part of the weights' file, as no shape tells it.
        self.register_buffer("words_from", torch.tensor(size["words_from"]))
        self.head_w = nn.Parameter(torch.empty(size["labels"], hidden))
        self.head_b = nn.Parameter(torch.empty(size["labels"]))

    def forward(
        self,
        ids: Tensor,
        lengths: Tensor,
        firsts: Tensor,
        *,
        dropout: Dropout | None = None,
        table: Tensor | None = None,
    ) -> Tensor:
        """Scores (words, labels) float32.

        Args:
            ids: (batch, length) int64 pieces, padded.
            lengths: (batch,) pieces of each row.
            firsts: (words,) positions of first pieces in the flattened batch.
            dropout: in training only.
            table: (rows, hidden) embeddings that ``ids`` count in, instead of all the pieces'.
        """
        length = ids.shape[1]
        value = functional.embedding(ids, self.words if table is None else table) + self.positions[:length]
        value = functional.layer_norm(value, (value.shape[-1],), self.ln_w, self.ln_b, self.epsilon)
        if dropout is not None:
            value = dropout(value)
        words_from, bias = int(cast("Tensor", self.words_from)), padding_bias(lengths, length)
        for layer in self.layers[:words_from]:
            value = cast("Tensor", layer(value, bias, dropout))
        if words_from == len(self.layers):
            chosen = value.view(-1, value.shape[-1])[firsts]
        else:
            rows, places, means, counts = words_of(lengths, firsts, length=length)
            value, bias = torch.bmm(means, value), padding_bias(counts, means.shape[1])
            for layer in self.layers[words_from:]:
                value = cast("Tensor", layer(value, bias, dropout))
            chosen = value[rows, places]
        if dropout is not None:
            chosen = dropout(chosen)
        return functional.linear(chosen, self.head_w, self.head_b)


def padding_bias(lengths: Tensor, length: int) -> Tensor:
    """(batch, 1, 1, length) what attention adds to its scores so that nothing looks at padding."""
    hidden_part = torch.arange(length)[None, :] >= lengths[:, None]
    return torch.zeros(hidden_part.shape, dtype=FORMAT).masked_fill(hidden_part, -1e4)[:, None, None, :]


def words_of(lengths: Tensor, firsts: Tensor, *, length: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """How words come to stand for their pieces: between a row's two marks, in order, each the mean of its pieces.

    Args:
        lengths: (batch,) pieces of each row.
        firsts: (words,) positions of first pieces in the flattened batch.
        length: pieces of the longest row.

    Returns:
        (words,) row and (words,) place of each word; (batch, places, length) the share of each piece in each place; (batch,)
        places of each row.
    """
    batch = torch.arange(len(lengths))
    begins = torch.zeros(len(lengths), length, dtype=torch.int64)
    begins.view(-1)[firsts] = 1
    begins[batch, 0] = begins[batch, lengths - 1] = 1
    places, counts = begins.cumsum(1) - 1, begins.sum(1)
    padding = torch.arange(length) >= lengths[:, None]
    inside = (places.masked_fill(padding, -1)[:, None] == torch.arange(int(counts.max()))[:, None]).float()
    return firsts // length, places.view(-1)[firsts], inside / inside.sum(2, keepdim=True).clamp_min(1), counts


def from_encoder(  # noqa: PLR0913 - a network has this many sizes
    encoder: Encoder, kept: list[int], *, layers: int, labels: int, positions: int, seed: int
) -> Network:
    """The first ``layers`` layers of the encoder with the kept pieces and a fresh head."""
    sizes = {
        "hidden": encoder.hidden, "feed": encoder.feed, "heads": encoder.heads, "head": encoder.hidden // encoder.heads,
        "vocabulary": len(kept), "positions": positions, "labels": labels, "layers": layers, "words_from": layers,
        "epsilon": encoder.epsilon,
    }  # fmt: skip
    network = Network(sizes)
    hidden, tensors = encoder.hidden, {name: torch.from_numpy(value) for name, value in encoder.tensors.items()}
    state: dict[str, Tensor] = {
        "words": tensors["emb.word"].view(-1, hidden)[kept],
        "positions": tensors["emb.pos"].view(-1, hidden)[:positions] + tensors["emb.type"].view(-1, hidden)[0],
        "ln_w": tensors["emb.ln.w"],
        "ln_b": tensors["emb.ln.b"],
        "head_w": torch.randn(labels, hidden, generator=torch.Generator().manual_seed(seed)) * 0.02,
        "head_b": torch.zeros(labels),
        "words_from": torch.tensor(layers),
    }
    for layer in range(layers):
        part = f"l{layer}."
        for kind in "wb":
            state[f"layers.{layer}.qkv_{kind}"] = torch.cat([tensors[f"{part}{name}.{kind}"] for name in "qkv"])
            for name in (*BERT_PARTS, "aln", "oln"):
                state[f"layers.{layer}.{name}_{kind}"] = tensors[f"{part}{name}.{kind}"]
    shapes = {name: value.shape for name, value in network.state_dict().items()}
    network.load_state_dict({name: value.reshape(shapes[name]) for name, value in state.items()})
    return network
