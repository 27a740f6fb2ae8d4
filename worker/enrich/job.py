"""One record in, one finished record out: what a pool process runs, and what ``khabar enrich`` calls.

Raw bytes come in and finished JSON bytes go out, so the process that talks to Kafka never parses an article.
"""

from msgspec import Struct

from worker.errors import Reason
from worker.records import EntityType

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
    """

    value: bytes
    key: bytes | None
    headers: Headers
    topic: str
    partition: int
    offset: int
    timestamp_ms: int | None


class Done(Struct, array_like=True, tag=True, frozen=True):
    """An enriched article, ready to publish.

    Args:
        value: EnrichedArticle as JSON.
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
    """

    reason: Reason
    stage: str
    error: str
