"""The published contract: generated, valid by the standards it names, and true of real records."""

import base64
import copy
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from jsonschema import Draft7Validator, Draft202012Validator

from worker import asyncapi, schemas
from worker.errors import REASONS
from worker.records import (
    DEAD_LETTER_SCHEMA,
    ENRICHED_SCHEMA,
    DeadLetter,
    EnrichedArticle,
    Entity,
    Language,
    Mention,
    Model,
    Provenance,
    RawArticle,
    Source,
    Stage,
    Summary,
    SummarySentence,
)

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT.parent / "shared" / "reference"

SOURCE = Source(topic="articles.raw", partition=2, offset=17, timestamp="2025-03-01T08:00:00.000Z")
ARTICLE = {"body": "زار الوزير مدينة حلب.", "title": None, "tags": ["سوريا"], "huge": 10**40}


def enriched(**changes: Any) -> EnrichedArticle:  # noqa: ANN401 - any member
    """A full enriched article, made by hand."""
    record = EnrichedArticle(
        schema=ENRICHED_SCHEMA,
        id="a-1",
        article=msgspec.Raw(json.dumps(ARTICLE).encode()),
        language=Language(code="ar", confidence=0.99, script="Arab", direction="rtl"),
        entities=[
            Entity(id="e1", name="حلب", type="LOC", salience=1.0, mentions=[Mention(field="body", start=17, end=20, text="حلب")]),
        ],
        summary=Summary(text=ARTICLE["body"], method="centrality/1", sentences=[SummarySentence(field="body", start=0, end=21)]),  # type: ignore[arg-type]  # the body is text
        provenance=Provenance(
            worker="khabar 0.1.0",
            enriched_at="2025-03-01T08:00:01.000Z",
            source=SOURCE,
            models=[Model(stage="entities", name="khabar-fast", version="1", sha256="0" * 64)],
            stages={name: Stage(status="ok", seconds=0.01) for name in ("language", "entities", "summary")},
        ),
    )
    return msgspec.structs.replace(record, **changes)


def dead_letter(**changes: Any) -> DeadLetter:  # noqa: ANN401 - any member
    """A full dead letter, made by hand."""
    record = DeadLetter(
        schema=DEAD_LETTER_SCHEMA,
        reason="invalid_json",
        stage="decode",
        error="no JSON",
        value=base64.b64encode(b"{").decode(),
        key=None,
        headers=[("traceparent", base64.b64encode(b"00-1-2-01").decode()), ("traceparent", None)],
        source=SOURCE,
        worker="khabar 0.1.0",
        failed_at="2025-03-01T08:00:01.000Z",
        attempts=1,
    )
    return msgspec.structs.replace(record, **changes)


def validator(name: str) -> Draft202012Validator:
    """A validator of the committed file, formats and all."""
    return Draft202012Validator(json.loads((ROOT / "schemas" / name).read_text(encoding="utf-8")))


def plain(record: msgspec.Struct) -> Any:  # noqa: ANN401 - any JSON
    """A record as its consumer sees it."""
    return json.loads(msgspec.json.encode(record))


def test_the_committed_files_are_what_the_records_say() -> None:
    """`make schemas` has been run since the records changed."""
    assert schemas.check(ROOT / "schemas") == []


def test_a_changed_or_missing_file_is_named(tmp_path: Path) -> None:
    """`check` tells which files differ, and `write` mends them."""
    written = schemas.write(tmp_path / "new")
    assert {path.name for path in written} == {*schemas.RECORDS, *schemas.AVRO_RECORDS, "asyncapi.yaml"}
    (tmp_path / "new" / "dead-letter.v1.json").write_text("{}", encoding="utf-8")
    (tmp_path / "new" / "enriched-article.v1.avsc").write_text("{}", encoding="utf-8")
    (tmp_path / "new" / "asyncapi.yaml").unlink()
    assert schemas.check(tmp_path / "new") == ["dead-letter.v1.json", "enriched-article.v1.avsc", "asyncapi.yaml"]


@pytest.mark.parametrize("name", schemas.RECORDS)
def test_each_schema_is_json_schema_2020_12(name: str) -> None:
    """The schemas hold to the meta-schema they name."""
    schema = json.loads((ROOT / "schemas" / name).read_text(encoding="utf-8"))
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(schema)


def objects(node: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - any JSON
    """Every object schema below a node."""
    if isinstance(node, list):
        return [found for item in node for found in objects(item)]
    if not isinstance(node, dict):
        return []
    here = [node] if isinstance(node.get("properties"), dict) else []
    return here + [found for value in node.values() for found in objects(value)]


@pytest.mark.parametrize("name", schemas.RECORDS)
def test_every_field_is_described(name: str) -> None:
    """A person can read the schema alone: each member says what it is, on one line a paragraph."""
    described = objects(schemas.schema(name))
    assert described
    for part in described:
        assert "\n " not in part["description"]
        assert "``" not in part["description"]
        for member, field in part["properties"].items():
            assert field.get("description", "").endswith((".", ").")), f"{part['title']}.{member}"


def test_duplicate_members_are_explained() -> None:
    """The raw article's description says which of two equal members counts."""
    assert "the last one counts" in schemas.schema("raw-article.v1.json")["description"]


@pytest.mark.parametrize(
    "article",
    [
        {"body": "متن"},
        {
            "body": "text",
            "id": "1",
            "title": "t",
            "url": "https://example.org",
            "source": "s",
            "published_at": "2025-01-01T00:00:00Z",
            "language": "en",
        },
        {"body": "text", "title": None, "anything": {"of": ["the", "sender's"]}},
        {"body": "two\nlines\n"},
    ],
)
def test_good_raw_articles_pass(article: dict[str, Any]) -> None:
    """Optional members may be null or absent, and any other member is welcome."""
    assert list(validator("raw-article.v1.json").iter_errors(article)) == []


@pytest.mark.parametrize(
    "article", [{}, {"body": None}, {"body": ""}, {"body": 3}, {"body": "a\x00b"}, {"body": "a", "title": []}, ["body"], "body"]
)
def test_bad_raw_articles_fail(article: Any) -> None:  # noqa: ANN401 - any JSON
    """What the worker dead-letters as `invalid_schema` does not pass."""
    assert list(validator("raw-article.v1.json").iter_errors(article))


@pytest.mark.parametrize(
    "record",
    [
        enriched(),
        enriched(entities=[], language=Language(code="und", confidence=0, script="Zyyy", direction="ltr")),
        enriched(summary=Summary(text="", method="centrality/1", sentences=[])),
    ],
)
def test_enriched_articles_pass(record: EnrichedArticle) -> None:
    """An independent validator takes what msgspec writes, articles with huge numbers and foreign members too."""
    document = plain(record)
    assert list(validator("enriched-article.v1.json").iter_errors(document)) == []
    assert document["article"] == ARTICLE


BREAKAGES: list[tuple[str, Any]] = [
    ("schema", "enriched-article/2"),
    ("id", ""),
    ("article", {"title": "no body"}),
    ("language.code", "Arabic"),
    ("language.direction", "up"),
    ("entities.0.type", "GPE"),
    ("entities.0.salience", 1.2),
    ("entities.0.mentions", []),
    ("entities.0.mentions.0.start", -1),
    ("entities.0.mentions.0.field", "url"),
    ("summary.sentences.0.end", "21"),
    ("provenance.stages.entities.status", "failed"),
    ("provenance.stages", {}),
    ("provenance.models.0.sha256", "abc"),
]


@pytest.mark.parametrize(("path", "value"), BREAKAGES, ids=[path for path, _ in BREAKAGES])
def test_broken_enriched_articles_fail(path: str, value: Any) -> None:  # noqa: ANN401 - any JSON
    """The schema notices a wrong value at every depth."""
    document = copy.deepcopy(plain(enriched()))
    *way, last = path.split(".")
    node = document
    for step in way:
        node = node[int(step) if step.isdigit() else step]
    node[last] = value
    assert list(validator("enriched-article.v1.json").iter_errors(document))


@pytest.mark.parametrize("changes", [{"reason": reason} for reason in REASONS] + [{"value": None, "key": "", "headers": []}])
def test_dead_letters_pass(changes: dict[str, Any]) -> None:
    """Every reason, and a dead letter whose value did not fit, holds to the schema."""
    assert list(validator("dead-letter.v1.json").iter_errors(plain(dead_letter(**changes)))) == []


@pytest.mark.parametrize(
    "change", [{"reason": "because"}, {"headers": [["a"]]}, {"headers": [["a", None, "b"]]}, {"attempts": 0}, {"source": None}]
)
def test_broken_dead_letters_fail(change: dict[str, Any]) -> None:
    """Wrong slugs, headers that are no pairs and missing positions are noticed."""
    assert list(validator("dead-letter.v1.json").iter_errors(plain(dead_letter()) | change))


def test_the_asyncapi_document_is_valid() -> None:
    """AsyncAPI's own schema takes the committed document."""
    reference = REFERENCE / "asyncapi-3.0.0.json"
    if not reference.exists():
        pytest.skip("AsyncAPI's schema is not beside the project (../shared/reference)")
    document = yaml.safe_load((ROOT / "schemas" / "asyncapi.yaml").read_text(encoding="utf-8"))
    check = Draft7Validator(json.loads(reference.read_text(encoding="utf-8")))
    assert list(check.iter_errors(document)) == []
    assert list(check.iter_errors(document | {"channels": {"raw": {"address": 3}}})), "the reference schema notices nothing"


def references(node: Any) -> list[str]:  # noqa: ANN401 - any JSON
    """Every `$ref` below a node."""
    if isinstance(node, list):
        return [found for item in node for found in references(item)]
    if not isinstance(node, dict):
        return []
    here = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
    return here + [found for value in node.values() for found in references(value)]


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    """References within the document resolve, and payloads refer to schemas that are there."""
    document = asyncapi.document()
    found = references(document)
    assert "./enriched-article.v1.json" in found
    for reference in found:
        if reference.startswith("./"):
            assert (ROOT / "schemas" / reference).is_file()
            continue
        node = document
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def test_every_message_has_headers_a_key_and_a_payload() -> None:
    """Whoever reads the document learns all parts of a record: headers, key, value."""
    messages = asyncapi.document()["components"]["messages"]
    assert set(messages) == {"RawArticle", "PlainText", "Tombstone", "EnrichedArticle", "DeadLetter"}
    for name, message in messages.items():
        assert message["bindings"]["kafka"]["key"]["description"]
        assert "payload" in message
        assert "headers" in message or name == "Tombstone"


def test_the_raw_article_is_one_schema_in_both_files() -> None:
    """What stands in `article` is exactly what the input topic's schema says."""
    alone = schemas.schema("raw-article.v1.json")
    within = schemas.schema("enriched-article.v1.json")["$defs"]["RawArticle"]
    assert {key: value for key, value in alone.items() if not key.startswith("$")} == within
    assert set(within["properties"]) == {field.name for field in msgspec.structs.fields(RawArticle)}
