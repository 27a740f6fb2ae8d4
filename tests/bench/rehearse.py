"""The simulation held against this machine: a scripted load, a group that grows and shrinks by the same rule, lag over time.

``python -m tests.bench.rehearse``: writes ``build/curves/rehearsal.json``. One worker of one process and, when the rule says
so, a second one: what fits two cores.
"""

import argparse
import contextlib
import itertools
import json
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from rich.console import Console

from tests.bench import broker, simulate, stream
from tests.bench.articles import CORPUS, ROOT, Article, load

RAW, OUTPUT = "rehearsal.raw", "rehearsal.enriched"
SCRIPT = ((0.5, 1.0), (1.5, 2.0), (0.4, 3.0))
"""(load as a share of one worker's most, length as a share of ``--seconds``): quiet, a peak that one worker cannot do, quiet."""
STEP_SECONDS = 1.0
PARTITIONS = broker.PARTITIONS


class Seen(NamedTuple):
    """One look: seconds since the start, articles sent, articles done, workers asked for."""

    at: float
    sent: int
    done: int
    replicas: int


class Plan(NamedTuple):
    """Models, and seconds of one of the script's six parts."""

    models: str
    seconds: float


class _Group:
    """Workers that are started and stopped as the rule says."""

    def __init__(self, contestant: stream.Contestant, log: Path) -> None:
        self._contestant, self._log = contestant, log
        self._members: list[ExitStack] = []
        self._number = 0

    def become(self, replicas: int) -> None:
        while len(self._members) < replicas:
            stack = ExitStack()
            stack.enter_context(stream.running(self._contestant, self._log.with_suffix(f".{self._number}")))
            self._members.append(stack)
            self._number += 1
        while len(self._members) > replicas:
            threading.Thread(target=self._members.pop().close).start()

    def close(self) -> None:
        while self._members:
            self._members.pop().close()


class _Sender(threading.Thread):
    """Sends articles at the moments of the script."""

    def __init__(self, address: str, articles: Sequence[Article], moments: Sequence[float]) -> None:
        super().__init__(daemon=True)
        self._address, self._articles, self.moments = address, itertools.cycle(articles), moments
        self.sent = 0

    def run(self) -> None:
        start = time.monotonic()
        with broker.producer(self._address) as producer:
            for due in self.moments:
                time.sleep(max(start + due - time.monotonic(), 0))
                producer.send(RAW, key=b"%d" % self.sent, value=msgspec.json.encode({**next(self._articles), "id": str(self.sent)}))
                self.sent += 1


def moments_of(rate: float, *, seconds: float, seed: int = 7) -> list[float]:
    """When articles are sent: a Poisson process whose rate follows `SCRIPT`, seconds from the start."""
    generator = np.random.default_rng(seed)
    found: list[float] = []
    start = 0.0
    for share, length in SCRIPT:
        span = length * seconds
        count = generator.poisson(rate * share * span)
        found += sorted((start + generator.random(count) * span).tolist())
        start += span
    return found


def calibrate(address: str, articles: Sequence[Article], *, models: str, log: Path) -> simulate.Worker:
    """What the simulation needs to know of one worker on this machine: rates, seconds to start, to rebalance and to leave."""
    count = len(articles)
    broker.make_topics(address, "calibration.raw")
    broker.fill(address, "calibration.raw", articles)
    rates, firsts = [], []
    for workers in (1, 2):
        contestant = stream.khabar(
            address, models=models, source="calibration.raw", name=f"calibration.{workers}", workers=workers, processes=1
        )
        flow = stream.measure(address, contestant, articles=count, seconds=120, log=log)
        rates.append(flow.rate / workers)
        firsts.append(flow.first)
    return simulate.Worker(rates=rates, start=firsts[0], rebalance=1.0)


def rehearse(address: str, articles: Sequence[Article], worker: simulate.Worker, rule: simulate.Rule, plan: Plan) -> list[Seen]:
    """Run the script on real workers; a look a second."""
    broker.make_topics(address, RAW)
    contestant = stream.khabar(address, models=plan.models, source=RAW, name=OUTPUT, processes=1)
    sender = _Sender(address, articles, moments_of(worker.rates[0], seconds=plan.seconds))
    scaler = simulate.Autoscaler(rule, replicas=1)
    seen: list[Seen] = []
    with (
        contextlib.closing(broker.Ends(address)) as ends,
        tempfile.TemporaryDirectory() as logs,
        contextlib.closing(_Group(contestant, Path(logs) / "worker")) as group,
    ):
        group.become(1)
        warm(address, ends, articles)
        offset = ends.count(OUTPUT)
        sender.start()
        start, look = time.monotonic(), rule.sync
        whole = sum(length for _, length in SCRIPT) * plan.seconds
        while (now := time.monotonic() - start) < whole or seen[-1].sent > seen[-1].done:
            seen.append(Seen(now, sender.sent, ends.count(OUTPUT) - offset, scaler.replicas))
            if now >= look:
                look += rule.sync
                group.become(scaler.look(now, seen[-1].sent - seen[-1].done))
            time.sleep(STEP_SECONDS)
    return seen


def warm(address: str, ends: broker.Ends, articles: Sequence[Article]) -> None:
    """Let the first worker do a few articles, so that it is up when the script begins."""
    broker.fill(address, RAW, articles[:20])
    while ends.count(OUTPUT) < len(articles[:20]):
        time.sleep(0.2)


def compare(seen: Sequence[Seen], worker: simulate.Worker, rule: simulate.Rule, moments: Sequence[float]) -> dict[str, Any]:
    """Measured beside simulated lag, second by second, and how far they are apart."""
    steps = int(seen[-1].at) + 1
    arrivals = np.zeros((steps, PARTITIONS))
    for number, moment in enumerate(moments):
        if moment < steps:
            arrivals[int(moment), number % PARTITIONS] += 1
    course = simulate.run(arrivals, step=STEP_SECONDS, rule=rule, worker=worker, replicas=1)
    times = np.arange(steps, dtype=float)
    measured = np.interp(times, [one.at for one in seen], [float(one.sent - one.done) for one in seen])
    replicas = np.interp(times, [one.at for one in seen], [float(one.replicas) for one in seen]).round()
    peak = float(measured.max())
    columns = zip(times, measured, course.lag, replicas, course.members, strict=True)
    names = ("at", "measured", "simulated", "replicas", "members")
    rows = [{name: round(float(value), 1) for name, value in zip(names, row, strict=True)} for row in columns]
    return {
        "worker": worker._asdict(),
        "rule": {"threshold": rule.threshold, "least": rule.least, "most": rule.most, "sync": rule.sync},
        "peak_measured": round(peak, 1),
        "peak_simulated": round(float(course.lag.max()), 1),
        "mean_difference_of_peak": round(float(np.abs(measured - course.lag).mean()) / max(peak, 1), 4),
        "article_seconds_waited_measured": round(float(measured.sum()), 1),
        "article_seconds_waited_simulated": round(float(course.lag.sum()), 1),
        "rows": rows,
    }


def main() -> None:
    """Calibrate, rehearse, simulate, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="accurate")
    parser.add_argument("--seconds", type=float, default=60.0, help="one part of the script, which has six")
    parser.add_argument("--calibration-articles", type=int, default=200)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    options = parser.parse_args()
    articles = load(935, folder=options.corpus)
    with broker.broker() as address, tempfile.TemporaryDirectory() as logs:
        worker = calibrate(address, articles[: options.calibration_articles], models=options.models, log=Path(logs) / "calibration.log")
        up = simulate.Policy(window=0.0, pods=1, percent=0, period=5)
        down = simulate.Policy(window=options.seconds * 0.75, pods=1, percent=0, period=5)
        rule = simulate.Rule(threshold=worker.rates[0] * options.seconds / 4, least=1, most=2, up=up, down=down, sync=5.0)
        seen = rehearse(address, articles, worker, rule, Plan(options.models, options.seconds))
    result = compare(seen, worker, rule, moments_of(worker.rates[0], seconds=options.seconds)) | {"models": options.models}
    folder = ROOT / "build" / "curves"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rehearsal.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    Console().print({key: value for key, value in result.items() if key != "rows"})


if __name__ == "__main__":
    main()
