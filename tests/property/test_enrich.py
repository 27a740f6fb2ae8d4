"""What holds for any Unicode text whatever, with arbitrary spans and with the models that ship."""

import json
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.property import strategies as texts
from tests.unit.enrich.fakes import Anything
from worker.enrich.analysis import Analyser
from worker.enrich.enricher import Enricher
from worker.enrich.job import Done, Job, run
from worker.enrich.segment import MAX_WORD, sentences, words
from worker.enrich.text import fold, folded
from worker.errors import ModelError
from worker.records import RawArticle
from worker.settings import Settings

SCHEMA = Path(__file__).parents[2] / "schemas" / "enriched-article.v1.json"
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
ARTICLES = st.builds(RawArticle, body=texts.BODIES, title=texts.TITLES, language=texts.HINTS)


@cache
def validator() -> jsonschema.Draft202012Validator:
    """The independent validator of the published schema."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@cache
def shipped(models: str) -> Analyser:
    """The models that ship."""
    from worker.nlp import pipeline

    try:
        return pipeline.load(Settings(models=models, processes=1))
    except ModelError as error:
        pytest.skip(str(error))


def check(articles: list[RawArticle], analyser: Analyser) -> None:
    """Run articles through the whole enricher; everything that must always hold does."""
    jobs = [
        Job(value=json.dumps({"body": one.body, "title": one.title, "language": one.language}).encode(), key=b"k", headers=[], topic="t",
            partition=0, offset=index, timestamp_ms=index)
        for index, one in enumerate(articles)
    ]  # fmt: skip
    for one, result in zip(
        articles, run(jobs, enricher=Enricher(analyser, summary_sentences=3, summary_characters=400), settings=Settings()), strict=True
    ):
        assert isinstance(result, Done), result
        record = json.loads(result.value)
        validator().validate(record)
        check_offsets(record)
        assert record["article"]["body"] == one.body


def check_offsets(record: dict[str, Any]) -> None:
    """Mentions and sentences are where they say, in order, apart from one another; salience is shared out whole."""
    article = record["article"]
    taken: dict[str, set[int]] = {"title": set(), "body": set()}
    for entity in record["entities"]:
        places = [(mention["field"] != "title", mention["start"]) for mention in entity["mentions"]]
        assert places == sorted(places)
        assert entity["name"] in {mention["text"] for mention in entity["mentions"]}
        for mention in entity["mentions"]:
            points = set(range(mention["start"], mention["end"]))
            assert article[mention["field"]][mention["start"] : mention["end"]] == mention["text"]
            assert mention["text"].strip() == mention["text"] != ""
            assert not points & taken[mention["field"]]
            taken[mention["field"]] |= points
    shares = [entity["salience"] for entity in record["entities"]]
    assert shares == sorted(shares, reverse=True)
    assert not shares or sum(round(share * 1_000_000) for share in shares) == 1_000_000
    assert [entity["id"] for entity in record["entities"]] == [f"e{number}" for number in range(1, len(shares) + 1)]
    chosen = record["summary"]["sentences"]
    assert record["summary"]["text"] == " ".join(article[one["field"]][one["start"] : one["end"]] for one in chosen)
    assert all(before["end"] <= after["start"] for before, after in pairwise(chosen))


@RELAXED
@given(st.lists(ARTICLES, min_size=1, max_size=3))
def test_arbitrary_spans(articles: list[RawArticle]) -> None:
    """Whatever the models tag in whatever text, the record is valid and every offset is exact."""
    check(articles, Anything())


@pytest.mark.parametrize("models", ["fast", "accurate"])
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(articles=st.lists(ARTICLES, min_size=1, max_size=3))
def test_shipped_models(models: str, articles: list[RawArticle]) -> None:
    """The same with the models that ship."""
    check(articles, shipped(models))


@RELAXED
@given(st.lists(ARTICLES, min_size=1, max_size=4))
def test_deterministic(articles: list[RawArticle]) -> None:
    """An article's enrichment does not depend on when it is made or beside which others."""
    enricher = Enricher(Anything(), summary_sentences=3, summary_characters=400)
    together = [found[:3] for found in enricher.enrich(articles)]
    assert together == [enricher.enrich([article])[0][:3] for article in articles]


@RELAXED
@given(texts.TEXTS)
def test_segments_cover_the_text(text: str) -> None:
    """Sentences hold everything but white space; words stand in order inside them and are never too long."""
    spans = sentences(text)
    assert "".join("".join(text[start:end] for start, end in spans).split()) == "".join(text.split())
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    for start, end in spans:
        assert text[start:end].strip() == text[start:end] != ""
        pieces = words(text, start, end)
        assert all(start <= left < right <= end and right - left <= MAX_WORD for left, right in pieces)
        assert all(before[1] <= after[0] for before, after in pairwise(pieces))
        covered = {point for left, right in pieces for point in range(left, right)}
        assert all(point in covered for point in range(start, end) if text[point].isalnum())


@RELAXED
@given(texts.TEXTS)
def test_folding(text: str) -> None:
    """Folding again changes nothing; the way back leads to each letter in order."""
    spelled = folded(text)
    assert spelled.text == fold(text) == fold(fold(text))
    assert len(spelled.offsets) == len(spelled.text) + 1
    assert spelled.offsets == sorted(spelled.offsets)
    assert all(letter in fold(text[offset]) for letter, offset in zip(spelled.text, spelled.offsets, strict=False))
