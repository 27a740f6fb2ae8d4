"""`khabar evaluate`: how well the models that are set tag a file of BIO sentences."""

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.table import Table

from worker.commands.console import output, say, working
from worker.errors import UserError
from worker.nlp.evaluate import DOCUMENT, SCORED, Tagged, evaluate_documents, neighbours
from worker.nlp.official import unified
from worker.records import Model
from worker.settings import Settings

Sentence = tuple[list[str], list[str]]

NEW_DOCUMENT = ("-DOCSTART-", "# newdoc")
"""How CoNLL-2003 and CoNLL-U begin a document."""

_COMMENT = re.compile(r"# (newpar$|[\w.:-]+( id)? =( |$))")  # CoNLL-U's; a word "#" and its tag have no such equals sign
_TAG = re.compile(r"([BIESLU])[-_](.+)")
_BIO = {"B": "B", "I": "I", "S": "B", "U": "B", "E": "I", "L": "I"}
"""BIOES and BILOU as BIO: a mention of one word begins one, the last word of a mention continues it."""


def run(settings: Settings, *, file: Path, language: str, as_json: bool, document: int = DOCUMENT) -> None:
    """Tag the file's words as they stand, compare exact spans, print the figures.

    Raises:
        UserError: the file is no BIO file, or the models cannot be used or do not know the language.
    """
    from worker.nlp.pipeline import load

    documents = [part for whole in read_documents(file) for part in neighbours(whole, document)]
    with working("loading models"):
        models = load(settings)
    if not models.supports(language):
        message = f"the models {settings.models} do not know the language {language!r}"
        raise UserError(message)
    with working(f"tagging {sum(map(len, documents))} sentences"):
        figures = evaluate_documents(documents, lambda words: models.tag(words, language=language), language=language)
    if not figures["overall"]["support"]:
        say(f"warning: {file}: {_nothing_to_find(documents)}")
    used = models.models_for(language)
    if as_json:
        sys.stdout.write(msgspec.json.encode({**figures, "models": used}).decode() + "\n")
    else:
        _print(figures, used)


def read_bio(file: Path) -> list[Sentence]:
    """All sentences of a BIO file, as `read_documents` reads them."""
    return [sentence for document in read_documents(file) for sentence in document]


def read_documents(file: Path) -> list[list[Sentence]]:
    """Documents of a BIO file; all is one where no line begins a document.

    The first and the last column of a line are word and tag, parted by tabs, or by spaces where there is no tab; blank lines
    part sentences.

    Raises:
        UserError: it cannot be read, holds no sentence, or a line is no word with a tag.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{file}: {getattr(error, 'strerror', None) or 'not UTF-8'}"
        raise UserError(message) from error
    documents: list[list[Sentence]] = [[]]
    words: list[str] = []
    tags: list[str] = []
    for number, line in enumerate(map(str.rstrip, [*lines, ""]), start=1):
        begins = line.startswith(NEW_DOCUMENT)
        if line and not begins:
            if words or not _COMMENT.match(line):
                word, tag = _columns(line, f"{file}:{number}")
                words.append(word)
                tags.append(tag)
            continue
        if words:
            documents[-1].append((words, tags))
            words, tags = [], []
        if begins:
            documents.append([])
    documents = [document for document in documents if document]
    if not documents:
        message = f"{file}: holds no sentence"
        raise UserError(message)
    return documents


def _columns(line: str, place: str) -> tuple[str, str]:
    """Word and tag of a line."""
    # Of white space only these part columns: corpora have words that are or hold a no-break space.
    columns = [column.strip(" ") for column in line.split("\t")] if "\t" in line else re.split(" +", line.strip(" "))
    tag = _bio(columns[-1])
    if len(columns) > 1 and columns[0] and tag:
        return columns[0], tag
    message = f"{place}: expected a word and its tag (O, B-PER, I-PER …), found {' '.join(columns)[:60]!r}"
    raise UserError(message)


def _bio(tag: str) -> str:
    """A tag as a BIO tag, its type by our name where it is scored (``B_PERS`` and ``S-Person`` are ``B-PER``); '' for no tag."""
    if tag == "O":
        return tag
    parts = _TAG.fullmatch(tag)
    if not parts:
        return ""
    mark, kind = parts.groups()
    ours = unified(kind)
    return f"{_BIO[mark]}-{ours if ours in SCORED else kind}"


def _nothing_to_find(documents: Iterable[Iterable[Tagged]]) -> str:
    """Why every figure is 0."""
    kinds = sorted({tag[2:] for document in documents for _, tags in document for tag in tags if tag != "O"})
    seen = f"its types are {', '.join(kinds)[:200]!r}" if kinds else "every tag is O"
    return f"no mention of {', '.join(SCORED)} to find: {seen}"


def _print(figures: dict[str, Any], models: Sequence[Model]) -> None:
    table = Table("type", "precision", "recall", "F1", "mentions", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, row in [*figures["types"].items(), ("overall", figures["overall"])]:
        table.add_row(name, *(f"{100 * row[key]:.2f}" for key in ("precision", "recall", "f1")), str(row["support"]))
    console = output()
    names = "".join(f", {model.name} {model.version} ({model.sha256[:12]})" for model in models)
    console.print(f"{figures['language']}: {figures['sentences']} sentences, {figures['tokens']} words{names}")
    console.print(table)
