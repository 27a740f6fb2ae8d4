"""One record in, one finished record out: what a pool process runs, and what ``khabar enrich`` calls.

Raw bytes come in and finished bytes go out, so the process that talks to Kafka never parses an article.
"""

import hashlib
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from msgspec import Struct

from worker import __version__
from worker.decode import Decoded, is_blank
from worker.enrich import forms, language
from worker.enrich.enricher import Enricher, Enrichment
from worker.errors import ArticleError, Reason
from worker.records import ENRICHED_SCHEMA, EnrichedArticle, EntityType, Model, Provenance, RawArticle, Source
from worker.settings import Settings

WORKER = f"khabar {__version__}"
"""Program and version, as they stand in every record the worker writes."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_ERROR = 300  # code points of a dead letter's one line
_OF_THE_RAW_RECORD = frozenset(
    [
        "content-type",
        *(f"ce_{name}" for name in ("specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema")),
    ]
)
"""What describes the raw record and would be untrue of, or forge, what is made of it (CloudEvents 1.0, context attributes)."""

Headers = list[tuple[str, bytes | None]]
"""Record headers in order; a name may stand more than once."""


class Job(Struct, array_like=True, frozen=True):
    """A record of the input topic, as received.

    Args:
        value: the record's value; a tombstone never becomes a job.
        key: the record's key, if it has one.
        headers: the record's headers.
        topic: where the record came from.
        partition: its partition.
        offset: its offset.
        timestamp_ms: the record's timestamp, milliseconds since 1970 in UTC.
        schema: of an Avro value: text of the schema it was written with, before it those it refers to.
        frame: goes before an Avro output.
    """

    value: bytes
    key: bytes | None
    headers: Headers
    topic: str
    partition: int
    offset: int
    timestamp_ms: int | None
    schema: tuple[str, ...] = ()
    frame: bytes = b""


class Done(Struct, array_like=True, tag=True, frozen=True):
    """An enriched article, ready to publish.

    Args:
        value: EnrichedArticle as JSON, or as Avro behind its frame.
        key: the output record's key.
        headers: the output record's headers: CloudEvents binary mode, and those of the raw record carried on.
        ce_id: the deterministic id of this enrichment.
        article_id: the article's id.
        language: the detected language, or ``und``.
        seconds: wall-clock seconds a stage (``decode``, ``language``, ``entities``, ``summary``).
        entities: how many entities of each type.
    """

    value: bytes
    key: bytes
    headers: Headers
    ce_id: str
    article_id: str
    language: str
    seconds: dict[str, float]
    entities: dict[EntityType, int]


class Failed(Struct, array_like=True, tag=True, frozen=True):
    """An article that can never succeed: what its dead letter says.

    Args:
        reason: the dead letter's slug.
        stage: where it failed.
        error: one line for people.
        article_id: the article's id; None: it was never read.
    """

    reason: Reason
    stage: str
    error: str
    article_id: str | None = None


class _Decoded(NamedTuple):
    """A job whose value is an article."""

    position: int
    job: Job
    decoded: Decoded
    seconds: float


def run(jobs: Sequence[Job], *, enricher: Enricher, settings: Settings) -> list[Done | Failed]:
    """Enrich records; what comes out stands in the order of what came in.

    Never raises for an article's sake: one that cannot be read or enriched is `Failed`. Where a batch fails its articles
    run again one by one, so that only the culprit does.
    """
    results: dict[int, Done | Failed] = {}
    readable: list[_Decoded] = []
    for index, job in enumerate(jobs):
        started = time.perf_counter()
        try:
            decoded = forms.read(job.value, job.headers, job.schema, settings=settings)
        except ArticleError as error:
            results[index] = Failed(reason=error.reason, stage=error.stage, error=str(error))
        else:
            readable.append(_Decoded(index, job, decoded, time.perf_counter() - started))
    results.update(_enrich(readable, enricher, settings))
    return [results[index] for index in range(len(jobs))]


def timestamp(milliseconds: int | None) -> str | None:
    """RFC 3339 in UTC of a record's timestamp; None where it has none or one no calendar knows."""
    if milliseconds is None or milliseconds < 0:
        return None
    try:
        moment = _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _enrich(batch: Sequence[_Decoded], enricher: Enricher, settings: Settings) -> dict[int, Done | Failed]:
    """Enrich articles together, or one by one where that fails."""
    if not batch:
        return {}
    try:
        enrichments = enricher.enrich([item.decoded.article for item in batch])
        return {
            item.position: _done(item, enrichment, enricher.models_for(enrichment.language.code), settings)
            for item, enrichment in zip(batch, enrichments, strict=True)
        }
    except Exception as error:  # noqa: BLE001 - whatever an article makes the models raise becomes its dead letter
        if len(batch) > 1:
            return {index: result for item in batch for index, result in _enrich([item], enricher, settings).items()}
        stage = error.stage if isinstance(error, ArticleError) else "enrich"
        message = " ".join(f"{type(error).__name__}: {error}".split())[:_MAX_ERROR]
        identity = _article_id(batch[0].decoded.article, batch[0].job)
        return {batch[0].position: Failed(reason="enrich_failed", stage=stage, error=message, article_id=identity)}


def _done(item: _Decoded, enrichment: Enrichment, entity_models: Sequence[Model], settings: Settings) -> Done:
    """The record to publish."""
    job = item.job
    models = [language.model(), *entity_models]
    identity = _article_id(item.decoded.article, job)
    article = EnrichedArticle(
        schema=ENRICHED_SCHEMA,
        id=identity,
        article=item.decoded.raw,
        language=enrichment.language,
        entities=enrichment.entities,
        summary=enrichment.summary,
        provenance=Provenance(
            worker=WORKER,
            enriched_at=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            source=Source(topic=job.topic, partition=job.partition, offset=job.offset, timestamp=timestamp(job.timestamp_ms)),
            models=models,
            stages=enrichment.stages,
        ),
    )
    ce_id = _event_id(job, models)
    value, content_type = forms.write(article, job.frame, settings=settings)
    return Done(
        value=value,
        key=job.key if job.key is not None else identity.encode(),
        headers=_headers(job, ce_id=ce_id, subject=identity, content_type=content_type),
        ce_id=ce_id,
        article_id=identity,
        language=enrichment.language.code,
        seconds={"decode": item.seconds, **{name: stage.seconds for name, stage in enrichment.stages.items()}},
        entities=dict(Counter(entity.type for entity in enrichment.entities)),
    )


def unread_id(key: bytes | None, *, topic: str, partition: int, offset: int) -> str:
    """The id of an article that has none of its own: its key's text, else its record's position."""
    return key_text(key) or f"{topic}/{partition}/{offset}"


def key_text(key: bytes | None) -> str | None:
    """A record's key where it is text and not blank. Numbers and UUIDs in binary are no text."""
    try:
        text = (key or b"").decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text or is_blank(text) else text


def _article_id(article: RawArticle, job: Job) -> str:
    """The sender's id, else what it is called without one."""
    if article.id and not is_blank(article.id):
        return article.id
    return unread_id(job.key, topic=job.topic, partition=job.partition, offset=job.offset)


def _event_id(job: Job, models: Sequence[Model]) -> str:
    """The same for the same record and the same models, different for any other: SHA-256 over parts with their lengths."""
    parts = [job.topic.encode(), *(str(number).encode() for number in (job.partition, job.offset, job.timestamp_ms)), job.value]
    parts += [b"" if job.key is None else b"=" + job.key, *(model.sha256.encode() for model in models)]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _headers(job: Job, *, ce_id: str, subject: str, content_type: bytes) -> Headers:
    """CloudEvents 1.0, Kafka binding, binary mode; every other header of the raw record before it."""
    own: Headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", ce_id.encode()),
        ("ce_source", f"/khabar/{job.topic}".encode()),
        ("ce_type", b"khabar.article.enriched.v1"),
        ("content-type", content_type),
    ]
    if not any(ord(letter) < ord(" ") or "\x7f" <= letter <= "\x9f" for letter in subject):  # CloudEvents bans controls
        own.append(("ce_subject", subject.encode()))
    moment = timestamp(job.timestamp_ms)
    if moment:
        own.append(("ce_time", moment.encode()))
    return carried(job.headers) + own


def carried(headers: Headers) -> Headers:
    """The headers that an output has from its raw record: all but those that describe that record; CloudEvents extensions stay."""
    return [(name, value) for name, value in headers if name.lower() not in _OF_THE_RAW_RECORD]
