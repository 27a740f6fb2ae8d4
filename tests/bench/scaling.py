"""Articles a second against batch size, enricher processes and members of the group; seconds from start to first article."""

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tests.bench import bare, broker, stream
from tests.bench.articles import Article
from worker.settings import Settings

RAW = "curves.raw"
BATCHES = (1, 2, 4, 8, 16, 32)
MOMENTS = ("starting", "listening", "models_loaded", "partitions_assigned")
"""Lines of the worker's log that part its start."""


class Stage(NamedTuple):
    """Where and how often.

    Args:
        address: of the broker.
        models: ``KHABAR_MODELS``.
        rounds: how often each contestant runs.
        logs: folder of the workers' logs.
    """

    address: str
    models: str
    rounds: int
    logs: Path


def against_batch(articles: Sequence[Article], *, models: str, rounds: int) -> dict[str, Any]:
    """The pool on all cores with other sizes of micro-batch, taking turns."""
    values = list(map(msgspec.json.encode, articles))

    def contest(size: int) -> Callable[[int], float]:
        return lambda _: bare.articles_per_second(Settings(models=models, batch_articles=size), values)

    return _turns({str(size): contest(size) for size in BATCHES}, rounds=rounds, models=models)


def against_processes(stage: Stage, articles: Sequence[Article], *, seconds: float) -> dict[str, Any]:
    """One process and two, with Kafka and without; and two workers of one process each in one group."""
    values = list(map(msgspec.json.encode, articles))
    address, models, rounds, logs = stage
    broker.make_topics(address, RAW)
    broker.fill(address, RAW, articles)

    def alone(processes: int) -> Callable[[int], float]:
        return lambda _: bare.articles_per_second(Settings(models=models, processes=processes), values)

    def with_kafka(processes: int, workers: int) -> Callable[[int], float]:
        def run(number: int) -> float:
            name = f"curves.{processes}.{workers}.{number}"
            contestant = stream.khabar(address, models=models, source=RAW, name=name, workers=workers, processes=processes)
            return stream.measure(address, contestant, articles=len(articles), seconds=seconds, log=logs / f"{name}.log").rate

        return run

    contests = {
        "bare 1": alone(1),
        "bare 2": alone(2),
        "worker 1": with_kafka(1, 1),
        "worker 2": with_kafka(2, 1),
        "workers 2 × 1": with_kafka(1, 2),
    }
    return _turns(contests, rounds=rounds, models=models)


def start(stage: Stage, articles: Sequence[Article]) -> dict[str, Any]:
    """Seconds from the start of a worker to its first enriched article, and to each step before it."""
    address, models, rounds, logs = stage
    topic = "start.raw"
    broker.make_topics(address, topic)
    broker.fill(address, topic, articles)
    found: list[dict[str, float]] = []
    for number in range(rounds):
        contestant = stream.khabar(address, models=models, source=topic, name=f"start.{number}")
        log = logs / f"start-{number}.log"
        flow = stream.measure(address, contestant, articles=len(articles), seconds=60, log=log)
        moments = _moments(stream.log_of(log, 0))
        began = moments.get("starting", 0.0)
        found.append({name: round(at - began, 3) for name, at in moments.items()} | {"first_article": round(flow.first, 3)})
    keys = dict.fromkeys(key for one in found for key in one)
    return {
        "models": models,
        "rounds": rounds,
        "rows": found,
        "median": {key: round(statistics.median(one[key] for one in found if key in one), 3) for key in keys},
    }


def _moments(log: Path) -> dict[str, float]:
    """Unix time of the first of each of these lines."""
    moments: dict[str, float] = {}
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("{"):
            row = json.loads(line)
            if row.get("event") in MOMENTS:
                moments.setdefault(row["event"], datetime.fromisoformat(row["timestamp"]).timestamp())
    return moments


def _turns(contests: Mapping[str, Callable[[int], float]], *, rounds: int, models: str) -> dict[str, Any]:
    """Let contestants take turns; articles a second of each."""
    found: dict[str, list[float]] = {name: [] for name in contests}
    for number in range(rounds):
        for name in list(contests)[:: -1 if number % 2 else 1]:
            found[name].append(round(contests[name](number), 3))
    rows = [
        {"name": name, "articles_per_second": statistics.median(rates), "low": min(rates), "high": max(rates)}
        for name, rates in found.items()
    ]
    return {"models": models, "rounds": rounds, "rows": rows, "all": found}
