"""One Markdown table a measurement."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from worker.settings import Settings

USUAL_BATCH = str(Settings().batch_articles)

Result = Mapping[str, Any]


def markdown(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table; the first column is text, the others numbers."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(map(str, row)) + " |" for row in rows)])


def bench(result: Result) -> str:
    """The yardstick, as ratios."""
    head = (
        "",
        "× naive",
        "× a naive one a core",
        "÷ bare enricher",
        "words a second and core",
        "of the floor",
        "attention in float32",
        "first article",
        "resident",
    )
    rows: list[list[object]] = [["naive", "1", "", "", "", "", "", "", _megabytes(result["naive_resident_bytes"])]]
    for name in ("fast", "accurate"):
        if name in result:
            own, ratios = result[name], result[name]["ratios"]
            cells: list[object] = [f"`{name}`", *(_ranged(ratios[key]) for key in ("to_naive", "to_naive_per_core", "to_bare"))]
            cells += [
                f"{own['words_per_second_per_core']:,.0f}",
                *(_ranged(ratios[key]) for key in ("to_floor", "to_float_attention_floor")),
            ]
            rows.append([*cells, f"{own['first_article_seconds']:.1f} s", _megabytes(own["resident_bytes"])])
    settings = result["settings"]
    languages = " ".join(settings["languages"])
    articles = f"{settings['articles']} articles ({languages})"
    note = f"{settings['rounds']} rounds of {articles}, {settings['processes']} processes: median (lowest–highest)."
    return f"{markdown(head, rows)}\n\n{note}"


def lengths(result: Result) -> str:
    """Time a character, relative to 2,000 characters, and the stages' shares."""
    by_length = {row["characters"]: row for row in result["rows"]}
    usual = by_length[2_000]["nanoseconds_per_character"]
    stages = ("decode", "language", "entities", "summary")
    rows = [
        [
            f"{length:,}",
            f"{row['nanoseconds_per_character'] / usual:.2f}",
            *(f"{row['stage_shares'].get(stage, 0):.1%}" for stage in stages),
        ]
        for length, row in by_length.items()
    ]
    note = f"`{result['models']}`; 1.00 is the processor time a character of articles of 2,000."
    return f"{markdown(('characters', 'time a character', *stages), rows)}\n\n{note}"


def languages(result: Result) -> str:
    """Time a character, relative to the mix."""
    mixed = next(row for row in result["rows"] if row["language"] == "mixed")["nanoseconds_per_character"]
    rows = [[row["language"], f"{row['nanoseconds_per_character'] / mixed:.2f}"] for row in result["rows"]]
    return f"{markdown(('language', 'time a character'), rows)}\n\n`{result['models']}`; 1.00 is all three mixed."


def batches(result: Result) -> str:
    """Throughput relative to the default."""
    usual = next(row for row in result["rows"] if row["name"] == USUAL_BATCH)["articles_per_second"]
    rows = [[row["name"], _ranged([row[key] / usual for key in ("low", "articles_per_second", "high")])] for row in result["rows"]]
    return f"{markdown(('articles a micro-batch', 'throughput'), rows)}\n\n`{result['models']}`; 1.00 is the default."


def processes(result: Result) -> str:
    """Throughput relative to one process, with and without Kafka."""
    found = {row["name"]: row for row in result["rows"]}
    rows = []
    for name, row in found.items():
        usual = found["bare 1" if name.startswith("bare") else "worker 1"]["articles_per_second"]
        rows.append([name, *(_ranged([row[key] / one for key in ("low", "articles_per_second", "high")]) for one in (usual,))])
    return f"{markdown(('processes', '× one process'), rows)}\n\n`{result['models']}`."


def start(result: Result) -> str:
    """Seconds to each step of a start."""
    rows = [[name.replace("_", " "), f"{seconds:.1f}"] for name, seconds in result["median"].items()]
    return f"{markdown(('until', 'seconds'), rows)}\n\nMedian of {result['rounds']} starts of `{result['models']}`."


def latency(result: Result) -> str:
    """Seconds at each load."""
    rows = [
        [f"{row['share']:.0%}", row["articles"], f"{row['p50']:.2f}", f"{row['p99']:.2f}", row["behind_at_end"]] for row in result["rows"]
    ]
    head = ("of saturation", "articles", "p50, s", "p99, s", "behind at the end")
    return f"{markdown(head, rows)}\n\n`{result['models']}`, one worker of two processes."


def soak(result: Result) -> str:
    """Memory over the soak."""
    rows = [
        ["articles", f"{result['longest_run_articles']:,} in one run, {result['articles']:,} in {result['runs']}"],
        ["resident at most, processes together, shared pages once", _megabytes(result["resident_bytes"])],
        ["slope", f"{result['slope_share_per_10000']:+.2%} per 10,000 articles ({_megabytes(result['slope_bytes_per_10000'])})"],
    ]
    return markdown(("soak", f"`{result['models']}`"), rows)


def rehearsal(result: Result) -> str:
    """Simulated beside measured."""
    rows = [
        ["highest lag, articles", result["peak_measured"], result["peak_simulated"]],
        ["article-seconds waited", result["article_seconds_waited_measured"], result["article_seconds_waited_simulated"]],
    ]
    note = f"Mean difference of the two curves: {result['mean_difference_of_peak']:.1%} of the highest lag."
    return f"{markdown(('', 'measured', 'simulated'), rows)}\n\n{note}"


def capacity(result: Result) -> str:
    """What 1, 10 and 100 million articles a day need."""
    head = (
        *("articles a day", "mean, a second", "busiest minute", "partitions", "replicas, least–most (mean)", "p99", "worst"),
        *("cores at most", "memory at most", "broker, in a day", "broker, disk"),
    )
    rows = [
        [
            f"{row['articles_a_day']:,}",
            row["mean_per_second"],
            row["busiest_minute_per_second"],
            row["partitions"],
            f"{row['least_replicas']}–{row['most_replicas']} ({row['mean_replicas']:.1f})",
            f"{row['p99']:.0f} s",
            f"{row['worst']:.0f} s",
            row["cores_at_most"],
            f"{row['memory_bytes_at_most'] / 1e9:.1f} GB",
            f"{row['broker_bytes_in_a_day'] / 1e9:.1f} GB",
            f"{row['broker_disk_bytes'] / 1e9:,.0f} GB",
        ]
        for row in result["rows"]
    ]
    cost = result["cost"]
    note = f"From {cost['seconds'] * 1e3:.0f} ms of processor time an article (`{result['models']}`), {cost['bytes_in']:,.0f} bytes in, "
    note += f"{cost['bytes_out']:,.0f} out, {_megabytes(cost['resident'])} a replica, {cost['start']:.0f} s to start."
    return f"{markdown(head, rows)}\n\n{note}"


def _megabytes(size: float) -> str:
    return f"{size / 1e6:,.0f} MB"


def _ranged(ratio: Sequence[float]) -> str:
    low, middle, high = ratio
    digits = 1 if middle >= 2 else 2
    return f"{middle:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


TABLES: dict[str, Callable[[dict[str, Any]], str]] = {
    "bench": bench,
    "bench_same_work": bench,
    "lengths": lengths,
    "languages": languages,
    "batches": batches,
    "processes": processes,
    "start": start,
    "latency": latency,
    "soak": soak,
    "rehearsal": rehearsal,
    "capacity": capacity,
}
