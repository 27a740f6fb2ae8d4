"""Rounds to figures: medians, ratios within a round, spread; and the table that is printed."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

Rounds = Sequence[Mapping[str, Mapping[str, float]]]


def summary(rounds: Rounds, presets: Sequence[str]) -> dict[str, Any]:
    """Medians of every figure, ratios with (lowest, median, highest) of the rounds."""
    rounds = [_with_better_naive(one) for one in rounds]
    result: dict[str, Any] = {
        "naive_articles_per_second": _median(rounds, "naive", "articles_per_second"),
        "naive_torch_as_it_comes_articles_per_second": _median(rounds, "naive_as_it_comes", "articles_per_second"),
        "naive_per_core_articles_per_second": _median(rounds, "naive_per_core", "articles_per_second"),
        "naive_resident_bytes": _median(rounds, "naive", "resident_bytes"),
    }
    for name in presets:
        result[name] = {key: _median(rounds, name, key) for key in rounds[0][name]}
        result[name]["ratios"] = {
            "to_naive": _ratios(rounds, (name, "articles_per_second"), ("naive", "articles_per_second")),
            "to_naive_per_core": _ratios(rounds, (name, "articles_per_second"), ("naive_per_core", "articles_per_second")),
            "to_bare": _ratios(rounds, (name, "articles_per_second"), (name, "bare_articles_per_second")),
            "to_floor": _ratios(rounds, (name, "words_per_second_per_core"), (name, "floor_words_per_second_per_core")),
            "to_float_attention_floor": _ratios(
                rounds, (name, "words_per_second_per_core"), (name, "float_attention_floor_words_per_second_per_core")
            ),
        }
    return result


def _with_better_naive(figures: Mapping[str, Mapping[str, float]]) -> dict[str, Mapping[str, float]]:
    """Whether torch's threads help or hinder depends on the machine: what is faster is what Khabar is held to."""
    better = max((figures["naive"], figures["naive_one_thread"]), key=lambda one: one["articles_per_second"])
    return {**figures, "naive": better, "naive_as_it_comes": figures["naive"]}


def table(result: Mapping[str, Any], presets: Sequence[str]) -> Table:
    """What a person reads."""
    drawn = Table("", "articles/s", "× naive", "× a naive one a core", "÷ bare", "words/s/core", "of the floor", "first article", "MB")
    drawn.title = f"one run, side by side: median [lowest–highest] of {result['settings']['rounds']} rounds"
    megabytes = result["naive_resident_bytes"] / 1e6
    drawn.add_row("naive", f"{result['naive_articles_per_second']:.2f}", "1.0", "", "", "", "", "", f"{megabytes:.0f}")
    drawn.add_row("naive, one a core", f"{result['naive_per_core_articles_per_second']:.2f}")
    for name in presets:
        own, ratios = result[name], result[name]["ratios"]
        cells = [ranged(ratios[key]) for key in ("to_naive", "to_naive_per_core", "to_bare")]
        words = f"{own['words_per_second_per_core']:,.0f}"
        last = [f"{own['first_article_seconds']:.1f} s", f"{own['resident_bytes'] / 1e6:.0f}"]
        drawn.add_row(name, f"{own['articles_per_second']:.2f}", *cells, words, ranged(ratios["to_floor"]), *last)
    return drawn


def ranged(ratio: Sequence[float]) -> str:
    """Median [lowest–highest]."""
    low, middle, high = ratio
    digits = 1 if middle >= 2 else 2
    return f"{middle:.{digits}f} [{low:.{digits}f}–{high:.{digits}f}]"


def _median(rounds: Rounds, name: str, key: str) -> float:
    return _short(statistics.median(one[name][key] for one in rounds))


def _ratios(rounds: Rounds, above: tuple[str, str], below: tuple[str, str]) -> tuple[float, float, float]:
    """Lowest, median, highest."""
    found = sorted(one[above[0]][above[1]] / one[below[0]][below[1]] for one in rounds)
    return _short(found[0]), _short(statistics.median(found)), _short(found[-1])


def _short(value: float) -> float:
    """Four figures: more were not measured."""
    return float(f"{value:.4g}")
