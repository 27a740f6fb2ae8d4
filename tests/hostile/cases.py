"""A hostile record and what must come of it: the shape of the corpus."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

MAX_BYTES = 65_536
"""The corpus runs with this ``KHABAR_MAX_ARTICLE_BYTES``: large enough for the long texts, small enough to step over."""

Headers = Sequence[tuple[str, bytes | None]]
PLAIN: Headers = (("content-type", b"text/plain"),)

ARABIC = "أعلنت وزارة الصحة اليوم أن عدد المراكز الطبية في المدينة سيزداد خلال العام المقبل."
PERSIAN = "وزیر آموزش گفت که مدرسه‌های تازه در شهرهای کوچک کشور تا پایان سال ساخته می‌شوند."
ENGLISH = "The ministry of transport said on Monday that the old railway bridge would be closed for repairs."
TEXTS = {"ar": ARABIC, "fa": PERSIAN, "en": ENGLISH}


@dataclass(frozen=True)
class Enriched:
    """The article comes out enriched.

    Args:
        language: the code it must carry; None where any will do.
        id: the article's id; None where the test works out only that there is one.
        key: the output key; None means the raw key, or the id where there is none.
        summary: the summary has at least one sentence; None where either will do.
    """

    language: str | None = None
    id: str | None = None
    key: bytes | None = None
    summary: bool | None = None


@dataclass(frozen=True)
class Dead:
    """The record becomes a dead letter under this reason."""

    reason: str


@dataclass(frozen=True)
class Tombstone:
    """A null value comes out as a null value under the same key."""


@dataclass(frozen=True)
class Case:
    """One hostile record.

    Args:
        name: unique within the corpus.
        kind: its class: bytes, json, unicode, size, structure, text, headers, keys, timestamps.
        value: the record's value; None is a tombstone.
        expect: what must come of it.
        key: the record's key.
        headers: its headers in order.
        timestamp_ms: its timestamp; None where it has none.
    """

    name: str
    kind: str
    value: bytes | None
    expect: Enriched | Dead | Tombstone
    key: bytes | None = b"k1"
    headers: Headers = ()
    timestamp_ms: int | None = 1_700_000_000_000


def article(**members: object) -> bytes:
    """An article as JSON in UTF-8."""
    return json.dumps(members, ensure_ascii=False).encode()


def raw_json(text: str) -> bytes:
    """JSON written by hand; lone surrogates go out as the three bytes they would be."""
    return text.encode("utf-8", "surrogatepass")
