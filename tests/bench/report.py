"""Pictures and tables of ``docs/performance.md`` and ``docs/capacity.md`` from what the measurements left in ``build/``.

    make bench-report

A table stands between ``<!-- figures: name -->`` and ``<!-- end -->``. What was not measured is left as it
is, and said.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from tests.bench import plots, tables
from tests.bench.articles import ROOT

BUILD = ROOT / "build"
IMAGES = ROOT / "docs" / "images"
DOCUMENTS = (ROOT / "docs" / "performance.md", ROOT / "docs" / "capacity.md")
CURVES = ("lengths", "languages", "batches", "processes", "start", "latency", "soak", "rehearsal")
SOURCES = {
    "bench": BUILD / "bench.json",
    "bench_same_work": BUILD / "bench-same-work.json",
    "capacity": BUILD / "capacity.json",
    **{name: BUILD / "curves" / f"{name}.json" for name in CURVES},
}

Results = Mapping[str, dict[str, Any]]


def read() -> dict[str, dict[str, Any]]:
    """What there is, by name."""
    return {name: json.loads(file.read_text(encoding="utf-8")) for name, file in SOURCES.items() if file.exists()}


def filled(text: str, results: Results) -> str:
    """A document with the tables of these results made anew, each with its picture; the others stay."""

    def table(match: re.Match[str]) -> str:
        name = match[1]
        if name not in tables.TABLES or name not in results:
            return match[0]
        picture = f"\n\n![{plots.CAPTIONS[name]}](images/{picture_of(name)})" if name in plots.PLOTS else ""
        return f"<!-- figures: {name} -->\n{tables.TABLES[name](results[name])}{picture}\n<!-- end -->"

    return re.sub(r"<!-- figures: (\w+) -->.*?<!-- end -->", table, text, flags=re.DOTALL)


def picture_of(name: str) -> str:
    """File name of a measurement's picture."""
    return f"bench-{name}.png"


def main() -> None:
    """Draw and write."""
    results = read()
    console = Console()
    for name, draw in plots.PLOTS.items():
        if name in results:
            file = IMAGES / picture_of(name)
            draw(results[name], file)
            console.print(f"{file.relative_to(ROOT)}")
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        document.write_text(filled(text, results), encoding="utf-8")
        missing = [name for name in re.findall(r"<!-- figures: (\w+) -->", text) if name not in results]
        console.print(f"{document.relative_to(ROOT)}" + (f": not measured, left as they are: {', '.join(missing)}" if missing else ""))


if __name__ == "__main__":
    main()
