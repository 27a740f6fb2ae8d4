"""Articles a second of a worker on a real broker: fill the topic, start the worker, watch its output."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import psutil
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

PARTITIONS = 6
START_SECONDS = 180.0
WARM_UP = 0.15
"""Share of the articles that passes before the clock starts: start-up and cold caches are no throughput."""


class Flow(NamedTuple):
    """What was watched.

    Args:
        rate: articles a second between the first output after the warm-up and the last output.
        first: seconds from the worker's start to its first output.
        articles: outputs seen.
        resident: the worker's resident memory at the end in bytes, processes together, shared pages once.
    """

    rate: float
    first: float
    articles: int
    resident: int


class Watch(NamedTuple):
    """What to watch, and for how long.

    Args:
        broker: host:port.
        output: the worker's output topic.
        articles: how many are to come.
        seconds: longest time to watch after the first of them.
        log: where the worker's own words go.
    """

    broker: str
    output: str
    articles: int
    seconds: float
    log: Path


def fill(broker: str, topics: Sequence[str], articles: Sequence[dict[str, Any]]) -> None:
    """Make the topics and publish the articles into the first one."""
    admin = KafkaAdminClient(bootstrap_servers=broker)
    admin.create_topics([NewTopic(topic, num_partitions=PARTITIONS, replication_factor=1) for topic in topics])
    admin.close()
    producer = KafkaProducer(bootstrap_servers=broker, enable_idempotence=False, acks="all", linger_ms=20)
    for article in articles:
        producer.send(topics[0], key=article["id"].encode(), value=msgspec.json.encode(article))
    producer.flush()
    producer.close()


def measure(command: Sequence[str], environment: Mapping[str, str], watch: Watch) -> Flow:
    """Run a worker until all its outputs came or the time is over."""
    consumer = KafkaConsumer(
        watch.output, bootstrap_servers=watch.broker, auto_offset_reset="earliest", group_id=None, max_poll_records=500
    )
    while not consumer.assignment():
        consumer.poll(timeout_ms=200)
    with _running(command, environment, watch.log) as worker:
        started = time.monotonic()
        arrivals = _arrivals(consumer, worker, watch)
        resident = _resident(worker.pid)
    consumer.close()
    warm = int(len(arrivals) * WARM_UP)
    rate = (len(arrivals) - 1 - warm) / (arrivals[-1] - arrivals[warm])
    return Flow(rate=rate, first=arrivals[0] - started, articles=len(arrivals), resident=resident)


def _arrivals(consumer: Any, worker: "subprocess.Popen[bytes]", watch: Watch) -> list[float]:  # noqa: ANN401 - kafka-python
    """When each output came, seconds, monotonic."""
    arrivals: list[float] = []
    patience = time.monotonic() + START_SECONDS
    while len(arrivals) < watch.articles and time.monotonic() < (arrivals[0] + watch.seconds if arrivals else patience):
        found = sum(len(records) for records in consumer.poll(timeout_ms=100).values())
        arrivals.extend([time.monotonic()] * found)
        if worker.poll() is not None:
            message = f"the worker ended with {worker.returncode}: {watch.log.read_text(errors='replace')[-500:]}"
            raise RuntimeError(message)
    if len(arrivals) < watch.articles // 20:
        message = f"only {len(arrivals)} of {watch.articles} articles came: {watch.log.read_text(errors='replace')[-500:]}"
        raise RuntimeError(message)
    return arrivals


@contextmanager
def _running(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Any:  # noqa: ANN401 - a context manager of Popen
    with log.open("wb") as stream:
        worker = subprocess.Popen(
            [sys.executable, *command], env={**os.environ, **environment}, stdout=stream, stderr=stream, start_new_session=True
        )
    try:
        yield worker
    finally:
        worker.send_signal(signal.SIGTERM)
        try:
            worker.wait(timeout=40)
        except subprocess.TimeoutExpired:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()


def _resident(pid: int) -> int:
    root = psutil.Process(pid)
    return sum(process.memory_full_info().pss for process in [root, *root.children(recursive=True)])
