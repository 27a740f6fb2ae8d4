"""Fixtures for every kind of test."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from worker.records import (
    DeadLetter,
    EnrichedArticle,
    Entity,
    Language,
    Mention,
    Model,
    Provenance,
    Source,
    Stage,
    Summary,
    SummarySentence,
)

Build = Callable[..., bytes]


def mentions(texts: dict[str, str], name: str) -> list[Mention]:
    """Every place where a name stands, title first."""
    found = []
    for field in ("title", "body"):
        text, at = texts.get(field, ""), 0
        while (start := text.find(name, at)) >= 0:
            at = start + len(name)
            found.append(Mention(field=field, start=start, end=at, text=name))
    return found


@pytest.fixture
def enriched() -> Build:
    """Builds the JSON of an enriched article by hand: texts, and names with their types."""

    def build(article: dict[str, Any], *, names: dict[str, str] | None = None, **options: Any) -> bytes:  # noqa: ANN401 - options of several types
        code, direction = options.get("language", "en"), options.get("direction", "ltr")
        entities = [
            Entity(id=f"e{number}", name=name, type=kind, salience=0.5, mentions=mentions(article, name))  # type: ignore[arg-type]
            for number, (name, kind) in enumerate((names or {}).items(), start=1)
        ]
        summary = options.get("summary", "")
        start = article.get("body", "").find(summary)
        status = options.get("status", "ok")
        seconds = {"language": Stage("ok", 0.0001), "entities": Stage(status, 0.02), "summary": Stage("ok", 0.001)}
        return msgspec.json.encode(
            EnrichedArticle(
                schema="enriched-article/1",
                id=options.get("id", article.get("id", "a-1")),
                article=msgspec.Raw(msgspec.json.encode(article)),
                language=Language(code, 0.0 if code == "und" else 0.99, "Arab" if direction == "rtl" else "Latn", direction),
                entities=entities,
                summary=Summary(summary, "test", [SummarySentence("body", start, start + len(summary))] if summary else []),
                provenance=Provenance(
                    worker="khabar test",
                    enriched_at="2026-03-04T08:10:00Z",
                    source=Source("articles.raw", options.get("partition", 0), options.get("offset", 0), "2026-03-04T08:09:59Z"),
                    models=[Model("entities", "test-model", "1", "0" * 64)],
                    stages=seconds,  # type: ignore[arg-type]  # the three stages
                ),
            )
        )

    return build


@pytest.fixture
def dead_letter() -> Build:
    """Builds the JSON of a dead letter by hand."""

    def build(**options: Any) -> bytes:  # noqa: ANN401 - options of several types
        row: dict[str, Any] = {
            "schema": "dead-letter/1",
            "reason": "invalid_json",
            "stage": "decode",
            "error": "not JSON at byte 1",
            "value": "e25v",
            "key": None,
            "headers": [],
            "source": {"topic": "articles.raw", "partition": 0, "offset": 3, "timestamp": None},
            "worker": "khabar test",
            "failed_at": "2026-03-04T08:10:00Z",
            "attempts": 1,
        }
        return msgspec.json.encode(msgspec.convert(row | options, DeadLetter))

    return build
