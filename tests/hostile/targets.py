"""What must hold for any input whatever: one function a part of the worker, each gives the list of what does not hold."""

import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

import msgspec

from tests.faults.light import LightAnalyser
from tests.hostile import checks, oracle
from worker import decode as decoding
from worker.enrich import segment
from worker.enrich.enricher import Enricher
from worker.enrich.job import Done, Failed, Job, run
from worker.errors import DecodeError
from worker.records import EnrichedArticle
from worker.settings import Settings

MAX_BYTES = 8192
SETTINGS = replace(Settings(), max_article_bytes=MAX_BYTES)
PLAIN = ("content-type", b"text/plain")


@lru_cache
def enricher() -> Enricher:
    """The real enricher over light models."""
    return Enricher(LightAnalyser(), summary_sentences=3, summary_characters=400)


def decode(value: bytes, *, plain_text: bool) -> Iterator[str]:
    """Decoding agrees with the oracle and raises nothing but `DecodeError`."""
    wanted = oracle.expected(value, plain_text=plain_text, max_bytes=MAX_BYTES)
    try:
        decoding.decode(value, plain_text=plain_text, max_bytes=MAX_BYTES)
    except DecodeError as error:
        if error.reason not in wanted:
            yield f"decode: {error.reason}, not {wanted or 'an article'}"
        yield from checks.error_line(str(error))
    except BaseException:  # noqa: BLE001 - anything else is what we look for
        yield f"decode raised: {traceback.format_exc(limit=-3)}"
    else:
        if wanted:
            yield f"decode: an article, not {wanted}"


def split(text: str) -> Iterator[str]:
    """Sentences and words are in order, inside the text, without overlaps, and leave out nothing that is a word."""
    try:
        at = 0
        for start, end in segment.sentences(text):
            if not at <= start < end <= len(text):
                yield f"sentences: {(start, end)} after {at} of {len(text)}"
            at = end
            word = start
            for first, last in segment.words(text, start, end):
                if not word <= first < last <= end or last - first > segment.MAX_WORD:
                    yield f"words: {(first, last)} in {(start, end)}"
                word = last
    except BaseException:  # noqa: BLE001
        yield f"split raised: {traceback.format_exc(limit=-3)}"


def enrich(inputs: Sequence[tuple[bytes, bool]]) -> list[list[str]]:
    """A batch through the whole of a pool process's work; for each input what is wrong with its outcome."""
    jobs = [
        Job(value=value, key=b"k", headers=[PLAIN] if plain else [], topic="t", partition=0, offset=number, timestamp_ms=1)
        for number, (value, plain) in enumerate(inputs)
    ]
    try:
        outcomes = run(jobs, enricher=enricher(), settings=SETTINGS)
    except BaseException:  # noqa: BLE001
        return [[f"run raised: {traceback.format_exc(limit=-3)}"]] * len(jobs)
    return [list(_outcome(job, plain, outcome)) for job, (_, plain), outcome in zip(jobs, inputs, outcomes, strict=True)]


def _outcome(job: Job, plain: bool, outcome: Done | Failed) -> Iterator[str]:  # noqa: FBT001
    wanted = oracle.expected(job.value, plain_text=plain, max_bytes=MAX_BYTES)
    if isinstance(outcome, Failed):
        if outcome.reason not in wanted:
            yield f"{outcome.reason} ({outcome.error}), not {wanted or 'enriched'}"
        yield from checks.error_line(outcome.error)
        return
    if wanted:
        yield f"enriched, not {wanted}"
        return
    output = msgspec.json.decode(outcome.value)
    try:
        msgspec.json.decode(outcome.value, type=EnrichedArticle)
    except msgspec.ValidationError as error:
        yield f"output: {error}"
    yield from checks.offsets(output)
    if job.offset == 0:  # the full validator is slow: the first of every batch
        yield from checks.invalid("enriched-article", output)
