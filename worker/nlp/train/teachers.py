"""The networks at full width, which ship no more than their scores: twelve layers from the encoder, and their lower six."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from worker.nlp.train import corpora
from worker.nlp.train.average import State, first_layers, from_state, mean, read_state
from worker.nlp.train.data import WINDOW, Example
from worker.nlp.train.distil import joint, teach
from worker.nlp.train.encoder import Encoder
from worker.nlp.train.fit import Settings, fit
from worker.nlp.train.harmonise import LABELS
from worker.nlp.train.inputs import Inputs
from worker.nlp.train.kept import mark, write_whole
from worker.nlp.train.network import Network, from_encoder

HEADS = 12
EPSILON = 1e-12
IMITATION = 0.6
"""Weight of a teacher's part of the loss."""


def twelve_layers(inputs: Inputs, encoder: Encoder, kept: list[int]) -> Network:
    """The mean of two members; the second goes on from the first with the added corpora."""
    start = from_encoder(encoder, kept, layers=12, labels=len(LABELS), positions=WINDOW, seed=inputs.seed)
    settings = Settings(epochs=4, encoder_rate=2e-4, seed=inputs.seed)
    first = step(inputs, "first", start, inputs.corpora(corpora.FIRST), settings=settings)
    settings = Settings(epochs=1.5, encoder_rate=1.2e-4, seed=inputs.seed + 1)
    second = step(inputs, "second", network_of(first), inputs.corpora((*corpora.FIRST, *corpora.ADDED)), settings=settings)
    return network_of(mean([first, second]))


def six_layers(inputs: Inputs, deep: Network) -> Network:
    """The lower six of the twelve layers, taught by all of them."""
    text = taught_text(inputs)
    settings = Settings(epochs=3, encoder_rate=3e-4, seed=inputs.seed + 2, imitation=IMITATION)
    start = network_of(first_layers(dict(deep.state_dict()), 6))
    return network_of(step(inputs, "six", start, text, settings=settings, taught=taught_scores(inputs, "taught", [deep], text)))


def network_of(state: State) -> Network:
    """A network of these weights; heads are as wide as the encoder's."""
    return from_state(state, heads=HEADS, epsilon=EPSILON)


def step(  # noqa: PLR0913 - a step has this many parts
    inputs: Inputs,
    name: str,
    network: Network,
    text: Sequence[Sequence[Example]],
    *,
    settings: Settings,
    taught: Sequence[NDArray[np.float16]] | None = None,
) -> State:
    """The weights that fitting a network leaves, read back where the same step is done already."""
    out = inputs.work / f"{name}-{mark([network.state_dict()], text, taught=taught or (), settings=repr(settings))}"
    if not (out / "final.pt").exists():
        fit(network, text, inputs.pieces, settings=settings, out=out, dev=inputs.dev(), taught=taught)
    return read_state(out / "final.pt")


def taught_text(inputs: Inputs) -> list[list[Example]]:
    """What a student reads: all labelled text, and treebanks that only its teachers tag."""
    return [*inputs.corpora((*corpora.FIRST, *corpora.ADDED)), *inputs.unlabelled()]


def taught_scores(inputs: Inputs, name: str, teachers: Sequence[Network], text: Sequence[Sequence[Example]]) -> list[NDArray[np.float16]]:
    """The teachers' scores of the text, kept beside the other steps."""
    file = inputs.work / f"{name}-{mark([teacher.state_dict() for teacher in teachers], text)}.npz"
    if not file.exists():
        scores = joint([teach(teacher, text, inputs.pieces) for teacher in teachers])
        flat, lengths = np.concatenate(scores), np.array([len(part) for part in scores])
        write_whole(file, lambda part: np.savez(part, flat=flat, lengths=lengths))
    with np.load(file, allow_pickle=False) as arrays:
        return list(np.split(arrays["flat"], np.cumsum(arrays["lengths"])[:-1]))
