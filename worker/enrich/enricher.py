"""The order of the stages: language, entities, summary; many articles at once."""

import time
from collections.abc import Sequence
from typing import Literal, NamedTuple

from worker.enrich import entities, language, summary
from worker.enrich.analysis import Analyser, Analysis, Span
from worker.enrich.segment import sentences
from worker.records import Entity, FieldName, Language, Model, RawArticle, Stage, Summary

StageName = Literal["language", "entities", "summary"]

_PARAGRAPH = "\n\n"
"""What keeps a title and its body apart: every splitter ends a sentence there."""


class Enrichment(NamedTuple):
    """What enrichment adds to an article.

    Args:
        language: the language of its text.
        entities: one row an entity, most salient first; none in a language without an entity model.
        summary: sentences that stand for it.
        stages: status and seconds of ``language``, ``entities`` and ``summary``.
    """

    language: Language
    entities: list[Entity]
    summary: Summary
    stages: dict[StageName, Stage]


class Enricher:
    """Enriches articles with one set of models. Deterministic but for the seconds; knows no Kafka."""

    def __init__(self, analyser: Analyser, *, summary_sentences: int, summary_characters: int) -> None:
        """Take the models as they are.

        Args:
            analyser: the models.
            summary_sentences: sentences of a summary at most.
            summary_characters: code points of a summary at most.
        """
        self._analyser = analyser
        self._summary_sentences = summary_sentences
        self._summary_characters = summary_characters

    def models_for(self, language: str) -> Sequence[Model]:
        """What stands in the provenance of an article in that language."""
        return self._analyser.models_for(language)

    def enrich(self, articles: Sequence[RawArticle]) -> list[Enrichment]:
        """Enrich articles, in their order; the models see all of them in one call."""
        languages: list[tuple[Language, float]] = []
        for article in articles:
            started = time.perf_counter()
            found = language.detect(article.body, title=article.title, hint=article.language)
            languages.append((found, time.perf_counter() - started))
        analyses, seconds = self._analyse(articles, [found for found, _ in languages])
        return [
            self._finish(article, found, language_seconds, by_field, shared)
            for article, (found, language_seconds), by_field, shared in zip(articles, languages, analyses, seconds, strict=True)
        ]

    def _analyse(
        self, articles: Sequence[RawArticle], languages: Sequence[Language]
    ) -> tuple[list[dict[FieldName, Analysis]], list[float]]:
        """Analyse the articles of supported languages in one call; its seconds are shared out by length.

        A title is read as the first paragraph of its body: alone, a headline tells a model little, and its names help the body.
        """
        places = [index for index, found in enumerate(languages) if self._analyser.supports(found.code)]
        texts = [(languages[index].code, _PARAGRAPH.join(_fields(articles[index]).values())) for index in places]
        started = time.perf_counter()
        analyses = self._analyser.analyse(texts) if texts else []
        spent = time.perf_counter() - started
        letters = sum(len(text) for _, text in texts)
        by_article: list[dict[FieldName, Analysis]] = [{} for _ in articles]
        seconds = [0.0] * len(articles)
        for index, (_, text), analysis in zip(places, texts, analyses, strict=True):
            by_article[index] = _apart(analysis, _fields(articles[index]))
            seconds[index] = spent * len(text) / letters
        return by_article, seconds

    def _finish(
        self, article: RawArticle, found: Language, language_seconds: float, analyses: dict[FieldName, Analysis], shared: float
    ) -> Enrichment:
        """Entities and summary of one article."""
        started = time.perf_counter()
        spans = {field: analysis.spans for field, analysis in analyses.items()}
        named = entities.build(_fields(article), spans, language=found.code) if analyses else []
        built = time.perf_counter()
        chosen = summary.summarise(
            article.body,
            analyses["body"].sentences if analyses else sentences(article.body),
            title=article.title,
            max_sentences=self._summary_sentences,
            max_characters=self._summary_characters,
        )
        stages: dict[StageName, Stage] = {
            "language": Stage(status="ok", seconds=_rounded(language_seconds)),
            "entities": Stage(status="ok" if analyses else "unsupported_language", seconds=_rounded(shared + built - started)),
            "summary": Stage(status="ok", seconds=_rounded(time.perf_counter() - built)),
        }
        return Enrichment(language=found, entities=named, summary=chosen, stages=stages)


def _fields(article: RawArticle) -> dict[FieldName, str]:
    """The texts of an article, in the order they are read in; a blank title is none."""
    title = article.title if article.title and not article.title.isspace() else None
    return {"title": title, "body": article.body} if title else {"body": article.body}


def _apart(analysis: Analysis, fields: dict[FieldName, str]) -> dict[FieldName, Analysis]:
    """The analysis of each field, in code points of the field, out of the one of all; what reaches across is cut."""
    found: dict[FieldName, Analysis] = {}
    start = 0
    for field, text in fields.items():
        end = start + len(text)
        inside = [(max(left, start) - start, min(right, end) - start) for left, right in analysis.sentences if left < end and right > start]
        spans = [
            Span(start=span.start - start, end=min(span.end, end) - start, type=span.type)
            for span in analysis.spans
            if start <= span.start < end
        ]
        found[field] = Analysis(sentences=inside, spans=spans)
        start = end + len(_PARAGRAPH)
    return found


def _rounded(seconds: float) -> float:
    """Whole microseconds."""
    return round(max(seconds, 0.0), 6)
