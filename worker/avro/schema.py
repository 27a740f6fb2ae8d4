"""Avro schemas of the records, generated from `worker.records` like the JSON Schemas; fastavro is not needed for it.

The enriched article's ``article`` is a record of the members Khabar reads, so that ``article[field][start:end] == text``
holds for whoever reads Avro alone; members nobody here knows stand in its field ``extra``, as JSON. Words of a fixed list
are strings, not enums: an old reader of an enum fails at a symbol that a newer worker has added.
"""

import inspect
import json
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect as types

from worker.records import EnrichedArticle, RawArticle

NAMESPACE = "khabar"
EXTRA = "extra"
"""Field of ``article`` that holds what no other field does."""

Node = dict[str, Any]
_PRIMITIVES: dict[type[types.Type], str] = {
    types.StrType: "string",
    types.LiteralType: "string",
    types.IntType: "long",
    types.FloatType: "double",
    types.NoneType: "null",
}
_ARTICLE = "The raw article: the members Khabar reads, as they came, and every other one in `extra`."
_EXTRA: Node = {
    "name": EXTRA,
    "doc": "Every other member of the raw object: a JSON object as text, numbers spelled as they came. Null where there is none.",
    "type": ["null", "string"],
    "default": None,
}


def schema(record: type[msgspec.Struct]) -> Node:
    """The Avro schema of `RawArticle` or `EnrichedArticle`, every record and field documented."""
    return _record(record, set())


@cache
def enriched_text() -> str:
    """What is registered for the output topic: the enriched article's schema on one line."""
    return json.dumps(schema(EnrichedArticle), ensure_ascii=False, separators=(",", ":"))


def fold(docstring: str) -> str:
    """A docstring as running text: paragraphs stay, line breaks within them go, code marks become Markdown's."""
    paragraphs = inspect.cleandoc(docstring).replace("``", "`").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _record(record: type, made: set[str]) -> Node:
    """A named type; ``made`` are those defined so far."""
    info = types.type_info(record)
    if not isinstance(info, types.StructType):
        message = f"{record.__name__} is no record"
        raise TypeError(message)
    made.add(record.__name__)
    fields = [_field(field, made) for field in info.fields]
    return {"type": "record", "name": record.__name__, "namespace": NAMESPACE, "doc": fold(record.__doc__ or ""), "fields": fields}


def _field(field: types.Field, made: set[str]) -> Node:
    kind, doc = field.type, ""
    if isinstance(kind, types.Metadata):
        doc = (kind.extra_json_schema or {})["description"]
        kind = kind.type
    if isinstance(kind, types.LiteralType) and len(kind.values) > 1:
        doc += f" One of {', '.join(f'`{word}`' for word in kind.values)}."
    node: Node = {"name": field.encode_name, "doc": doc, "type": _type(kind, made)}
    return node if field.required else node | {"default": field.default}


def _type(kind: types.Type, made: set[str]) -> Any:  # noqa: ANN401 - a name, a union or a complex type
    match kind:
        case types.Metadata():
            node = _type(kind.type, made)
        case types.StructType():
            node = f"{NAMESPACE}.{kind.cls.__name__}" if kind.cls.__name__ in made else _record(kind.cls, made)
        case types.ListType():
            node = {"type": "array", "items": _type(kind.item_type, made)}
        case types.DictType():
            node = {"type": "map", "values": _type(kind.value_type, made)}
        case types.UnionType():  # null first, where it is the default
            node = sorted((_type(one, made) for one in kind.types), key=lambda name: name != "null")
        case types.RawType():
            raw = _record(RawArticle, made)
            node = raw | {"name": "Article", "doc": _ARTICLE, "fields": [*raw["fields"], _EXTRA]}
        case _:
            node = _PRIMITIVES[type(kind)]
    return node
