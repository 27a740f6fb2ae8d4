"""Enriched articles to Avro and back: what a consumer of Avro alone sees, and what our own page and commands see."""

import io
import json
from collections.abc import Callable
from typing import Any

import fastavro
import msgspec
import pytest

from worker.avro.enriched import as_json, write
from worker.avro.frame import frame
from worker.avro.schema import enriched_text
from worker.errors import DecodeError
from worker.records import EnrichedArticle

ARTICLE = {
    "body": "Nadia Brand opened the hall in حلب.",
    "title": "Nadia Brand",
    "url": None,
    "desk": {"n": 1},
    "extra": "the sender's own",
    "body2": "…",
}
Build = Callable[..., bytes]


def avro(value: bytes) -> bytes:
    """The Avro of an enriched article that is given as JSON."""
    return frame(3) + write(msgspec.json.decode(value, type=EnrichedArticle))


def independently(value: bytes) -> Any:  # noqa: ANN401 - any record
    """What fastavro reads by the committed schema."""
    return fastavro.schemaless_reader(io.BytesIO(value[5:]), fastavro.parse_schema(json.loads(enriched_text())), None)


def test_offsets_hold_for_a_reader_of_avro_alone(enriched: Build) -> None:
    """``article[field][start:end] == text`` without any JSON."""
    body = independently(avro(enriched(ARTICLE, names={"Nadia Brand": "PER", "حلب": "LOC"})))
    article = body["article"]
    found = [mention for entity in body["entities"] for mention in entity["mentions"]]
    assert len(found) == 3
    for mention in found:
        assert article[mention["field"]][mention["start"] : mention["end"]] == mention["text"]


def test_members_nobody_knows_stand_in_extra(enriched: Build) -> None:
    """As JSON; a sender's own `extra` too. Where there are none it is null."""
    article = independently(avro(enriched(ARTICLE)))["article"]
    assert json.loads(article["extra"]) == {"desk": {"n": 1}, "extra": "the sender's own", "body2": "…"}
    assert (article["title"], article["url"], article["id"]) == ("Nadia Brand", None, None)
    assert independently(avro(enriched({"body": "b"})))["article"]["extra"] is None


def test_foreign_numbers_keep_their_spelling() -> None:
    """Nothing of the sender's is read on the way: trailing zeros and huge exponents come out as they came."""
    raw = b'{"body":"b","score":1.50,"huge":1e400,"deep":[{"n":12345678901234567890123}]}'
    from tests.unit.test_schemas import enriched

    value = frame(1) + write(enriched(article=msgspec.Raw(raw), entities=[]))
    extra = independently(value)["article"]["extra"]
    assert extra == '{"score":1.50,"huge":1e400,"deep":[{"n":12345678901234567890123}]}'
    assert raw in as_json(value)


def test_the_way_back_gives_the_same_article(enriched: Build) -> None:
    """Known members that are null are left out; everything else is there, in the JSON's own order."""
    value = enriched(ARTICLE, names={"Nadia Brand": "PER"}, summary="Nadia Brand opened the hall in حلب.")
    back = msgspec.json.decode(as_json(avro(value)), type=EnrichedArticle)
    there = msgspec.json.decode(value, type=EnrichedArticle)
    assert msgspec.structs.replace(back, article=there.article) == there
    assert json.loads(bytes(back.article)) == {name: member for name, member in ARTICLE.items() if member is not None}


def test_json_is_passed_through(enriched: Build) -> None:
    """The page reads either."""
    value = enriched(ARTICLE)
    assert as_json(value) is value


def test_a_later_schema_is_read_by_itself(enriched: Build) -> None:
    """A record of another version is read with that version's schema; members more are no harm."""
    later = json.loads(enriched_text())
    later["fields"].append({"name": "mood", "type": "string"})
    record = independently(avro(enriched(ARTICLE))) | {"mood": "calm"}
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(later), record)
    back = json.loads(as_json(frame(9) + out.getvalue(), (json.dumps(later),)))
    assert back["mood"] == "calm"
    assert back["article"]["desk"] == {"n": 1}


def test_what_is_no_enriched_article_is_an_error() -> None:
    """Another record, or bytes that are none."""
    with pytest.raises(DecodeError):
        as_json(frame(1) + b"\x02")
    with pytest.raises(KeyError):
        as_json(frame(1) + b"\x02b", ('{"type":"record","name":"A","fields":[{"name":"body","type":"string"}]}',))
