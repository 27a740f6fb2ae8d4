"""The figures: entities by type and hard case, languages by code, summaries by key sentence. Fractions of 1."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from tests.quality import data
from tests.quality.baselines import BASELINES, choose
from worker.enrich.language import detect
from worker.enrich.segment import sentences as split
from worker.enrich.summary import summarise
from worker.nlp.evaluate import evaluate, rates
from worker.nlp.pipeline import Models
from worker.settings import Settings

OURS = "ours"

Spans = Sequence[tuple[int, int]]


class Overlap(Struct, frozen=True):
    """How well chosen stretches cover the key sentences, averaged over articles.

    Args:
        precision: of what was chosen, how much is key.
        recall: of what is key, how much was chosen.
        f1: the mean of the articles' own F1, not the F1 of the means.
    """

    precision: float
    recall: float
    f1: float


class Summaries(Struct, frozen=True):
    """One method's figures: whole sentences, and code points (kinder to a sentence that was split elsewhere)."""

    sentences: Overlap
    characters: Overlap


def entities(models: Models, language: str) -> dict[str, Any]:
    """Exact-span figures of `worker.nlp.evaluate` (each sentence tagged alone), with ``cases``: hard case to its rates."""
    sentences = data.sentences(language)
    found = models.tag([[words] for words, _ in sentences], language=language)
    numbers = {"": range(1, len(sentences) + 1), **data.cases(language)}
    figures = {case: _scored(sentences, found, chosen, language) for case, chosen in numbers.items()}
    overall = figures.pop("")
    return {**overall, "cases": {case: figure["overall"] for case, figure in figures.items()}}


def languages() -> dict[str, Counter[str]]:
    """For each language of the headlines, what they were taken for and how often."""
    taken: dict[str, Counter[str]] = {}
    for code, headline in data.headlines():
        taken.setdefault(code, Counter())[detect(headline).code] += 1
    return taken


def accuracy(code: str, taken: Counter[str]) -> float:
    """Share of the headlines of a language that were taken for it."""
    return taken[code] / taken.total()


def summaries(language: str) -> dict[str, Summaries]:
    """Ours and the baselines on the articles of a language, under the worker's default budget."""
    articles = data.articles(language)
    return {
        method: Summaries(
            sentences=_mean([_by_sentence(chosen(method, article), article.key) for article in articles]),
            characters=_mean([_by_character(chosen(method, article), article.key) for article in articles]),
        )
        for method in (OURS, *BASELINES)
    }


def chosen(method: str, article: data.Article) -> Spans:
    """(start, end) of the sentences that a method takes."""
    settings = Settings()
    spans = split(article.body)
    limits = {"max_sentences": settings.summary_sentences, "max_characters": settings.summary_characters}
    if method == OURS:
        summary = summarise(article.body, spans, title=article.title, **limits)
        return [(sentence.start, sentence.end) for sentence in summary.sentences if sentence.field == "body"]
    texts = [article.body[start:end] for start, end in spans]
    return [spans[index] for index in choose(texts, BASELINES[method](texts), **limits)]


def _scored(
    sentences: Sequence[tuple[list[str], list[str]]], found: list[list[list[str]]], numbers: Sequence[int], language: str
) -> dict[str, Any]:
    """The figures of some of the sentences, by the tags that were found for them."""
    return evaluate([sentences[number - 1] for number in numbers], lambda _: [found[number - 1] for number in numbers], language=language)


def _by_sentence(spans: Spans, key: Spans) -> Overlap:
    return _overlap(len(set(spans) & set(key)), len(spans), len(key))


def _by_character(spans: Spans, key: Spans) -> Overlap:
    points, wanted = ({point for span in stretch for point in range(*span)} for stretch in (spans, key))
    return _overlap(len(points & wanted), len(points), len(wanted))


def _overlap(right: int, predicted: int, support: int) -> Overlap:
    figures = rates(right, predicted, support)
    return Overlap(precision=figures["precision"], recall=figures["recall"], f1=figures["f1"])


def _mean(overlaps: Sequence[Overlap]) -> Overlap:
    size = len(overlaps)
    return Overlap(
        precision=sum(overlap.precision for overlap in overlaps) / size,
        recall=sum(overlap.recall for overlap in overlaps) / size,
        f1=sum(overlap.f1 for overlap in overlaps) / size,
    )
