"""From measured cost to machines: ``python -m tests.bench.capacity`` writes ``build/capacity.json``.

Takes processor seconds, bytes and memory of an article from ``build/bench.json`` and the seconds to start from
``build/curves/start.json``; simulates a week of 1, 10 and 100 million articles a day, and finds the fewest replicas, at most
and at least, with which 99 of 100 articles are out in time.
"""

import argparse
import json
import math
import sys
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from tests.bench import simulate
from tests.bench.articles import ROOT

SCALED_OBJECT = ROOT / "deploy" / "kubernetes" / "base" / "scaledobject.yaml"
DAY = 86_400
DAYS = 7
STEP_SECONDS = 5.0
ARTICLES_A_DAY = (1_000_000, 10_000_000, 100_000_000)
OBJECTIVE_SECONDS = 30.0
"""99 of 100 articles are out within this time: the latency objective of the operations page."""
DAILY, WEEKEND = 0.55, 0.75
"""The day's swing around its mean, as a share of it, and a weekend day's mean against a working day's."""
EVENTS_A_WEEK, EVENT_FACTOR, EVENT_RISE, EVENT_FALL = 4.0, (0.5, 2.5), 180.0, 2400.0
"""Breaking news: how often, how much of the mean comes on top, seconds to rise and to fall to a third."""
CORES_A_REPLICA = 2
IMAGE_SECONDS = 15.0
"""From the autoscaler's word to the worker's first line on a node that has the image: scheduling and container."""
REPLICATION = 3
RETENTION_DAYS = 7
COMPRESSED = 0.4
"""Bytes on the wire and on disk of a byte of JSON, gzip, where it was not measured."""


class Cost(NamedTuple):
    """What was measured.

    Args:
        seconds: processor seconds an article, the whole worker.
        bytes_in: of a raw record.
        bytes_out: of an enriched one.
        resident: bytes of a worker of two processes.
        start: seconds from the process's start to its first article.
        rebalance: seconds in which a changing group delivers nothing.
    """

    seconds: float
    bytes_in: float
    bytes_out: float
    resident: float
    start: float
    rebalance: float = 2.0


def week(articles_a_day: float, *, seed: int = 7) -> NDArray[np.float64]:
    """Articles of each step of a week: the day's swing, quiet weekends, breaking news, chance."""
    generator = np.random.default_rng(seed)
    steps = int(DAYS * DAY / STEP_SECONDS)
    at = np.arange(steps) * STEP_SECONDS
    shape = 1 - DAILY * np.cos(2 * np.pi * (at / DAY - 3 / 24))  # fewest at three in the morning
    shape *= np.where((at // DAY) % 7 >= 5, WEEKEND, 1.0)
    for start in generator.random(generator.poisson(EVENTS_A_WEEK)) * DAYS * DAY:
        since = np.maximum(at - start, 0.0)
        shape += generator.uniform(*EVENT_FACTOR) * (1 - np.exp(-since / EVENT_RISE)) * np.exp(-since / EVENT_FALL)
    shape *= DAYS / (shape.sum() * STEP_SECONDS / DAY)
    rate = articles_a_day / DAY * shape
    return generator.poisson(rate * STEP_SECONDS).astype(float)


def spread(total: NDArray[np.float64], partitions: int, *, seed: int = 7) -> NDArray[np.float64]:
    """Over the partitions, as a hash of keys does."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(total.astype(np.int64), np.full(partitions, 1 / partitions)).astype(float)


def plan(articles_a_day: int, cost: Cost, rule: simulate.Rule) -> dict[str, Any]:
    """The fewest replicas that hold the objective, and what they and the broker need.

    First the most replicas: enough for the busiest minutes, partitions to match. Then the least: as few as hold the
    objective while the autoscaler does the rest.
    """
    total = week(articles_a_day)
    rate = CORES_A_REPLICA / cost.seconds
    busiest = float(np.convolve(total, np.ones(12), "valid").max()) / (12 * STEP_SECONDS)
    mean = articles_a_day / DAY
    most = max(math.ceil(busiest / rate * 1.25), 2)
    partitions = _rounded(most)
    arrivals = spread(total, partitions)
    worker = simulate.Worker([rate], start=cost.start + IMAGE_SECONDS, rebalance=cost.rebalance)
    scaled = rule_for(rule, rate=rate, most=partitions)
    tries: dict[int, dict[str, float]] = {}
    courses: dict[int, simulate.Course] = {}
    for least in sorted({1, *(max(math.ceil(mean / rate * share), 1) for share in (0.5, 1.0, 1.25, 1.6, 2.0)), most}):
        course = simulate.run(arrivals, step=STEP_SECONDS, rule=replace(scaled, least=least), worker=worker, replicas=least)
        tries[least] = {
            "p50": course.delay(0.5),
            "p99": course.delay(0.99),
            "worst": float(course.delays.max()),
            "mean_replicas": round(float(course.replicas.mean()), 2),
        }
        courses[least] = course
        if tries[least]["p99"] <= OBJECTIVE_SECONDS:
            break
    least = min(tries, key=lambda count: (tries[count]["p99"] > OBJECTIVE_SECONDS, tries[count]["p99"], count))
    return {
        "articles_a_day": articles_a_day,
        "mean_per_second": round(mean, 1),
        "busiest_minute_per_second": round(busiest, 1),
        "articles_per_second_of_a_replica": round(rate, 2),
        "partitions": partitions,
        "least_replicas": least,
        "most_replicas": most,
        "tries": tries,
        **tries[least],
        "lag_threshold": round(scaled.threshold),
        "course": _shown(courses[least]),
        "cores_at_most": most * CORES_A_REPLICA,
        "memory_bytes_at_most": round(most * cost.resident),
        **_broker_bytes(articles_a_day, busiest, cost),
    }


def _shown(course: simulate.Course) -> dict[str, list[float]]:
    """The second and the third day, a value every five minutes."""
    each = int(300 / STEP_SECONDS)
    part = slice(int(DAY / STEP_SECONDS), int(3 * DAY / STEP_SECONDS))
    arrived = course.arrived[part].reshape(-1, each).mean(axis=1) / STEP_SECONDS
    members = course.members[part].reshape(-1, each).max(axis=1)
    return {
        "at": [number * 300.0 for number in range(len(arrived))],
        "arrivals": [round(float(one), 2) for one in arrived],
        "members": [float(one) for one in members],
    }


def rule_for(rule: simulate.Rule, *, rate: float, most: int) -> "simulate.Rule":
    """The manifest's rule at another size.

    The threshold is a share of the objective's time; beyond some ten replicas steps are shares of the group, not pods.
    """
    threshold = rate * OBJECTIVE_SECONDS / 3
    up = rule.up._replace(percent=50.0, window=0.0) if most > 12 else rule.up
    down = rule.down._replace(percent=10.0) if most > 12 else rule.down
    return simulate.Rule(threshold=threshold, least=rule.least, most=most, up=up, down=down)


def _rounded(most: int) -> int:
    """Partitions: the replicas' number upwards to one that divides well, so that members get equal shares."""
    for step in (6, 12, 24, 60, 120):
        if most <= step * 8:
            return math.ceil(most / step) * step
    return math.ceil(most / 120) * 120


def _broker_bytes(articles_a_day: int, busiest: float, cost: Cost) -> dict[str, float]:
    wire = (cost.bytes_in + cost.bytes_out) * COMPRESSED
    return {
        "broker_bytes_in_a_day": round(articles_a_day * wire),
        "broker_bytes_a_second_busiest": round(busiest * wire),
        "broker_disk_bytes": round(articles_a_day * wire * REPLICATION * RETENTION_DAYS),
    }


def main() -> None:
    """Read, simulate, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="accurate")
    parser.add_argument("--articles-a-day", type=int, nargs="+", default=ARTICLES_A_DAY)
    options = parser.parse_args()
    cost = read_cost(options.models)
    rule = simulate.Rule.read(SCALED_OBJECT)
    rows = [plan(count, cost, rule) for count in options.articles_a_day]
    result = {"models": options.models, "cost": cost._asdict(), "rows": rows}
    (ROOT / "build" / "capacity.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    table = Table("articles a day", "replicas", "partitions", "p99", "cores", "broker/day", title=f"{options.models}: a simulated week")
    for row in rows:
        table.add_row(
            f"{row['articles_a_day']:,}",
            f"{row['least_replicas']}–{row['most_replicas']} (mean {row['mean_replicas']})",
            str(row["partitions"]),
            f"{row['p99']:.0f} s",
            str(row["cores_at_most"]),
            f"{row['broker_bytes_in_a_day'] / 1e9:.0f} GB",
        )
    Console(width=120).print(table)


def read_cost(models: str) -> Cost:
    """What the yardstick and the curves left."""
    yardstick = ROOT / "build" / "bench.json"
    bench = json.loads(yardstick.read_text(encoding="utf-8")) if yardstick.exists() else {}
    if models not in bench:
        sys.exit(f"{yardstick}: no figures of {models!r} there: run `make bench` first")
    own = bench[models]
    start = ROOT / "build" / "curves" / "start.json"
    seconds = json.loads(start.read_text(encoding="utf-8"))["median"]["first_article"] if start.exists() else own["first_article_seconds"]
    return Cost(own["processor_seconds_per_article"], bench["raw_bytes"], own["output_bytes"], own["resident_bytes"], float(seconds))


if __name__ == "__main__":
    main()
