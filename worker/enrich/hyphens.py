"""Names in Latin letters with a hyphen inside, which a model that sees its parts may take for two names, or for half of one.

``Sophie Laine-Moreau`` is one person, ``the Trump-Putin summit`` is about two: a hyphen joins where a name of several words stands
on one side of it and a single word on the other, unless the text has that word as a name elsewhere too: the Donald Trump-Putin
summit is about two again. Places are left alone, since a hyphen between two of them means both.
"""

import re
from collections.abc import Sequence

from worker.enrich.analysis import Span

_HYPHENS = "-\u2010\u2011"
_JOINED = frozenset({"PER", "ORG"})
_LONGEST = 64
"""Code points of what is joined: more is no name, and a chain of halves would be looked at from its beginning again and again."""
_SECOND_PART = re.compile(rf"[{_HYPHENS}][A-Z\u00c0-\u00de][a-z\u00df-\u024f]{{1,{_LONGEST}}}+(?![^\W_]|[{_HYPHENS}])")


def with_hyphens(text: str, spans: Sequence[Span]) -> list[Span]:
    """A model's spans, those that one hyphen parts made one, and the second half of a name taken in where no span has it.

    Args:
        text: the field.
        spans: found in it, without overlaps.
    """
    found: list[Span] = []
    ordered = sorted(spans, key=lambda span: span.start)
    known = {_last_word(text, span) for span in ordered if not _beside_hyphen(text, span)}
    for number, span in enumerate(ordered):
        before = found[-1] if found else None
        if before and _are_one(text, before, span, known):
            found[-1] = Span(start=before.start, end=span.end, type=before.type)
        else:
            found.append(span)
        free = ordered[number + 1].start if number + 1 < len(ordered) else len(text)
        second = _SECOND_PART.match(text, found[-1].end)
        if second and second.end() <= free and _takes_in(text, found[-1]) and second[0][1:] not in known:
            found[-1] = Span(start=found[-1].start, end=second.end(), type=found[-1].type)
    return found


def _are_one(text: str, one: Span, other: Span, known: set[str]) -> bool:
    """Whether a hyphen alone stands between two halves of one name; ``known`` holds the last words of names that stand free."""
    left = one.end - _is_hyphen(text, one.end - 1)  # either half may have taken the hyphen in
    right = other.start + _is_hyphen(text, other.start)
    if one.type != other.type or one.type not in _JOINED or right - left != 1 or not _is_hyphen(text, left):
        return False
    if other.end - one.start > _LONGEST:
        return False
    sizes = _words(text, one), _words(text, other)
    return min(sizes) == 1 < max(sizes) and _last_word(text, one if sizes[0] == 1 else other) not in known


def _is_hyphen(text: str, at: int) -> bool:
    """Whether a hyphen stands there; nothing stands outside the text."""
    return 0 <= at < len(text) and text[at] in _HYPHENS


def _takes_in(text: str, span: Span) -> bool:
    """Whether a capitalised word behind a hyphen belongs to the name before it."""
    return span.type == "ORG" or (span.type == "PER" and _words(text, span) > 1)


def _beside_hyphen(text: str, span: Span) -> bool:
    """Whether a hyphen touches a span, or is its first or last code point."""
    return any(_is_hyphen(text, at) for at in (span.start - 1, span.start, span.end - 1, span.end))


def _last_word(text: str, span: Span) -> str:
    return " ".join(text[span.start : span.end].strip(_HYPHENS).split()[-1:])


def _words(text: str, span: Span) -> int:
    return len(text[span.start : span.end].split())
