"""How cost grows: ``python -m tests.bench.curves [WHAT …]``; each writes ``build/curves/WHAT.json``.

``lengths``, ``languages`` and ``batches`` need no broker; ``processes``, ``start``, ``latency`` and ``soak`` take Apache Kafka
where it is. Contestants take turns, round by round, as in the yardstick; the load of ``latency`` is relative to what the
same worker did a minute before. ``soak`` goes on where an earlier one was cut short.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.bench import lengths, scaling, soak
from tests.bench.articles import CORPUS, LANGUAGES, ROOT, load
from tests.bench.broker import broker
from tests.bench.latency import Plan, against_load
from tests.faults.cluster import available

BUILD = ROOT / "build" / "curves"


def main() -> None:
    """Measure what was asked for, in order."""
    options = _options()
    BUILD.mkdir(parents=True, exist_ok=True)
    console = Console()
    for what in options.what:
        with tempfile.TemporaryDirectory() as logs:
            result = MEASURES[what](options, Path(logs))
        result |= {"kafka": available(), "corpus": options.corpus.is_dir()}
        (BUILD / f"{what}.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        console.print(f"── {what}")
        for row in result["rows"][-20:]:
            console.print("  ".join(f"{key} {value}" for key, value in row.items() if not isinstance(value, list | dict)), soft_wrap=True)


def _lengths(options: argparse.Namespace, _: Path) -> dict[str, Any]:
    return lengths.against_length(
        load(935, folder=options.corpus), models=options.models, characters=options.characters, rounds=options.rounds
    )


def _languages(options: argparse.Namespace, _: Path) -> dict[str, Any]:
    sources = {name: load(200, folder=options.corpus, languages=[name]) for name in LANGUAGES}
    return lengths.against_languages(sources, models=options.models, characters=options.characters, rounds=options.rounds)


def _batches(options: argparse.Namespace, _: Path) -> dict[str, Any]:
    return scaling.against_batch(load(options.articles, folder=options.corpus), models=options.models, rounds=options.rounds)


def _processes(options: argparse.Namespace, logs: Path) -> dict[str, Any]:
    articles = load(options.articles, folder=options.corpus)
    with broker() as address:
        stage = scaling.Stage(address, options.models, options.rounds, logs)
        return scaling.against_processes(stage, articles, seconds=options.seconds)


def _start(options: argparse.Namespace, logs: Path) -> dict[str, Any]:
    with broker() as address:
        stage = scaling.Stage(address, options.models, options.rounds, logs)
        return scaling.start(stage, load(30, folder=options.corpus))


def _latency(options: argparse.Namespace, logs: Path) -> dict[str, Any]:
    plan = Plan(models=options.models, seconds=options.seconds, filling=options.articles)
    with broker() as address:
        return against_load(address, load(935, folder=options.corpus), plan, log=logs / "latency.log")


def _soak(options: argparse.Namespace, logs: Path) -> dict[str, Any]:
    file = BUILD / "soak.jsonl"
    if options.afresh:
        file.unlink(missing_ok=True)
    with broker() as address:
        plan = soak.Plan(models=options.models, articles=options.soak_articles, characters=options.soak_characters)
        return soak.soak(address, load(935, folder=options.corpus), plan, file=file, log=logs / "soak.log")


MEASURES: dict[str, Callable[[argparse.Namespace, Path], dict[str, Any]]] = {
    "lengths": _lengths,
    "languages": _languages,
    "batches": _batches,
    "processes": _processes,
    "start": _start,
    "latency": _latency,
    "soak": _soak,
}


def _known(name: str) -> str:
    if name not in MEASURES:
        message = f"{name!r}: choose from {', '.join(MEASURES)}"
        raise argparse.ArgumentTypeError(message)
    return name


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    quick = [name for name in MEASURES if name != "soak"]
    parser.add_argument("what", nargs="*", default=quick, type=_known, help=f"of {', '.join(MEASURES)}; all but soak unless told")
    parser.add_argument("--models", default="accurate")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--articles", type=int, default=400, help="of batches, processes and latency's filling")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each load of latency; longest watch of a worker in processes")
    parser.add_argument("--characters", type=int, default=100_000, help="of each length and language")
    parser.add_argument("--soak-articles", type=int, default=100_000)
    parser.add_argument("--soak-characters", type=int, default=400, help="of each article")
    parser.add_argument("--afresh", action="store_true", help="soak: forget an earlier run's samples")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="folder of ar.jsonl, en.jsonl, fa.jsonl; samples where it is missing")
    return parser.parse_args()


if __name__ == "__main__":
    main()
