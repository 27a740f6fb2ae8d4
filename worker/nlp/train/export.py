"""Write a fitted network as the files that ship: an int8 ONNX graph, 4-bit piece embeddings, the vocabulary."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from worker.nlp.train.embeddings import quantise_embeddings
from worker.nlp.train.network import Network
from worker.nlp.train.quantise import Grid, weight_levels

MICROSOFT = "com.microsoft"
OPSET = 17
"""First opset with LayerNormalization."""

Array = NDArray[Any]


class Graph:
    """Nodes and constants of an ONNX graph as they are added."""

    def __init__(self) -> None:
        """Start empty."""
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: Array) -> str:
        """Keep an array under a name."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:  # noqa: ANN401 - ONNX attributes
        """Add one operator; a dot in ``kind`` names its domain's short form (``ms.``)."""
        domain, _, name = kind.rpartition(".")
        self.nodes.append(helper.make_node(name, inputs, [output], domain=MICROSOFT if domain == "ms" else "", **attributes))
        return output

    def quantise(self, value: str, grid: Grid, name: str) -> tuple[str, str, str]:
        """A value as uint8 on its grid: (value, scale, zero) names."""
        if grid.column is not None:
            column = self.constant(f"{name}.column", (1 / grid.column).numpy().astype(np.float32))
            value = self.node("Mul", [value, column], f"{name}.even")
        scale = self.constant(f"{name}.scale", np.array(grid.scale, np.float32))
        zero = self.constant(f"{name}.zero", np.array(grid.zero, np.uint8))
        return self.node("QuantizeLinear", [value, scale, zero], f"{name}.u8"), scale, zero

    def product(  # noqa: PLR0913 - a product has this many parts
        self, quantised: tuple[str, str, str], grid: Grid, weight: Array, bias: Array, name: str, *, value: str = ""
    ) -> str:
        """(…, in) uint8 times an (out, in) float weight, stored as int8 with one scale an output, to (…, out) float.

        Where the grid has a loud column, that column of ``value``, the float before rounding, is multiplied beside it.
        """
        levels, scales = weight_levels(grid.weight(torch.from_numpy(weight)))
        parts = [
            self.constant(f"{name}.w", levels.numpy().T.astype(np.int8)),
            quantised[1],
            self.constant(f"{name}.ws", scales.numpy().astype(np.float32)),
            quantised[2],
            self.constant(f"{name}.wz", np.zeros(len(bias), np.int8)),
            self.constant(f"{name}.b", bias.astype(np.float32)),
        ]
        out = self.node("ms.MatMulIntegerToFloat", [quantised[0], *parts], f"{name}.y")
        if grid.loud is None:
            return out
        column = self.node("Gather", [value, self.constant(f"{name}.loud", np.array([grid.loud]))], f"{name}.loudx", axis=-1)
        loud = self.node("MatMul", [column, self.constant(f"{name}.loudw", weight[:, grid.loud][None])], f"{name}.loudy")
        return self.node("Add", [out, loud], f"{name}.sum")


def build_graph(network: Network, grids: list[dict[str, Grid]]) -> onnx.ModelProto:
    """Summed embeddings ``x`` (1, length, hidden) of one window to ``scores`` (1, places, labels).

    ``means`` (places, length) are each piece's share in each word; places are a window's words between its two marks.

    Raises:
        ValueError: no layer of the network sees words: it is a teacher.
    """
    weights = {name: value.detach().float().numpy() for name, value in network.state_dict().items()}
    heads, epsilon = int(network.sizes["heads"]), network.epsilon
    graph = Graph()
    value = _norm(graph, "x", weights["ln_w"], weights["ln_b"], epsilon=epsilon, name="embedded")
    words_from = int(weights["words_from"])
    if words_from >= len(grids):
        message = "only a network whose upper layers see words can be written"
        raise ValueError(message)
    for index, part in enumerate(grids):
        if index == words_from:
            value = graph.node("MatMul", ["means", value], "words")
        value = _layer(graph, value, _layer_weights(weights, index), part, heads=heads, epsilon=epsilon, name=f"l{index}")
    head = graph.constant("head.w", weights["head_w"].T)
    graph.node("MatMul", [value, head], "head.y")
    graph.node("Add", ["head.y", graph.constant("head.b", weights["head_b"])], "scores")
    hidden, labels = int(network.sizes["hidden"]), int(network.sizes["labels"])
    made = helper.make_graph(
        graph.nodes,
        "khabar",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "length", hidden]),
            helper.make_tensor_value_info("means", TensorProto.FLOAT, ["places", "length"]),
        ],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", "places", labels])],
        graph.constants,
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
    model = helper.make_model(made, opset_imports=opsets, producer_name="khabar")
    model.ir_version = 9
    helper.set_model_props(model, {"words_from": str(words_from)})
    return model


def _layer_weights(weights: dict[str, Array], index: int) -> dict[str, Array]:
    """One layer's arrays by their short names."""
    start = f"layers.{index}."
    return {name.removeprefix(start): value for name, value in weights.items() if name.startswith(start)}


def _norm(  # noqa: PLR0913 - an operator has this many parts
    graph: Graph, value: str, weight: Array, bias: Array, *, epsilon: float, name: str
) -> str:
    """Layer norm over the last axis."""
    parts = [value, graph.constant(f"{name}.w", weight), graph.constant(f"{name}.b", bias)]
    return graph.node("LayerNormalization", parts, f"{name}.norm", axis=-1, epsilon=epsilon)


def _layer(  # noqa: PLR0913 - a layer has this many parts
    graph: Graph, value: str, own: dict[str, Array], grids: dict[str, Grid], *, heads: int, epsilon: float, name: str
) -> str:
    """One encoder layer; attention as onnxruntime's fused operator, which wants query, key and value apart."""
    quantised = graph.quantise(value, grids["qkv"], f"{name}.qkv")
    split = zip("qkv", np.split(own["qkv_w"], 3), np.split(own["qkv_b"], 3), strict=True)
    parts = [graph.product(quantised, grids["qkv"], weight, bias, f"{name}.{letter}") for letter, weight, bias in split]
    mixed = graph.node("ms.MultiHeadAttention", parts, f"{name}.mixed", num_heads=heads)
    out = graph.product(graph.quantise(mixed, grids["ao"], f"{name}.ao"), grids["ao"], own["ao_w"], own["ao_b"], f"{name}.ao")
    value = _norm(graph, graph.node("Add", [value, out], f"{name}.asum"), own["aln_w"], own["aln_b"], epsilon=epsilon, name=f"{name}.aln")
    inner = graph.product(graph.quantise(value, grids["fi"], f"{name}.fi"), grids["fi"], own["fi_w"], own["fi_b"], f"{name}.fi")
    inner = graph.node("ms.Gelu", [inner], f"{name}.gelu")
    quantised = graph.quantise(inner, grids["fo"], f"{name}.fo")
    out = graph.product(quantised, grids["fo"], own["fo_w"], own["fo_b"], f"{name}.fo", value=inner)
    return _norm(graph, graph.node("Add", [value, out], f"{name}.osum"), own["oln_w"], own["oln_b"], epsilon=epsilon, name=f"{name}.oln")


def export(  # noqa: PLR0913 - a model has this many parts
    network: Network, grids: list[dict[str, Grid]], *, pieces: list[str], scores: list[float], card: dict[str, Any], out: Path
) -> None:
    """Write ``model.onnx``, ``pieces.npz`` and ``card.json`` (with their sha256) into ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    model = build_graph(network, grids)
    onnx.checker.check_model(model)
    (out / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    table = network.words.detach().float().numpy()
    nibbles, scales = quantise_embeddings(table)
    positions = network.positions.detach().float().numpy().astype(np.float16)
    np.savez_compressed(
        out / "pieces.npz",
        nibbles=nibbles,
        scales=scales,
        positions=positions,
        text=np.frombuffer("\n".join(pieces).encode(), np.uint8),
        scores=np.array(scores, np.float32),
    )
    files = {
        name: {"bytes": (out / name).stat().st_size, "sha256": hashlib.sha256((out / name).read_bytes()).hexdigest()}
        for name in ("model.onnx", "pieces.npz")
    }
    text = json.dumps({**card, "files": files}, ensure_ascii=False, indent=2)
    (out / "card.json").write_text(text + "\n", encoding="utf-8")
