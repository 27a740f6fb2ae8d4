"""The articles that are measured: the corpus, or the project's samples; and articles made of their sentences."""

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from worker.enrich.segment import sentences

ROOT = Path(__file__).parents[2]
CORPUS = ROOT.parent / "shared" / "data" / "articles"
SAMPLES = ROOT / "worker" / "bundled" / "samples"
LANGUAGES = ("ar", "en", "fa")
NEW_WORDS = 0.02
"""Share of words that `endless` makes up: running news keeps bringing names that nobody has cached."""

Article = dict[str, Any]


def load(count: int, *, folder: Path = CORPUS, languages: Sequence[str] = LANGUAGES, seed: int = 7) -> list[Article]:
    """``count`` articles, languages mixed; where there are fewer, they come again under other ids.

    Args:
        count: how many.
        folder: of ``ar.jsonl``, ``en.jsonl`` and ``fa.jsonl``; the samples where it is missing.
        languages: which of the files.
        seed: of the order.
    """
    source = folder if folder.is_dir() else SAMPLES
    lines = [line for name in languages for line in (source / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    found: list[Article] = [json.loads(line) for line in lines]
    random.Random(seed).shuffle(found)  # noqa: S311 - an order, not a secret
    return [{**found[place % len(found)], "id": f"bench-{place}"} for place in range(count)]


def of_length(source: Sequence[Article], *, characters: int, count: int, seed: int = 7) -> list[Article]:
    """Articles whose bodies have this many code points, of the source's sentences, eight to a paragraph."""
    chooser = random.Random(seed)  # noqa: S311 - an order, not a secret
    pool = [body[start:end] for article in source for body in (article["body"],) for start, end in sentences(body)]
    return [_written(pool, chooser, characters=characters, name=f"made-{characters}-{number}") for number in range(count)]


def endless(source: Sequence[Article], *, characters: int, seed: int = 7) -> Iterator[Article]:
    """Articles without end, of the source's sentences, each language by itself, with words that nobody has seen."""
    chooser = random.Random(seed)  # noqa: S311 - an order, not a secret
    pools = [[body[start:end] for start, end in sentences(body)] for body in (article["body"] for article in source)]
    number = 0
    while True:
        pool = chooser.choice(pools)
        made = _written(pool, chooser, characters=characters, name=f"soak-{number}")
        yield {**made, "body": " ".join(_renewed(word, chooser) for word in made["body"].split(" "))}
        number += 1


def _written(pool: Sequence[str], chooser: random.Random, *, characters: int, name: str) -> Article:
    body = ""
    number = 0
    while len(body) < characters:
        body += chooser.choice(pool) + ("\n" if number % 8 == 7 else " ")
        number += 1
    return {"id": name, "title": body[:60], "body": body[:characters]}


def _renewed(word: str, chooser: random.Random) -> str:
    """The word, or a new one of its letters."""
    return word if chooser.random() > NEW_WORDS else "".join(chooser.sample(word, len(word))) + chooser.choice(word or "x")
