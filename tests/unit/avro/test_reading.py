"""Any Avro record to an article: what comes through, and every way in which bytes and schemas can fail."""

import io
import json
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer

from worker.avro.frame import frame, schema_id
from worker.avro.limits import MOST_GROWTH
from worker.avro.reading import read, read_article
from worker.decode import MAX_DEPTH
from worker.errors import DecodeError

ARTICLE: dict[str, Any] = {"type": "record", "name": "A", "fields": [{"name": "body", "type": "string"}]}
FRAME = frame(7)


def written(schema: Any, record: Any) -> bytes:  # noqa: ANN401 - any schema
    """A framed value."""
    out = io.BytesIO()
    schemaless_writer(out, parse_schema(json.loads(json.dumps(schema))), record)
    return FRAME + out.getvalue()


def article(schema: Any, value: bytes, *, max_bytes: int = 10_000) -> Any:  # noqa: ANN401 - any schema
    """The raw object that a value becomes, as its reader sees it."""
    return json.loads(bytes(read_article(value, schema=(json.dumps(schema),), max_bytes=max_bytes).raw))


def refused(schema: Any, value: bytes = FRAME, *, max_bytes: int = 10_000) -> DecodeError:  # noqa: ANN401 - any schema
    """The error that a value of this schema is."""
    text = schema if isinstance(schema, str) else json.dumps(schema)
    with pytest.raises(DecodeError) as caught:
        read_article(value, schema=(text,), max_bytes=max_bytes)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    return caught.value


def field(kind: Any) -> dict[str, Any]:  # noqa: ANN401 - any type
    """The article's schema with one field more."""
    return {**ARTICLE, "fields": [*ARTICLE["fields"], {"name": "x", "type": kind}]}


def test_a_frame_is_five_bytes() -> None:
    """Zero, then the id; what has no frame has no id."""
    assert frame(258) == b"\0\0\0\1\2"
    assert schema_id(frame(2**32 - 1) + b"record") == 2**32 - 1
    assert [schema_id(value) for value in (b"", b"\0\0\0\0", b"\1\0\0\0\1x", b'{"a":1}')] == [None] * 4


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("long", 2**63 - 1, 2**63 - 1),
        ("boolean", True, True),
        ("double", 0.1, 0.1),
        ("double", float("nan"), None),
        ("double", float("-inf"), None),
        ("null", None, None),
        ("bytes", b"\xff\x00", "/wA="),
        ({"type": "fixed", "name": "F", "size": 2}, b"ab", "YWI="),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, "B", "B"),
        ({"type": "map", "values": {"type": "array", "items": ["null", "int"]}}, {"ن": [1, None]}, {"ن": [1, None]}),
        (["null", {"type": "record", "name": "R", "fields": [{"name": "in", "type": "string"}]}], {"in": "side"}, {"in": "side"}),
        (
            {"type": "long", "logicalType": "timestamp-millis"},
            datetime(2023, 11, 14, 22, 13, 20, 123000, UTC),
            "2023-11-14T22:13:20.123000Z",
        ),
        ({"type": "long", "logicalType": "local-timestamp-micros"}, datetime(2023, 11, 14, 22), "2023-11-14T22:00:00"),  # noqa: DTZ001 - a local one
        ({"type": "int", "logicalType": "date"}, date(2023, 11, 14), "2023-11-14"),
        ({"type": "string", "logicalType": "uuid"}, uuid.UUID(int=5), str(uuid.UUID(int=5))),
        ({"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}, Decimal("-12.30"), "-12.30"),
        ({"type": "long", "logicalType": "timestamp-nanos"}, 5, 5),
    ],
)
def test_what_json_has_no_form_for_becomes_a_string(kind: Any, value: Any, expected: Any) -> None:  # noqa: ANN401 - any type
    """Every type of Avro has a place in the article."""
    schema = field(kind)
    assert article(schema, written(schema, {"body": "b", "x": value})) == {"body": "b", "x": expected}


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ({"type": "long", "logicalType": "timestamp-millis"}, b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 2**63 - 1),
        ({"type": "int", "logicalType": "date"}, b"\xfe\xff\xff\xff\x0f", 2**31 - 1),
        ({"type": "int", "logicalType": "time-millis"}, b"\xfe\xff\xff\xff\x0f", 2**31 - 1),
        ({"type": "string", "logicalType": "uuid"}, b"\x02a", "a"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}, b"\x06abc", "63821.79"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 10**40, "scale": 10**39}, b"\x02a", "YQ=="),
    ],
)
def test_a_logical_value_without_meaning_stays_what_it_is(kind: Any, data: bytes, expected: Any) -> None:  # noqa: ANN401 - any type
    """A moment no calendar knows costs nobody the article."""
    assert article(field(kind), FRAME + b"\x02b" + data)["x"] == expected


def test_a_long_decimal_is_not_turned_into_digits() -> None:
    """That takes time in the square of its length: a megabyte would take minutes."""
    schema = field({"type": "bytes", "logicalType": "decimal", "precision": 3_000_000})
    value = FRAME + b"\x02b" + b"\x80\x89\x7a" + b"\x7f" * 1_000_000
    assert len(article(schema, value, max_bytes=2_000_000)["x"]) > 1_000_000


def test_schemas_that_a_schema_refers_to_come_before_it() -> None:
    """The registry's references."""
    author = {"type": "record", "name": "org.Author", "fields": [{"name": "name", "type": "string"}]}
    texts = (json.dumps(author), json.dumps(field("org.Author")))
    assert read(FRAME + b"\x02b\x04Al", schema=texts) == {"body": "b", "x": {"name": "Al"}}
    assert read_article(FRAME + b"\x02b\x04Al", schema=texts, max_bytes=100).article.body == "b"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "invalid_avro"),
        (FRAME[:4], "invalid_avro"),
        (b"\x01" + FRAME[1:] + b"\x02b", "invalid_avro"),
        (b'{"body": "b"}', "invalid_avro"),
        (FRAME, "invalid_avro"),
        (FRAME + b"\x04b", "invalid_avro"),
        (FRAME + b"\x02bb", "invalid_avro"),
        (FRAME + b"\x03b", "invalid_avro"),
        (FRAME + b"\x02\xff", "invalid_avro"),
        (FRAME + b"\xff" * 30, "invalid_avro"),
        (FRAME + b"\x00", "empty_body"),
        (FRAME + b"\x02\x00", "invalid_schema"),
        (FRAME + b"\x80\x01" + b"x" * 64, "too_large"),
    ],
)
def test_bad_bytes_have_their_reason(value: bytes, reason: str) -> None:
    """Frame, record, text: told apart."""
    error = refused(ARTICLE, value, max_bytes=64)
    assert (error.reason, error.stage) == (reason, "decode")


@pytest.mark.parametrize(
    ("schema", "value", "reason"),
    [
        ("string", b"\x02b", "invalid_schema"),
        ({"type": "array", "items": "int"}, b"\x00", "invalid_schema"),
        ({**ARTICLE, "fields": [{"name": "title", "type": "string"}]}, b"\x02b", "invalid_schema"),
        ({**ARTICLE, "fields": [{"name": "body", "type": "long"}]}, b"\x02", "invalid_schema"),
        ({**ARTICLE, "fields": [{"name": "body", "type": ["null", "string"]}]}, b"\x00", "invalid_schema"),
    ],
)
def test_a_schema_of_something_else_is_no_article(schema: Any, value: bytes, reason: str) -> None:  # noqa: ANN401 - any schema
    """No record, no body, a body that is no text."""
    text = json.dumps(schema)
    assert refused(text, FRAME + value).reason == reason


def holding_itself(*between: str) -> dict[str, Any]:
    """A record that holds itself."""
    kind: Any = [*between, "A"] if between else "A"
    return field(kind)


def nested(levels: int, kind: Any = "int") -> Any:  # noqa: ANN401 - any type
    """Arrays in arrays."""
    for _ in range(levels):
        kind = {"type": "array", "items": kind}
    return kind


def doubling(levels: int) -> Any:  # noqa: ANN401 - any type
    """Records that hold the one before twice: few characters of schema, very many of JSON."""
    kind: Any = {"type": "record", "name": "R0", "fields": [{"name": "n", "type": "null"}]}
    for level in range(levels):
        fields = [{"name": "a", "type": kind}, {"name": "b", "type": kind["name"]}]
        kind = {"type": "record", "name": f"R{level + 1}", "fields": fields}
    return kind


def chained(levels: int) -> list[dict[str, Any]]:
    """Fields of one record, each a record that holds the one before by name: deep, though flat on paper."""
    fields: list[dict[str, Any]] = [{"name": "f0", "type": {"type": "record", "name": "C0", "fields": [{"name": "n", "type": "int"}]}}]
    for level in range(1, levels):
        kind = {"type": "record", "name": f"C{level}", "fields": [{"name": "n", "type": f"C{level - 1}"}]}
        fields.append({"name": f"f{level}", "type": kind})
    return fields


NULLS = {"type": "record", "name": "N", "fields": [{"name": f"f{number}", "type": "null"} for number in range(1000)]}


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (holding_itself(), "holds itself"),
        (holding_itself("null"), "holds itself"),
        (field({"type": "array", "items": "A"}), "holds itself"),
        (
            field({"type": "map", "values": ["null", {"type": "record", "name": "B", "fields": [{"name": "a", "type": "A"}]}]}),
            "holds itself",
        ),
        (field({"type": "array", "items": "null"}), "take no bytes"),
        (field({"type": "array", "items": NULLS}), "take no bytes"),
        (field({"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}), "take no bytes"),
        (field({"type": "array", "items": ["null", NULLS]}), "very many"),
        (field({"type": "array", "items": {**NULLS, "fields": [*NULLS["fields"], {"name": "l" * 300, "type": "boolean"}]}}), "very many"),
        (field({"type": "map", "values": {"type": "enum", "name": "E", "symbols": ["S" * 1000]}}), "very many"),
        (field(doubling(60)), "very many"),
        (field({"type": "fixed", "name": "F", "size": 10**12}), "very many"),
        (field(nested(MAX_DEPTH)), "very many"),
        (field(nested(500)), "JSON is nested"),
        ('{"type":"array","items":' * 5_000 + '"int"' + "}" * 5_000, "recursion"),
        ({**ARTICLE, "fields": chained(MAX_DEPTH + 5)}, "types are nested"),
        ({**ARTICLE, "__fastavro_parsed": True, "__named_schemas": {}}, "marks of a parser"),
        ([[{**ARTICLE, "__fastavro_parsed": True, "__named_schemas": {}}]], "marks of a parser"),
        ("", "truncated"),
        ("{", "truncated"),
        ("3", "TypeError"),
        ("[]", "ValueError"),
        ("{}", "KeyError"),
        ({**ARTICLE, "fields": 3}, "TypeError"),
        ({**ARTICLE, "fields": [{"name": 3, "type": "int"}]}, "TypeError"),
        (field("Nobody"), "Nobody"),
        (field({"type": "enum", "name": "E", "symbols": []}), "ValueError"),
        (field({"type": "fixed", "name": "F", "size": "2"}), "TypeError"),
        (field(["null", {"type": "fixed", "name": "F", "size": -100}]), "its type F has less than no bytes"),
    ],
)
def test_a_schema_that_could_do_harm_is_not_read(schema: Any, why: str) -> None:  # noqa: ANN401 - any JSON
    """No value of it reaches fastavro: it could end the process, fill its memory, or take for ever."""
    error = refused(schema)
    assert error.reason == "invalid_avro"
    assert why in str(error), str(error)


OPTIONAL = [{"name": f"a_rather_long_name_{number}", "type": ["null", "string"], "default": None} for number in range(100)]
STYLE = {"type": "enum", "name": "Style", "symbols": ["PARAGRAPH", "HEADING", "QUOTATION"]}
PARAGRAPH = {"type": "record", "name": "P", "fields": [{"name": "paragraph", "type": "string"}, {"name": "style", "type": STYLE}]}


@pytest.mark.parametrize(
    "kind",
    [
        {"type": "array", "items": ["null", {"type": "record", "name": "Q", "fields": OPTIONAL}]},
        {"type": "map", "values": {"type": "map", "values": {"type": "array", "items": PARAGRAPH}}},
        nested(30),
        doubling(4),
    ],
    ids=["optional", "paragraphs", "nested", "doubling"],
)
def test_large_schemas_of_honest_senders_are_read(kind: Any) -> None:  # noqa: ANN401 - any type
    """The bounds leave room: a hundred optional fields in an array, maps of maps of paragraphs."""
    schema = field(["null", kind])
    assert article(schema, written(schema, {"body": "b", "x": None})) == {"body": "b", "x": None}
    assert MOST_GROWTH > 100


def test_a_schema_is_parsed_once() -> None:
    """A thousand values of one schema take no time to speak of."""
    from worker.avro import reading

    before = reading._parse.cache_info().misses  # noqa: SLF001 - its cache
    schema = {**ARTICLE, "name": "Once"}
    for _ in range(3):
        article(schema, FRAME + b"\x02b")
    assert reading._parse.cache_info().misses == before + 1  # noqa: SLF001
