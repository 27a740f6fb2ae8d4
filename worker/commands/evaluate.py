"""`khabar evaluate`: how well the models that are set tag a file of BIO sentences."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from rich.table import Table

from worker.commands.console import output, working
from worker.errors import UserError
from worker.settings import Settings

Sentence = tuple[list[str], list[str]]


def run(settings: Settings, *, file: Path, language: str, as_json: bool) -> None:
    """Tag the file's words as they stand, compare exact spans, print the figures.

    Raises:
        UserError: the file is no BIO file, or the models cannot be used or do not know the language.
    """
    from worker.nlp.evaluate import evaluate
    from worker.nlp.pipeline import load

    sentences = list(read_bio(file))
    with working("loading models"):
        models = load(settings)
    if not models.supports(language):
        message = f"the models {settings.models} do not know the language {language!r}"
        raise UserError(message)
    with working(f"tagging {len(sentences)} sentences"):
        figures = evaluate(sentences, lambda documents: models.tag(documents, language=language), language=language)
    if as_json:
        sys.stdout.write(msgspec.json.encode(figures).decode() + "\n")
    else:
        _print(figures)


def read_bio(file: Path) -> Iterator[Sentence]:
    """Sentences of a BIO file: the first and the last column of a line are word and tag, blank lines part sentences.

    Raises:
        UserError: it cannot be read, holds no sentence, or a line is no word with a tag.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{file}: {getattr(error, 'strerror', None) or 'not UTF-8'}"
        raise UserError(message) from error
    words: list[str] = []
    tags: list[str] = []
    found = False
    for number, line in enumerate([*lines, ""], start=1):
        columns = line.split("\t") if "\t" in line else line.split(" ")
        columns = [column for column in (text.strip(" \r") for text in columns) if column]
        if columns and columns[0].startswith("-DOCSTART-"):
            columns = []
        if columns:
            words.append(columns[0])
            tags.append(_tag(columns, file, number))
        elif words:
            yield words, tags
            words, tags, found = [], [], True
    if not found:
        message = f"{file}: holds no sentence"
        raise UserError(message)


def _tag(columns: list[str], file: Path, number: int) -> str:
    tag = columns[-1]
    if len(columns) > 1 and (tag == "O" or (tag[:2] in ("B-", "I-") and tag[2:])):
        return tag
    message = f"{file}:{number}: expected a word and its tag (O, B-… or I-…), found {' '.join(columns)[:60]!r}"
    raise UserError(message)


def _print(figures: dict[str, Any]) -> None:
    table = Table("type", "precision", "recall", "F1", "mentions", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, row in [*figures["types"].items(), ("overall", figures["overall"])]:
        table.add_row(name, *(f"{100 * row[key]:.2f}" for key in ("precision", "recall", "f1")), str(row["support"]))
    console = output()
    console.print(f"{figures['language']}: {figures['sentences']} sentences, {figures['tokens']} words")
    console.print(table)
