"""Whether a record came out as the corpus says: one function an outcome, each returns what is wrong (nothing: fine)."""

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from tests.hostile.cases import Case, Enriched, Headers

SCHEMAS = Path(__file__).parents[2] / "schemas"
CLOUDEVENTS = ("ce_id", "ce_source", "ce_type", "ce_specversion", "content-type")
ERROR_LENGTH = 400
"""A dead letter's error is one line for people: anything longer quotes too much of the article."""


@lru_cache
def validator(name: str) -> Draft202012Validator:
    """An independent validator for one of the published schemas, e.g. ``enriched-article``."""
    schema = json.loads((SCHEMAS / f"{name}.v1.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def invalid(name: str, document: object) -> Iterator[str]:
    """What the schema says against a document."""
    for error in validator(name).iter_errors(document):
        yield f"schema: {error.json_path}: {error.message[:200]}"


def enriched(case: Case, *, value: bytes, key: bytes, headers: Headers, expect: Enriched) -> Iterator[str]:
    """Compare an enriched article with the record it was made of and with the corpus."""
    output = json.loads(value)
    yield from invalid("enriched-article", output)
    if _verbatim(value)["article"] != _received(case):
        yield "article: not what was sent"
    yield from offsets(output)
    wanted = expect.key if expect.key is not None else (case.key if case.key is not None else output["id"].encode())
    if key != wanted:
        yield f"key: {key!r}, not {wanted!r}"
    if expect.id is not None and output["id"] != expect.id:
        yield f"id: {output['id']!r}, not {expect.id!r}"
    if expect.language is not None and output["language"]["code"] != expect.language:
        yield f"language: {output['language']}, not {expect.language}"
    if expect.summary and not output["summary"]["sentences"]:
        yield "summary: empty"
    yield from carried(case.headers, headers)


def offsets(output: dict[str, Any]) -> Iterator[str]:
    """The law: ``article[field][start:end] == text``, for every mention and every sentence of the summary."""
    for entity in output["entities"]:
        for mention in entity["mentions"]:
            found = output["article"][mention["field"]][mention["start"] : mention["end"]]
            if found != mention["text"] or not found:
                yield f"offsets: {mention} points at {found!r}"
    for sentence in output["summary"]["sentences"]:
        text = output["article"][sentence["field"]]
        if not 0 <= sentence["start"] < sentence["end"] <= len(text):
            yield f"offsets: {sentence} leaves the text"
        elif text[sentence["start"] : sentence["end"]].strip() not in output["summary"]["text"]:
            yield f"summary: {sentence} is not in its text"


def carried(received: Headers, sent: Headers) -> Iterator[str]:
    """Every raw header is carried on in order, except CloudEvents' own, which are ours and stand once."""
    ours = [header for header in sent if _is_ours(header[0])]
    others = [header for header in sent if not _is_ours(header[0])]
    if others != [header for header in received if not _is_ours(header[0])]:
        yield f"headers: {others} are not those received"
    names = [name for name, _ in ours]
    if len(set(names)) != len(names) or not set(CLOUDEVENTS) <= set(names):
        yield f"headers: CloudEvents binary mode is not whole: {names}"
    if dict(ours).get("ce_id") in {None, b"forged", b"", b"\xff"}:
        yield "headers: ce_id is not ours"


def error_line(error: str) -> Iterator[str]:
    """A dead letter's error is one short line."""
    if not error or len(error) > ERROR_LENGTH or error.splitlines() != [error]:
        yield f"error: not one short line: {error[:500]!r}"


def _is_ours(name: str) -> bool:
    return name.casefold() == "content-type" or name.casefold().startswith("ce_")


def _is_plain(headers: Headers) -> bool:
    values = [value for name, value in headers if name.casefold() == "content-type" and value]
    return bool(values) and values[-1].decode("latin-1").split(";")[0].strip().casefold() == "text/plain"


def _verbatim(value: bytes | str) -> dict[str, Any]:
    """JSON with every number kept as it was written."""
    document: dict[str, Any] = json.loads(value, parse_int=str, parse_float=str)
    return document


def _received(case: Case) -> dict[str, Any]:
    value = case.value or b""
    if _is_plain(case.headers):
        return {"body": value.decode("utf-8-sig")}
    return _verbatim(value.decode("utf-8-sig"))


def differences(first: bytes, second: bytes) -> Sequence[str]:
    """Members in which two enrichments of one record differ, the clock's left out."""
    left, right = json.loads(first), json.loads(second)
    for output in (left, right):
        output["provenance"].pop("enriched_at")
        for stage in output["provenance"]["stages"].values():
            stage.pop("seconds")
    return [member for member in left if left[member] != right.get(member)]
