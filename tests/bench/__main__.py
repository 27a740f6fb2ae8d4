"""``python -m tests.bench``: everything side by side in one run; prints a table and writes ``build/bench.json``.

The machine is never alone, so the contestants take turns: round by round, every second round in the opposite order. A
figure is the median of its rounds, a ratio the median of the rounds' ratios, and the spread is printed beside it.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec
from rich.console import Console

from tests.bench import bare, broker, stream
from tests.bench.articles import CORPUS, LANGUAGES, ROOT, Article, load
from tests.bench.floor import Floor
from tests.bench.table import summary, table
from tests.faults.cluster import available
from worker.settings import Settings

STANZA = ROOT / "tests" / "data" / "stanza"
MODELS = ROOT / "worker" / "bundled" / "models"
PRESETS = ("accurate", "fast")
NAIVE = ("naive", "naive_one_thread", "naive_per_core")
"""torch as it comes (a thread a core), with one thread, and a worker of one thread on every core. The better of the first two counts."""
RAW = "bench.raw"
WIDTH = 150
"""Columns of what is printed, also into a file."""
TAGGED_WORDS_SHARE = 0.5
"""Share of the corpus that the taggers alone are measured on, cut into one part a round and one to warm up."""

Figures = dict[str, float]


def main() -> None:
    """Measure, print, write; what is there is written after every round."""
    options = _options()
    articles = load(options.articles, folder=options.corpus, languages=options.languages)
    presets = [name for name in PRESETS if (MODELS / name / "card.json").is_file() and name in options.presets]
    settings = {name: getattr(options, name) for name in ("articles", "rounds", "processes", "seconds", "languages")}
    settings |= {"kafka": available(), "corpus": options.corpus.is_dir()}
    raw_bytes = sum(len(msgspec.json.encode(article)) for article in articles) / len(articles)
    rounds: list[dict[str, Figures]] = []
    console = Console(width=WIDTH)
    with broker.broker() as address, tempfile.TemporaryDirectory() as logs:
        broker.make_topics(address, RAW)
        broker.fill(address, RAW, articles)
        taggers = {name: _Tagger(name, articles, rounds=options.rounds) for name in presets}
        for number in range(options.rounds):
            figures: dict[str, Figures] = {}
            for name, contest in _Round(address, articles, options, Path(logs), number).contests(taggers):
                found = contest()
                figures.setdefault(name, {}).update(found)
                console.print(f"round {number + 1}  {name:16} " + "  ".join(f"{key} {value:.4g}" for key, value in found.items()))
            rounds.append(figures)
            result = summary(rounds, presets) | {"settings": settings, "raw_bytes": raw_bytes, "rounds": rounds}
            options.out.parent.mkdir(exist_ok=True)
            options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    console.print(table(result, presets))


class _Round:
    """The contests of one round."""

    def __init__(self, address: str, articles: Sequence[Article], options: argparse.Namespace, logs: Path, number: int) -> None:
        self._address, self._articles, self._options, self._logs, self._number = address, articles, options, logs, number

    def contests(self, taggers: "Mapping[str, _Tagger]") -> list[tuple[str, Callable[[], Figures]]]:
        """Everything in its order."""
        found: list[tuple[str, Callable[[], Figures]]] = [(name, partial(self._flow, name)) for name in NAIVE]
        for name, tagger in taggers.items():
            found += [(name, partial(self._flow, name)), (name, partial(self._bare, name)), (name, tagger.measure)]
        return found[:: -1 if self._number % 2 else 1]

    def _flow(self, name: str) -> Figures:
        contestant = _contestant(self._address, name, self._number, self._options.processes)
        log = self._logs / f"{name}-{self._number}.log"
        flow = stream.measure(self._address, contestant, articles=len(self._articles), seconds=self._options.seconds, log=log)
        return {
            "articles_per_second": flow.rate,
            "processor_seconds_per_article": flow.cost,
            "first_article_seconds": flow.first,
            "resident_bytes": flow.resident,
            "resident_bytes_apart": flow.resident_apart,
            "output_bytes": flow.output_bytes,
        }

    def _bare(self, name: str) -> Figures:
        settings = Settings(models=name, processes=self._options.processes)
        return {"bare_articles_per_second": bare.articles_per_second(settings, list(map(msgspec.json.encode, self._articles)))}


def _contestant(address: str, name: str, number: int, processes: int) -> stream.Contestant:
    """Who takes part, with an output topic and a group of its own for this round."""
    group = f"{name}.{number}"
    if name in PRESETS:
        return stream.khabar(address, models=name, source=RAW, name=group, processes=processes)
    broker.make_topics(address, group, appended=True)
    threads = [] if name == "naive" else ["1"]
    arguments = ["-m", "tests.bench.naive", address, RAW, group, group, str(STANZA), *threads]
    return stream.Contestant(arguments, {}, group, workers=processes if name == "naive_per_core" else 1)


class _Tagger:
    """A tagger alone beside its floor, on text it has not seen."""

    def __init__(self, name: str, articles: Sequence[Article], *, rounds: int) -> None:
        directory = MODELS / name
        self._tagging = bare.Tagging(directory)
        bodies = [article["body"] for article in articles]
        size = max(int(len(bodies) * TAGGED_WORDS_SHARE) // (rounds + 1), 1)
        self._parts = [bodies[at : at + size] for at in range(0, size * (rounds + 1), size)]
        _, pieces = self._tagging.words_per_second(self._parts.pop(0))
        window = json.loads((directory / "card.json").read_text(encoding="utf-8")).get("window", 128)
        self._floor = Floor(directory / "model.onnx", window=window, pieces=pieces)

    def measure(self) -> Figures:
        """Words a second of one core, and what the multiplications alone would allow: measured before and after."""
        before = self._floor.seconds_per_word()
        rate, pieces = self._tagging.words_per_second(self._parts.pop(0))
        after = self._floor.seconds_per_word()
        strict, in_float = ((one + other) / 2 for one, other in zip(before, after, strict=True))
        return {
            "words_per_second_per_core": rate,
            "floor_words_per_second_per_core": 1 / strict,
            "float_attention_floor_words_per_second_per_core": 1 / in_float,
            "pieces_per_word": pieces,
        }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60.0, help="longest time a worker is watched in a round")
    parser.add_argument("--processes", type=int, default=Settings().processes)
    parser.add_argument("--presets", nargs="+", default=PRESETS, choices=PRESETS)
    parser.add_argument(
        "--languages", nargs="+", default=LANGUAGES, choices=LANGUAGES, help="of the articles; the naive worker tags ar and fa alone"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench.json")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="folder of ar.jsonl, en.jsonl, fa.jsonl; samples where it is missing")
    return parser.parse_args()


if __name__ == "__main__":
    main()
