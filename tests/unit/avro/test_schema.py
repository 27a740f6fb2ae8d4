"""The Avro schemas: generated, documented, what Avro allows."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fastavro import parse_schema

from worker import schemas
from worker.avro.schema import EXTRA, enriched_text, schema
from worker.records import EnrichedArticle, RawArticle

ROOT = Path(__file__).parents[3]


def records(node: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - any JSON
    """Every record defined in a schema."""
    if isinstance(node, list):
        return [found for item in node for found in records(item)]
    if not isinstance(node, dict):
        return []
    here = [node] if node.get("type") == "record" else []
    return here + [found for value in node.values() for found in records(value)]


@pytest.mark.parametrize("name", schemas.AVRO_RECORDS)
def test_the_committed_schemas_are_avro_and_every_field_is_described(name: str) -> None:
    """A person can read the file alone; each record is defined once, in our namespace."""
    document = json.loads((ROOT / "schemas" / name).read_text(encoding="utf-8"))
    parse_schema(document)
    found = records(document)
    assert len({record["name"] for record in found}) == len(found)
    for record in found:
        assert record["namespace"] == "khabar"
        assert record["doc"]
        for field in record["fields"]:
            assert field["doc"].endswith("."), f"{record['name']}.{field['name']}"


def test_the_records_members_are_the_fields_in_their_order() -> None:
    """Nothing of a record is missing; the article's own members stand typed, the others in `extra`."""
    assert [field["name"] for field in schema(RawArticle)["fields"]] == list(RawArticle.__struct_fields__)
    enriched = schema(EnrichedArticle)
    assert [field["name"] for field in enriched["fields"]] == list(EnrichedArticle.__struct_fields__)
    article = next(field["type"] for field in enriched["fields"] if field["name"] == "article")
    assert [field["name"] for field in article["fields"]] == [*RawArticle.__struct_fields__, EXTRA]


def test_optional_members_of_a_raw_article_may_be_left_out() -> None:
    """They default to null; the body does not."""
    fields = schema(RawArticle)["fields"]
    assert {field["name"] for field in fields if "default" not in field} == {"body"}


def test_words_of_a_list_are_strings_that_name_them() -> None:
    """A new entity type breaks no old reader."""
    entity = next(record for record in records(schema(EnrichedArticle)) if record["name"] == "Entity")
    kind = next(field for field in entity["fields"] if field["name"] == "type")
    assert kind["type"] == "string"
    assert "`PER`" in kind["doc"]


def test_what_is_registered_is_the_committed_schema() -> None:
    """One line of the same JSON."""
    assert "\n" not in enriched_text()
    assert json.loads(enriched_text()) == json.loads((ROOT / "schemas" / "enriched-article.v1.avsc").read_text(encoding="utf-8"))


def test_only_records_have_schemas() -> None:
    """A type that is none is a mistake of ours."""
    with pytest.raises(TypeError, match="no record"):
        schema(int)  # type: ignore[arg-type]
    assert issubclass(RawArticle, msgspec.Struct)
