"""`khabar models`: what is printed about what `worker.nlp` finds."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from worker.commands import models
from worker.errors import ModelError, UserError
from worker.nlp import models as found
from worker.nlp import pull
from worker.nlp.models import Check, ModelRow
from worker.settings import Settings

ROW = ModelRow(
    name="khabar-test",
    where="bundled",
    path=Path("/models/test"),
    languages=["ar", "fa"],
    version="7",
    bytes=12_300_000,
    sha256="ab" * 32,
    figures={"ar": 0.81},
    used=True,
)


def test_models_are_listed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A table for people with the one in use marked, a row a line for programs."""
    monkeypatch.setattr(found, "listing", lambda _settings: [ROW])
    models.list_models(Settings(), as_json=False)
    captured = capsys.readouterr()
    assert [line.split()[:8] for line in captured.out.splitlines()][1] == [
        "*",
        "khabar-test",
        "7",
        "ar",
        "fa",
        "12.3",
        "ab" * 6,
        "/models/test",
    ]
    assert captured.err == ""
    models.list_models(Settings(), as_json=True)
    row = json.loads(capsys.readouterr().out)
    assert (row["name"], row["path"], row["sha256"]) == ("khabar-test", "/models/test", "ab" * 32)


def test_a_setting_that_names_no_model_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty list, or one without the model in use, is not left to be noticed."""
    monkeypatch.setattr(found, "listing", lambda _settings: [])
    models.list_models(Settings(models="official"), as_json=False)
    assert capsys.readouterr().err == "khabar: KHABAR_MODELS=official names none of these\n"


def test_verify_fails_on_the_first_difference_but_checks_all(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Every file gets its line; one that differs makes exit code 1."""
    checks = [Check(Path("a"), ""), Check(Path("b"), "differs"), Check(Path("c"), "")]
    monkeypatch.setattr(found, "verify", lambda _settings: iter(checks))
    assert models.verify(Settings()) == 1
    captured = capsys.readouterr()
    assert captured.out == "a: ok\nc: ok\n"
    assert captured.err == "khabar: b: differs\n"
    monkeypatch.setattr(found, "verify", lambda _settings: iter(checks[:1]))
    assert models.verify(Settings()) == 0


def test_pull_says_what_came(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Packages, size and checksum of each language, as it comes."""
    asked: list[Any] = []

    def fetch(languages: list[str], *, directory: Path, show_progress: bool) -> Iterator[pull.PulledLanguage]:
        asked.append((languages, directory, show_progress))
        yield pull.PulledLanguage("ar", {"tokenize": "padt", "ner": "aqmar"}, 5_000_000, "cd" * 32, 2.4)

    monkeypatch.setattr(pull, "pull", fetch)
    models.pull(Settings(model_dir=tmp_path), languages=["ar"])
    assert capsys.readouterr().out == f"ar: tokenize padt, ner aqmar, 5.0 MB in 2 s, sha256 {'cd' * 32}\n"
    assert asked == [(["ar"], tmp_path, False)]


def test_training_without_its_extra_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is missing and how to get it."""
    monkeypatch.setitem(sys.modules, "worker.nlp.train.run", None)
    with pytest.raises(UserError, match=r"needs the extra `train`.*pip install"):
        models.train(data=tmp_path, out=tmp_path, preset="fast", seed=1)
    with pytest.raises(UserError, match="no such folder of corpora"):
        models.train(data=tmp_path / "none", out=tmp_path, preset="fast", seed=1)


def test_training_gets_what_was_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The options reach the recipe as they are."""
    asked: list[dict[str, object]] = []
    recipe = SimpleNamespace(train=lambda **options: asked.append(options))
    monkeypatch.setitem(sys.modules, "worker.nlp.train.run", recipe)
    models.train(data=tmp_path, out=tmp_path / "out", preset="fast", seed=7)
    assert asked == [{"data": tmp_path, "out": tmp_path / "out", "preset": "fast", "seed": 7, "start": None, "epochs": 0.0}]


def test_training_goes_on_from_sound_files_only(tmp_path: Path) -> None:
    """A directory that is no model of ours is refused before anything else."""
    with pytest.raises(ModelError, match=r"card\.json: cannot be read"):
        models.train(data=tmp_path, out=tmp_path, preset="fast", seed=1, start=tmp_path)
