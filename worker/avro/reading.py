"""Any Avro record -> JSON, and a raw article out of it: every way in which the bytes can fail, told apart.

The writer's schema is the sender's own. Its fields are the article's members; what JSON has no form for becomes a string:
bytes and fixed are base64, decimals their digits, UUIDs as they are written, moments RFC 3339 (a local one without a
zone). A moment that no calendar knows stays the number it is; NaN and the infinities become null.
"""

from collections.abc import Callable
from decimal import MAX_PREC, Context, Decimal
from functools import lru_cache, wraps
from io import BytesIO
from typing import Any, NamedTuple

import msgspec
from fastavro import parse_schema, schemaless_reader
from fastavro.read import LOGICAL_READERS
from fastavro.types import Schema

from worker.avro.frame import LENGTH, schema_id
from worker.avro.limits import Scale, SchemaError
from worker.decode import MAX_DEPTH, Decoded, decode, depth
from worker.errors import DecodeError

SCHEMAS_KEPT = 256
MOST_DECIMAL_BYTES = 64
"""Turning more into digits takes time that grows with their square: they stay bytes."""

_JSON_LEVELS = 4 * MAX_DEPTH  # a field of a record is three levels of its schema's JSON
_EXACT = Context(prec=MAX_PREC)


class Parsed(NamedTuple):
    """A schema that can be used, or why it cannot."""

    schema: Schema
    problem: str = ""


def read_article(value: bytes, *, schema: tuple[str, ...], max_bytes: int) -> Decoded:
    """Read a record's value, frame included.

    Args:
        value: the bytes as received.
        schema: the writer's; see `read`.
        max_bytes: largest value taken.

    Raises:
        DecodeError: and nothing else; ``reason`` is ``too_large``, ``invalid_avro``, ``invalid_schema``, ``too_deep`` or
            ``empty_body``.
    """
    if len(value) > max_bytes:
        message = f"the record has {len(value)} bytes, {max_bytes} are allowed"
        raise DecodeError(message, reason="too_large")
    number = schema_id(value)
    if number is None:
        message = "not Avro in the Confluent wire format: no zero byte and schema id at its beginning"
        raise DecodeError(message, reason="invalid_avro")
    record = read(value, schema=schema)
    if not isinstance(record, dict):
        message = f"schema {number} is no record"
        raise DecodeError(message, reason="invalid_schema")
    text = msgspec.json.encode(record)
    return decode(text, plain_text=False, max_bytes=len(text))


def read(value: bytes, *, schema: tuple[str, ...]) -> Any:  # noqa: ANN401 - whatever the schema says
    """Read a framed value as plain Python objects.

    Args:
        value: frame and record.
        schema: text of the writer's schema, before it those it refers to.

    Raises:
        DecodeError: ``invalid_avro``: the schema is one that is not read, or the bytes do not fit it.
    """
    parsed = _parse(schema)
    if parsed.problem:
        message = f"schema {schema_id(value)} is not read: {parsed.problem}"
        raise DecodeError(message, reason="invalid_avro")
    stream = BytesIO(value)
    stream.seek(LENGTH)
    try:
        record = schemaless_reader(stream, parsed.schema)
    except Exception as error:  # fastavro raises what hostile bytes make it raise
        message = f"the bytes do not fit schema {schema_id(value)}: {type(error).__name__}: {error}"[:300]
        raise DecodeError(message, reason="invalid_avro") from error
    if stream.tell() != len(value):
        message = f"{len(value) - stream.tell()} bytes are left over behind the record of schema {schema_id(value)}"
        raise DecodeError(message, reason="invalid_avro")
    return record


@lru_cache(maxsize=SCHEMAS_KEPT)
def _parse(texts: tuple[str, ...]) -> Parsed:
    named: dict[str, Any] = {}
    parsed: Schema = "null"
    try:
        for text in texts:
            parsed = parse_schema(_plain(text), named)
        Scale(named).weigh(parsed)
    except SchemaError as error:
        return Parsed("null", str(error))
    except Exception as error:  # noqa: BLE001 - the parser raises what a hostile schema makes it raise
        return Parsed("null", f"{type(error).__name__}: {error}"[:200])
    return Parsed(parsed)


def _plain(text: str) -> Any:  # noqa: ANN401 - any JSON
    """The schema's JSON; fastavro's own marks in it would make it believe that it is parsed already."""
    node = msgspec.json.decode(text)
    if depth(node, limit=_JSON_LEVELS) > _JSON_LEVELS:
        message = f"its JSON is nested more than {_JSON_LEVELS} deep"
        raise SchemaError(message)
    if b"__fastavro" in msgspec.json.encode(node):
        message = "it holds marks of a parser"
        raise SchemaError(message)
    return node


def _decimal(data: bytes, writer_schema: Any = None, reader_schema: Any = None) -> Decimal | bytes:  # noqa: ANN401, ARG001 - fastavro's signature
    """The number, exact whatever precision the schema names."""
    if len(data) > MOST_DECIMAL_BYTES:
        return data
    return Decimal(int.from_bytes(data, "big", signed=True)).scaleb(-writer_schema.get("scale", 0), _EXACT)


def _or_as_it_is(reader: Callable[..., Any]) -> Callable[..., Any]:
    """Keep the value that has no meaning as what its logical type says."""

    @wraps(reader)
    def read(data: Any, writer_schema: Any = None, reader_schema: Any = None) -> Any:  # noqa: ANN401 - fastavro's signature
        try:
            return reader(data, writer_schema, reader_schema)
        except (ValueError, ArithmeticError):
            return data

    return read


LOGICAL_READERS |= {"bytes-decimal": _decimal, "fixed-decimal": _decimal}
LOGICAL_READERS |= {name: _or_as_it_is(reader) for name, reader in LOGICAL_READERS.items()}
