"""The bare enricher: articles to finished records without Kafka, on as many processes as asked, and a tagger alone."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.stream import steady
from worker.enrich.job import Done, Job
from worker.enrich.segment import sentences, words
from worker.nlp.pieces import is_persian
from worker.settings import Settings
from worker.stream.pool import Pool

if TYPE_CHECKING:
    from worker.nlp.tagger import Document

WAITING = 384
"""Articles before the pool at once: what full lanes hold."""


def jobs_of(values: Sequence[bytes]) -> list[Job]:
    """Records of one partition."""
    return [
        Job(value=value, key=None, headers=[], topic="bench", partition=0, offset=at, timestamp_ms=0) for at, value in enumerate(values)
    ]


def articles_per_second(settings: Settings, values: Sequence[bytes]) -> float:
    """Articles a second of the pool alone, warm-up and end left out."""
    return steady(asyncio.run(_through_pool(settings, jobs_of(values))))


async def _through_pool(settings: Settings, jobs: Sequence[Job]) -> list[float]:
    """When each article was finished, in order."""
    pool = Pool(settings)
    await pool.start()
    room = asyncio.Semaphore(WAITING)
    finished: list[float] = []

    async def through(job: Job) -> None:
        async with room:
            outcome = await pool.run(job)
        finished.append(time.perf_counter())
        if not isinstance(outcome.result, Done):
            message = f"an article failed: {outcome.result}"
            raise RuntimeError(message)  # noqa: TRY004 - no type of an argument is wrong

    try:
        await asyncio.gather(*map(through, jobs))
    finally:
        await pool.stop()
    return finished


class Tagging:
    """One tagger on one thread; knows how many pieces a word has."""

    def __init__(self, directory: Path) -> None:
        """Load."""
        from worker.nlp.tagger import Tagger

        self._tagger = Tagger.load(directory)

    def words_per_second(self, bodies: Sequence[str]) -> tuple[float, float]:
        """Words a second of processor time, from words to tags; and the pieces a word has on average.

        Bodies that were not tagged before tell the truth: a word that was is spelled from the cache.
        """
        documents = [_words(body) for body in bodies]
        start = time.process_time()
        self._tagger.tag(documents)
        seconds = time.process_time() - start
        lengths = [length for document in documents for length in self._lengths(document)]
        return len(lengths) / seconds, sum(lengths) / len(lengths)

    def _lengths(self, document: "Document") -> list[int]:
        spell = self._tagger._pieces.spell  # noqa: SLF001 - the tagger's own spelling is what is counted
        persian = is_persian(word for sentence in document for word in sentence)
        return [len(spell(word, persian=persian)) for sentence in document for word in sentence]


def _words(body: str) -> list[list[str]]:
    return [[body[left:right] for left, right in words(body, *span)] for span in sentences(body)]
