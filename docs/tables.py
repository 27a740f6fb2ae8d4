"""Write the generated tables into the documentation: settings from `worker.settings`, metrics from `worker.metrics`.

    python docs/tables.py

A table stands between ``<!-- name: … -->`` and ``<!-- end -->``; a test holds the files to what is generated.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from worker import metrics
from worker.settings import reference

ROOT = Path(__file__).parents[1]
FILES = (ROOT / "README.md", ROOT / "docs" / "operations.md")
PROCESS = "process"


def settings_table() -> str:
    """Every setting: variable, default, meaning."""
    rows = [f"| `{variable}` | {f'`{default}`' if default else ''} | {meaning} |" for variable, default, meaning in reference()]
    return "\n".join(["| Variable | Default | Meaning |", "|---|---|---|", *rows])


def metric_rows() -> Iterator[tuple[str, str, str, str]]:
    """Name as it is scraped, type, labels and meaning of every metric of the worker."""
    for family in metrics.REGISTRY.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        declared = getattr(metrics.REGISTRY, "_names_to_collectors", {}).get(family.name)
        labels = ", ".join(f"`{label}`" for label in getattr(declared, "_labelnames", ()))
        yield name, family.type, labels, family.documentation


def metrics_table() -> str:
    """Every metric: name, type, labels, meaning."""
    rows = [f"| `{name}` | {kind} | {labels} | {meaning} |" for name, kind, labels, meaning in sorted(metric_rows())]
    return "\n".join(["| Metric | Type | Labels | Meaning |", "|---|---|---|---|", *rows])


TABLES = {"settings": settings_table, "metrics": metrics_table}


def updated(text: str) -> str:
    """A document with its tables made anew."""

    def table(match: re.Match[str]) -> str:
        return f"<!-- table: {match[1]} -->\n{TABLES[match[1]]()}\n<!-- end -->"

    return re.sub(r"<!-- table: (\w+) -->.*?<!-- end -->", table, text, flags=re.DOTALL)


def main() -> None:
    """Write every file whose tables have changed."""
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        if updated(text) != text:
            path.write_text(updated(text), encoding="utf-8")
            print(f"{path.relative_to(ROOT)}: tables made anew")  # noqa: T201 - a tool for people


if __name__ == "__main__":
    main()
