"""The whole recipe, from the encoder and the corpora to a model's directory: what ``khabar models train`` calls.

Teachers first (``teachers.py``): twelve layers fitted on all corpora, and their lower six taught by them. Then the student that the
preset is (``students.py``), rounded to eight bits and measured; then its last step, with the parts in it that it was measured on.
Every step leaves its weights in ``out/work`` and is skipped when they are there.
"""

import json
from pathlib import Path

import torch

from worker.errors import UserError
from worker.nlp.tagger import Tagger
from worker.nlp.train import corpora, quantise
from worker.nlp.train.average import State, mean
from worker.nlp.train.card import CHECKED, add_check, add_figures, keep_figures, make_card
from worker.nlp.train.data import read_corpus
from worker.nlp.train.encoder import read_encoder, wheel_file
from worker.nlp.train.export import export
from worker.nlp.train.figures import figures, words_per_second
from worker.nlp.train.fit import Settings
from worker.nlp.train.inputs import EVERYTHING, Inputs, check_inputs, pick, words_to_spell
from worker.nlp.train.network import Network
from worker.nlp.train.shipped import read_shipped
from worker.nlp.train.students import STUDENTS, last_step, narrow
from worker.nlp.train.teachers import network_of, six_layers, step, twelve_layers
from worker.nlp.train.vocabulary import keep_pieces

PRESETS = tuple(STUDENTS)


def train(  # noqa: PLR0913 - a run has this many settings
    *, data: Path, out: Path, preset: str, seed: int = 1, start: Path | None = None, epochs: float = 0.0
) -> Path:
    """Make one model; returns its directory ``out/preset``. Takes hours on two cores; interrupted, it goes on where it was.

    Args:
        data: folder with ``ner/{ar,fa,en}/*.bio``, ``names/*.tsv`` and ``ud/*.conllu``; `corpora` names the files.
        out: where the models and the steps' weights go.
        preset: ``accurate`` or ``fast``; both have the same teachers, made once.
        seed: of everything random.
        start: a shipped model to go on from, in place of the encoder and all steps.
        epochs: how long to go on from it with all the text, taught by nobody; the figures of ``start`` stay on the card, as nothing
            can be measured afterwards; 0 only rounds it anew.

    Raises:
        UserError: no such preset, a corpus is missing, the start is another preset's model, or there are epochs and no start.
        FileNotFoundError: the encoder's package is not installed.
    """
    if preset not in PRESETS:
        message = f"no such preset: {preset} (there are {', '.join(PRESETS)})"
        raise UserError(message)
    check_inputs(data)
    torch.set_num_threads(1)
    if start is None and epochs:
        message = "epochs say how long to go on from a model: name it too (--from)"
        raise UserError(message)
    if start is not None:
        _check_start(start, preset)
        state, pieces = read_shipped(start)
        inputs = Inputs(pieces, data, out / "work", seed)
        network = network_of(further(state, inputs, epochs=epochs))
        return ship(network, inputs, preset=preset, out=out / preset, start=start)
    encoder = read_encoder(wheel_file())
    kept = keep_pieces(encoder.pieces, encoder.scores.tolist(), words_to_spell(data))
    inputs = Inputs(pick(encoder.pieces, encoder.scores.tolist(), kept), data, out / "work", seed)
    deep = twelve_layers(inputs, encoder, kept)
    teachers = deep, six_layers(inputs, deep)
    network = narrow(inputs, preset, teachers)
    before = ship(network, inputs, preset=preset, out=inputs.work / f"{preset}-before-last")
    network = last_step(inputs, preset, network, teachers)
    return ship(network, inputs, preset=preset, out=out / preset, start=before)


def further(state: State, inputs: Inputs, *, epochs: float) -> State:
    """The mean of a model and of itself gone on with all the text, what is held back elsewhere too; the model alone for no epochs."""
    if not epochs:
        return state
    text = [read_corpus(inputs.data / "ner", name) for name in EVERYTHING]
    settings = Settings(epochs=epochs, encoder_rate=1.2e-4, seed=inputs.seed)
    return mean([state, step(inputs, "further", network_of(state), text, settings=settings)])


def _check_start(start: Path, preset: str) -> None:
    """Raise where the model to go on from is none of this preset."""
    name = json.loads((start / "card.json").read_bytes()).get("name")
    if name != f"khabar-{preset}":
        message = f"{start}: its card says {name!r}, which is no model of the preset {preset!r}"
        raise UserError(message)


def ship(network: Network, inputs: Inputs, *, preset: str, out: Path, start: Path | None = None) -> Path:
    """Round, write the files and their figures: measured, or those of the start, as what goes on from it saw all there is."""
    grids = _rounded(network, inputs, fine=STUDENTS[preset].fine)
    card = make_card(f"khabar-{preset}", data=inputs.data, seed=inputs.seed, start=start)
    export(network, grids, pieces=list(inputs.pieces.pieces), scores=list(inputs.pieces.scores), card=card, out=out)
    add_check(out, Tagger.load(out, checked=False).check(CHECKED))
    tagger, dev = Tagger.load(out), inputs.dev()
    speed = words_per_second([one for part in dev.values() for one in part], tagger.tag)
    if start is not None:
        keep_figures(out, start, words_per_second=speed)
    else:
        add_figures(out, figures(dev, tagger.tag), words_per_second=speed)
    return out


def _rounded(network: Network, inputs: Inputs, *, fine: bool) -> list[dict[str, quantise.Grid]]:
    """Put the embeddings on their 4-bit grid, in place, and find the grids of the layers on a sample of the text."""
    quantise.round_embeddings(network)
    text = inputs.corpora((*corpora.FIRST, *corpora.ADDED))
    return quantise.calibrate(network, quantise.sample_batches(text, inputs.pieces, seed=inputs.seed), fine=fine)
