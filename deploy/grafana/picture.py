"""Draw the dashboard's panels from the results that a real Prometheus gave to their own queries.

    python deploy/grafana/picture.py     (after tests/deploy/test_live.py, which leaves build/dashboard-results.json)

No Grafana is needed: the picture shows what the queries return, not how Grafana paints it.
"""

import json
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

mpl.use("Agg")
ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "build" / "dashboard-results.json"
PICTURE = ROOT / "docs" / "images" / "dashboard.png"
COLUMNS = 4
UNITS = {"short": "", "ops": "a second", "s": "s", "percentunit": "share", "bytes": "MiB"}


def named(legend: str, labels: dict[str, str]) -> str:
    """A legend with its labels filled in, as Grafana would; workers are numbered, not named by their ports."""
    text = re.sub(r"{{(\w+)}}", lambda match: labels.get(match[1], ""), legend)
    return re.sub(r"[\d.]+:\d+", "worker 1", text)


def draw(axes: Axes, title: str, targets: list[dict[str, Any]]) -> None:
    """One panel: every series of every query."""
    unit = targets[0]["unit"]
    first = min(float(series["values"][0][0]) for target in targets for series in target["result"])
    for target in targets:
        for series in target["result"]:
            points = [(float(at) - first, float(value)) for at, value in series["values"] if value != "NaN"]
            scale = 2**20 if unit == "bytes" else 1
            axes.plot(
                [at for at, _ in points],
                [value / scale for _, value in points],
                label=named(target["legend"], series["metric"]),
                linewidth=1.2,
            )
    axes.set_title(title, fontsize=9)
    axes.set_ylabel(UNITS[unit], fontsize=7)
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=6)
    axes.grid(alpha=0.3)
    if any(target["legend"] for target in targets):
        axes.legend(fontsize=5, loc="upper left", ncols=2)


def main() -> None:
    """Draw every panel that has lines."""
    panels: dict[str, list[dict[str, Any]]] = {}
    for target in json.loads(RESULTS.read_text(encoding="utf-8")):
        if target["panel"] != "Models":
            panels.setdefault(target["panel"], []).append(target)
    rows = -(-len(panels) // COLUMNS)
    figure, grid = plt.subplots(rows, COLUMNS, figsize=(16, 2.4 * rows), layout="constrained")
    for axes, (title, targets) in zip(grid.flat, panels.items(), strict=False):
        draw(axes, title, targets)
    for axes in list(grid.flat)[len(panels) :]:
        axes.remove()
    figure.supxlabel("seconds", fontsize=8)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURE, dpi=80)


if __name__ == "__main__":
    main()
