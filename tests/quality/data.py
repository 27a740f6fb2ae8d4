"""The pinned quality data: sentences with names, headlines, articles with key sentences. All written for this project."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec import json as msgspec_json

from worker.commands.evaluate import read_bio

ROOT = Path(__file__).parent
LANGUAGES = ("ar", "fa", "en")
"""Languages with entity models, and so with tagged sentences and articles."""

DIGEST = ROOT / "digest.json"
FLOORS = ROOT / "floors.json"


class Article(Struct, frozen=True):
    """An article and what an editor would keep of it.

    Args:
        id: language and number.
        title: the headline.
        body: the running text; a newline ends a paragraph.
        key: (start, end) of its two or three key sentences, code points of the body.
    """

    id: str
    title: str
    body: str
    key: list[tuple[int, int]]


def sentences(language: str) -> list[tuple[list[str], list[str]]]:
    """(words, BIO tags) of every tagged sentence."""
    return list(read_bio(ROOT / "ner" / f"{language}.bio"))


def cases(language: str) -> dict[str, list[int]]:
    """Hard case to the numbers of the sentences that hold it, counted from 1."""
    return dict(json.loads((ROOT / "ner" / f"{language}.cases.json").read_bytes()))


def headlines() -> list[tuple[str, str]]:
    """(language code, headline) pairs."""
    lines = (ROOT / "headlines.tsv").read_text(encoding="utf-8").splitlines()
    return [(code, headline) for code, _, headline in (line.partition("\t") for line in lines)]


def articles(language: str) -> list[Article]:
    """The articles of a language."""
    lines = (ROOT / "summaries" / f"{language}.jsonl").read_bytes().splitlines()
    return [msgspec_json.decode(line, type=Article) for line in lines]


def files() -> Iterator[Path]:
    """Every data file, in the order of their names."""
    for pattern in ("headlines.tsv", "ner/*.bio", "ner/*.cases.json", "summaries/*.jsonl"):
        yield from sorted(ROOT.glob(pattern))


def digest() -> dict[str, str]:
    """sha256 of every data file as it is now."""
    return {str(path.relative_to(ROOT)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files()}


def pinned_digest() -> dict[str, str]:
    """sha256 of every data file as it was when the floors were measured."""
    return dict(json.loads(DIGEST.read_bytes()))


def floors() -> dict[str, Any]:
    """The lowest figures that pass: ``entities``, ``languages``, ``summaries``."""
    return dict(json.loads(FLOORS.read_bytes()))
