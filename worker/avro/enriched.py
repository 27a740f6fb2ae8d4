"""Enriched articles to Avro, by our own schema, and back to the JSON everybody else here reads."""

from functools import cache
from io import BytesIO
from typing import Any

import msgspec
from fastavro import parse_schema, schemaless_writer
from fastavro.types import Schema

from worker.avro.frame import MAGIC
from worker.avro.reading import read
from worker.avro.schema import EXTRA, enriched_text
from worker.records import EnrichedArticle, RawArticle

CONTENT_TYPE = b"application/avro"

_KNOWN = frozenset(RawArticle.__struct_fields__)


def write(article: EnrichedArticle) -> bytes:
    """The record in Avro's binary encoding, without a frame."""
    members = msgspec.json.decode(article.article, type=dict[str, msgspec.Raw])
    known: dict[str, Any] = {name: msgspec.json.decode(text) for name, text in members.items() if name in _KNOWN}
    others = {name: text for name, text in members.items() if name not in _KNOWN}
    known[EXTRA] = msgspec.json.encode(others).decode() if others else None
    record = {name: msgspec.to_builtins(part) for name, part in msgspec.structs.asdict(article).items() if name != "article"}
    stream = BytesIO()
    schemaless_writer(stream, _schema(), record | {"article": known})
    return stream.getvalue()


def as_json(value: bytes, schema: tuple[str, ...] = ()) -> bytes:
    """An enriched article's JSON, out of a framed Avro value; JSON is passed through.

    Args:
        value: what stands on the output topic.
        schema: what the value was written with; none: this version's own.

    Raises:
        DecodeError: it is no Avro by that schema.
        KeyError, TypeError, ValueError: the record is no enriched article.
    """
    if value[:1] != bytes([MAGIC]):
        return value
    record = read(value, schema=schema or (enriched_text(),))
    article = record["article"]
    if not isinstance(article, dict):
        message = "its article is no record"
        raise TypeError(message)
    extra = article.pop(EXTRA, None)
    members = {name: msgspec.Raw(msgspec.json.encode(text)) for name, text in article.items() if text is not None}
    members |= msgspec.json.decode(extra, type=dict[str, msgspec.Raw]) if extra else {}
    return msgspec.json.encode(record | {"article": members})


@cache
def _schema() -> Schema:
    return parse_schema(msgspec.json.decode(enriched_text()))
