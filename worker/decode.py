"""Record value to article: every way in which bytes can fail to be one, told apart.

Two readings of the same bytes: one proves that all of it is valid JSON, the other keeps each member's own bytes, so that
numbers, escapes and members nobody here knows are carried on as the sender wrote them.
"""

import re
import unicodedata
from codecs import BOM_UTF8
from typing import Any, NamedTuple

import msgspec

from worker.errors import DecodeError
from worker.records import RawArticle

MAX_DEPTH = 100
"""Levels of arrays and objects an article may nest."""

_MEMBERS = RawArticle.__struct_fields__
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"')  # possessive: what could be given back is remembered, 120 bytes a character
_BRACKETS = re.compile(rb"[\[\]{}]")
_INVISIBLE = frozenset(("Cc", "Cf", "Zs", "Zl", "Zp"))
_KINDS = {str: "a string", bool: "a boolean", int: "a number", float: "a number", list: "an array", dict: "an object", type(None): "null"}


class Decoded(NamedTuple):
    """An article and the JSON object it came from.

    Args:
        article: the members Khabar reads.
        raw: the object as received: members in their order with their own spelling of numbers and text, insignificant
            white space gone, the last of duplicate members kept.
    """

    article: RawArticle
    raw: msgspec.Raw


def decode(value: bytes, *, plain_text: bool, max_bytes: int) -> Decoded:
    """Read a record's value.

    Args:
        value: the bytes as received.
        plain_text: the record says ``content-type: text/plain``: the value is the bare body.
        max_bytes: largest value taken.

    Raises:
        DecodeError: and nothing else; ``reason`` is ``too_large``, ``invalid_utf8``, ``invalid_json``, ``too_deep``,
            ``invalid_schema`` or ``empty_body``.
    """
    if len(value) > max_bytes:
        message = f"the record has {len(value)} bytes, {max_bytes} are allowed"
        raise DecodeError(message, reason="too_large")
    value = value.removeprefix(BOM_UTF8)
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        message = f"byte {error.start} is not UTF-8: {error.reason}"
        raise DecodeError(message, reason="invalid_utf8") from error
    if plain_text:
        return Decoded(_article({"body": text}), msgspec.Raw(msgspec.json.encode({"body": text})))
    members = _parse(value)
    article = _article(members)
    last_of_each = msgspec.json.decode(value, type=dict[str, msgspec.Raw])
    return Decoded(article, msgspec.Raw(msgspec.json.format(msgspec.json.encode(last_of_each), indent=-1)))


def is_blank(text: str) -> bool:
    """Whether there is nothing to see: white space, control and format characters only."""
    return all(character.isspace() or unicodedata.category(character) in _INVISIBLE for character in text)


def _parse(value: bytes) -> dict[str, Any]:
    """Read all of the JSON, so that nothing invalid is carried on."""
    too_deep = f"arrays and objects are nested more than {MAX_DEPTH} deep"
    try:
        members = msgspec.json.decode(value)
    except RecursionError as error:
        raise DecodeError(too_deep, reason="too_deep") from error
    except msgspec.DecodeError as error:
        message = f"not JSON: {str(error)[:200]}" if value.strip() else "not JSON: the value is empty"  # the path to it may be long
        raise DecodeError(message, reason="invalid_json") from error
    if not isinstance(members, dict):
        message = f"the JSON is {_KINDS[type(members)]}, not an object"
        raise DecodeError(message, reason="invalid_schema")
    if value.count(b"[") + value.count(b"{") > MAX_DEPTH and _nesting(value) > MAX_DEPTH:
        raise DecodeError(too_deep, reason="too_deep")
    return members


def _nesting(value: bytes) -> int:
    """Levels of nesting of a JSON text as it is carried on: with members that a later one of the same name hides."""
    level = most = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub(b"", value)):
        level += 1 if bracket in b"[{" else -1
        most = max(most, level)
    return most


def depth(whole: Any, *, limit: int) -> int:  # noqa: ANN401 - any JSON
    """Levels of nesting, without recursion; stops counting one level beyond the limit."""
    level: list[Any] = [whole]
    levels = 0
    while level and levels <= limit:
        levels += 1
        inner = (part for node in level for part in (node.values() if isinstance(node, dict) else node))
        level = [part for part in inner if isinstance(part, (dict, list))]
    return levels


def _article(members: dict[str, Any]) -> RawArticle:
    """Check the members Khabar reads; null counts as absent."""
    known: dict[str, str] = {}
    for name in _MEMBERS:
        text = members.get(name)
        if text is None and (name != "body" or name not in members):
            continue
        if not isinstance(text, str):
            message = f"`{name}` is {_KINDS[type(text)]}, not a string"
            raise DecodeError(message, reason="invalid_schema")
        if "\0" in text:
            message = f"`{name}` holds a NUL at code point {text.index(chr(0))}"
            raise DecodeError(message, reason="invalid_schema")
        known[name] = text
    if "body" not in known:
        message = "`body` is missing"
        raise DecodeError(message, reason="invalid_schema")
    if is_blank(known["body"]):
        message = "`body` is blank"
        raise DecodeError(message, reason="empty_body")
    return RawArticle(**known)
