"""One picture a measurement."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from tests.bench.tables import USUAL_BATCH

SIZE = (7.0, 3.6)
DOTS = 120
INK, SECOND, THIRD, FOURTH = "#1f5a7a", "#b5502a", "#5d7a3a", "#7a6a8a"

Place = Literal["upper left", "upper right", "lower left", "lower right"]
Result = Mapping[str, Any]
Row = Mapping[str, Any]


def lengths(result: Result, file: Path) -> None:
    """Time a character, split by stage, against length."""
    axes = _axes("characters of an article", "time a character (1 = at 2,000)")
    rows = result["rows"]
    usual = next(row for row in rows if row["characters"] == 2_000)["nanoseconds_per_character"]
    at = [row["characters"] for row in rows]
    bottom = [0.0] * len(rows)
    for stage, colour in (("entities", INK), ("language", THIRD), ("summary", SECOND), ("decode", FOURTH)):
        heights = [row["nanoseconds_per_character"] / usual * row["stage_shares"].get(stage, 0.0) for row in rows]
        top = [low + height for low, height in zip(bottom, heights, strict=True)]
        axes.fill_between(at, bottom, top, color=colour, alpha=0.85, linewidth=0, label=stage)
        bottom = top
    axes.axhspan(0.875, 1.125, color="grey", alpha=0.2)
    axes.set_xscale("log")
    _save(axes, file, legend="lower left")


def batches(result: Result, file: Path) -> None:
    """Throughput against the size of a micro-batch."""
    axes = _axes("articles a micro-batch", "throughput (1 = default)")
    rows = result["rows"]
    usual = next(row for row in rows if row["name"] == USUAL_BATCH)["articles_per_second"]
    _with_range(axes, [int(row["name"]) for row in rows], rows, usual=usual)
    axes.set_xscale("log", base=2)
    _save(axes, file)


def processes(result: Result, file: Path) -> None:
    """Throughput of one process, of two, of two workers."""
    axes = _axes("", "throughput (1 = one process)")
    found = {row["name"]: row for row in result["rows"]}
    for place, (name, row) in enumerate(found.items()):
        usual = found["bare 1" if name.startswith("bare") else "worker 1"]["articles_per_second"]
        value, low, high = (row[key] / usual for key in ("articles_per_second", "low", "high"))
        colour = SECOND if name.startswith("bare") else INK
        axes.bar(place, value, color=colour, yerr=[[value - low], [high - value]], capsize=3)
    axes.set_xticks(range(len(found)), list(found))
    axes.axhline(1.8, color="grey", linewidth=0.8, linestyle="--")
    _save(axes, file)


def latency(result: Result, file: Path) -> None:
    """Median and 99th percentile against load."""
    axes = _axes("load, as a share of saturation", "seconds from record to enriched article")
    rows = [row for row in result["rows"] if row["articles"]]
    at = [row["share"] for row in rows]
    axes.plot(at, [row["p50"] for row in rows], marker="o", color=INK, label="p50")
    axes.plot(at, [row["p99"] for row in rows], marker="o", color=SECOND, label="p99")
    axes.axhline(1.0, color="grey", linewidth=0.8, linestyle="--")
    axes.set_yscale("log")
    _save(axes, file, legend="upper left")


def soak(result: Result, file: Path) -> None:
    """Memory of the worker's processes against articles."""
    axes = _axes("articles", "resident memory, MB")
    rows: Sequence[Row] = result["rows"]
    at = [row["articles"] for row in rows]
    axes.plot(at, [row["resident"] / 1e6 for row in rows], color=INK, label="all processes, shared pages once")
    for place in range(max(len(row["apart"]) for row in rows)):
        own = [row["apart"][place] / 1e6 if place < len(row["apart"]) else float("nan") for row in rows]
        axes.plot(at, own, color="grey", linewidth=0.8, label="each process by itself" if place == 0 else None)
    axes.set_ylim(bottom=0)
    _save(axes, file, legend="lower right")


def rehearsal(result: Result, file: Path) -> None:
    """Lag measured and simulated."""
    axes = _axes("seconds", "articles waiting")
    rows: Sequence[Row] = result["rows"]
    at = [row["at"] for row in rows]
    axes.plot(at, [row["measured"] for row in rows], color=INK, label="measured")
    axes.plot(at, [row["simulated"] for row in rows], color=SECOND, linestyle="--", label="simulated")
    right = axes.twinx()
    right.step(at, [row["replicas"] for row in rows], color="grey", linewidth=0.8, where="post")
    right.set_ylabel("workers asked for")
    right.set_yticks([0, 1, 2])
    _save(axes, file, legend="upper right")


def capacity(result: Result, file: Path) -> None:
    """Two days of the simulated week: arrivals and replicas."""
    figure, panels = plt.subplots(1, len(result["rows"]), figsize=(10.0, 3.2), squeeze=False)
    for axes, row in zip(panels[0], result["rows"], strict=True):
        course = row["course"]
        hours = [at / 3600 for at in course["at"]]
        axes.plot(hours, course["arrivals"], color=INK, linewidth=0.9)
        axes.set_title(f"{row['articles_a_day'] / 1e6:.0f} million a day", fontsize=9)
        axes.set_xlabel("hours", fontsize=8)
        axes.set_ylabel("articles a second", fontsize=8, color=INK)
        axes.tick_params(labelsize=7)
        axes.set_ylim(bottom=0)
        right = axes.twinx()
        right.plot(hours, course["members"], color=SECOND, linewidth=0.9)
        right.set_ylabel("workers", fontsize=8, color=SECOND)
        right.tick_params(labelsize=7)
        right.set_ylim(bottom=0)
    figure.tight_layout()
    figure.savefig(file, dpi=DOTS)
    plt.close(figure)


def _with_range(axes: Axes, at: Sequence[float], rows: Sequence[Row], *, usual: float) -> None:
    values = [row["articles_per_second"] / usual for row in rows]
    below = [value - row["low"] / usual for value, row in zip(values, rows, strict=True)]
    above = [row["high"] / usual - value for value, row in zip(values, rows, strict=True)]
    axes.errorbar(at, values, yerr=[below, above], marker="o", color=INK, capsize=3)
    axes.set_ylim(bottom=0)


def _axes(across: str, up: str) -> Axes:
    _, axes = plt.subplots(figsize=SIZE)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(alpha=0.3)
    return axes


def _save(axes: Axes, file: Path, *, legend: Place | None = None) -> None:
    if legend:
        axes.legend(loc=legend, fontsize=8)
    plt.savefig(file, dpi=DOTS, bbox_inches="tight")
    plt.close("all")


PLOTS: dict[str, Callable[[Result, Path], None]] = {
    "lengths": lengths,
    "batches": batches,
    "processes": processes,
    "latency": latency,
    "soak": soak,
    "rehearsal": rehearsal,
    "capacity": capacity,
}

CAPTIONS = {
    "lengths": "Time a character against article length, by stage; grey: within 25 %",
    "batches": "Throughput against articles a micro-batch",
    "processes": "Throughput of one and two processes and workers",
    "latency": "Median and 99th percentile of latency against load",
    "soak": "Resident memory over the soak",
    "rehearsal": "Lag over time, measured and simulated",
    "capacity": "Arrivals and workers over two simulated days",
}
