"""The published contract: JSON and Avro Schemas and the AsyncAPI document, generated from `worker.records`.

``schemas/`` is what `write` makes; `check` tells which of its files are not. JSON Schema is draft 2020-12. Objects are
open: a later worker may add members within a version, so that a consumer has to pass over those it does not know.
"""

import json
from pathlib import Path
from typing import Any, get_args

import msgspec
import yaml

from worker import asyncapi
from worker.avro import schema as avro
from worker.avro.schema import fold
from worker.records import DeadLetter, EnrichedArticle, RawArticle, StageName

DIALECT = "https://json-schema.org/draft/2020-12/schema"
RECORDS: dict[str, type[msgspec.Struct]] = {
    "raw-article.v1.json": RawArticle,
    "enriched-article.v1.json": EnrichedArticle,
    "dead-letter.v1.json": DeadLetter,
}
"""File name of each record's schema."""
AVRO_RECORDS: dict[str, type[msgspec.Struct]] = {"raw-article.v1.avsc": RawArticle, "enriched-article.v1.avsc": EnrichedArticle}
"""File name of each Avro schema; dead letters are JSON always."""

Schema = dict[str, Any]


def write(out: Path) -> list[Path]:
    """Write every schema and the AsyncAPI document into a folder, which is made if need be.

    Returns:
        The files written.
    """
    out.mkdir(parents=True, exist_ok=True)
    made = []
    for name, text in generate().items():
        path = out / name
        path.write_text(text, encoding="utf-8")
        made.append(path)
    return made


def check(directory: Path) -> list[str]:
    """Names of the files in a folder that are missing or differ from what `write` would make; empty: all well."""
    return [
        name
        for name, text in generate().items()
        if not (directory / name).is_file() or (directory / name).read_text(encoding="utf-8") != text
    ]


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def generate() -> dict[str, str]:
    """File name to text of everything in ``schemas/``."""
    documents = {name: schema(name) for name in RECORDS} | {name: avro.schema(record) for name, record in AVRO_RECORDS.items()}
    files = {name: json.dumps(document, ensure_ascii=False, indent=2) + "\n" for name, document in documents.items()}
    files["asyncapi.yaml"] = yaml.safe_dump(asyncapi.document(), sort_keys=False, allow_unicode=True, width=120)
    return files


def schema(name: str) -> Schema:
    """The JSON Schema of one record.

    Args:
        name: a key of `RECORDS`.
    """
    record = RECORDS[name]
    # an enriched article holds a raw one as received, which msgspec knows as bytes only
    wanted = [record, RawArticle] if record is EnrichedArticle else [record]
    _, components = msgspec.json.schema_components(wanted, ref_template="#/$defs/{name}")
    parts = {key: _tidy(part) for key, part in components.items()}
    if record is EnrichedArticle:
        described = parts["EnrichedArticle"]["properties"]["article"]
        parts["EnrichedArticle"]["properties"]["article"] = {"$ref": "#/$defs/RawArticle", **described}
        parts["Provenance"]["properties"]["stages"]["required"] = list(get_args(StageName))
    top = parts.pop(record.__name__)
    return {"$schema": DIALECT, "$id": f"urn:khabar:{name.removesuffix('.json')}", **top, **({"$defs": parts} if parts else {})}


def _tidy(part: Any) -> Any:  # noqa: ANN401 - any JSON
    """Fold docstrings into one line a paragraph, `anyOf` with null into a list of types, drop defaults that only say null."""
    if isinstance(part, list):
        return [_tidy(item) for item in part]
    if not isinstance(part, dict):
        return part
    tidied = {key: _tidy(value) for key, value in part.items() if (key, value) != ("default", None)}
    if isinstance(tidied.get("description"), str):
        tidied["description"] = fold(tidied["description"])
    match tidied.get("anyOf"):
        case [{"type": str(kind), **rest}, {"type": "null"}]:
            del tidied["anyOf"]
            tidied |= {"type": [kind, "null"], **rest}
    return tidied
