"""The whole recipe, from the encoder and the corpora to a model's directory: what ``khabar models train`` calls.

``accurate``: all twelve layers, four epochs on the first corpora; a second member goes on for one and a half with the
added ones; the mean of both is rounded to the shipped file. ``fast``: the mean's lower six layers, taught by it; then those
narrowed, words standing for their pieces in the upper three, taught by both; rounded alike. Every step leaves its weights in
``out/work`` and is skipped when they are there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from worker.errors import UserError
from worker.nlp.pieces import Pieces
from worker.nlp.tagger import Tagger
from worker.nlp.train import corpora, quantise
from worker.nlp.train.average import State, first_layers, from_state, mean, read_state
from worker.nlp.train.card import CHECKED, add_check, add_figures, keep_figures, make_card
from worker.nlp.train.data import WINDOW, Example, read_corpus, read_words
from worker.nlp.train.distil import joint, teach
from worker.nlp.train.encoder import Encoder, read_encoder, wheel_file
from worker.nlp.train.export import export
from worker.nlp.train.figures import figures, words_per_second
from worker.nlp.train.fit import Settings, fit
from worker.nlp.train.harmonise import LABELS
from worker.nlp.train.network import Network, from_encoder
from worker.nlp.train.prune import narrowed, worth
from worker.nlp.train.shipped import read_shipped
from worker.nlp.train.vocabulary import SHIPPED_WORDS, common_words, keep_pieces, name_words

PRESETS = ("accurate", "fast")
HEADS = 12
NARROW = {"heads": 6, "feed": 512, "words_from": 3}
"""What is left in a layer of ``fast``, of 12 heads and 1,536 columns, and the layer from which on words stand for their pieces."""
RUNS = ((2.5, 3e-4), (1.2, 2e-4), (2.0, 2e-4))
"""Epochs and peak rate of the runs that teach ``fast``, one after the other."""
IMITATION = 0.6
EVERYTHING = (*corpora.FIRST, *corpora.ADDED, *corpora.DEV)
EPSILON = 1e-12


@dataclass(frozen=True)
class Inputs:
    """What every step needs.

    Args:
        pieces: the cut vocabulary.
        data: folder with ``ner/``, ``names/`` and ``ud/``.
        work: folder of the steps' weights.
        seed: of everything random.
    """

    pieces: Pieces
    data: Path
    work: Path
    seed: int

    def corpora(self, names: Sequence[str]) -> list[list[Example]]:
        """Sentences to fit on, what joins the dev parts left out."""
        parts = [read_corpus(self.data / "ner", name) for name in names]
        return [part[: len(part) - corpora.HELD_BACK.get(name, 0)] for name, part in zip(names, parts, strict=True)]

    def dev(self) -> dict[str, list[Example]]:
        """The parts that settings are chosen by."""
        parts = {name: read_corpus(self.data / "ner", name) for name in corpora.DEV}
        held = {
            f"{name.partition('.')[0]}, its end": read_corpus(self.data / "ner", name)[-count:] for name, count in corpora.HELD_BACK.items()
        }
        return {**parts, **held}

    def unlabelled(self) -> list[list[Example]]:
        """Treebank sentences whose tags nobody knows."""
        return [read_words(self.data / "ud" / f"{name}.conllu") for name in corpora.UNLABELLED]


def train(  # noqa: PLR0913 - a run has this many settings
    *, data: Path, out: Path, preset: str, seed: int = 1, start: Path | None = None, epochs: float = 0.0
) -> Path:
    """Make one model; returns its directory ``out/preset``. Takes hours on two cores; interrupted, it goes on where it was.

    Args:
        data: folder with ``ner/{ar,fa,en}/*.bio``, ``names/*.tsv`` and ``ud/*.conllu``; `corpora` names the files.
        out: where the models and the steps' weights go.
        preset: ``accurate`` or ``fast``; the second needs the first's members and makes them where they are missing.
        seed: of everything random.
        start: a shipped model to go on from, in place of the encoder and all steps.
        epochs: how long to go on from it, with the parts that settings were chosen by among the text: the last step, after
            which nothing can be measured on them and the figures of ``start`` stay on the card; 0 only rounds it anew.

    Raises:
        UserError: no such preset, or a corpus is missing.
        FileNotFoundError: the encoder's package is not installed.
    """
    if preset not in PRESETS:
        message = f"no such preset: {preset} (there are {', '.join(PRESETS)})"
        raise UserError(message)
    check_inputs(data)
    torch.set_num_threads(1)
    if start is not None:
        state, pieces = read_shipped(start)
        inputs = Inputs(pieces, data, out / "work", seed)
        network = from_state(further(state, inputs, epochs=epochs), heads=HEADS, epsilon=EPSILON)
        return ship(network, inputs, preset=preset, out=out / preset, start=start, measured=not epochs)
    encoder = read_encoder(wheel_file())
    kept = keep_pieces(encoder.pieces, encoder.scores.tolist(), fitted_words(data))
    inputs = Inputs(pick(encoder.pieces, encoder.scores.tolist(), kept), data, out / "work", seed)
    deep = accurate_mean(inputs, encoder, kept)
    network = from_state(deep, heads=HEADS, epsilon=EPSILON) if preset == "accurate" else narrow(inputs, deep)
    kept = keep_pieces(inputs.pieces.pieces, inputs.pieces.scores, shipped_words(data, preset))
    network.words = torch.nn.Parameter(network.words.detach()[kept])
    inputs = replace(inputs, pieces=pick(inputs.pieces.pieces, inputs.pieces.scores, kept))
    return ship(network, inputs, preset=preset, out=out / preset)


def pick(pieces: Sequence[str], scores: Sequence[float], kept: Sequence[int]) -> Pieces:
    """A cut vocabulary."""
    return Pieces([pieces[index] for index in kept], [float(scores[index]) for index in kept])


def further(state: State, inputs: Inputs, *, epochs: float) -> State:
    """The mean of a model and of itself gone on with all the text, what is held back elsewhere too; the model alone for no epochs."""
    if not epochs:
        return state
    out = inputs.work / "further"
    if not (out / "final.pt").exists():
        settings = Settings(epochs=epochs, encoder_rate=1.2e-4, seed=inputs.seed)
        text = [read_corpus(inputs.data / "ner", name) for name in EVERYTHING]
        fit(from_state(state, heads=HEADS, epsilon=EPSILON), text, inputs.pieces, settings=settings, out=out, dev=inputs.dev())
    return mean([state, read_state(out / "final.pt")])


def ship(  # noqa: PLR0913 - a model has this many origins
    network: Network, inputs: Inputs, *, preset: str, out: Path, start: Path | None = None, measured: bool = True
) -> Path:
    """Round, write the files and their figures: measured as they are, or those of the start where it was fitted on all there is."""
    grids = rounded(network, inputs)
    card = make_card(f"khabar-{preset}", data=inputs.data, seed=inputs.seed, start=start, everything=not measured)
    export(network, grids, pieces=list(inputs.pieces.pieces), scores=list(inputs.pieces.scores), card=card, out=out)
    add_check(out, Tagger.load(out, checked=False).check(CHECKED))
    tagger, dev = Tagger.load(out), inputs.dev()
    speed = words_per_second([one for part in dev.values() for one in part], tagger.tag)
    if start is not None and not measured:
        keep_figures(out, start, words_per_second=speed)
    else:
        add_figures(out, figures(dev, tagger.tag), words_per_second=speed)
    return out


def shipped_words(data: Path, preset: str) -> Iterator[tuple[str, str]]:
    """(language, word): what a preset's vocabulary is to spell well."""
    yield from common_words(SHIPPED_WORDS[preset])
    yield from text_words(data, EVERYTHING)
    if preset == "accurate":
        yield from name_words(data / "names")


def fitted_words(data: Path) -> Iterator[tuple[str, str]]:
    """(language, word): what the vocabulary that is fitted is to spell well."""
    yield from common_words()
    yield from name_words(data / "names")
    yield from text_words(data, (*EVERYTHING, *corpora.VOCABULARY_ONLY))


def text_words(data: Path, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(language, word): every word of the labelled texts."""
    for name in names:
        for example in read_corpus(data / "ner", name):
            for word in example.words:
                yield name[:2], word


def check_inputs(data: Path) -> None:
    """Say at once which corpora are not there.

    Raises:
        UserError: naming the first of them.
    """
    files = [data / "ner" / f"{name}.bio" for name in (*EVERYTHING, *corpora.VOCABULARY_ONLY)]
    files += [data / "ud" / f"{name}.conllu" for name in corpora.UNLABELLED]
    missing = [file for file in files if not file.is_file()]
    if missing:
        message = f"{missing[0]}: there is no such corpus ({len(missing)} of {len(files)} are missing)"
        raise UserError(message)


def accurate_mean(inputs: Inputs, encoder: Encoder, kept: list[int]) -> State:
    """The mean of the two twelve-layer members."""
    first, second = inputs.work / "first", inputs.work / "second"
    if not (first / "final.pt").exists():
        start = from_encoder(encoder, kept, layers=12, labels=len(LABELS), positions=WINDOW, seed=inputs.seed)
        settings = Settings(epochs=4, encoder_rate=2e-4, seed=inputs.seed)
        fit(start, inputs.corpora(corpora.FIRST), inputs.pieces, settings=settings, out=first, dev=inputs.dev())
    if not (second / "final.pt").exists():
        start = from_state(read_state(first / "final.pt"), heads=HEADS, epsilon=EPSILON)
        settings = Settings(epochs=1.5, encoder_rate=1.2e-4, seed=inputs.seed + 1)
        text = inputs.corpora((*corpora.FIRST, *corpora.ADDED))
        fit(start, text, inputs.pieces, settings=settings, out=second, dev=inputs.dev())
    return mean([read_state(part / "final.pt") for part in (first, second)])


def narrow(inputs: Inputs, deep: State) -> Network:
    """The lower six layers narrowed, and taught by all twelve and the six at full width."""
    runs = [(inputs.work / f"narrow-{number}", own) for number, own in enumerate(RUNS, 1)]
    last = runs[-1][0] / "final.pt"
    if not last.exists():
        six, text = six_layers(inputs, deep), taught_text(inputs)
        network = narrow_start(inputs, six)
        taught = taught_scores(inputs, "taught-by-both", [from_state(deep, heads=HEADS, epsilon=EPSILON), six], text)
        for number, (out, (epochs, rate)) in enumerate(runs, 3):  # the steps before took the first seeds
            settings = Settings(epochs=epochs, encoder_rate=rate, seed=inputs.seed + number, imitation=IMITATION)
            if not (out / "final.pt").exists():
                fit(network, text, inputs.pieces, settings=settings, out=out, dev=inputs.dev(), taught=taught)
            network.load_state_dict(read_state(out / "final.pt"))
    return from_state(read_state(last), heads=HEADS, epsilon=EPSILON)


def six_layers(inputs: Inputs, deep: State) -> Network:
    """The lower six of the twelve layers, taught by all of them."""
    out = inputs.work / "six"
    if not (out / "final.pt").exists():
        text, teacher = taught_text(inputs), from_state(deep, heads=HEADS, epsilon=EPSILON)
        network = from_state(first_layers(deep, 6), heads=HEADS, epsilon=EPSILON)
        settings = Settings(epochs=3, encoder_rate=3e-4, seed=inputs.seed + 2, imitation=IMITATION)
        taught = taught_scores(inputs, "taught", [teacher], text)
        fit(network, text, inputs.pieces, settings=settings, out=out, dev=inputs.dev(), taught=taught)
    return from_state(read_state(out / "final.pt"), heads=HEADS, epsilon=EPSILON)


def taught_text(inputs: Inputs) -> list[list[Example]]:
    """What a student reads: all labelled text, and treebanks that only its teachers tag."""
    return [*inputs.corpora((*corpora.FIRST, *corpora.ADDED)), *inputs.unlabelled()]


def narrow_start(inputs: Inputs, network: Network) -> Network:
    """The parts of each layer that the loss on a sample of the text would miss most."""
    sample = quantise.sample_batches(inputs.corpora((*corpora.FIRST, *corpora.ADDED)), inputs.pieces, seed=inputs.seed, count=40)
    return from_state(narrowed(network, worth(network, sample), **NARROW), heads=HEADS, epsilon=EPSILON)


def taught_scores(inputs: Inputs, name: str, teachers: Sequence[Network], text: Sequence[Sequence[Example]]) -> list[NDArray[np.float16]]:
    """The teachers' scores of the text, kept beside the other steps."""
    file = inputs.work / f"{name}.npz"
    if not file.exists():
        scores = joint([teach(teacher, text, inputs.pieces) for teacher in teachers])
        np.savez(file, flat=np.concatenate(scores), lengths=np.array([len(part) for part in scores]))
    with np.load(file, allow_pickle=False) as arrays:
        return list(np.split(arrays["flat"], np.cumsum(arrays["lengths"])[:-1]))


def rounded(network: Network, inputs: Inputs) -> list[dict[str, quantise.Grid]]:
    """Put the embeddings on their 4-bit grid, in place, and find the grids of the layers on a sample of the text."""
    quantise.round_embeddings(network)
    text = inputs.corpora((*corpora.FIRST, *corpora.ADDED))
    return quantise.calibrate(network, quantise.sample_batches(text, inputs.pieces, seed=inputs.seed))
