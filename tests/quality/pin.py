"""`python -m tests.quality.pin`: write digest.json and floors.json from what is measured now, minus a margin.

A floor is never lowered silently: without ``--lower`` one that would be ends in an error and nothing is written.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator
from typing import Any

from tests.quality import data, measure
from worker.nlp import models
from worker.nlp.pipeline import load
from worker.settings import Settings

MARGIN = 0.01
"""What a figure may lose before CI fails: rounding in int8 differs a little between processors."""

STEP = 1000  # floors have three decimals


def measured() -> dict[str, Any]:
    """Every figure that has a floor, in the shape of floors.json, for the bundled models that are there."""
    return {
        "entities": {name: _entities(name) for name in models.BUNDLES if models.is_bundle(models.BUNDLED / name)},
        "languages": {code: measure.accuracy(code, taken) for code, taken in measure.languages().items()},
        "summaries": {language: _summaries(language) for language in data.LANGUAGES},
    }


def lowered(floors: dict[str, Any], figures: dict[str, Any]) -> Iterator[str]:
    """One line for every floor that is gone, or above what would now be written."""
    new = dict(leaves(figures))
    for name, floor in leaves(floors):
        if name not in new:
            yield f"{name}: has a floor, {floor:.3f}, and was not measured"
        elif new[name] < floor:
            yield f"{name}: {new[name]:.3f} would be below its floor {floor:.3f}"


def leaves(tree: dict[str, Any], path: str = "") -> Iterator[tuple[str, float]]:
    """(dotted name, figure) of every number in nested dictionaries."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", float(value)


def below(figures: dict[str, Any], margin: float) -> dict[str, Any]:
    """Floors for these figures: less the margin, rounded down, not below 0."""
    return {
        name: below(value, margin) if isinstance(value, dict) else max(0.0, math.floor((value - margin) * STEP) / STEP)
        for name, value in figures.items()
    }


def _entities(name: str) -> dict[str, float]:
    loaded = load(Settings(models=name))
    return {language: measure.entities(loaded, language)["overall"]["f1"] for language in data.LANGUAGES}


def _summaries(language: str) -> dict[str, float]:
    ours = measure.summaries(language)[measure.OURS]
    return {"sentences": ours.sentences.f1, "characters": ours.characters.f1}


def main() -> None:
    """Measure, compare with the floors that stand, write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--margin", type=float, default=MARGIN, help="what a figure may lose, as a fraction of 1 (%(default)s)")
    parser.add_argument("--lower", action="store_true", help="write floors even where they are lower than before")
    options = parser.parse_args()
    floors = below(measured(), options.margin)
    problems = list(lowered(data.floors(), floors)) if data.FLOORS.is_file() else []
    if problems and not options.lower:
        sys.exit("\n".join([*problems, "nothing written; --lower writes floors that are lower"]))
    data.FLOORS.write_text(json.dumps(floors, indent=2) + "\n", encoding="utf-8")
    data.DIGEST.write_text(json.dumps(data.digest(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
