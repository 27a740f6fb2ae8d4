"""`khabar evaluate` with a tagger made by hand."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from worker.commands import evaluate
from worker.errors import UserError
from worker.nlp import pipeline
from worker.records import Model
from worker.settings import Settings

BIO = "Grace B-PER\nWanjala I-PER\nvisited O\nKampala B-LOC\n\nNews O\nfrom O\nCairo B-LOC\n"


class Capitals:
    """Every word with a capital is a place; knows English only, and remembers what it was given."""

    def __init__(self) -> None:
        """Nothing given yet."""
        self.given: list[list[str]] = []

    def models_for(self, language: str) -> list[Model]:
        """Itself."""
        assert language == "en"
        return [Model(stage="entities", name="capitals", version="1.2", sha256="ab" * 32)]

    def supports(self, language: str) -> bool:
        """English only."""
        return language == "en"

    def tag(self, documents: Sequence[Sequence[Sequence[str]]], *, language: str) -> list[list[list[str]]]:
        """Capital letters only."""
        assert language == "en"
        self.given += [[" ".join(sentence) for sentence in document] for document in documents]
        return [[["B-LOC" if word[0].isupper() else "O" for word in sentence] for sentence in document] for document in documents]


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> Capitals:
    """No model is loaded: what is tested here is the command."""
    models = Capitals()
    monkeypatch.setattr(pipeline, "load", lambda _settings: models)
    return models


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
    assert figures["models"] == [{"stage": "entities", "name": "capitals", "version": "1.2", "sha256": "ab" * 32}]


@pytest.mark.usefixtures("by_hand")
def test_figures_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table in per cent."""
    (tmp_path / "a.bio").write_text(BIO)
    evaluate.run(Settings(), file=tmp_path / "a.bio", language="en", as_json=False)
    out = capsys.readouterr().out
    assert "en: 2 sentences, 7 words, capitals 1.2 (abababababab)\n" in out
    assert ["overall", "40.00", "66.67", "50.00", "3"] in [line.split() for line in out.splitlines()]


@pytest.mark.usefixtures("by_hand")
def test_a_language_the_models_do_not_know_is_an_error(tmp_path: Path) -> None:
    """Figures of nothing would mislead."""
    (tmp_path / "a.bio").write_text(BIO)
    with pytest.raises(UserError, match="do not know the language 'xx'"):
        evaluate.run(Settings(), file=tmp_path / "a.bio", language="xx", as_json=True)


def test_documents_hold_neighbours_and_never_cross_a_mark(tmp_path: Path, by_hand: Capitals) -> None:
    """Sixteen sentences, or as many as asked for; marks are no words."""
    mark = "-DOCSTART- -X- -X- O\n\n"
    (tmp_path / "a.bio").write_text(mark + "a O\n\n" * 17 + mark + "b O\n\nc O\n\nd O\n")
    evaluate.run(Settings(), file=tmp_path / "a.bio", language="en", as_json=True)
    assert by_hand.given == [["a"] * 16, ["a"], ["b", "c", "d"]]
    by_hand.given.clear()
    evaluate.run(Settings(), file=tmp_path / "a.bio", language="en", as_json=True, document=2)
    assert by_hand.given == [["a", "a"]] * 8 + [["a"], ["b", "c"], ["d"]]


@pytest.mark.usefixtures("by_hand")
@pytest.mark.parametrize(
    ("content", "warning"),
    [
        ("Monday B-DATE\nEid B_EVT\n", "no mention of PER, LOC, ORG to find: its types are 'DATE, EVT'"),
        ("word O\n", "no mention of PER, LOC, ORG to find: every tag is O"),
        ("Cairo B-LOC\nMonday B-DATE\n", None),
    ],
)
def test_a_file_with_nothing_to_find_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, warning: str | None) -> None:
    """Figures are printed all the same; one line on standard error says why they are 0."""
    file = tmp_path / "a.bio"
    file.write_text(content)
    evaluate.run(Settings(), file=file, language="en", as_json=True)
    said = capsys.readouterr()
    assert "overall" in json.loads(said.out)
    assert said.err == (f"khabar: warning: {file}: {warning}\n" if warning else "")


@pytest.mark.parametrize(
    ("written", "tags"),
    [
        ("B-PERS I-PERS O", "B-PER I-PER O"),
        ("B-PERSON B-pers I-Person", "B-PER B-PER I-PER"),
        ("B-GPE B-LOCATION I-LOCATION", "B-LOC B-LOC I-LOC"),
        ("B-ORGANIZATION I-ORGANIZATION", "B-ORG I-ORG"),
        ("B_PER I_PER B_DAT", "B-PER I-PER B-DAT"),
        ("S-PER B-ORG I-ORG E-ORG", "B-PER B-ORG I-ORG I-ORG"),
        ("U-LOC B-PER L-PER", "B-LOC B-PER I-PER"),
        ("B-NORP B-WORK_OF_ART I-WORK_OF_ART", "B-NORP B-WORK_OF_ART I-WORK_OF_ART"),
    ],
)
def test_tags_are_written_in_several_ways(tmp_path: Path, written: str, tags: str) -> None:
    """PER, LOC and ORG by other names, an underscore, BIOES and BILOU; types that are not scored stay as they are."""
    (tmp_path / "a.bio").write_text("".join(f"word\t{tag}\n" for tag in written.split()))
    assert [found for _, found in evaluate.read_bio(tmp_path / "a.bio")] == [tags.split()]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("Cairo\tB-LOC", "Cairo"),
        ("New York\tB-LOC", "New York"),
        ("Cairo\tNNP\t\tB-LOC\t", "Cairo"),
        ("Cairo B-LOC", "Cairo"),
        ("Cairo  NNP   I-NP B-LOC ", "Cairo"),
        ("New\N{NO-BREAK SPACE}York B-LOC", "New\N{NO-BREAK SPACE}York"),
        ("# B-LOC", "#"),
        ("# SYM B-LOC", "#"),
    ],
)
def test_columns(tmp_path: Path, line: str, word: str) -> None:
    """The first is the word, the last the tag."""
    (tmp_path / "a.bio").write_text(line, encoding="utf-8")
    assert list(evaluate.read_bio(tmp_path / "a.bio")) == [([word], ["B-LOC"])]


def test_comments_of_conllu_are_no_words(tmp_path: Path) -> None:
    """Before a sentence; `# newdoc` begins a document."""
    (tmp_path / "a.bio").write_text(
        "# newdoc id = x\n# newpar\n# sent_id = 1\n# text = Vitamin O\nVitamin\tO\n#\tO\n\n# text =\nb\tO\n\n# newdoc\n# text = c\nc\tO\n"
    )
    documents = evaluate.read_documents(tmp_path / "a.bio")
    assert [[words for words, _ in document] for document in documents] == [[["Vitamin", "#"], ["b"]], [["c"]]]


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
        (b"a O\nb LOC\n", ":2: expected"),
        (b"a\tB-\n", ":1: expected"),
        (b"word\t\n", ":1: expected"),
        (b"\tNNP\tO\n", ":1: expected"),
        (b"a O\n# text = b\n", ":2: expected"),
        (b"-DOCSTART- O\n", "holds no sentence"),
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
