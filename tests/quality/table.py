"""`python -m tests.quality.table`: every quality figure as tables. Behind `make quality`."""

import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.quality import data, measure
from worker.errors import ModelError
from worker.nlp import models
from worker.nlp.pipeline import load
from worker.settings import Settings


def main() -> None:
    """Measure and print; a model that cannot be loaded is said, not hidden, and makes the exit code 1."""
    console = Console(width=None if sys.stdout.isatty() else 140)
    failed = False
    for name in models.BUNDLES:
        try:
            figures = {language: measure.entities(load(Settings(models=name)), language) for language in data.LANGUAGES}
        except ModelError as error:
            console.print(f"[red]{error}[/red]", highlight=False)
            failed = True
            continue
        console.print(by_type(name, figures), by_case(name, figures))
    console.print(by_code(measure.languages()), by_method({language: measure.summaries(language) for language in data.LANGUAGES}))
    sys.exit(failed)


def by_type(name: str, figures: Mapping[str, dict[str, Any]]) -> Table:
    """Precision, recall and F1 of each entity type."""
    table = _table(f"Entities, {name}: exact spans", "language", "type", "precision", "recall", "F1", "mentions", "floor")
    for language, figure in figures.items():
        floor = data.floors()["entities"].get(name, {}).get(language)
        for kind, row in [*figure["types"].items(), ("all", figure["overall"])]:
            shown = percent(floor) if kind == "all" and floor is not None else ""
            table.add_row(language, kind, *(percent(row[key]) for key in ("precision", "recall", "f1")), str(row["support"]), shown)
        table.add_section()
    return table


def by_case(name: str, figures: Mapping[str, dict[str, Any]]) -> Table:
    """Recall in the sentences that hold each hard case."""
    table = _table(f"Entities, {name}: recall by hard case (mentions)", "case", *figures)
    for case in dict.fromkeys(case for figure in figures.values() for case in figure["cases"]):
        rows = [figure["cases"].get(case) for figure in figures.values()]
        table.add_row(case.replace("_", " "), *(f"{percent(row['recall'])} ({row['support']})" if row else "" for row in rows))
    return table


def by_code(languages: Mapping[str, Counter[str]]) -> Table:
    """Accuracy of each language, and what its headlines were taken for instead."""
    table = _table("Language of headlines", "language", "accuracy", "headlines", "floor", "taken for")
    for code, taken in languages.items():
        wrong = ", ".join(f"{other} {count}" for other, count in taken.most_common() if other != code)
        floor = data.floors()["languages"][code]
        table.add_row(code, percent(measure.accuracy(code, taken)), str(taken.total()), percent(floor), wrong)
    return table


def by_method(languages: Mapping[str, Mapping[str, measure.Summaries]]) -> Table:
    """Ours and the baselines, by whole key sentences and by their code points."""
    table = _table(
        "Summaries: key sentences found under the same budget (P, R, F1)", "language", "method", "sentences", "code points", "floors"
    )
    for language, methods in languages.items():
        floors = data.floors()["summaries"][language]
        for method, figure in methods.items():
            shown = f"{percent(floors['sentences'])} {percent(floors['characters'])}" if method == measure.OURS else ""
            table.add_row(language, method, _three(figure.sentences), _three(figure.characters), shown)
        table.add_section()
    return table


def percent(figure: float) -> str:
    """A fraction of 1 in percent."""
    return f"{100 * figure:.1f}"


def _three(overlap: measure.Overlap) -> str:
    return f"{percent(overlap.precision)} {percent(overlap.recall)} {percent(overlap.f1)}"


def _table(title: str, *columns: str) -> Table:
    table = Table(*columns, title=title, title_justify="left", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right" if column.header != "taken for" else "left"
    return table


if __name__ == "__main__":
    main()
