"""A worker on a real broker, watched from outside: how fast its output grows, its memory, its processor time."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

from tests.bench import broker

START_SECONDS = 300.0
WARM_UP, COOL_DOWN = 0.15, 0.05
"""Shares of the outputs before and after the part that is timed: neither start-up nor an emptied queue is throughput."""
FEWEST = 3
"""Outputs without which there is no rate."""
FEW = 20
"""Outputs below which nothing is left out."""
LOOK_SECONDS = 0.25
MEMORY_SECONDS = 2.0
STOP_SECONDS = 40.0


class Contestant(NamedTuple):
    """What is started.

    Args:
        arguments: of the Python interpreter.
        environment: beside this process's own.
        output: topic it writes to.
        workers: how many of it, all alike.
    """

    arguments: Sequence[str]
    environment: Mapping[str, str]
    output: str
    workers: int = 1


class Flow(NamedTuple):
    """What was watched.

    Args:
        rate: articles a second, from the end of the warm-up to the beginning of the end.
        cost: processor seconds an article in the same stretch, all processes of the worker together.
        first: seconds from the start to the first output.
        articles: outputs seen.
        resident: most memory at once in bytes, all processes together, pages they share counted once.
        resident_apart: the same with shared pages counted in every process (what ``ps`` adds up to).
        output_bytes: mean size of an output's value.
    """

    rate: float
    cost: float
    first: float
    articles: int
    resident: int
    resident_apart: int
    output_bytes: float


class _Look(NamedTuple):
    at: float
    outputs: int
    processor: float


def khabar(address: str, *, models: str, source: str, name: str, workers: int = 1, **settings: object) -> Contestant:
    """Khabar's worker in a group of its own, with an output topic of its own, which are made.

    Args:
        address: of the broker.
        models: ``KHABAR_MODELS``.
        source: the input topic.
        name: of the group and of the output topic.
        workers: members of the group.
        settings: further ones, by their name in `worker.settings`.
    """
    broker.make_topics(address, name, appended=True)
    broker.make_topics(address, f"{name}.dead")
    values = {"brokers": address, "models": models, "group": name, "http_port": 0}
    values |= {"input_topic": source, "output_topic": name, "dead_letter_topic": f"{name}.dead"} | settings
    return Contestant(["-m", "worker.cli", "worker"], {f"KHABAR_{key.upper()}": str(value) for key, value in values.items()}, name, workers)


def steady(moments: Sequence[float]) -> float:
    """Articles a second of ascending moments, warm-up and end left out: the line of least squares.

    Articles come by the batch, so first and last moment alone would count a batch too many or too few.
    """
    if len(moments) < FEW:
        return (len(moments) - 1) / (moments[-1] - moments[0])
    first, last = int(len(moments) * WARM_UP), int(len(moments) * (1 - COOL_DOWN))
    times = np.array(moments[first:last]) - moments[first]
    return float(np.polyfit(times, np.arange(len(times)), 1)[0])


def measure(address: str, contestant: Contestant, *, articles: int, seconds: float, log: Path) -> Flow:
    """Run a contestant until its outputs are complete or the time is over.

    Args:
        address: of the broker.
        contestant: what to run; its topics are there and filled.
        articles: outputs that are to come.
        seconds: longest time to watch after the first of them.
        log: where its own words go.

    Raises:
        RuntimeError: it ended, or hardly anything came.
    """
    looks: list[_Look] = []
    memory = [(0, 0)]
    ends = broker.Ends(address)
    started = time.time()
    with running(contestant, log) as workers, contextlib.closing(ends):
        over = time.monotonic() + START_SECONDS
        while time.monotonic() < over and (not looks or looks[-1].outputs < articles):
            time.sleep(LOOK_SECONDS)
            complain_if_ended(workers, log)
            looks.append(_Look(time.monotonic(), ends.count(contestant.output), sum(map(processor_seconds, workers))))
            if looks[-1].outputs and not looks[-2:-1][0].outputs:
                over = time.monotonic() + seconds
            if len(looks) % int(MEMORY_SECONDS / LOOK_SECONDS) == 0:
                memory.append(resident(workers))
    stamps = broker.records(address, contestant.output)
    if len(stamps) < FEWEST:
        message = f"only {len(stamps)} of {articles} articles came: {_words_of(log, 0)}"
        raise RuntimeError(message)
    return Flow(
        rate=steady([stamp.at for stamp in stamps]),
        cost=_cost(looks),
        first=stamps[0].at - started,
        articles=len(stamps),
        resident=max(memory)[0],
        resident_apart=max(apart for _, apart in memory),
        output_bytes=sum(stamp.size for stamp in stamps) / len(stamps),
    )


def _cost(looks: Sequence[_Look]) -> float:
    """Processor seconds an article between the warm-up and the end; of so short a run that there is no such time, of all of it."""
    whole = looks[-1].outputs
    part = [look for look in looks if WARM_UP * whole <= look.outputs <= (1 - COOL_DOWN) * whole]
    if len({look.outputs for look in part}) < 3:
        return looks[-1].processor / whole
    return float(np.polyfit([look.outputs for look in part], [look.processor for look in part], 1)[0])


@contextmanager
def running(contestant: Contestant, log: Path) -> "Iterator[list[subprocess.Popen[bytes]]]":
    """Workers for as long as the ``with`` block lasts; then SIGTERM, and SIGKILL for what does not listen."""
    with ExitStack() as stack:
        yield [stack.enter_context(_one(contestant, log_of(log, number))) for number in range(contestant.workers)]


def log_of(log: Path, number: int) -> Path:
    """Where the words of one worker go."""
    return log.with_suffix(f".{number}.log")


def _words_of(log: Path, number: int) -> str:
    return log_of(log, number).read_text(errors="replace")[-500:]


@contextmanager
def _one(contestant: Contestant, log: Path) -> "Iterator[subprocess.Popen[bytes]]":
    with log.open("wb") as stream:
        worker = subprocess.Popen(
            [sys.executable, *contestant.arguments],
            env={**os.environ, **contestant.environment},
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    try:
        yield worker
    finally:
        worker.send_signal(signal.SIGTERM)
        try:
            worker.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()


def complain_if_ended(workers: "Sequence[subprocess.Popen[bytes]]", log: Path) -> None:
    """Raise where a worker is gone.

    Raises:
        RuntimeError: with the end of its log.
    """
    for number, worker in enumerate(workers):
        if worker.poll() is not None:
            message = f"a worker ended with {worker.returncode}: {_words_of(log, number)}"
            raise RuntimeError(message)


def tree(worker: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    """The worker's processes."""
    with contextlib.suppress(psutil.Error):
        root = psutil.Process(worker.pid)
        return [root, *root.children(recursive=True)]
    return []


def processor_seconds(worker: "subprocess.Popen[bytes]") -> float:
    """User and system time of all its processes."""
    total = 0.0
    for process in tree(worker):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def resident(workers: "Sequence[subprocess.Popen[bytes]]") -> tuple[int, int]:
    """Resident bytes of all processes: shared pages once, and counted in each."""
    once = apart = 0
    for worker in workers:
        for process in tree(worker):
            with contextlib.suppress(psutil.Error):
                memory = process.memory_full_info()
                once, apart = once + memory.pss, apart + memory.rss
    return once, apart
