"""Ministers: in ``وزیر دفاع آمریکا`` the name is the country's; what comes between is an office, no organisation."""

import re
from collections.abc import Mapping, Sequence

from worker.enrich.text import fold, listed
from worker.records import EntityType, FieldName, Mention

Named = tuple[Mention, EntityType]

_MINISTERS = listed(fold("وزیر وزرای وزیران وزيرا وزير وزراء"))
_ALLIANCES = listed(fold("أوبك اوپک الناتو ناتو بريكس بریکس آسيان آسه‌آن إيكواس إيغاد OPEC NATO BRICS ASEAN"))
"""Organisations that have ministers without being their office."""
_BEFORE = re.compile(r"([^\W_]+)\s+\Z")
_FIRST = re.compile(r"[^\W_]+")
_LOOK_BACK = 16


def without_offices(texts: Mapping[FieldName, str], found: Sequence[Named]) -> list[Named]:
    """Turn an organisation that is a minister's office into the place it ends with, where the article names that place.

    Args:
        texts: the fields.
        found: mentions with what the model called them. Models trained on Persian news take ``دفاع آمریکا`` behind
            ``وزیر`` for an organisation.

    Returns:
        The same mentions; offices cut down to the place, and left out where one single word is all there is.
    """
    places = {mention.text for mention, kind in found if kind == "LOC"}
    kept: list[Named] = []
    for mention, kind in found:
        if kind != "ORG" or fold(mention.text) in _ALLIANCES or not _is_office(texts[mention.field], mention):
            kept.append((mention, kind))
            continue
        tail = _tail(mention.text, places)
        if tail:
            kept.append((Mention(field=mention.field, start=mention.end - len(tail), end=mention.end, text=tail), "LOC"))
        elif " " in mention.text:
            kept.append((mention, kind))
    return kept


def _is_office(text: str, mention: Mention) -> bool:
    """Whether a minister stands right before the mention, or at its beginning."""
    before = _BEFORE.search(text, max(mention.start - _LOOK_BACK, 0), mention.start)
    first = _FIRST.match(mention.text)
    return any(word is not None and fold(word) in _MINISTERS for word in (before and before[1], first and first[0]))


def _tail(name: str, places: set[str]) -> str:
    """The longest run of last words that is a place."""
    words = name.split(" ")
    return next((tail for start in range(1, len(words)) if (tail := " ".join(words[start:])) in places), "")
