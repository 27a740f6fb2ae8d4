"""Texts through Stanza's pipeline with our processors: a tagger written by hand, so that what it must find is known."""

import hashlib
import json
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.errors import ModelError
from worker.nlp import pipeline, tagger
from worker.settings import Settings

NAMES = {"أنتوني": "B-PER", "بلينكن": "B-PER", "وبلينكن": "B-PER", "تهران": "B-LOC", "London": "B-LOC", "UN": "B-ORG"}


class ListTagger:
    """Tags the words of a list, and counts how often it is asked."""

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self.calls = 0

    @classmethod
    def load(cls, directory: Path) -> "ListTagger":
        """Like the real one; the directory's ``broken`` file breaks it."""
        if (directory / "broken").exists():
            message = "this network\nis of another kind"
            raise ValueError(message)
        return cls()

    def tag(self, documents: Sequence[Sequence[Sequence[str]]]) -> list[list[list[str]]]:
        """Valid BIO tags; a family name continues a given one."""
        self.calls += 1
        tagged = [[[NAMES.get(word, "O") for word in words] for words in sentences] for sentences in documents]
        for sentences, rows in zip(documents, tagged, strict=True):
            for words, tags in zip(sentences, rows, strict=True):
                for at in range(1, len(words)):
                    if words[at - 1 : at + 1] == ["أنتوني", "بلينكن"]:
                        tags[at] = "I-PER"
        return tagged


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a right card, for a tagger that needs no files."""
    directory = tmp_path_factory.mktemp("bundle")
    for name in tagger.FILES:
        (directory / name).write_bytes(b"")
    files = {name: {"sha256": hashlib.sha256(b"").hexdigest()} for name in tagger.FILES}
    card = {"name": "by-hand", "version": "1", "languages": ["ar", "en", "fa"], "files": files}
    (directory / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return directory


@pytest.fixture(scope="module")
def analyser(bundle: Path) -> pipeline.Bundled:
    """The real pipeline with the tagger written by hand."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tagger, "Tagger", ListTagger)
        return pipeline.Bundled(bundle)


def found(text: str, analysis: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - an Analysis
    """Mentions as (text, type)."""
    return [(text[span.start : span.end], span.type) for span in analysis.spans]


def test_languages_are_mixed_in_one_call(analyser: pipeline.Bundled) -> None:
    """Three languages, one call of the tagger, each text's own offsets."""
    texts = [("ar", "وصل أنتوني بلينكن."), ("fa", "او در تهران است. باران بارید."), ("en", "\n London calls the UN")]
    calls = analyser._tagger.calls  # type: ignore[attr-defined]  # noqa: SLF001 - the counter of the tagger above
    analyses = analyser.analyse(texts)
    assert analyser._tagger.calls == calls + 1  # type: ignore[attr-defined]  # noqa: SLF001
    assert found(texts[0][1], analyses[0]) == [("أنتوني بلينكن", "PER")]
    assert found(texts[1][1], analyses[1]) == [("تهران", "LOC")]
    assert found(texts[2][1], analyses[2]) == [("London", "LOC"), ("UN", "ORG")]
    assert [len(analysis.sentences) for analysis in analyses] == [1, 2, 1]


def test_documents_are_stanzas_with_exact_ents(analyser: pipeline.Bundled) -> None:
    """What comes out is a real Stanza Document: sentences, tokens, BIOES tags and entities with offsets."""
    text = "قال وبلينكن في  London.\nThe UN met أنتوني بلينكن there."
    (document,) = analyser.documents([text])
    assert [(ent.text, ent.type) for ent in document.ents] == [
        ("وبلينكن", "PER"),
        ("London", "LOC"),
        ("UN", "ORG"),
        ("أنتوني بلينكن", "PER"),
    ]
    assert all(text[ent.start_char : ent.end_char] == ent.text for ent in document.ents)
    assert document.entities == document.ents
    assert [token.ner for token in document.sentences[1].tokens] == ["O", "S-ORG", "O", "B-PER", "E-PER", "O", "O"]
    assert document.sentences[0].tokens[2].spaces_after == "  "
    assert document.num_tokens == document.num_words == sum(len(sentence.tokens) for sentence in document.sentences) == 12
    assert document.to_dict()[0][1]["ner"] == "S-PER"


def test_a_document_may_be_made_by_stanza_itself(analyser: pipeline.Bundled) -> None:
    """The pipeline takes a plain text too, as any stanza.Pipeline does."""
    document = analyser._pipeline("London calls")  # noqa: SLF001 - the pipeline itself is under test
    assert [(ent.text, ent.start_char) for ent in document.ents] == [("London", 0)]


@pytest.mark.parametrize("text", ["", " \n\t", "\u200f\u202b", "!!!", "🙂🙂", "\u064e\u064b", "a" * 3000])
def test_texts_without_words_or_sense_are_no_error(analyser: pipeline.Bundled, text: str) -> None:
    """Nothing to find is found without complaint."""
    (analysis,) = analyser.analyse([("ar", text)])
    assert analysis.spans == []
    assert analyser.documents([text])[0].ents == []


def test_a_long_run_of_letters_stays_few_words(analyser: pipeline.Bundled) -> None:
    """3,000 letters without a space are at most a word for every 64."""
    (document,) = analyser.documents(["ب" * 3000])
    assert document.num_tokens <= 3000 / 64 + 1


def test_nothing_to_analyse_is_nothing(analyser: pipeline.Bundled) -> None:
    """An empty batch is empty."""
    assert analyser.analyse([]) == []


WORDS = st.sampled_from([*NAMES, "و", "a", ".", "؟", "\n", "»", "U.S.", "می‌شود", "🙂", "\u200f", "x" * 70])


@settings(deadline=None)
@given(st.lists(st.one_of(WORDS, st.text(max_size=4)), max_size=30), st.sampled_from(["", " "]))
def test_offsets_hold_for_any_text(analyser: pipeline.Bundled, parts: list[str], joint: str) -> None:
    """Sentences and mentions are in order, do not overlap, lie inside one another, and Stanza's entities are the same."""
    text = joint.join(parts)
    (analysis,) = analyser.analyse([("ar", text)])
    last = 0
    for start, end in analysis.sentences:
        assert last <= start < end <= len(text)
        assert text[start:end] == text[start:end].strip()
        last = end
    last = 0
    for span in analysis.spans:
        assert last <= span.start < span.end
        assert any(start <= span.start and span.end <= end for start, end in analysis.sentences)
        last = span.end
    (document,) = analyser.documents([text])
    assert [(ent.start_char, ent.end_char) for ent in document.ents] == [(span.start, span.end) for span in analysis.spans]
    assert all(text[ent.start_char : ent.end_char] == ent.text for ent in document.ents)


def test_what_took_part_is_named(analyser: pipeline.Bundled) -> None:
    """One model for its languages, nothing for another."""
    assert [(model.stage, model.name) for model in analyser.models] == [("entities", "by-hand")]
    assert analyser.models_for("fa") == analyser.models
    assert analyser.models_for("he") == ()
    assert (analyser.supports("en"), analyser.supports("he")) == (True, False)


def test_words_given_are_tagged_as_they_are(analyser: pipeline.Bundled) -> None:
    """`khabar evaluate` brings its own words; a language that the model does not know is refused."""
    assert analyser.tag([[["in", "London"], []], []], language="en") == [[["O", "B-LOC"], []], []]
    with pytest.raises(ModelError, match="ar, en, fa"):
        analyser.tag([[["x"]]], language="he")


def test_a_model_that_breaks_while_loading_is_one_line(tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the tagger raises becomes one line that names the directory."""
    for name in ("card.json", *tagger.FILES):
        (tmp_path / name).write_bytes((bundle / name).read_bytes())
    (tmp_path / "broken").write_bytes(b"")
    monkeypatch.setattr(tagger, "Tagger", ListTagger)
    with pytest.raises(ModelError) as raised:
        pipeline.load(Settings(models=str(tmp_path)))
    assert str(raised.value) == f"{tmp_path}: the model cannot be read: this network is of another kind"


def test_loading_and_analysing_open_no_socket(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every socket refused, the pipeline loads and works."""

    def refused(*_: object, **__: object) -> None:
        message = "the network was used"
        raise AssertionError(message)

    monkeypatch.setattr(socket, "socket", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setattr(tagger, "Tagger", ListTagger)
    loaded = pipeline.load(Settings(models=str(bundle)))
    assert len(loaded.analyse([("en", "London")])[0].spans) == 1


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["B-PER", "I-PER", "I-PER", "B-PER"], ["B-PER", "I-PER", "E-PER", "S-PER"]),
        (["O", "B-LOC", "O", "B-ORG", "I-ORG"], ["O", "S-LOC", "O", "B-ORG", "E-ORG"]),
        ([], []),
    ],
)
def test_bio_becomes_bioes(tags: list[str], expected: list[str]) -> None:
    """The last and the only word of a mention get marks of their own."""
    from worker.nlp.processors import bioes

    assert bioes(tags) == expected


def test_a_file_that_no_checksum_covers_is_not_loaded(tmp_path: Path, bundle: Path) -> None:
    """A card that does not name the network says nothing about what lies there."""
    for name in tagger.FILES:
        (tmp_path / name).write_bytes((bundle / name).read_bytes())
    card = json.loads((bundle / "card.json").read_bytes())
    del card["files"]["model.onnx"]
    (tmp_path / "card.json").write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(ModelError, match=r"incomplete: no sha256 of model\.onnx"):
        pipeline.load(Settings(models=str(tmp_path)))
