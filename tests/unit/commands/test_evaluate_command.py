"""`khabar evaluate` with a tagger made by hand."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from worker.commands import evaluate
from worker.errors import UserError
from worker.nlp import pipeline
from worker.settings import Settings

BIO = "Grace B-PER\nWanjala I-PER\nvisited O\nKampala B-LOC\n\nNews O\nfrom O\nCairo B-LOC\n"


class Capitals:
    """Every word with a capital is a place; knows English only."""

    def supports(self, language: str) -> bool:
        """English only."""
        return language == "en"

    def tag(self, documents: Sequence[Sequence[Sequence[str]]], *, language: str) -> list[list[list[str]]]:
        """Capital letters only."""
        assert language == "en"
        return [[["B-LOC" if word[0].isupper() else "O" for word in sentence] for sentence in document] for document in documents]


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model is loaded: what is tested here is the command."""
    monkeypatch.setattr(pipeline, "load", lambda _settings: Capitals())


@pytest.mark.usefixtures("by_hand")
def test_figures_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exact spans counted: 2 of 5 guesses are right, 2 of 3 mentions are found."""
    (tmp_path / "a.bio").write_text(BIO)
    evaluate.run(Settings(), file=tmp_path / "a.bio", language="en", as_json=True)
    figures = json.loads(capsys.readouterr().out)
    assert (figures["language"], figures["sentences"], figures["tokens"]) == ("en", 2, 7)
    assert figures["overall"] == {"precision": 0.4, "recall": pytest.approx(2 / 3), "f1": 0.5, "support": 3}
    assert figures["types"]["LOC"]["recall"] == 1.0
    assert figures["types"]["PER"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1}


@pytest.mark.usefixtures("by_hand")
def test_figures_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table in per cent."""
    (tmp_path / "a.bio").write_text(BIO)
    evaluate.run(Settings(), file=tmp_path / "a.bio", language="en", as_json=False)
    out = capsys.readouterr().out
    assert "en: 2 sentences, 7 words" in out
    assert ["overall", "40.00", "66.67", "50.00", "3"] in [line.split() for line in out.splitlines()]


@pytest.mark.usefixtures("by_hand")
def test_a_language_the_models_do_not_know_is_an_error(tmp_path: Path) -> None:
    """Figures of nothing would mislead."""
    (tmp_path / "a.bio").write_text(BIO)
    with pytest.raises(UserError, match="do not know the language 'xx'"):
        evaluate.run(Settings(), file=tmp_path / "a.bio", language="xx", as_json=True)


def test_bio_files_come_in_several_coats(tmp_path: Path) -> None:
    """Tabs or spaces, columns in between, document marks, Windows line ends, a byte order mark, no last blank line."""
    file = tmp_path / "a.bio"
    file.write_bytes("\ufeff-DOCSTART- -X- O\r\n\r\nCairo\tNNP\tB-LOC\r\n\r\n\r\nIn IN O\nOslo NNP I-LOC".encode())
    assert list(evaluate.read_bio(file)) == [(["Cairo"], ["B-LOC"]), (["In", "Oslo"], ["O", "I-LOC"])]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "holds no sentence"),
        (b"word\n", ":1: expected a word and its tag"),
        (b"a O\nb X-LOC\n", ":2: expected"),
        (b"\xff O\n", "not UTF-8"),
    ],
)
def test_a_file_of_another_kind_is_one_line(tmp_path: Path, content: bytes, why: str) -> None:
    """The line that is wrong is named."""
    (tmp_path / "a.bio").write_bytes(content)
    with pytest.raises(UserError, match=why):
        list(evaluate.read_bio(tmp_path / "a.bio"))
    with pytest.raises(UserError, match="No such file"):
        list(evaluate.read_bio(tmp_path / "none.bio"))
