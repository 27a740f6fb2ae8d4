"""What decoding must say about any bytes, worked out a second way: Python's own ``json``, no msgspec.

Slow and plain on purpose. Where two reasons hold at once (deep *and* broken, blank *and* a number for a title) either may
be given, so the answer is a set.
"""

import json
import math
import unicodedata
from collections.abc import Iterator

DEEPEST = 100
TEXT_MEMBERS = ("body", "id", "title", "url", "source", "published_at", "language")
BLANK_CATEGORIES = {"Zs", "Zl", "Zp", "Cc", "Cf"}


class _NoNumberError(ValueError):
    """NaN and the infinities are no JSON."""


def expected(value: bytes, *, plain_text: bool, max_bytes: int) -> set[str]:
    """The reasons that fit these bytes; empty when they are an article."""
    if len(value) > max_bytes:
        return {"too_large"}
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return {"invalid_utf8"}
    if plain_text:
        return _members({"body": text})
    return _json(text)


def _json(text: str) -> set[str]:
    deep = deepest(text) > DEEPEST
    hidden: list[object] = []  # behind a later member of the same name, and broken all the same

    def members(pairs: list[tuple[str, object]]) -> dict[str, object]:
        kept = dict(pairs)
        hidden.extend(value for name, value in pairs if kept[name] is not value)
        return kept

    try:
        document = json.loads(text.removeprefix("\ufeff"), parse_constant=_refuse, object_pairs_hook=members)
        broken = any(_broken(leaf) for leaf in _leaves([document, *hidden]))
    except RecursionError:  # how deep depends on who calls; what comes behind may be broken too
        return {"too_deep", "invalid_json"}
    except ValueError:
        return {"invalid_json", "too_deep"} if deep else {"invalid_json"}
    shapeless = not isinstance(document, dict)
    if deep or broken:
        reasons = {"too_deep": deep, "invalid_json": broken, "invalid_schema": shapeless}
        return {reason for reason, holds in reasons.items() if holds}
    return {"invalid_schema"} if shapeless else _members(document)


def deepest(text: str) -> int:
    """How deep brackets outside strings nest."""
    depth = most = 0
    inside = escaped = False
    for letter in text:
        if inside:
            inside = escaped or letter != '"'
            escaped = letter == "\\" and not escaped
        elif letter == '"':
            inside = True
        elif letter in "[{":
            depth += 1
            most = max(most, depth)
        elif letter in "]}":
            depth -= 1
    return most


def blank(text: str) -> bool:
    """Nothing to see: white space, control and format characters only."""
    return all(unicodedata.category(letter) in BLANK_CATEGORIES for letter in text)


def _members(document: dict[str, object]) -> set[str]:
    reasons = set()
    for name in TEXT_MEMBERS:
        member = document.get(name)
        if name == "body" or member is not None:
            if not isinstance(member, str) or "\x00" in member:
                reasons.add("invalid_schema")
            elif name == "body" and blank(member):
                reasons.add("empty_body")
    return reasons


def _refuse(constant: str) -> object:
    raise _NoNumberError(constant)


def _leaves(document: object) -> Iterator[object]:
    stack = [document]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            stack.extend(node.keys())
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
        else:
            yield node


def _broken(leaf: object) -> bool:
    if isinstance(leaf, str):
        return any("\ud800" <= letter <= "\udfff" for letter in leaf)
    return isinstance(leaf, float) and not math.isfinite(leaf)
