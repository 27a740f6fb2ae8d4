"""Every metric of the worker, declared once: name, unit, labels, meaning.

They live in `REGISTRY`, not in prometheus-client's global one, so that nothing else can add to what ``/metrics`` shows.
Labels are bounded: languages (the detector knows 176), reasons, stages, entity types, the partitions of one topic; never
a URL, a key or an article's id. The sums add up at any moment::

    consumed = enriched + dead-lettered + tombstones + released + in flight
"""

import os
import threading
from collections.abc import Iterable, Iterator

import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from worker import __version__
from worker.errors import REASONS
from worker.records import Model

disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each counter, of no use to Prometheus
REGISTRY = CollectorRegistry()
"""What ``/metrics`` shows."""

ARTICLES_CONSUMED = Counter(
    "khabar_articles_consumed", "Records taken from the input topic; one that is delivered again counts again.", registry=REGISTRY
)
ARTICLES_ENRICHED = Counter(
    "khabar_articles_enriched", "Enriched articles the broker acknowledged, by language (ISO 639, `und`).", ["language"], registry=REGISTRY
)
ARTICLES_DEAD_LETTERED = Counter(
    "khabar_articles_dead_lettered", "Dead letters the broker acknowledged, by reason.", ["reason"], registry=REGISTRY
)
TOMBSTONES = Counter("khabar_tombstones", "Null values passed on and acknowledged by the broker.", registry=REGISTRY)
ARTICLES_RELEASED = Counter(
    "khabar_articles_released",
    "Articles given up unacknowledged because the partition was lost or the worker stopped; they are delivered again.",
    registry=REGISTRY,
)
STAGE_SECONDS = Histogram(
    "khabar_stage_seconds",
    "Seconds one article took in a stage, by stage and language; a share of its batch where many ran at once.",
    ["stage", "language"],
    buckets=(0.0001, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    registry=REGISTRY,
)
END_TO_END_SECONDS = Histogram(
    "khabar_end_to_end_seconds",
    "Seconds from the raw record's timestamp to the broker's acknowledgement of the enriched article.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200),
    registry=REGISTRY,
)
BATCH_ARTICLES = Histogram(
    "khabar_batch_articles", "Articles of a micro-batch handed to an enricher process.", buckets=(1, 2, 4, 8, 16, 32, 64), registry=REGISTRY
)
ARTICLES_IN_FLIGHT = Gauge("khabar_articles_in_flight", "Articles taken from the input topic and not yet acknowledged.", registry=REGISTRY)
BYTES_IN_FLIGHT = Gauge("khabar_bytes_in_flight", "Bytes of those articles' records, keys and headers included.", registry=REGISTRY)
ENTITIES = Counter("khabar_entities", "Entities of published articles, by type.", ["type"], registry=REGISTRY)
PUBLISH_RETRIES = Counter("khabar_publish_retries", "Sends the broker did not acknowledge and that were tried again.", registry=REGISTRY)
REGISTRY_RETRIES = Counter(
    "khabar_registry_retries", "Questions to the schema registry that it did not answer and that were asked again.", registry=REGISTRY
)
POOL_RESTARTS = Counter(
    "khabar_pool_restarts",
    "Enricher processes replaced: they died, passed their time limit or outgrew their memory limit.",
    registry=REGISTRY,
)
MODEL_RELOADS = Counter(
    "khabar_model_reloads",
    "Reloads asked for by SIGHUP, by outcome: `done`, or `failed` where the models before stayed at work.",
    ["outcome"],
    registry=REGISTRY,
)
CONSUMER_LAG = Gauge(
    "khabar_consumer_lag",
    "Articles of an assigned partition that are not done yet, by topic and partition.",
    ["topic", "partition"],
    registry=REGISTRY,
)
READY = Gauge(
    "khabar_ready", "1 while `/ready` says so: models loaded, topics there, a member of the group, nothing held up.", registry=REGISTRY
)
BRAKE = Gauge(
    "khabar_brake", "1 while the worker holds its articles because too many failed for a cause that is not their own.", registry=REGISTRY
)
FENCE_CLOSED = Gauge(
    "khabar_fence_closed", "1 while the worker does not publish because its group membership is in doubt.", registry=REGISTRY
)
MODEL_INFO = Gauge(
    "khabar_model_info",
    "1 for each model at work, by stage, language (empty: every language), name, version and SHA-256.",
    ["stage", "language", "name", "version", "sha256"],
    registry=REGISTRY,
)
BUILD_INFO = Gauge("khabar_build_info", "1, labelled with the version of the running program.", ["version"], registry=REGISTRY)

BUILD_INFO.labels(version=__version__).set(1)
for _reason in REASONS:
    ARTICLES_DEAD_LETTERED.labels(reason=_reason)  # a rate needs the zero before the first dead letter
for _outcome in ("done", "failed"):
    MODEL_RELOADS.labels(outcome=_outcome)
_shown_models: set[tuple[str, str, str, str, str]] = set()


def show_models(models: Iterable[tuple[str, Model]]) -> None:
    """Set `MODEL_INFO` for the (language, model) pairs that are at work, and for no other."""
    rows = {(model.stage, language, model.name, model.version, model.sha256) for language, model in models}
    for row in rows:
        MODEL_INFO.labels(*row).set(1)
    for row in _shown_models - rows:
        MODEL_INFO.remove(*row)
    _shown_models.clear()
    _shown_models.update(rows)


class ProcessTree(Collector):
    """``process_*`` of this process and its enricher processes together, in the units of prometheus-client's own collector.

    Memory is proportional (PSS) where the kernel tells it: pages that the processes share count once. CPU time of
    processes that ended stays counted, so the counter never falls.
    """

    def __init__(self, pid: int | None = None) -> None:
        """Watch the tree below ``pid`` (default: this process)."""
        self._root = psutil.Process(pid or os.getpid())
        self._lock = threading.Lock()
        self._seen: dict[tuple[int, float], float] = {}
        self._ended = 0.0

    def collect(self) -> Iterator[Metric]:
        """Measure now; a process that ends meanwhile is left out."""
        resident = virtual = 0
        descriptors = 0
        alive: dict[tuple[int, float], float] = {}
        for process in self._tree():
            try:
                with process.oneshot():
                    memory = process.memory_full_info()
                    times = process.cpu_times()
                    resident += getattr(memory, "pss", memory.rss)
                    virtual += memory.vms
                    descriptors += process.num_fds()
                    alive[process.pid, process.create_time()] = times.user + times.system
            except psutil.Error:
                continue
        yield CounterMetricFamily("process_cpu_seconds", "User and system CPU time, children included, in seconds.", value=self._cpu(alive))
        yield GaugeMetricFamily(
            "process_resident_memory_bytes", "Resident memory in bytes, children included, shared pages once.", value=resident
        )
        yield GaugeMetricFamily("process_virtual_memory_bytes", "Virtual memory in bytes, children included.", value=virtual)
        yield GaugeMetricFamily("process_open_fds", "Open file descriptors, children included.", value=descriptors)
        yield GaugeMetricFamily(
            "process_max_fds", "Most file descriptors one process may open.", value=self._root.rlimit(psutil.RLIMIT_NOFILE)[0]
        )
        yield GaugeMetricFamily(
            "process_start_time_seconds", "Start of the main process since the Unix epoch, in seconds.", value=self._root.create_time()
        )
        yield GaugeMetricFamily("process_children", "Processes below the main one.", value=len(alive) - 1)

    def _tree(self) -> list[psutil.Process]:
        try:
            return [self._root, *self._root.children(recursive=True)]
        except psutil.Error:
            return [self._root]

    def _cpu(self, alive: dict[tuple[int, float], float]) -> float:
        with self._lock:
            self._ended += sum(seconds for process, seconds in self._seen.items() if process not in alive)
            self._seen = alive
            return self._ended + sum(alive.values())


REGISTRY.register(ProcessTree())
