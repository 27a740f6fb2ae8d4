"""The networks that ship: teachers' layers narrowed, words standing for their pieces in the upper ones, taught by both teachers."""

from dataclasses import dataclass

from worker.nlp.train import corpora, quantise
from worker.nlp.train.average import State, mean
from worker.nlp.train.fit import Settings
from worker.nlp.train.heard import heard_text
from worker.nlp.train.inputs import Inputs
from worker.nlp.train.network import Network
from worker.nlp.train.prune import narrowed, worth
from worker.nlp.train.teachers import IMITATION, network_of, step, taught_scores, taught_text


@dataclass(frozen=True)
class Run:
    """One run of fitting.

    Args:
        epochs: passes over the text.
        rate: peak learning rate of the layers.
        width: heads and feed-forward columns that stay of each layer before it begins; none: as they are.
        heard: whether the text of ``heard.py`` is read beside the other.
    """

    epochs: float
    rate: float
    width: tuple[int, int] | None = None
    heard: bool = False


Member = tuple[Run, ...]
"""Run by run; no run: as it is."""


@dataclass(frozen=True)
class Student:
    """How a preset is made.

    Args:
        deep: whether it starts as all twelve layers, or as the lower six.
        words_from: the layer from which on words stand for their pieces.
        runs: one after the other, on what is not kept aside.
        last: rounds on all the text: the members of a round go on each by itself, and the next round begins with their mean.
        fine: how it is rounded (``quantise.calibrate``).
    """

    deep: bool
    words_from: int
    runs: tuple[Run, ...]
    last: tuple[tuple[Member, ...], ...]
    fine: bool


STUDENTS = {
    "accurate": Student(
        deep=True,
        words_from=4,
        runs=(Run(2.5, 2e-4, width=(8, 768)),),
        last=(
            ((), (Run(2.0, 2e-4),), (Run(1.25, 2e-4),)),
            ((), (Run(2.0, 2e-4, heard=True),), (Run(2.0, 2e-4, heard=True),)),
            ((), (), (Run(2.0, 2e-4, heard=True),), (Run(2.0, 2e-4, heard=True),)),
        ),
        fine=True,
    ),
    "fast": Student(
        deep=False,
        words_from=3,
        runs=(Run(2.5, 3e-4, width=(6, 512)), Run(1.2, 2e-4), Run(2.0, 2e-4), Run(2.5, 2.5e-4, width=(4, 384))),
        last=(((Run(1.5, 2e-4), Run(2.0, 2e-4), Run(2.0, 2e-4, heard=True)),),),
        fine=False,
    ),
}


def narrow(inputs: Inputs, preset: str, teachers: tuple[Network, Network]) -> Network:
    """A preset's network before its last step; the teachers are the twelve layers and the six."""
    text, plan = taught_text(inputs), STUDENTS[preset]
    taught = taught_scores(inputs, "taught-by-both", teachers, text)
    deep, six = teachers
    network = deep if plan.deep else six
    for number, run in enumerate(plan.runs, 1):
        if run.width:
            network = _narrowed(inputs, network, run.width, words_from=plan.words_from)
        network = network_of(step(inputs, f"{preset}-{number}", network, text, settings=_settings(inputs, run, 2 + number), taught=taught))
    return network


def last_step(inputs: Inputs, preset: str, network: Network, teachers: tuple[Network, Network]) -> Network:
    """The network after rounds on all the text, the parts too that settings are chosen by."""
    text = [*taught_text(inputs), *inputs.dev().values()]
    taught = taught_scores(inputs, "taught-everything", teachers, text)
    for turn, members in enumerate(STUDENTS[preset].last, 1):
        states: list[State] = []
        for member, runs in enumerate(members, 1):
            state = dict(network.state_dict())
            for number, run in enumerate(runs, 1):
                settings = _settings(inputs, run, 100 * turn + 10 * member + number)
                more = heard_text(inputs, seed=settings.seed) if run.heard else []
                judged = [*taught, *taught_scores(inputs, "heard", teachers, more)] if more else taught
                name = f"{preset}-last-{turn}-{member}-{number}"
                state = step(inputs, name, network_of(state), [*text, *more], settings=settings, taught=judged)
            states.append(state)
        network = network_of(mean(states))
    return network


def _settings(inputs: Inputs, run: Run, number: int) -> Settings:
    """Every run of a preset has a seed of its own; the teachers took the first ones."""
    return Settings(epochs=run.epochs, encoder_rate=run.rate, seed=inputs.seed + number, imitation=IMITATION)


def _narrowed(inputs: Inputs, network: Network, width: tuple[int, int], *, words_from: int) -> Network:
    """The parts of each layer that the loss on a sample of the text would miss most."""
    sample = quantise.sample_batches(inputs.corpora((*corpora.FIRST, *corpora.ADDED)), inputs.pieces, seed=inputs.seed, count=40)
    return network_of(narrowed(network, worth(network, sample), heads=width[0], feed=width[1], words_from=words_from))
