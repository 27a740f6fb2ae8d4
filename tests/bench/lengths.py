"""Processor time of one enricher against article length and against the mix of languages, by stage."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from tests.bench.articles import LANGUAGES, Article, of_length
from tests.bench.bare import jobs_of
from worker.enrich import job
from worker.enrich.enricher import Enricher
from worker.enrich.job import Done, Job
from worker.nlp import pipeline
from worker.settings import Settings
from worker.stream.pool import BATCH_BYTES

LENGTHS = (200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000)
"""Code points of a body."""
FOREIGN = "Der Bürgermeister sagte am Dienstag, die Brücke werde im Herbst wieder geöffnet. "
"""A language without an entity model: what the rest of the work costs."""

Loaded = Callable[[Sequence[Job]], "Spent"]


class Spent(NamedTuple):
    """Of one batch.

    Args:
        seconds: processor time.
        stages: wall-clock seconds that the records themselves state, by stage.
    """

    seconds: float
    stages: Counter[str]


def enricher(models: str) -> Loaded:
    """Load what a pool process runs; it takes micro-batches of the pool's size."""
    settings = Settings(models=models, max_article_bytes=2**23)
    made = Enricher(pipeline.load(settings), summary_sentences=settings.summary_sentences, summary_characters=settings.summary_characters)

    def run(jobs: Sequence[Job]) -> Spent:
        stages: Counter[str] = Counter()
        start = time.process_time()
        for batch in micro_batches(jobs, articles=settings.batch_articles):
            for result in job.run(batch, enricher=made, settings=settings):
                if not isinstance(result, Done):
                    message = f"an article failed: {result}"
                    raise RuntimeError(message)  # noqa: TRY004 - no type of an argument is wrong
                stages.update(result.seconds)
        return Spent(time.process_time() - start, stages)

    return run


def micro_batches(jobs: Sequence[Job], *, articles: int) -> list[list[Job]]:
    """Batches as the pool makes them from a full queue."""
    made: list[list[Job]] = [[]]
    for one in jobs:
        full = len(made[-1]) == articles or sum(len(other.value) for other in made[-1]) + len(one.value) > BATCH_BYTES
        if made[-1] and full:
            made.append([])
        made[-1].append(one)
    return made


def against_length(source: Sequence[Article], *, models: str, characters: int, rounds: int) -> dict[str, Any]:
    """Nanoseconds a code point at each length, lengths taking turns.

    Args:
        source: where the sentences come from.
        models: ``KHABAR_MODELS``.
        characters: code points enriched at each length and round, at least one article.
        rounds: how often.
    """
    run = enricher(models)
    run(_jobs(source[:64]))
    counts = {length: max(characters // length, 1) for length in LENGTHS}
    spent: dict[int, list[float]] = {length: [] for length in LENGTHS}
    stages: dict[int, Counter[str]] = {length: Counter() for length in LENGTHS}
    for number in range(rounds):
        for length in LENGTHS[:: -1 if number % 2 else 1]:
            jobs = _jobs(of_length(source, characters=length, count=counts[length], seed=number))
            found = run(jobs)
            spent[length].append(found.seconds / (length * counts[length]) * 1e9)
            stages[length].update(found.stages)
    return {
        "models": models,
        "rounds": rounds,
        "rows": [_row(length, spent[length], stages[length], counts[length] * rounds) for length in LENGTHS],
    }


def _row(length: int, spent: Sequence[float], stages: Counter[str], articles: int) -> dict[str, Any]:
    """One length: the least of the rounds is what the work itself needs, the rest is the neighbours'."""
    whole = sum(stages.values())
    shares = {stage: round(seconds / whole, 5) for stage, seconds in stages.items()}
    milliseconds = {stage: round(seconds / articles * 1e3, 4) for stage, seconds in stages.items()}
    return {
        "characters": length,
        "articles": articles,
        "nanoseconds_per_character": round(min(spent), 1),
        "all_rounds": [round(one, 1) for one in spent],
        "stage_shares": shares,
        "stage_milliseconds": milliseconds,
    }


def against_languages(sources: Mapping[str, Sequence[Article]], *, models: str, characters: int, rounds: int) -> dict[str, Any]:
    """Nanoseconds a code point of each language, of all mixed, and of one that the models do not know.

    Args:
        sources: articles by language.
        models: ``KHABAR_MODELS``.
        characters: code points enriched of each and round.
        rounds: how often.
    """
    run = enricher(models)
    count = max(characters // 2_000, 3)
    each = {name: of_length(sources[name], characters=2_000, count=count) for name in LANGUAGES}
    contests = {name: _jobs(articles) for name, articles in each.items()}
    contests["mixed"] = _jobs([article for trio in zip(*each.values(), strict=True) for article in trio][:count])
    contests["other"] = _jobs([{"id": f"de-{number}", "body": FOREIGN * (2_000 // len(FOREIGN))} for number in range(count)])
    run([jobs[0] for jobs in contests.values()])
    spent: dict[str, list[float]] = {name: [] for name in contests}
    for number in range(rounds):
        for name in list(contests)[:: -1 if number % 2 else 1]:
            spent[name].append(run(contests[name]).seconds / (count * 2_000) * 1e9)
    return {
        "models": models,
        "rounds": rounds,
        "rows": [{"language": name, "nanoseconds_per_character": round(min(found), 1)} for name, found in spent.items()],
    }


def _jobs(articles: Sequence[Article]) -> list[Job]:
    return jobs_of(list(map(msgspec.json.encode, articles)))
