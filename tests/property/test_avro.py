"""Avro: whatever the article, it comes back whole; whatever the schema and the bytes, nothing but `DecodeError`, and never too much."""

import contextlib
import io
import json
from typing import Any

import fastavro
import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.property import strategies as texts
from tests.unit.enrich.fakes import Anything
from worker.avro.enriched import as_json
from worker.avro.frame import LENGTH, frame
from worker.avro.limits import MOST_BASE, MOST_GROWTH, Scale, SchemaError
from worker.avro.reading import read, read_article
from worker.avro.schema import enriched_text
from worker.enrich.enricher import Enricher
from worker.enrich.job import Done, Job, run
from worker.enrich.text import listed
from worker.errors import DecodeError
from worker.records import EnrichedArticle
from worker.settings import Settings

RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
ENRICHER = Enricher(Anything(), summary_sentences=3, summary_characters=400)
OUR_SCHEMA = fastavro.parse_schema(json.loads(enriched_text()))
JSON = Settings(processes=1)
AVRO = Settings(processes=1, output_format="avro", registry_url="http://registry")


def enriched(members: dict[str, Any], *, how: Settings) -> bytes:
    """The output an article becomes; empty where it is none."""
    job = Job(json.dumps(members).encode(), b"k", [], "t", 0, 1, 0, frame=frame(9))
    [result] = run([job], enricher=ENRICHER, settings=how)
    return result.value if isinstance(result, Done) else b""


@RELAXED
@given(st.dictionaries(texts.TEXTS | st.sampled_from(["title", "url", "extra"]), texts.JSON | texts.TEXTS, max_size=4), texts.BODIES)
def test_an_article_comes_back_whole(members: dict[str, Any], body: str) -> None:
    """The Avro that fastavro reads by the published schema holds what the JSON holds, offsets too; our way back gives that JSON."""
    members = members | {"body": body}
    plain, avro = enriched(members, how=JSON), enriched(members, how=AVRO)
    assert bool(plain) == bool(avro)
    if not plain:
        return
    record: Any = fastavro.schemaless_reader(io.BytesIO(avro[LENGTH:]), OUR_SCHEMA, None)
    there, back = json.loads(plain), json.loads(as_json(avro))
    article = {name: text for name, text in record["article"].items() if name != "extra" and text is not None}
    whole = {name: text for name, text in there["article"].items() if text is not None or name not in record["article"] or name == "extra"}
    assert article | json.loads(record["article"]["extra"] or "{}") == whole
    assert back["article"] == whole
    for name in ("schema", "id", "language", "entities"):
        assert record[name] == there[name] == back[name]
    for entity in record["entities"]:
        for mention in entity["mentions"]:
            assert record["article"][mention["field"]][mention["start"] : mention["end"]] == mention["text"]
    msgspec.json.decode(as_json(avro), type=EnrichedArticle)


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True)
PRIMITIVES: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False),
    "string": texts.ANY,
    "bytes": st.binary(max_size=40),
}
Typed = tuple[Any, st.SearchStrategy[Any]]


def typed(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    """A type that holds others, with a strategy of its values."""
    return st.one_of(
        inner.map(lambda one: ({"type": "array", "items": one[0]}, st.lists(one[1], max_size=5))),
        inner.map(lambda one: ({"type": "map", "values": one[0]}, st.dictionaries(texts.ANY, one[1], max_size=5))),
        st.tuples(st.uuids(), st.dictionaries(NAMES, inner, max_size=5)).map(record),
    )


def record(parts: tuple[Any, dict[str, Typed]]) -> Typed:
    """A record under a name nobody else has."""
    name, fields = parts
    schema = {"type": "record", "name": f"R{name.hex}", "fields": [{"name": field, "type": kind} for field, (kind, _) in fields.items()]}
    return schema, st.fixed_dictionaries({field: values for field, (_, values) in fields.items()})


TYPES = st.recursive(st.sampled_from(list(PRIMITIVES.items())), typed, max_leaves=12)


@RELAXED
@given(TYPES, st.data())
def test_any_record_is_read_and_within_its_weight(kind: Typed, data: st.DataObject) -> None:
    """What fastavro writes is read as it was, or its schema is one that is not read; the JSON is never longer than was weighed."""
    schema, values = kind
    value = data.draw(values)
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(json.dumps(schema))), value)
    named: dict[str, Any] = {}
    parsed = fastavro.parse_schema(json.loads(json.dumps(schema)), named)
    try:
        weight = Scale(named).weigh(parsed)
    except SchemaError:
        return
    assert weight.growth <= MOST_GROWTH
    assert weight.base <= MOST_BASE
    assert read(frame(1) + out.getvalue(), schema=(json.dumps(schema),)) == value
    assert weight.least <= len(out.getvalue())
    assert len(msgspec.json.encode(value).decode()) <= weight.base + weight.growth * len(out.getvalue())


WORDS = st.sampled_from(
    sorted(
        listed(
            "type name fields items values symbols size record array map enum fixed null int string logicalType decimal precision scale "
            "default namespace aliases A B body doc __fastavro_parsed"
        )
    )
)
SCHEMAS = st.recursive(
    WORDS | st.integers(-1, 40) | st.none() | texts.ANY,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(WORDS, inner, max_size=5)
        | st.fixed_dictionaries(
            {"type": st.sampled_from(["record", "array", "map", "enum", "fixed", "bytes", "long"]), "name": WORDS},
            optional={
                "fields": st.lists(st.fixed_dictionaries({"name": WORDS, "type": inner}), max_size=4),
                "items": inner,
                "values": inner,
            }
            | {
                "symbols": st.lists(WORDS, max_size=3),
                "size": st.integers(-2, 9),
                "logicalType": st.sampled_from(["decimal", "date", "uuid"]),
            },
        )
    ),
    max_leaves=20,
)


@RELAXED
@given(SCHEMAS, st.binary(max_size=60))
def test_any_schema_and_any_bytes(schema: Any, value: bytes) -> None:  # noqa: ANN401 - any JSON
    """What looks like schemas and is mostly none."""
    try:
        outcome = read_article(frame(1) + value, schema=(json.dumps(schema),), max_bytes=1000).article.body
        reason = "none"
    except DecodeError as error:
        outcome, reason = str(error), error.reason
    assert outcome.strip()
    assert reason in {"none", "invalid_avro", "invalid_schema", "empty_body", "too_deep"}


@RELAXED
@given(st.binary(max_size=400), st.integers(0, 400))
def test_any_bytes_by_our_own_schema(noise: bytes, at: int) -> None:
    """An enriched article with bytes overwritten: read, or refused, nothing else."""
    value = bytearray(enriched({"body": "Nadia Brand met Dr. Obi in Beirut.", "n": 1}, how=AVRO))
    value[LENGTH + at : LENGTH + at + len(noise)] = noise
    with contextlib.suppress(DecodeError):
        assert read(bytes(value), schema=(enriched_text(),)).keys() == set(EnrichedArticle.__struct_fields__)
