"""Stanza's own models: the small ones of tests/data/stanza, through the real Stanza."""

import hashlib
import json
import pickle
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.enrich.analysis import Span
from worker.errors import ModelError
from worker.nlp import official, pipeline
from worker.nlp.official import Official
from worker.settings import Settings

STANZA = Path(__file__).parents[2] / "data" / "stanza"
ARABIC = "وصل الوزير أنتوني بلينكن إلى القاهرة يوم الأحد. والتقى بلينكن وفدا من الأمم المتحدة."
PERSIAN = "رئیس‌جمهور روز شنبه در تهران با علی باقری دیدار کرد. او به ترکیه می‌رود."


@pytest.fixture(scope="module")
def analyser() -> Iterator[Official]:
    """The small models, loaded and used with every socket refused."""

    def refused(*_: object, **__: object) -> None:
        message = "the network was used"
        raise AssertionError(message)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "socket", refused)
        patch.setattr(socket, "getaddrinfo", refused)
        loaded = pipeline.load(Settings(models=str(STANZA)))
        assert isinstance(loaded, Official)
        yield loaded


@pytest.mark.parametrize(("language", "text"), [("ar", ARABIC), ("fa", PERSIAN)])
def test_plain_stanza_loads_these_models(language: str, text: str) -> None:
    """They are what anybody's Stanza takes, with no pretrain file and no network; together at most 12 MB."""
    import stanza

    plain = stanza.Pipeline(language, dir=str(STANZA), processors="tokenize,ner", download_method=None, logging_level="ERROR")
    ents = plain(text).ents
    assert ents
    assert all(text[ent.start_char : ent.end_char] == ent.text for ent in ents)
    assert sum(file.stat().st_size for file in STANZA.rglob("*.pt")) <= 12_000_000


def found(text: str, spans: list[Span]) -> list[tuple[str, str]]:
    """Mentions as (text, type)."""
    return [(text[span.start : span.end], span.type) for span in spans]


def test_both_languages_find_their_names_in_one_batch(analyser: Official) -> None:
    """Mixed texts keep their order, their offsets and their sentences."""
    analyses = analyser.analyse([("ar", ARABIC), ("fa", PERSIAN), ("ar", "")])
    assert {("أنتوني بلينكن", "PER"), ("القاهرة", "LOC"), ("بلينكن", "PER"), ("الأمم المتحدة", "ORG")} <= set(
        found(ARABIC, analyses[0].spans)
    )
    assert {("تهران", "LOC"), ("علی باقری", "PER"), ("ترکیه", "LOC")} <= set(found(PERSIAN, analyses[1].spans))
    assert [ARABIC[start:end] for start, end in analyses[0].sentences] == [part + "." for part in ARABIC[:-1].split(". ")]
    assert (analyses[2].sentences, analyses[2].spans) == ([], [])


def test_neighbours_do_not_matter(analyser: Official) -> None:
    """A text's analysis alone is its analysis among others, and the second time the same."""
    texts = [("ar", ARABIC), ("fa", PERSIAN), ("ar", ARABIC[::-1]), ("ar", ARABIC * 40)]
    together = analyser.analyse(texts)
    assert analyser.analyse(list(reversed(texts))) == together[::-1]
    assert [analyser.analyse([text])[0] for text in texts] == together


def test_offsets_hold_around_what_stanza_rewrites(analyser: Official) -> None:
    """Tabs, runs of spaces, newlines, controls and marks of direction before and inside do not move a mention."""
    text = "\ufeff\u202b  \t\x07وصل   أنتوني\u00a0\u00a0بلينكن\u200f\r\n\r\n إلى\x85القاهرة\u202c ."
    spans = analyser.analyse([("ar", text)])[0].spans
    assert ("القاهرة", "LOC") in found(text, spans)
    assert any(mention.startswith("أنتوني") for mention, _ in found(text, spans))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(st.sampled_from([*ARABIC.split(), *PERSIAN.split(), "\n", "\x00", "<PAD>"]), st.text(max_size=5)), max_size=25))
def test_no_text_breaks_it_and_offsets_hold(analyser: Official, parts: list[str]) -> None:
    """Sentences and mentions of any text are in order and lie inside it."""
    text = " ".join(parts)
    analysis = analyser.analyse([("fa", text)])[0]
    assert blocks_in_order(analysis.sentences, len(text))
    assert blocks_in_order([(span.start, span.end) for span in analysis.spans], len(text))


def blocks_in_order(blocks: list[tuple[int, int]], length: int) -> bool:
    """Whether (start, end) pairs are ascending, not empty, do not overlap and end before ``length``."""
    edges = [0, *(edge for block in blocks for edge in block), length]
    return edges == sorted(edges) and all(start < end for start, end in blocks)


@pytest.mark.parametrize("run", ["ب" * 50_000, "ab.cd@" * 8_000, "!" * 50_000, "َ" * 50_000, '"a' * 25_000])
def test_absurd_runs_cost_no_time_and_hide_nothing(analyser: Official, run: str) -> None:
    """50,000 letters without a space: the text around them is read, in a moment."""
    analyser.analyse([("ar", ARABIC)])  # loaded before the clock starts
    text = f"{ARABIC} {run} {ARABIC}"
    began = time.process_time()
    spans = analyser.analyse([("ar", text)])[0].spans
    assert time.process_time() - began < 5
    assert [mention for mention, _ in found(text, spans)].count("أنتوني بلينكن") == 2


def test_long_texts_are_cut_into_bounded_pieces() -> None:
    """Pieces are bounded, lose nothing but white space, and are cut between sentences where there are any."""
    text = "\n" + (ARABIC + " ") * 500 + "كلمة " * 3_000 + "ب" * 9_000
    cuts = list(official.pieces(text))
    assert all(0 < end - start <= official.PIECE for start, end in cuts)
    assert "".join(text[start:end] for start, end in cuts).replace(" ", "") == text.replace(" ", "").strip()
    assert text[cuts[0][1] - 1] == "."


def test_blanking_keeps_every_offset() -> None:
    """The text handed to Stanza is as long as the text received."""
    text = "a\x00b\u202bc " + "x" * 400 + "\r\n" + "?" * 100
    assert len(official.blanked(text)) == len(text)
    assert official.blanked(text).split() == ["a", "b", "c"]
    assert official.blanked(ARABIC + PERSIAN) == ARABIC + PERSIAN


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("GPE", "LOC"),
        ("pers", "PER"),
        ("pro", "PRODUCT"),
        ("EVENT", "EVENT"),
        ("FACILITY", "FAC"),
        ("Organization", "ORG"),
        ("NORP", "MISC"),
        ("LOCderiv", "LOC"),
        ("GPE_ORG", "ORG"),
        ("persName", "PER"),
        ("NEW_IN_A_LATER_PACKAGE", "MISC"),
        ("DATE", None),
        ("CARDINAL", None),
    ],
)
def test_types_become_ours(theirs: str, ours: str | None) -> None:
    """Every corpus has its own names for the same things; dates and numbers are no entities."""
    assert official.unified(theirs) == ours


def test_words_given_are_tagged_in_our_types(analyser: Official) -> None:
    """Empty sentences and documents keep their places; mentions are valid BIO."""
    words = ["وصل", "الوزير", "أنتوني", "بلينكن", "إلى", "القاهرة", "."]
    tags = analyser.tag([[words, []], []], language="ar")
    assert tags == [[["O", "O", "B-PER", "I-PER", "O", "B-LOC", "O"], []], []]


def test_what_took_part_is_named(analyser: Official) -> None:
    """A row a language; a language that is not there is not supported, and asking for it is one line."""
    assert [(model.name, model.version) for model in analyser.models] == [("stanza-ar-news", "own"), ("stanza-fa-news", "own")]
    assert analyser.models_for("fa") == (analyser.models[1],)
    assert analyser.models_for("de") == ()
    assert analyser.by_language == dict(zip(("ar", "fa"), analyser.models, strict=True))
    assert not analyser.supports("de")
    with pytest.raises(ModelError, match="khabar models pull de"):
        analyser.tag([[["x"]]], language="de")


class Payload:
    """Unpickled, it would write a file."""

    def __init__(self, marker: Path) -> None:
        """Remember which."""
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        """What pickle would call."""
        return Path.touch, (self.marker,)


def hostile(tmp_path: Path, *, honest_md5: bool) -> tuple[Path, Path]:
    """A copy of the models whose Arabic tagger is a pickle that runs code, and the file that it would write."""
    directory, marker = tmp_path / "models", tmp_path / "marker"
    shutil.copytree(STANZA, directory, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    file = directory / "ar" / "ner" / "news.pt"
    file.write_bytes(pickle.dumps(Payload(marker)))
    if honest_md5:
        listing = json.loads((directory / "resources.json").read_bytes())
        listing["ar"]["ner"]["news"]["md5"] = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
        (directory / "resources.json").write_text(json.dumps(listing), encoding="utf-8")
    return directory, marker


def test_a_file_that_differs_is_not_read(tmp_path: Path) -> None:
    """The checksum is compared first."""
    directory, marker = hostile(tmp_path, honest_md5=False)
    with pytest.raises(ModelError, match="MD5 is"):
        pipeline.load(Settings(models=str(directory)))
    assert not marker.exists()


def test_a_pickle_that_matches_its_checksum_runs_nothing(tmp_path: Path) -> None:
    """Stanza reads weights only: a listing that vouches for code does not get it run."""
    directory, marker = hostile(tmp_path, honest_md5=True)
    with pytest.raises(ModelError, match="Stanza cannot load") as raised:
        pipeline.load(Settings(models=str(directory)))
    assert "\n" not in str(raised.value)
    assert not marker.exists()


def test_many_languages_are_loaded_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit a language is loaded at its first article: the broken one harms no other."""
    monkeypatch.setattr(official, "AT_START", 1)
    directory, marker = hostile(tmp_path, honest_md5=True)
    loaded = pipeline.load(Settings(models=str(directory)))
    assert ("تهران", "LOC") in found(PERSIAN, loaded.analyse([("fa", PERSIAN)])[0].spans)
    with pytest.raises(ModelError, match="Stanza cannot load"):
        loaded.analyse([("ar", ARABIC)])
    assert not marker.exists()


def test_what_changes_before_a_late_language_is_loaded_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No article is marked with the sha256 of files that are no longer there, and none is blamed: the pool starts anew."""
    monkeypatch.setattr(official, "AT_START", 0)
    directory = tmp_path / "models"
    shutil.copytree(STANZA, directory, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    loaded = pipeline.load(Settings(models=str(directory)))
    assert loaded.analyse([("fa", PERSIAN)])[0].spans
    (directory / "ar" / "ner" / "news.pt").write_bytes(b"another model")
    (directory / "fa" / "ner" / "news.pt").write_bytes(b"another model")
    with pytest.raises(SystemExit, match="'ar' have changed since they were verified"):
        loaded.analyse([("ar", ARABIC)])
    assert loaded.analyse([("fa", PERSIAN)])[0].spans, "what is loaded stays as it was"


def test_a_link_that_moves_changes_nothing_that_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory behind the link counts, also for a language that is loaded later."""
    monkeypatch.setattr(official, "AT_START", 0)
    link = tmp_path / "current"
    link.symlink_to(STANZA)
    loaded = pipeline.load(Settings(models=str(link)))
    link.unlink()
    link.symlink_to(tmp_path)
    assert ("تهران", "LOC") in found(PERSIAN, loaded.analyse([("fa", PERSIAN)])[0].spans)


def test_a_directory_without_a_usable_language_is_refused(tmp_path: Path) -> None:
    """A tokenizer alone finds no names."""
    (tmp_path / "resources.json").write_text('{"ar": {"lang_name": "Arabic"}}', encoding="utf-8")
    with pytest.raises(ModelError, match="no language there has both"):
        pipeline.load(Settings(models=str(tmp_path)))
