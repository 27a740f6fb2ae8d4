"""The fault rig: brokers, proxy, feeder, tail and workers, put together; and how long a recovery took."""

import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults import topics
from tests.faults.articles import MAX_ARTICLE_BYTES
from tests.faults.cluster import Broker, Cluster
from tests.faults.embedded import Embedded
from tests.faults.feeder import Feeder
from tests.faults.proxy import Proxy
from tests.faults.topics import Tail
from tests.faults.workers import Worker

POLL_SECONDS = 0.25
WINDOW_SECONDS = 4.0
"""The recovery is told by the articles fed within so long of the fault."""
STUCK_SECONDS = 120.0
"""When nothing at all comes out for so long, the stream is stuck."""
LONGEST_SECONDS = 600.0
"""When the articles fed after a fault are not out by then, it is stuck too, whatever else comes."""
DRAIN_SECONDS = 25.0
READY_SECONDS = 60.0
GROUP = "khabar"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a run is made of.

    Args:
        cycles: how many at most.
        seed: of articles and faults.
        brokers: one or three.
        embedded: the embedded broker instead of Apache Kafka, and the faults that it can have.
        minutes: no cycle begins after so long.
        partitions: of each topic.
        rate: articles a second.
        workers: how many run all the time.
        models: ``light``, or ``real`` for the worker's own.
        names: only these faults.
        folder: of logs, broker data and poison marks; a temporary one if None.
        soak: no faults: only load, and memory watched.
        hurry: a fault may come while workers of the one before are still starting.
    """

    cycles: int
    seed: int
    brokers: int = 1
    embedded: bool = False
    minutes: float | None = None
    partitions: int = 6
    rate: float = 15.0
    workers: int = 2
    models: str = "light"
    names: frozenset[str] | None = None
    folder: Path | None = None
    soak: bool = False
    hurry: bool = False


class StuckError(Exception):
    """No recovery: which partitions give nothing."""


class Rig:
    """Everything a fault can reach."""

    def __init__(self, options: Options) -> None:
        """Put the parts together; `running` starts them."""
        folder = options.folder or Path(tempfile.mkdtemp(prefix="khabar-faults-"))
        folder.mkdir(parents=True, exist_ok=True)
        self.dice = random.Random(options.seed)  # noqa: S311 - reproducible on purpose
        self.folder = folder
        self.options = options
        self.partitions = options.partitions
        kafka = folder / "kafka"
        self.cluster = Embedded(kafka) if options.embedded else Cluster(kafka, brokers=options.brokers, proxied=True)
        self.proxy = Proxy([(broker.advertised, broker.behind) for broker in self.cluster.brokers])
        self.feeder = Feeder(self.cluster.direct, topic=topics.INPUT, rate=options.rate, seed=options.seed, apache=not options.embedded)
        self.tail = Tail(self.cluster.direct, stamped=not options.embedded)
        self.environ = {
            "KHABAR_BROKERS": self.cluster.proxied,
            "KHABAR_GROUP": GROUP,
            "KHABAR_PROCESSES": "2",
            "KHABAR_ARTICLE_TIMEOUT": "5",
            "KHABAR_PROCESS_MEMORY_MB": "512" if options.models == "light" else "1024",
            "KHABAR_MAX_ARTICLE_BYTES": str(MAX_ARTICLE_BYTES),
            "KHABAR_DRAIN_TIMEOUT": str(DRAIN_SECONDS),
            "RIG_MODELS": options.models,
            "RIG_POISON_FOLDER": str(folder),
        }
        self.workers = [self.worker(f"worker-{number}") for number in range(options.workers)]
        self.guests: list[Worker] = []

    def worker(self, name: str) -> Worker:
        """Another worker of the same group, not started."""
        return Worker(name, folder=self.folder, environ=self.environ)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start everything. The workers come before the topics: a topic missing at start is the first fault."""
        with ExitStack() as stack:
            stack.callback(self.cluster.stop)
            self.cluster.start()
            stack.callback(self.proxy.stop)
            self.proxy.start()
            stack.callback(self._close_workers)
            for worker in self.workers:
                worker.start()
            time.sleep(6)
            with self.cluster.admin() as admin:
                topics.create(admin, partitions=self.partitions, replication=len(self.cluster.brokers))
            stack.callback(self.tail.stop)
            self.tail.start()
            stack.callback(self.feeder.stop)
            self.feeder.start()
            yield

    def recovered(self, since: float) -> float | None:
        """Seconds from the fault until the stream ran again; None: not yet.

        That is the longest that any article fed within `WINDOW_SECONDS` of the fault had to wait, counted from the fault:
        a partition that gave something at once and then fell silent does not count as recovered. Poisoned articles are
        left out, those behind them in their partition are not.

        Args:
            since: wall-clock seconds.
        """
        if time.time() < since + WINDOW_SECONDS:
            return None
        worst = 0.0
        for number, at in reversed(self.feeder.sent.copy()):
            if at < since:
                break
            if at < since + WINDOW_SECONDS and number not in self.feeder.poisoned | self.feeder.refused_numbers:
                seen = self.tail.seen.get(number)
                if seen is None:
                    return None
                worst = max(worst, seen - max(at, since))
        return worst

    def wait(self, since: float) -> float:
        """Wait for the recovery and give its seconds.

        Raises:
            StuckError: it did not come, though nothing at all came out for `STUCK_SECONDS`, or within `LONGEST_SECONDS`.
        """
        for _ in self._while_something_comes():
            took = self.recovered(since)
            if took is not None:
                return took
        message = f"articles fed right after the fault did not all come out; {self.missing()} are missing"
        raise StuckError(message)

    def _while_something_comes(self) -> Iterator[None]:
        """Again and again, as long as outputs keep coming."""
        began = moved = time.time()
        count = len(self.tail.seen)
        while time.time() < min(moved + STUCK_SECONDS, began + LONGEST_SECONDS):
            yield
            if len(self.tail.seen) > count:
                count, moved = len(self.tail.seen), time.time()
            time.sleep(POLL_SECONDS)

    def missing(self) -> int:
        """Acknowledged articles whose outcome the tail has not seen."""
        return sum(1 for fed in self.feeder.acknowledged.copy() if fed.number not in self.tail.seen)

    def wait_for_workers(self) -> None:
        """Wait until every worker is ready again, so that the next fault meets all of them; no error when one stays away."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and not all(worker.ready() for worker in self.workers):
            time.sleep(POLL_SECONDS)

    def settle(self) -> None:
        """Wait until nothing is missing any more; no error when something stays missing: the verifier says what."""
        for _ in self._while_something_comes():
            if not self.missing():
                return

    def leader(self, topic: str, partition: int) -> Broker:
        """The broker that leads a partition."""
        if len(self.cluster.brokers) == 1:  # the embedded one names no leader that could be found among ours
            return self.cluster.brokers[0]
        with self.cluster.admin() as admin:
            (described,) = admin.describe_topics([topic])
        node = next(one["leader_id"] for one in described["partitions"] if one["partition_index"] == partition)
        return next(broker for broker in self.cluster.brokers if broker.node == node)

    def coordinator(self) -> Broker:
        """The broker that coordinates the workers' group: it leads the group's partition of ``__consumer_offsets``."""
        number = 0
        for letter in GROUP:  # Java's String.hashCode
            number = (31 * number + ord(letter)) & 0xFFFFFFFF
        signed = number - 2**32 if number >= 2**31 else number
        return self.leader("__consumer_offsets", abs(signed) % 3)

    def _close_workers(self) -> None:
        for worker in [*self.guests, *self.workers]:
            worker.close(seconds=1)
