"""Latency against offered load: articles at random moments, from their record's timestamp to the broker's stamp on the output."""

import contextlib
import itertools
import math
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
from kafka import KafkaProducer

from tests.bench import broker, stream
from tests.bench.articles import Article

if TYPE_CHECKING:
    import subprocess

RAW = "latency.raw"
SHARES = (0.1, 0.25, 0.5, 0.7, 0.85, 0.95, 1.1)
"""Of what the same worker was measured to do at most."""
LEFT_OUT_SECONDS = 3.0
"""At the beginning of each load: the queue has to settle."""


class Plan(NamedTuple):
    """How it is measured.

    Args:
        models: ``KHABAR_MODELS``.
        seconds: of each load.
        filling: articles that show what the worker can do at most.
        shares: the loads.
    """

    models: str
    seconds: float
    filling: int
    shares: Sequence[float] = SHARES


def against_load(address: str, articles: Sequence[Article], plan: Plan, *, log: Path) -> dict[str, Any]:
    """One worker all the while: fill it, see its rate, then load after load.

    Returns:
        For each load the median and the 99th percentile, seconds, and how many articles were behind at its end.
    """
    broker.make_topics(address, RAW)
    broker.fill(address, RAW, articles[: plan.filling])
    contestant = stream.khabar(address, models=plan.models, source=RAW, name="latency")
    feeder = _Feeder(address, itertools.cycle(articles))
    ends = broker.Ends(address)
    with contextlib.closing(ends), contextlib.closing(feeder), stream.running(contestant, log) as workers:
        drain(ends, contestant.output, plan.filling, workers, log)
        rate = stream.steady([record.at for record in broker.records(address, contestant.output)])
        rows = []
        for share in plan.shares:
            began = time.time()
            feeder.feed(rate * share, seconds=plan.seconds)
            behind = feeder.sent + plan.filling - ends.count(contestant.output)
            drain(ends, contestant.output, feeder.sent + plan.filling, workers, log)
            rows.append({"share": share, "articles_per_second": round(rate * share, 3), "behind_at_end": behind, "from": began})
    return {"models": plan.models, "saturation": round(rate, 3), "rows": _with_latencies(address, contestant.output, rows, plan.seconds)}


def _with_latencies(address: str, output: str, rows: Sequence[dict[str, Any]], seconds: float) -> list[dict[str, Any]]:
    """Fill in the percentiles: each output belongs to the load during which its article was sent."""
    sent = {record.key: record.at for record in broker.records(address, RAW)}
    waits = [(sent[record.key], record.at - sent[record.key]) for record in broker.records(address, output)]
    found = []
    for row in rows:
        began = row["from"] + LEFT_OUT_SECONDS
        own = [wait for at, wait in waits if began <= at < row["from"] + seconds]
        p50, p99 = (float(one) for one in np.percentile(own or [math.nan], [50, 99]))
        kept = {key: value for key, value in row.items() if key != "from"}
        found.append({**kept, "articles": len(own), "p50": round(p50, 4), "p99": round(p99, 4)})
    return found


def drain(ends: broker.Ends, topic: str, count: int, workers: "Sequence[subprocess.Popen[bytes]]", log: Path) -> None:
    """Wait until a topic holds so many records.

    Raises:
        RuntimeError: a worker ended.
    """
    while ends.count(topic) < count:
        stream.complain_if_ended(workers, log)
        time.sleep(0.2)


class _Feeder:
    """Sends articles at random moments, none waiting for another: what comes does not ask how busy the worker is."""

    def __init__(self, address: str, articles: Iterator[Article]) -> None:
        self._producer = KafkaProducer(bootstrap_servers=address, enable_idempotence=False, acks="all", compression_type="gzip")
        self._articles = articles
        self._random = random.Random(7)  # noqa: S311 - moments, not secrets
        self.sent = 0

    def feed(self, rate: float, *, seconds: float) -> None:
        """Send ``rate`` articles a second on average (a Poisson process), each stamped with the moment it was due."""
        due = start = time.time()
        while (due := due + self._random.expovariate(rate)) < start + seconds:
            time.sleep(max(due - time.time(), 0))
            identity = f"load-{self.sent}"
            value = msgspec.json.encode({**next(self._articles), "id": identity})
            self._producer.send(RAW, key=identity.encode(), value=value, timestamp_ms=int(due * 1000))
            self.sent += 1
        self._producer.flush()

    def close(self) -> None:
        """Disconnect."""
        self._producer.close()
