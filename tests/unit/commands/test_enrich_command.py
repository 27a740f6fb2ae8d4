"""`khabar enrich` with an analyser made by hand, and once with the models that ship."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

import worker
from worker.commands import enrich
from worker.enrich.analysis import Analysis, Span
from worker.nlp import pipeline
from worker.records import EnrichedArticle, Model
from worker.settings import Settings


class Names:
    """Knows one name, in English only."""

    models: Sequence[Model] = [Model("entities", "by-hand", "1", "0" * 64)]

    def supports(self, language: str) -> bool:
        """English only."""
        return language == "en"

    def models_for(self, language: str) -> Sequence[Model]:
        """The one model, where the language is supported."""
        return self.models if self.supports(language) else ()

    def analyse(self, texts: Sequence[tuple[str, str]]) -> list[Analysis]:
        """Cairo is a place."""
        found = []
        for _, text in texts:
            at = text.find("Cairo")
            found.append(Analysis([(0, len(text))], [Span(at, at + 5, "LOC")] if at >= 0 else []))
        return found


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model is loaded: what is tested here is the command."""
    monkeypatch.setattr(pipeline, "load", lambda _settings: Names())


@pytest.mark.usefixtures("by_hand")
def test_a_bad_article_is_a_line_and_the_others_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One EnrichedArticle a line, in order; the bad one named by file and number; exit code 1."""
    file = tmp_path / "a.jsonl"
    file.write_text(
        '{"id": "1", "body": "The minister left Cairo for the coast on Monday."}\n{"body": 5}\n{"id": "3", "body": "Rain again."}\n'
    )
    assert enrich.run(Settings(batch_articles=2), paths=[str(file)], as_json=True) == 1
    captured = capsys.readouterr()
    rows = [json.loads(line) for line in captured.out.splitlines()]
    assert [row["id"] for row in rows] == ["1", "3"]
    assert rows[0]["entities"][0]["mentions"] == [{"field": "body", "start": 18, "end": 23, "text": "Cairo"}]
    assert captured.err.startswith(f"khabar: {file}#2: invalid_schema: ")
    assert captured.err.count("\n") == 1


@pytest.mark.usefixtures("by_hand")
def test_the_source_is_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without Kafka the file stands for the topic, the place in it for the offset; a text file's name is the id."""
    (tmp_path / "report.txt").write_text("Rain in Cairo again, and again on Tuesday.")
    (tmp_path / "list.json").write_text('[{"body": "One."}, {"body": "Two."}]')
    assert enrich.run(Settings(), paths=[str(tmp_path)], as_json=True) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["id"] for row in rows] == [f"{tmp_path}/list.json/0/0", f"{tmp_path}/list.json/0/1", "report"]
    assert rows[1]["provenance"]["source"] == {"topic": f"{tmp_path}/list.json", "partition": 0, "offset": 1, "timestamp": None}


@pytest.mark.usefixtures("by_hand")
def test_people_get_it_readably(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without `--json` it is for reading."""
    (tmp_path / "a.txt").write_text("Rain in Cairo again, and again on Tuesday.")
    assert enrich.run(Settings(), paths=[str(tmp_path / "a.txt")], as_json=False) == 0
    out = capsys.readouterr().out
    assert "LOC     100%" in out
    assert "a.txt" in out


def test_the_models_that_ship_enrich_the_samples() -> None:
    """The real thing, in a process of its own: people and places of the bundled samples, offsets that hold."""
    samples = Path(worker.__file__).parent / "bundled" / "samples" / "en.jsonl"
    command = [sys.executable, "-m", "worker.cli", "enrich", "--json", str(samples)]
    result = subprocess.run(command, capture_output=True, timeout=300, check=False, env=os.environ | {"KHABAR_MODELS": "fast"})
    assert result.returncode == 0, result.stderr.decode()
    articles = [msgspec.json.decode(line, type=EnrichedArticle) for line in result.stdout.splitlines()]
    assert len(articles) == len(samples.read_text(encoding="utf-8").splitlines())
    for article in articles:
        raw = msgspec.json.decode(article.article)
        assert article.language.code == "en"
        for mention in (mention for entity in article.entities for mention in entity.mentions):
            assert raw[mention.field][mention.start : mention.end] == mention.text
    found = {(entity.type, entity.name) for entity in articles[0].entities}
    assert ("LOC", "Lisbon") in found
    assert any(kind == "PER" and "Falcão" in name for kind, name in found)


@pytest.mark.usefixtures("by_hand")
def test_files_and_people_have_json_whatever_the_topics_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A worker's variables for Avro change nothing here."""
    file = tmp_path / "a.json"
    file.write_text('{"id": "1", "body": "The minister left Cairo."}')
    settings = Settings(input_format="avro", output_format="avro", registry_url="http://registry")
    assert enrich.run(settings, paths=[str(file)], as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["article"]["id"] == "1"
