"""Which names of an article are one entity: a short form goes with the long form it is part of."""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from worker.enrich.shorts import parts, short_forms, spelled
from worker.enrich.text import fold, is_arabic
from worker.records import EntityType, FieldName, Mention

_ACRONYM = re.compile(r"[A-Z][A-Z.&-]{1,9}")
_OPENS = re.compile(r"\s*[(\[]\s*")
_AGENCY = fold("وكالة")
_SOURCES = frozenset(
    spelled(parts(fold(name)))
    for name in (
        *("رويترز", "فرانس برس", "أسوشيتد برس", "الأناضول", "شينخوا", "غيتي", "غيتي إيميجز", "الجزيرة", "العربية"),
        *("أ ف ب", "أ ب", "د ب أ", "إ ب أ"),
    )
)
"""What stands in brackets behind anything at all: whose picture it is."""


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

    Names of one type are one where only gaps and the Arabic article differ. A person's given or family name joins the full name, a
    father's does not; a place or an organisation of two words or more joins the longer name that begins with it, an
    organisation in Latin script also its first word alone, but not where the body has the short form first: ``Amazon`` and later ``Amazon
    Web Services`` are two. Where several long forms fit, the one with most mentions takes it, the earlier one of equals;
    a short form that two organisations share is one of its own. A name in brackets right behind another of its type is
    its acronym or, in Arabic script, its other name.
    """
    words = [parts(name.key) for name in names]
    keys = [spelled(one) for one in words]
    target = _long_forms(names, words, keys)
    other_names: dict[int, set[int]] = defaultdict(set)
    for text, index, before in _bracketed(names, texts):
        if _ACRONYM.fullmatch(text):
            if _root(target, before) != index:
                target[index] = before
        elif is_arabic(text) and _may_be_other_name(names[index].type, words[index], words[before]):
            other_names[index].add(before)
    for index, befores in other_names.items():
        own, roots = _root(target, index), {_root(target, before) for before in befores}
        if len(roots) == 1 and keys[own] == keys[index]:  # it stands behind one name only, and is short for no other
            target[own] = roots.pop()
    return [names[_root(target, index)].key for index in range(len(names))]


def _long_forms(names: Sequence[Name], words: Sequence[tuple[str, ...]], keys: Sequence[str]) -> list[int]:
    """For each name the one it is short for, or spelled like; itself where there is none."""
    longer: dict[tuple[EntityType, str], list[int]] = defaultdict(list)
    for index, name in enumerate(names):
        for form in set(map(spelled, short_forms(name.type, words[index]))):
            longer[name.type, form].append(index)
    first = _first_in_body(names, keys)
    target = list(range(len(names)))
    known: dict[tuple[EntityType, str], int] = {}
    for index, name in enumerate(names):
        if words[index]:
            target[index] = known.setdefault((name.type, keys[index]), index)
        if target[index] != index:
            continue
        fitting = longer.get((name.type, keys[index]), [])
        if name.type == "ORG" and name.key.isascii():
            fitting = [other for other in fitting if first.get(("ORG", keys[other]), 0) <= first.get(("ORG", keys[index]), math.inf)]
        if name.type == "ORG":
            fitting = _nearest(fitting, words)
        if fitting:
            target[index] = max(fitting, key=lambda other: (len(names[other].mentions), -other))
    return target


def _first_in_body(names: Sequence[Name], keys: Sequence[str]) -> dict[tuple[EntityType, str], int]:
    """Where the body first has each name, all its spellings together; what only the title has is left out."""
    found: dict[tuple[EntityType, str], int] = {}
    for name, key in zip(names, keys, strict=True):
        start = next((mention.start for mention in name.mentions if mention.field == "body"), None)
        if start is not None:
            found[name.type, key] = min(start, found.get((name.type, key), start))
    return found


def _nearest(fitting: Sequence[int], words: Sequence[tuple[str, ...]]) -> list[int]:
    """The long forms that add least, none where they differ: البنك المركزي is nobody's where those of Egypt and Iraq are named."""
    found = {spelled(words[index]) for index in fitting}
    nearest: dict[str, list[int]] = defaultdict(list)
    for index in fitting:
        if not any(spelled(words[index][:size]) in found for size in range(1, len(words[index]))):
            nearest[spelled(words[index])].append(index)
    return next(iter(nearest.values())) if len(nearest) == 1 else []


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


def _bracketed(names: Sequence[Name], texts: Mapping[FieldName, str]) -> Iterable[tuple[str, int, int]]:
    """(text, name, name before) for each mention that fills brackets right behind another name of its type."""
    order = sorted(((mention.field, mention.start, mention.end, index) for index, name in enumerate(names) for mention in name.mentions))
    for (field, _, end, before), (next_field, start, next_end, index) in pairwise(order):
        if before == index or field != next_field or names[before].type != names[index].type:
            continue
        text = texts[field]
        if _OPENS.fullmatch(text, end, start) and text[next_end : next_end + 1] in {")", "]"}:
            yield text[start:next_end], index, before


def _may_be_other_name(kind: EntityType, alias: tuple[str, ...], full: tuple[str, ...]) -> bool:
    """Whether one name in brackets behind another may mean the same: a person's is one word, a place's says where it is."""
    if spelled(alias) in _SOURCES and full[:1] != (_AGENCY,):
        return False
    return len(full) > 1 and (kind == "ORG" or (kind == "PER" and len(alias) == 1))
