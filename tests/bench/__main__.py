"""``python -m tests.bench``: everything side by side in one run; prints a table and writes ``build/bench.json``."""

import argparse
import json
import random
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from tests.bench import bare, floor, stream
from tests.faults.cluster import Cluster, available
from worker.settings import Settings

ROOT = Path(__file__).parents[2]
CORPUS = ROOT.parent / "shared" / "data" / "articles"
SAMPLES = ROOT / "worker" / "bundled" / "samples"
STANZA = ROOT / "tests" / "data" / "stanza"
MODELS = ROOT / "worker" / "bundled" / "models"
PRESETS = ("fast", "accurate")


def main() -> None:
    """Measure, print, write."""
    options = _options()
    articles = _articles(options.articles)
    presets = [name for name in PRESETS if (MODELS / name / "card.json").is_file()]
    result: dict[str, Any] = {
        "settings": {"articles": len(articles), "processes": options.processes, "seconds": options.seconds, "kafka": available()}
    }
    with _broker() as broker, tempfile.TemporaryDirectory() as logs:
        stream.fill(broker, ["naive.raw", "naive.enriched"], articles)
        watch = stream.Watch(
            broker=broker, output="naive.enriched", articles=len(articles), seconds=options.seconds, log=Path(logs) / "naive.log"
        )
        flow = stream.measure(["-m", "tests.bench.naive", broker, "naive.raw", "naive.enriched", str(STANZA)], {}, watch)
        result["naive_articles_per_second"] = round(flow.rate, 2)
        result["naive_resident_bytes"] = flow.resident
        for name in presets:
            result[name] = _preset(name, broker, articles, options, Path(logs))
    _show(result, presets)
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "bench.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _preset(name: str, broker: str, articles: list[dict[str, Any]], options: argparse.Namespace, logs: Path) -> dict[str, Any]:
    """Khabar with one model: the stream, the bare enricher, the tagger alone and its floor."""
    topics = {"INPUT": f"{name}.raw", "OUTPUT": f"{name}.enriched", "DEAD_LETTER": f"{name}.dead"}
    stream.fill(broker, list(topics.values()), articles)
    environment = {f"KHABAR_{kind}_TOPIC": topic for kind, topic in topics.items()}
    environment |= {"KHABAR_BROKERS": broker, "KHABAR_MODELS": name, "KHABAR_PROCESSES": str(options.processes), "KHABAR_HTTP_PORT": "0"}
    watch = stream.Watch(broker=broker, output=topics["OUTPUT"], articles=len(articles), seconds=options.seconds, log=logs / f"{name}.log")
    flow = stream.measure(["-m", "worker.cli", "worker"], environment, watch)
    settings = Settings(models=name, processes=options.processes)
    directory = MODELS / name
    rate, pieces = bare.words_per_second(directory, [article["body"] for article in articles])
    card = json.loads((directory / "card.json").read_text(encoding="utf-8"))
    cost, (inner, outer) = floor.multiplications_per_piece(directory / "model.onnx", window=card["window"])
    matrix = statistics.mean([floor.int8_rate(inner=inner, outer=outer), floor.int8_rate(inner=outer, outer=inner)])
    return {
        "articles_per_second": round(flow.rate, 2),
        "bare_articles_per_second": round(bare.articles_per_second(settings, [msgspec.json.encode(article) for article in articles]), 2),
        "words_per_second_per_core": round(rate),
        "floor_words_per_second_per_core": round(matrix / (cost * pieces)),
        "first_article_seconds": round(flow.first, 2),
        "resident_bytes": flow.resident,
    }


def _articles(count: int) -> list[dict[str, Any]]:
    """Articles in all languages, shuffled; the project's samples where the corpus is missing."""
    files = sorted(CORPUS.glob("*.jsonl")) or sorted(SAMPLES.glob("**/*.json*"))
    found: list[dict[str, Any]] = []
    for file in files:
        text = file.read_text(encoding="utf-8")
        found.extend(json.loads(line) for line in text.splitlines()) if file.suffix == ".jsonl" else found.append(json.loads(text))
    random.Random(7).shuffle(found)  # noqa: S311 - an order, not a secret
    return found[:count]


@contextmanager
def _broker() -> Iterator[str]:
    """Apache Kafka where it is, else the embedded broker."""
    if not available():
        from worker.broker import EmbeddedBroker

        with EmbeddedBroker() as embedded:
            yield embedded.address
        return
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(Path(folder))
        cluster.start()
        try:
            yield cluster.direct
        finally:
            cluster.stop()


def _show(result: dict[str, Any], presets: list[str]) -> None:
    table = Table(
        "",
        "articles/s",
        "× naive",
        "bare articles/s",
        "÷ bare",
        "words/s/core",
        "floor",
        "of floor",
        "first article",
        title="one run, side by side",
    )
    naive = result["naive_articles_per_second"]
    table.add_row("naive", f"{naive:.1f}", "1.0")
    for name in presets:
        own = result[name]
        rate, alone, words, lowest = (
            own[key]
            for key in ("articles_per_second", "bare_articles_per_second", "words_per_second_per_core", "floor_words_per_second_per_core")
        )
        cells = [
            f"{rate:.1f}",
            f"{rate / naive:.1f}",
            f"{alone:.1f}",
            f"{rate / alone:.2f}",
            f"{words:,}",
            f"{lowest:,}",
            f"{words / lowest:.0%}",
        ]
        table.add_row(name, *cells, f"{own['first_article_seconds']} s")
    Console().print(table)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--articles", type=int, default=935)
    parser.add_argument("--seconds", type=float, default=60.0, help="longest time a worker is watched")
    parser.add_argument("--processes", type=int, default=Settings().processes)
    return parser.parse_args()


if __name__ == "__main__":
    main()
