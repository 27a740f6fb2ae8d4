"""A shipped model as a network again: where a new member may start instead of from the encoder."""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from worker.errors import UserError
from worker.nlp.pieces import Pieces
from worker.nlp.tagger import Embeddings
from worker.nlp.train.average import State

NORMS = ("aln", "oln")
MATRICES = ("ao", "fi", "fo")


def read_shipped(directory: Path) -> tuple[State, Pieces]:
    """Weights, as the files' roundings left them, and vocabulary of a model directory.

    Args:
        directory: with ``model.onnx`` and ``pieces.npz``, verified by the caller.

    Raises:
        UserError: the network is of an earlier version: words never stood for their pieces there.
    """
    model = onnx.load(directory / "model.onnx")
    words_from = next((int(entry.value) for entry in model.metadata_props if entry.key == "words_from"), None)
    if words_from is None:
        message = f"{directory}: the model is of an earlier version of Khabar, whose network was another one"
        raise UserError(message)
    parts = {part.name: torch.from_numpy(numpy_helper.to_array(part).copy()) for part in model.graph.initializer}
    with np.load(directory / "pieces.npz", allow_pickle=False) as arrays:
        table = Embeddings.unpack(arrays["nibbles"], arrays["scales"], arrays["positions"])
        pieces = Pieces(arrays["text"].tobytes().decode().split("\n"), arrays["scores"].tolist())
    state: State = {
        "words": torch.from_numpy(table.rows(np.arange(len(table.levels)))),
        "positions": torch.from_numpy(table.positions),
        "ln_w": parts["embedded.w"],
        "ln_b": parts["embedded.b"],
        "head_w": parts["head.w"].T.contiguous(),
        "head_b": parts["head.b"],
    }
    layer = 0
    while f"l{layer}.fo.w" in parts:
        state |= {f"layers.{layer}.{name}": value for name, value in _layer(parts, f"l{layer}").items()}
        layer += 1
    state["words_from"] = torch.tensor(words_from)
    return state, pieces


def _layer(parts: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """One layer's weights by their short names; the columns' divisors go back into the matrices."""
    own = {f"{norm}_{kind}": parts[f"{name}.{norm}.{kind}"] for norm in NORMS for kind in "wb"}
    for matrix in MATRICES:
        own[f"{matrix}_w"] = _matrix(parts, f"{name}.{matrix}", column=f"{name}.{matrix}.column")
        own[f"{matrix}_b"] = parts[f"{name}.{matrix}.b"]
    own["qkv_w"] = torch.cat([_matrix(parts, f"{name}.{letter}", column=f"{name}.qkv.column") for letter in "qkv"])
    own["qkv_b"] = torch.cat([parts[f"{name}.{letter}.b"] for letter in "qkv"])
    return own


def _matrix(parts: dict[str, Tensor], name: str, *, column: str) -> Tensor:
    """An (out, in) float weight from its (in, out) levels, the scale of each output and the column kept in float."""
    weight = (parts[f"{name}.w"].float() * parts[f"{name}.ws"]).T
    weight = (weight * parts[column] if column in parts else weight).contiguous()
    if f"{name}.loud" in parts:
        weight[:, int(parts[f"{name}.loud"])] = parts[f"{name}.loudw"][0]
    return weight
