"""The bare enricher: articles to finished records without Kafka, on as many processes as asked, and a tagger alone."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from worker.enrich.job import Done, Job
from worker.enrich.segment import sentences, words
from worker.settings import Settings
from worker.stream.pool import Pool


def articles_per_second(settings: Settings, values: Sequence[bytes]) -> float:
    """Articles a second of the pool alone; a first round over a few articles warms it up."""
    return asyncio.run(_through_pool(settings, values))


async def _through_pool(settings: Settings, values: Sequence[bytes]) -> float:
    pool = Pool(settings)
    await pool.start()
    try:
        jobs = [
            Job(value=value, key=None, headers=[], topic="bench", partition=0, offset=at, timestamp_ms=0) for at, value in enumerate(values)
        ]
        await asyncio.gather(*(pool.run(job) for job in jobs[: len(jobs) // 5]))
        start = time.perf_counter()
        outcomes = await asyncio.gather(*(pool.run(job) for job in jobs))
        seconds = time.perf_counter() - start
    finally:
        await pool.stop()
    if not all(isinstance(outcome.result, Done) for outcome in outcomes):
        message = "an article failed"
        raise RuntimeError(message)
    return len(jobs) / seconds


def words_per_second(directory: Path, bodies: Sequence[str]) -> tuple[float, float]:
    """Words a second of the tagger alone on one thread, in bulk, processor time; and the pieces a word has on average."""
    from worker.nlp.pieces import Pieces
    from worker.nlp.tagger import Tagger

    tagger = Tagger.load(directory)
    documents = [[[body[left:right] for left, right in words(body, *span)] for span in sentences(body)] for body in bodies]
    tagger.tag(documents[: len(documents) // 10])
    start = time.process_time()
    tagger.tag(documents)
    seconds = time.process_time() - start
    with np.load(directory / "pieces.npz", allow_pickle=False) as arrays:
        spell = Pieces(arrays["text"].tobytes().decode().split("\n"), arrays["scores"].tolist()).spell
    lengths = [len(spell(word)) for document in documents for sentence in document for word in sentence]
    return len(lengths) / seconds, sum(lengths) / len(lengths)
