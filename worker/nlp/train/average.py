"""The mean of several networks' weights: worth more than any one of them, and costs nothing at run time.

Source: Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima"; Wortsman et al. 2022, "Model soups".
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from worker.nlp.train.network import Network

State = dict[str, Tensor]


def mean(states: Sequence[State]) -> State:
    """The mean of states of the same shape. What is no float (where words begin) is the first's."""
    return {
        name: torch.stack([state[name] for state in states]).mean(0) if value.is_floating_point() else value
        for name, value in states[0].items()
    }


def read_state(path: Path) -> State:
    """The weights of ``final.pt`` or of a checkpoint; nothing is unpickled but tensors."""
    state = torch.load(path, weights_only=True)
    return dict(state.get("network", state))


def from_state(state: State, *, heads: int, epsilon: float) -> Network:
    """A network of the sizes that the weights have.

    Args:
        state: weights.
        heads: attention heads of a layer that is as wide as the network; a pruned one has fewer of the same width.
        epsilon: of the norms.
    """
    layers = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("layers."))
    vocabulary, hidden = state["words"].shape
    head = hidden // heads
    sizes = {
        "hidden": hidden, "feed": state["layers.0.fi_w"].shape[0], "heads": state["layers.0.ao_w"].shape[1] // head, "head": head,
        "vocabulary": vocabulary, "positions": state["positions"].shape[0], "labels": state["head_w"].shape[0], "layers": layers,
        "words_from": int(state["words_from"]),
    }  # fmt: skip
    network = Network({**sizes, "epsilon": epsilon})
    network.load_state_dict(state)
    return network


def first_layers(state: State, count: int) -> State:
    """The same weights with only the first ``count`` layers: where a student starts."""
    kept = {name: value for name, value in state.items() if not name.startswith("layers.") or int(name.split(".")[1]) < count}
    return kept | {"words_from": state["words_from"].clamp(max=count)}
