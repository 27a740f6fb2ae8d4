"""Memory over a long run: one worker, articles without end, what each of its processes holds every few seconds."""

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from kafka import KafkaProducer

from tests.bench import broker, stream
from tests.bench.articles import Article, endless

RAW, OUTPUT = "soak.raw", "soak.enriched"
AHEAD = 1000
"""Articles kept waiting before the worker."""
SAMPLE_SECONDS = 5.0
SETTLING = 0.2
"""Share of the articles before the slope is taken: caches fill once."""
UNIT = 10_000
"""Articles that the slope is told for."""


class Plan(NamedTuple):
    """How much.

    Args:
        models: ``KHABAR_MODELS``.
        articles: in all.
        characters: of each.
    """

    models: str
    articles: int
    characters: int


class Sample(NamedTuple):
    """One look at the worker.

    Args:
        seconds: since its start.
        articles: outputs so far.
        resident: bytes of all its processes, shared pages once.
        apart: bytes of each process by itself, main process first.
    """

    seconds: float
    articles: int
    resident: int
    apart: list[int]


def soak(address: str, source: Sequence[Article], plan: Plan, *, file: Path, log: Path) -> dict[str, Any]:
    """Run a worker over so many articles; every sample is written at once, so that a run cut short is not lost.

    A further call goes on where the samples end, with a worker of its own: the slope is each run's, since memory that a
    restart gave back proves nothing.

    Args:
        address: of the broker.
        source: where the sentences come from.
        plan: how much.
        file: where the samples go, a JSON line each.
        log: where the worker's words go.
    """
    runs = read(file)
    left = plan.articles - sum(run[-1].articles for run in runs)
    if left > 0:
        broker.make_topics(address, RAW, bounded=True)
        contestant = stream.khabar(address, models=plan.models, source=RAW, name=OUTPUT)
        with file.open("a", encoding="utf-8") as kept:
            for sample in _run(address, contestant, endless(source, characters=plan.characters, seed=len(runs)), articles=left, log=log):
                kept.write(json.dumps([len(runs), *sample]) + "\n")
                kept.flush()
    return summary(read(file)) | {"models": plan.models, "characters": plan.characters}


def read(file: Path) -> list[list[Sample]]:
    """The samples of each run."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
    return [[Sample(*row[1:]) for row in rows if row[0] == run] for run in sorted({row[0] for row in rows})]


def summary(runs: Sequence[Sequence[Sample]]) -> dict[str, Any]:
    """Slope and peak of the longest run, and all its samples."""
    longest = max(runs, key=lambda run: run[-1].articles)
    slope = slope_per_unit(longest)
    settled = _settled(longest)
    return {
        "articles": sum(run[-1].articles for run in runs),
        "runs": len(runs),
        "longest_run_articles": longest[-1].articles,
        "resident_bytes": max(sample.resident for sample in longest),
        "slope_bytes_per_10000": round(slope),
        "slope_share_per_10000": round(slope / float(np.median([sample.resident for sample in settled])), 5),
        "rows": [sample._asdict() for sample in longest[:: max(len(longest) // 400, 1)]],
    }


def slope_per_unit(samples: Sequence[Sample]) -> float:
    """Bytes that memory grows by in 10,000 articles: the line of least squares after the caches have filled."""
    settled = _settled(samples)
    if len({sample.articles for sample in settled}) < 2:
        return 0.0
    line = np.polyfit([sample.articles / UNIT for sample in settled], [float(sample.resident) for sample in settled], 1)
    return float(line[0])


def _settled(samples: Sequence[Sample]) -> list[Sample]:
    return [sample for sample in samples if sample.articles >= SETTLING * samples[-1].articles]


def _run(address: str, contestant: stream.Contestant, coming: Iterator[Article], *, articles: int, log: Path) -> Iterator[Sample]:
    """Keep the worker fed, look at it every few seconds."""
    producer = KafkaProducer(bootstrap_servers=address, enable_idempotence=False, acks="all", linger_ms=20, compression_type="gzip")
    ends = broker.Ends(address)
    sent = outputs = 0
    with contextlib.closing(ends), contextlib.closing(producer), stream.running(contestant, log) as workers:
        started = time.monotonic()
        while outputs < articles:
            while sent < min(outputs + AHEAD, articles):
                article = next(coming)
                producer.send(RAW, key=article["id"].encode(), value=msgspec.json.encode(article))
                sent += 1
            time.sleep(SAMPLE_SECONDS)
            stream.complain_if_ended(workers, log)
            outputs = ends.count(contestant.output)
            if outputs:
                apart = [process.memory_info().rss for process in stream.tree(workers[0])]
                yield Sample(round(time.monotonic() - started, 1), outputs, stream.resident(workers)[0], apart)
