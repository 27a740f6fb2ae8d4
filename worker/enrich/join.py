"""Which names of an article are one entity: a short form goes with the long form it is part of."""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from worker.enrich.text import listed
from worker.records import EntityType, FieldName, Mention

_MIN_SHORT = 3  # letters of a word that may stand for a whole name: no "Al", "بن"
_MAX_WORDS = 12  # longer names are no names; bounds the number of their parts
_ACRONYM = re.compile(r"[A-Z][A-Z.&-]{1,9}")
_OPENS = re.compile(r"\s*[(\[]\s*")
_WORDS = re.compile(r"[^\W_]+")
_ARTICLE = "ال"
_KINDS_OF_PLACE = listed(
    "county bay lake river island islands valley beach port airport stadium park street avenue bridge square university"
)
"""Words that make another place of the one before them: Los Angeles is not Los Angeles County."""


class Name(NamedTuple):
    """All mentions of an article that are spelled alike.

    Args:
        key: the spelling, folded.
        type: what most of them were taken for.
        mentions: in the article's order.
    """

    key: str
    type: EntityType
    mentions: list[Mention]


def join(names: Sequence[Name], texts: Mapping[FieldName, str]) -> list[str]:
    """For each name the key of the entity it belongs to.

    A person's given or family name joins the full name; a place or an organisation of two words or more joins the longer
    name that begins with it, an organisation in Latin script also its first word alone, but not where the body has the short form first:
    ``Amazon`` and later ``Amazon Web Services`` are two. A name in brackets right behind another of its type is its acronym. Where several
    long forms fit, the one with most mentions takes it, the earlier one of equals.
    """
    parts = [_parts(name.key) for name in names]
    longer: dict[tuple[EntityType, tuple[str, ...]], list[int]] = defaultdict(list)
    first = _first_in_body(names, parts)
    for index, name in enumerate(names):
        for part in set(_short_forms(name.type, parts[index])):
            longer[name.type, part].append(index)
    target = list(range(len(names)))
    by_parts: dict[tuple[EntityType, tuple[str, ...]], int] = {}
    for index, name in enumerate(names):
        if parts[index]:
            target[index] = by_parts.setdefault((name.type, parts[index]), index)
        fitting = [other for other in longer.get((name.type, parts[index]), ()) if other != index]
        if name.type == "ORG" and name.key.isascii():
            fitting = [other for other in fitting if first.get(("ORG", parts[other]), 0) <= first.get(("ORG", parts[index]), math.inf)]
        if fitting:
            target[index] = max(fitting, key=lambda other: (len(names[other].mentions), len(parts[other]), -other))
    for acronym, full in _bracketed(names, texts):
        if _root(target, full) != acronym:
            target[acronym] = full
    return [names[_root(target, index)].key for index in range(len(names))]


def _first_in_body(names: Sequence[Name], parts: Sequence[tuple[str, ...]]) -> dict[tuple[EntityType, tuple[str, ...]], int]:
    """Where the body first has each name, all its spellings together; what only the title has is left out."""
    found: dict[tuple[EntityType, tuple[str, ...]], int] = {}
    for name, words in zip(names, parts, strict=True):
        start = next((mention.start for mention in name.mentions if mention.field == "body"), None)
        if start is not None:
            found[name.type, words] = min(start, found.get((name.type, words), start))
    return found


def _root(target: list[int], index: int) -> int:
    """The end of the chain of long forms; each one is longer than the one before, or an acronym's, so it ends.

    The chain is cut short on the way back (union-find's path compression), or a text of acronyms of acronyms would cost its square.
    """
    seen = {index}
    while target[index] != index and target[index] not in seen:
        index = target[index]
        seen.add(index)
    for one in seen:
        target[one] = index
    return index


def _parts(key: str) -> tuple[str, ...]:
    """The words of a name, an Arabic article off: الولايات المتحدة and ولايات متحدة are the same."""
    words = _WORDS.findall(key)
    return tuple(word[2:] if word.startswith(_ARTICLE) and len(word) > len(_ARTICLE) + 1 else word for word in words if word != "the")


def _short_forms(kind: EntityType, words: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    """What a name may be called once it has been named in full."""
    if not 1 < len(words) <= _MAX_WORDS:
        return
    if kind == "PER":
        for size in range(1, len(words)):
            for start in range(len(words) - size + 1):
                part = words[start : start + size]
                if max(map(len, part)) >= _MIN_SHORT:
                    yield part
    elif kind in {"LOC", "ORG"}:
        yield from (words[:size] for size in range(2, len(words)) if kind == "ORG" or words[size] not in _KINDS_OF_PLACE)
        if kind == "ORG" and len(words[0]) > _MIN_SHORT and words[0].isascii():  # in Arabic script it is a common noun: بنك, حزب
            yield words[:1]


def _bracketed(names: Sequence[Name], texts: Mapping[FieldName, str]) -> Iterable[tuple[int, int]]:
    """Pairs (acronym, full name) of which the first stands in brackets right behind the second."""
    order = sorted(((mention.field, mention.start, mention.end, index) for index, name in enumerate(names) for mention in name.mentions))
    for (field, _, end, full), (next_field, start, next_end, acronym) in pairwise(order):
        if full == acronym or field != next_field or names[full].type != names[acronym].type:
            continue
        text = texts[field]
        if _OPENS.fullmatch(text, end, start) and text[next_end : next_end + 1] in {")", "]"} and _ACRONYM.fullmatch(text, start, next_end):
            yield acronym, full
