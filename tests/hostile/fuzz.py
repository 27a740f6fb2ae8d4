"""The long hostile run: ``python -m tests.hostile.fuzz [--inputs N] [--seed S]``.

Random inputs are numbered and the count is kept in ``build/fuzz.json``, so that a run that was interrupted goes on where
it stopped. Exit code 1 when anything was unexpected; the numbers of the first fifty
unexpected inputs stand in the file. `tests.hostile.coverage_guided` chooses
its inputs by the code they reach.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from tests.hostile import generate, targets

OUT = Path("build/fuzz.json")
BATCH = 64
KEPT = 50


def main() -> int:
    """Run, print a line now and then, write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    result = run(inputs=options.inputs, seed=options.seed, out=options.out)
    print(f"inputs={result['inputs']} unexpected={result['unexpected']} seed={options.seed} seconds={result['seconds']:.0f}")  # noqa: T201
    return 1 if result["unexpected"] else 0


def run(*, inputs: int, seed: int, out: Path) -> dict[str, Any]:
    """Run inputs up to number ``inputs`` and return the result, which also stands in ``out``."""
    result = _load(out, seed=seed)
    started, before = time.monotonic(), result["seconds"]
    while result["inputs"] < inputs:
        first = result["inputs"]
        numbers = range(first, min(first + BATCH, inputs))
        for number, wrong in zip(numbers, _batch(numbers, seed=seed), strict=True):
            if wrong:
                result["unexpected"] += 1
                result["examples"] = [*result["examples"], {"number": number, "wrong": wrong}][:KEPT]
        result["inputs"] = numbers[-1] + 1
        result["seconds"] = before + time.monotonic() - started
        if first // 10_000 != result["inputs"] // 10_000:
            _save(out, result)
            print(f"{result['inputs']} inputs, {result['unexpected']} unexpected", file=sys.stderr, flush=True)  # noqa: T201
    _save(out, result)
    return result


def _batch(numbers: range, *, seed: int) -> list[list[str]]:
    inputs = [generate.sample(number, seed=seed) for number in numbers]
    found = targets.enrich(inputs)
    for (value, plain), wrong in zip(inputs, found, strict=True):
        wrong.extend(targets.decode(value, plain_text=plain))
        wrong.extend(targets.split(value.decode("utf-8", "replace")))
    return found


def _load(out: Path, *, seed: int) -> dict[str, Any]:
    try:
        result: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    except FileNotFoundError:
        result = {}
    if result.get("seed") != seed:
        result = {"seed": seed, "inputs": 0, "unexpected": 0, "seconds": 0.0, "examples": []}
    return result


def _save(out: Path, result: dict[str, Any]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
