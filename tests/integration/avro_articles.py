"""Articles in Avro, by schemas of their senders' own, and the bad ones among them; fastavro alone, none of the worker's code."""

import io
import json
import struct
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import fastavro

from tests.integration.mixed import TEXTS
from tests.integration.registries import SchemaRegistry

OPTIONAL = ["null", "string"]
WIRE: dict[str, Any] = {
    "type": "record",
    "name": "org.example.wire.Story",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "title", "type": OPTIONAL},
        {"name": "body", "type": "string"},
        {"name": "published_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "desk", "type": {"type": "record", "name": "Desk", "fields": [{"name": "number", "type": "long"}]}},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "rank", "type": {"type": "enum", "name": "Rank", "symbols": ["LOW", "HIGH"]}},
        {"name": "picture", "type": "bytes"},
    ],
}
"""A sender with much of its own."""
PLAIN: dict[str, Any] = {"type": "record", "name": "Post", "fields": [{"name": "body", "type": "string"}]}
TREE: dict[str, Any] = {
    "type": "record",
    "name": "Tree",
    "fields": [{"name": "body", "type": "string"}, {"name": "below", "type": ["null", "Tree"]}],
}
AUTHOR: dict[str, Any] = {"type": "record", "name": "org.example.Author", "fields": [{"name": "name", "type": "string"}]}
SIGNED: dict[str, Any] = {
    "type": "record",
    "name": "org.example.Signed",
    "fields": [{"name": "body", "type": "string"}, {"name": "author", "type": "org.example.Author"}],
}
UNKNOWN_ID = 2_000_000_000


class Sent(NamedTuple):
    """A record to send and what must become of it: a language or a dead letter's reason."""

    value: bytes | None
    expected: str
    headers: Sequence[tuple[str, bytes]] = ()
    members: Mapping[str, Any] = MappingProxyType({})


def encoded(number: int, schema: Any, record: Any) -> bytes:  # noqa: ANN401 - any schema
    """A value in the Confluent wire format."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(json.dumps(schema))), record)
    return struct.pack(">bI", 0, number) + out.getvalue()


def wire(number: int, language: str, *, index: int = 0) -> bytes:
    """A story of the wire service."""
    record = {
        "id": f"{language}-{index}",
        "title": TEXTS[language].split(".")[0],
        "body": TEXTS[language],
        "published_at": 1_700_000_000_123,
        "desk": {"number": 2**60},
        "tags": ["a", "ب"],
        "rank": "HIGH",
        "picture": b"\xff\x00",
    }
    return encoded(number, WIRE, record)


EXTRA = {"desk": {"number": 2**60}, "tags": ["a", "ب"], "rank": "HIGH", "picture": "/wA="}
"""What a wire story has beside the members Khabar reads."""


def mixture(registry: SchemaRegistry, topic: str) -> list[Sent]:
    """Good and bad values, their schemas registered."""
    wired, plain = registry.register(f"{topic}-value", WIRE), registry.register("plain-value", PLAIN)
    text, tree = registry.register("text-value", "string"), registry.register("tree-value", TREE)
    registry.register("org.example.Author", AUTHOR)
    reference = {"name": "org.example.Author", "subject": "org.example.Author", "version": 1}
    signed = registry.register("signed-value", SIGNED, references=[reference])
    named: dict[str, Any] = {}
    fastavro.parse_schema(AUTHOR, named)
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(SIGNED, named), {"body": TEXTS["en"], "author": {"name": "Ada Moss"}})
    good = wire(wired, "en")
    return [
        *(Sent(wire(wired, language), language, members=EXTRA) for language in TEXTS),
        *(Sent(encoded(plain, PLAIN, {"body": TEXTS[language]}), language) for language in TEXTS),
        Sent(struct.pack(">bI", 0, signed) + out.getvalue(), "en", members={"author": {"name": "Ada Moss"}}),
        Sent(
            json.dumps({"body": TEXTS["fa"], "n": 1}, ensure_ascii=False).encode(),
            "fa",
            [("content-type", b"application/json")],
            {"n": 1},
        ),
        Sent(TEXTS["ar"].encode(), "ar", [("content-type", b"text/plain; charset=utf-8")]),
        Sent(good, "en", [("content-type", b"application/json")], EXTRA),
        Sent(None, "tombstone"),
        Sent(b"", "invalid_avro"),
        Sent(json.dumps({"body": "no header says JSON"}).encode(), "invalid_avro"),
        Sent(b"\x01" + good[1:], "invalid_avro"),
        Sent(good[:4], "invalid_avro"),
        Sent(good[:-3], "invalid_avro"),
        Sent(good + b"\0", "invalid_avro"),
        Sent(encoded(tree, TREE, {"body": TEXTS["en"], "below": None}), "invalid_avro"),
        Sent(encoded(text, "string", "no record"), "invalid_schema"),
        *(Sent(encoded(number, PLAIN, {"body": TEXTS["en"]}), "unknown_schema") for number in (UNKNOWN_ID, 0, 2**31 - 1, 2**32 - 1)),
        Sent(encoded(plain, PLAIN, {"body": " \n"}), "empty_body"),
        Sent(encoded(plain, PLAIN, {"body": "a\0b"}), "invalid_schema"),
        Sent(encoded(plain, PLAIN, {"body": "x" * 70_000}), "too_large"),
    ]
