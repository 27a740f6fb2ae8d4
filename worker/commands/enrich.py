"""`khabar enrich`: the worker's own enrichment on files, without Kafka."""

import dataclasses
import itertools
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from worker.commands.articles import Item, read
from worker.commands.console import output, say, working
from worker.display import Printer
from worker.settings import Settings

if TYPE_CHECKING:
    from worker.enrich.job import Job

FAILED = 1


def run(settings: Settings, *, paths: Sequence[str], as_json: bool) -> int:
    """Print every article enriched, in order; a bad one is a line on standard error.

    Returns:
        Exit code: 0, or 1 when an article was bad.

    Raises:
        UserError: a path or the models cannot be used.
    """
    from worker.enrich.enricher import Enricher
    from worker.enrich.job import Failed
    from worker.enrich.job import run as enrich
    from worker.nlp.pipeline import load

    items = read(paths)
    settings = dataclasses.replace(settings, input_format="json", output_format="json")  # files, and people
    with working("loading models"):
        enricher = Enricher(load(settings), summary_sentences=settings.summary_sentences, summary_characters=settings.summary_characters)
    printer, code = Printer(output()), 0
    for batch in _batches(items, settings.batch_articles):
        results = enrich([_job(item) for item in batch], enricher=enricher, settings=settings)
        for item, result in zip(batch, results, strict=True):
            if isinstance(result, Failed):
                say(f"{item.place}: {result.reason}: {result.error}")
                code = FAILED
            elif as_json:
                sys.stdout.write(result.value.decode() + "\n")
            else:
                printer.enriched(result.value, note=item.place)
        sys.stdout.flush()
    return code


def _batches(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    while batch := list(itertools.islice(items, size)):
        yield batch


def _job(item: Item) -> "Job":
    """The record this article would be: its file stands for the topic, its place in it for the offset."""
    from worker.enrich.job import Job

    return Job(
        value=item.value,
        key=item.key,
        headers=list(item.headers),
        topic=os.fsencode(item.path).decode("utf-8", "backslashreplace"),
        partition=0,
        offset=item.number,
        timestamp_ms=None,
    )
