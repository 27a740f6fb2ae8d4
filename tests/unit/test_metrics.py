"""Metrics: every promised name, bounded labels, a process tree that counts children."""

import subprocess
import sys
import time

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from worker import __version__, metrics
from worker.errors import REASONS
from worker.metrics import ProcessTree
from worker.records import Model

PROMISED = {
    "khabar_articles_consumed": ("counter", ()),
    "khabar_articles_enriched": ("counter", ("language",)),
    "khabar_articles_dead_lettered": ("counter", ("reason",)),
    "khabar_stage_seconds": ("histogram", ("stage", "language")),
    "khabar_end_to_end_seconds": ("histogram", ()),
    "khabar_batch_articles": ("histogram", ()),
    "khabar_articles_in_flight": ("gauge", ()),
    "khabar_entities": ("counter", ("type",)),
    "khabar_publish_retries": ("counter", ()),
    "khabar_pool_restarts": ("counter", ()),
    "khabar_consumer_lag": ("gauge", ("topic", "partition")),
    "khabar_model_info": ("gauge", ("stage", "language", "name", "version", "sha256")),
    "khabar_build_info": ("gauge", ("version",)),
}
PROCESS = {
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_virtual_memory_bytes",
    "process_open_fds",
    "process_max_fds",
    "process_start_time_seconds",
}


def test_every_promised_metric_is_there() -> None:
    """Dashboards and alerts rely on names, types and labels."""
    families = {family.name: family.type for family in metrics.REGISTRY.collect()}
    assert {name: families.get(name) for name in PROMISED} == {name: kind for name, (kind, _) in PROMISED.items()}
    declared = {metric._name: metric._labelnames for metric in vars(metrics).values() if hasattr(metric, "_labelnames")}  # noqa: SLF001
    assert {name: declared[name] for name in PROMISED} == {name: labels for name, (_, labels) in PROMISED.items()}


def test_every_metric_says_what_it_means() -> None:
    """A help text for each, and the exposition is readable by Prometheus's own parser."""
    families = list(text_string_to_metric_families(generate_latest(metrics.REGISTRY).decode()))
    assert all(len(family.documentation) > 10 for family in families)
    assert {sample.name for family in families for sample in family.samples} >= PROCESS


def test_every_reason_starts_at_zero() -> None:
    """A rate over the first dead letter needs the zero before it."""
    samples = {sample.labels["reason"] for family in metrics.ARTICLES_DEAD_LETTERED.collect() for sample in family.samples}
    assert samples == set(REASONS)


def test_versions_are_shown() -> None:
    """The running program and its models."""
    old = Model(stage="entities", name="m", version="2", sha256="a" * 64)
    labels = {"stage": "entities", "language": "ar", "name": "m", "version": "2", "sha256": "a" * 64}
    metrics.show_models([("ar", old)])
    assert metrics.REGISTRY.get_sample_value("khabar_model_info", labels) == 1
    metrics.show_models([("ar", Model(stage="entities", name="m", version="3", sha256="b" * 64))])
    assert metrics.REGISTRY.get_sample_value("khabar_model_info", labels) is None
    assert metrics.REGISTRY.get_sample_value("khabar_model_info", {**labels, "version": "3", "sha256": "b" * 64}) == 1
    assert metrics.REGISTRY.get_sample_value("khabar_build_info", {"version": __version__}) == 1


def samples(tree: ProcessTree) -> dict[str, float]:
    """What the collector measures now."""
    return {sample.name: sample.value for family in tree.collect() for sample in family.samples}


def test_children_count_and_their_time_stays() -> None:
    """A child's memory and CPU time are in the sums; when it ends, its time does not vanish."""
    tree = ProcessTree()
    before = samples(tree)
    busy = "x = bytearray(64 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1\nprint(sum(range(10_000_000)), flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", busy], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        during = samples(tree)
        child.communicate(b"\n")
    after = samples(tree)
    assert during["process_children"] == before["process_children"] + 1
    assert after["process_children"] == before["process_children"]
    assert during["process_resident_memory_bytes"] > before["process_resident_memory_bytes"] + 60e6
    assert during["process_cpu_seconds_total"] > before["process_cpu_seconds_total"] + 0.1
    assert after["process_cpu_seconds_total"] >= during["process_cpu_seconds_total"]
    assert 0 < after["process_start_time_seconds"] <= time.time()
