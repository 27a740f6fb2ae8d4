"""The floors: no model, detector or summary that ships may fall below what was measured when they were pinned."""

from functools import cache

import pytest

from tests.quality import data, measure
from tests.quality.baselines import BASELINES
from worker.enrich.segment import sentences as split
from worker.nlp import models
from worker.nlp.pipeline import Models, load
from worker.settings import Settings

CODES = ("ar", "fa", "en", "ur", "ps", "ckb", "tr", "he")
TERMINATORS = ".!?؟…"
CASES = {
    "unseen_names", "foreign_names", "titles", "organisations", "organisations_with_places",
    "countries_as_agents", "colons_and_quotes", "bylines", "lists",
}  # fmt: skip
"""What is hard in every language."""


@cache
def bundled(name: str) -> Models:
    """A bundled model, loaded once."""
    return load(Settings(models=name))


@pytest.fixture(params=models.BUNDLES)
def name(request: pytest.FixtureRequest) -> str:
    """Each model that ships."""
    bundle = str(request.param)
    if not models.is_bundle(models.BUNDLED / bundle) and bundle not in data.floors()["entities"]:
        pytest.skip(f"the model {bundle!r} is not there and has no floor yet: khabar models train")
    return bundle


def test_the_data_is_what_the_floors_were_measured_on() -> None:
    """Data that changed must be measured and pinned again."""
    assert data.digest() == data.pinned_digest()


@pytest.mark.parametrize("language", data.LANGUAGES)
def test_entities_reach_their_floor(name: str, language: str) -> None:
    """Exact spans of persons, places and organisations."""
    figures = measure.entities(bundled(name), language)
    assert figures["overall"]["f1"] >= data.floors()["entities"][name][language]


@pytest.mark.parametrize("code", CODES)
def test_languages_reach_their_floor(code: str) -> None:
    """Headlines of a language are taken for that language."""
    taken = measure.languages()[code]
    assert measure.accuracy(code, taken) >= data.floors()["languages"][code], taken


@pytest.mark.parametrize("language", data.LANGUAGES)
def test_summaries_reach_their_floor(language: str) -> None:
    """Summaries hold the key sentences."""
    ours = measure.summaries(language)[measure.OURS]
    floor = data.floors()["summaries"][language]
    assert ours.sentences.f1 >= floor["sentences"]
    assert ours.characters.f1 >= floor["characters"]


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize("language", data.LANGUAGES)
def test_summaries_beat_the_baselines(language: str, baseline: str) -> None:
    """Ours covers more of the key sentences than a textbook method under the same budget."""
    figures = measure.summaries(language)
    assert figures[measure.OURS].characters.f1 > figures[baseline].characters.f1


@pytest.mark.parametrize("language", data.LANGUAGES)
def test_the_tagged_sentences_are_sound(language: str) -> None:
    """Enough sentences, none twice, valid BIO, and an index that points at sentences with names."""
    sentences = data.sentences(language)
    assert len(sentences) >= 150
    assert len({" ".join(words) for words, _ in sentences}) == len(sentences)
    for words, tags in sentences:
        for before, tag in zip(["O", *tags], tags, strict=False):
            assert tag == "O" or tag[2:] in {"PER", "LOC", "ORG", "MISC"}, words
            assert not tag.startswith("I-") or before[2:] == tag[2:], words
    cases = data.cases(language)
    assert set(cases) == CASES | {"ar": {"clitics"}, "fa": {"lost_zero_width_non_joiners"}}.get(language, set())
    for case, numbers in cases.items():
        assert len(numbers) >= 10, case
        assert all(set(sentences[number - 1][1]) != {"O"} for number in numbers), case


def test_the_headlines_are_sound() -> None:
    """A hundred a language, 3 to 12 words, none twice."""
    headlines = data.headlines()
    assert len({headline for _, headline in headlines}) == len(headlines)
    assert {code for code, _ in headlines} == set(CODES)
    for code in CODES:
        assert sum(code == other for other, _ in headlines) >= 100, code
    assert all(3 <= len(headline.split()) <= 12 for _, headline in headlines)


@pytest.mark.parametrize("language", data.LANGUAGES)
def test_the_articles_are_sound(language: str) -> None:
    """Thirty articles of 8 to 20 sentences, key sentences whole, and in a third of them the first is not key."""
    articles = data.articles(language)
    assert len({article.id for article in articles}) == len(articles) >= 30
    assert sum(article.key[0][0] > 0 for article in articles) * 3 >= len(articles)
    for article in articles:
        assert 8 <= len(split(article.body)) <= 20, article.id
        assert 2 <= len(article.key) <= 3, article.id
        for start, end in article.key:
            assert start == 0 or article.body[start - 1].isspace(), article.id
            assert end == len(article.body) or article.body[end].isspace(), article.id
            assert article.body[start:end].rstrip("»”\"'")[-1] in TERMINATORS, article.id
