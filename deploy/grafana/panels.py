"""What the dashboard shows: five rows of panels, each with what it says, its unit, and where to worry."""

from dataclasses import dataclass, field

ALL = 'job=~"$job", namespace=~"$namespace"'
EACH = ALL + ', instance=~"$instance"'
RATE = "[$__rate_interval]"
WITH_ENTITIES = "ar|fa|en"
"""Languages of the bundled entity models."""
NOT_SHOWN = {
    "process_virtual_memory_bytes": "says nothing about what is used",
    "process_max_fds": "the bound of process_open_fds, which is shown as a share of it",
    "process_start_time_seconds": "shown as annotations",
}
"""Metrics of the worker that no panel shows as such, and why."""


@dataclass(frozen=True)
class Panel:
    """One panel: what it shows and how."""

    title: str
    about: str
    queries: list[tuple[str, str]]
    unit: str
    kind: str = "lines"
    span: int = 8
    worry: dict[float, str] = field(default_factory=dict)
    alert: str = ""
    stack: bool = False


def quantile(share: float, metric: str, *, by: str = "", select: str = EACH) -> str:
    """A quantile of a histogram over the panel's interval."""
    return f"histogram_quantile({share}, sum by (le{', ' + by if by else ''}) (rate({metric}_bucket{{{select}}}{RATE})))"


def total(metric: str, *, by: str = "", select: str = EACH) -> str:
    """A counter's increase a second, summed up."""
    return f"sum {f'by ({by}) ' if by else ''}(rate({metric}{{{select}}}{RATE}))"


DEAD, ENRICHED = total("khabar_articles_dead_lettered_total"), total("khabar_articles_enriched_total")

FLOW = [
    Panel(
        "Waiting",
        "Articles in Kafka that are not done.",
        [(f"sum(khabar_consumer_lag{{{EACH}}})", "")],
        "short",
        "number",
        4,
        {1_000: "orange", 10_000: "red"},
        "KhabarLagNotDraining",
    ),
    Panel("Coming out", "Articles enriched a second.", [(total("khabar_articles_enriched_total"), "")], "ops", "number", 4),
    Panel(
        "Dead letters",
        "Share of what came out in this interval that was refused.",
        [
            (
                f"{DEAD} / ({DEAD} + {ENRICHED})",
                "",
            )
        ],
        "percentunit",
        "number",
        4,
        {0.01: "orange", 0.05: "red"},
        "KhabarDeadLettersRising",
    ),
    Panel(
        "Slowest hundredth",
        "99 of 100 articles are out within this time of their record's timestamp; the objective is 30 s.",
        [(quantile(0.99, "khabar_end_to_end_seconds"), "")],
        "s",
        "number",
        4,
        {10: "orange", 30: "red"},
        "KhabarLatencyBurningFast",
    ),
    Panel(
        "In flight",
        "Articles taken from Kafka and not yet acknowledged.",
        [(f"sum(khabar_articles_in_flight{{{EACH}}})", "")],
        "short",
        "number",
        4,
    ),
    Panel(
        "Workers", "Workers that Prometheus reaches.", [('sum(up{job=~"$job"})', "")], "short", "number", 4, {1: "green"}, "KhabarNoWorker"
    ),
    Panel(
        "In and out",
        "Records taken, and what became of them, a second. Released: handed back unacknowledged to another worker.",
        [
            (total("khabar_articles_consumed_total"), "taken"),
            (total("khabar_articles_enriched_total"), "enriched"),
            (total("khabar_articles_dead_lettered_total"), "dead-lettered"),
            (total("khabar_tombstones_total"), "tombstones"),
            (total("khabar_articles_released_total"), "released"),
        ],
        "ops",
    ),
    Panel(
        "Lag by partition",
        "Articles not done. One partition far above the others has most of the keys, or a slow article.",
        [(f"sum by (topic, partition) (khabar_consumer_lag{{{EACH}}})", "{{topic}}/{{partition}}")],
        "short",
        alert="KhabarLagNotDraining",
    ),
    Panel(
        "Bytes in flight",
        "Raw values taken and not yet done: what back-pressure bounds.",
        [(f"sum by (instance) (khabar_bytes_in_flight{{{EACH}}})", "{{instance}}")],
        "bytes",
    ),
]
LATENCY = [
    Panel(
        "From record to enriched article",
        "Time from the raw record's timestamp to the broker's acknowledgement; waiting in Kafka counts.",
        [(quantile(share, "khabar_end_to_end_seconds"), name) for share, name in ((0.5, "half"), (0.95, "95 %"), (0.99, "99 %"))],
        "s",
        worry={30: "red"},
        alert="KhabarLatencyBurningFast",
    ),
    Panel(
        "Objective: share of late articles",
        "Articles that took over 30 s; one in a hundred may. Above 14.4 % over an hour somebody is woken.",
        [(f"khabar:end_to_end_seconds:slow_ratio_rate{window}{{{ALL}}}", window) for window in ("5m", "30m", "1h", "6h")],
        "percentunit",
        worry={0.01: "yellow", 0.06: "orange", 0.144: "red"},
        alert="KhabarLatencyBurningSlowly",
    ),
    Panel(
        "Stages",
        "95 of 100 articles spent at most this long in a stage; a share of their batch where many ran at once.",
        [(quantile(0.95, "khabar_stage_seconds", by="stage"), "{{stage}}")],
        "s",
    ),
    Panel(
        "Entities by language",
        "Mean time of the entity stage: longer articles, or a language that costs more.",
        [
            (
                (
                    f'sum by (language) (rate(khabar_stage_seconds_sum{{{EACH}, stage="entities"}}{RATE})) '
                    f'/ sum by (language) (rate(khabar_stage_seconds_count{{{EACH}, stage="entities"}}{RATE}))'
                ),
                "{{language}}",
            )
        ],
        "s",
    ),
    Panel(
        "Articles a batch",
        "How full the micro-batches are: 1 when idle, up to KHABAR_BATCH_ARTICLES under load.",
        [(quantile(0.5, "khabar_batch_articles"), "half"), (quantile(0.95, "khabar_batch_articles"), "95 %")],
        "short",
    ),
]
QUALITY = [
    Panel(
        "Languages",
        "Enriched articles by detected language, a second.",
        [(total("khabar_articles_enriched_total", by="language"), "{{language}}")],
        "ops",
        stack=True,
    ),
    Panel(
        "Entities an article",
        "By type. A sudden fall is a broken feed or a wrong model; compare with Languages.",
        [(f"{total('khabar_entities_total', by='type')} / scalar({total('khabar_articles_enriched_total')})", "{{type}}")],
        "short",
        stack=True,
    ),
    Panel(
        "Without entities",
        f"Share of articles in a language that the bundled models have no entities for (not {WITH_ENTITIES.replace('|', ', ')}).",
        [
            (
                (
                    f'(sum(rate(khabar_articles_enriched_total{{{EACH}, language!~"{WITH_ENTITIES}"}}{RATE})) or vector(0)) '
                    f"/ {total('khabar_articles_enriched_total')}"
                ),
                "other languages",
            )
        ],
        "percentunit",
        worry={0.2: "orange"},
    ),
]
FAULTS = [
    Panel(
        "Dead letters by reason",
        "invalid_…, unknown_schema, empty_body, too_…: the sender. enrich_…, worker_crashed: us. output_too_large: the topic. "
        "unreadable: a broken batch.",
        [(total("khabar_articles_dead_lettered_total", by="reason"), "{{reason}}")],
        "ops",
        stack=True,
        alert="KhabarDeadLettersRising",
    ),
    Panel(
        "Dead letters: share over ten minutes",
        "What the alert looks at, beside their number a second.",
        [(f"khabar:dead_lettered:ratio_rate10m{{{ALL}}}", "share")],
        "percentunit",
        worry={0.05: "red"},
        alert="KhabarDeadLettersRising",
    ),
    Panel(
        "Sends tried again",
        "The broker did not acknowledge; nothing is lost, but nothing moves either.",
        [(total("khabar_publish_retries_total", by="instance"), "{{instance}}")],
        "ops",
        worry={0.1: "red"},
        alert="KhabarPublishRetrying",
    ),
    Panel(
        "Schema registry asked again",
        "It did not answer; articles whose schema is not known yet wait for it. Zero where no topic holds Avro.",
        [(total("khabar_registry_retries_total", by="instance"), "{{instance}}")],
        "ops",
        worry={0.1: "red"},
        alert="KhabarRegistryRetrying",
    ),
    Panel(
        "Enricher processes replaced",
        "Died, hung or outgrew their memory; their articles run again one by one.",
        [(f"sum by (instance) (increase(khabar_pool_restarts_total{{{EACH}}}{RATE}))", "{{instance}}")],
        "short",
        alert="KhabarModelProcessRestarts",
    ),
    Panel(
        "Ready",
        "1 while a worker is a member of the group with models loaded and nothing held up.",
        [(f"min by (instance) (khabar_ready{{{EACH}}})", "{{instance}}")],
        "short",
        alert="KhabarNoneReady",
    ),
    Panel(
        "Brake and fence",
        "1 while a worker holds its articles: too many failures that are not their own (brake), or its group in doubt (fence).",
        [
            (f"max by (instance) (khabar_brake{{{EACH}}})", "brake {{instance}}"),
            (f"max by (instance) (khabar_fence_closed{{{EACH}}})", "fence {{instance}}"),
        ],
        "short",
        worry={1: "red"},
        alert="KhabarBrakeOn",
    ),
]
CAPACITY = [
    Panel(
        "CPU",
        "Cores in use, enricher processes included. At their number of processes they are busy throughout.",
        [(total("process_cpu_seconds_total", by="instance"), "{{instance}}")],
        "short",
    ),
    Panel(
        "Memory",
        "Resident, enricher processes included, shared pages once; the limit in the manifests is 2.5 GiB.",
        [(f"process_resident_memory_bytes{{{EACH}}}", "{{instance}}")],
        "bytes",
        worry={0.85 * 2560 * 2**20: "red"},
        alert="KhabarMemoryHigh",
    ),
    Panel(
        "Processes", "Enricher processes and their helpers below each worker.", [(f"process_children{{{EACH}}}", "{{instance}}")], "short"
    ),
    Panel(
        "File descriptors",
        "Share of what one process may open.",
        [(f"process_open_fds{{{EACH}}} / process_max_fds{{{EACH}}}", "{{instance}}")],
        "percentunit",
        worry={0.8: "red"},
    ),
    Panel(
        "Versions",
        "Workers by version: more than one during an upgrade.",
        [(f"count by (version) (khabar_build_info{{{EACH}}})", "{{version}}")],
        "short",
    ),
    Panel(
        "Models",
        "What each worker has loaded.",
        [(f"max by (stage, language, name, version, sha256) (khabar_model_info{{{EACH}}})", "")],
        "short",
        "table",
        8,
        alert="KhabarModelsDiffer",
    ),
    Panel(
        "Model reloads",
        "Asked for by SIGHUP; after a failed one the worker goes on with the models it had.",
        [(f"sum by (instance, outcome) (increase(khabar_model_reloads_total{{{EACH}}}{RATE}))", "{{outcome}} {{instance}}")],
        "short",
        alert="KhabarReloadFailed",
    ),
]
ROWS = {"Flow": FLOW, "Latency": LATENCY, "Quality of the stream": QUALITY, "Faults": FAULTS, "Capacity": CAPACITY}
