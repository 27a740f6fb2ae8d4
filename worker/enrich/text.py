"""Spelling for comparison: what is the same name however it is typed, and where each letter of it stood.

Never what is published: texts go out as they came in.
"""

import unicodedata
from typing import NamedTuple

_TATWEEL = "\u0640"
_LETTERS = {
    "ی": "ي",
    "ى": "ي",
    "ې": "ي",
    "ک": "ك",
    "ة": "ه",
    "ہ": "ه",
    "ھ": "ه",
    "ۀ": "ه",
    "ە": "ه",
    "ٱ": "ا",
    "’": "'",
    "‘": "'",
    "ʼ": "'",
}


def listed(text: str) -> frozenset[str]:
    """The words of a text as a set: how word lists are written in this package."""
    return frozenset(text.split())


def is_arabic(text: str) -> bool:
    """Whether a text begins with a letter of the Arabic script."""
    return "\u0620" <= text[:1] <= "\u06d3" and text[0].isalpha()


class Folded(NamedTuple):
    """A text spelled for comparison.

    Args:
        text: the spelling.
        offsets: for each of its code points the one it came from; one more at the end, past the last.
    """

    text: str
    offsets: list[int]


class _Table(dict[int, str]):
    """Code point to spelling, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        spelled = self[code] = _spell(chr(code))
        return spelled


def _spell(letter: str) -> str:
    """One letter: decomposed, without marks and controls, lower case, Arabic and Persian forms the same."""
    if letter.isspace():
        return " "
    if letter == _TATWEEL or unicodedata.category(letter) in {"Cf", "Cc", "Cs"}:
        return ""
    decimal = unicodedata.decimal(letter, -1)
    if decimal >= 0:
        return str(decimal)
    parts = unicodedata.normalize("NFKD", letter)
    bare = "".join(part for part in parts if not unicodedata.category(part).startswith("M"))
    return "".join(_LETTERS.get(part, part) for part in bare.casefold())


_TABLE = _Table()


def fold(text: str) -> str:
    """Spell a text for comparison: case, diacritics, tatweel, non-joiners and the forms of alef, ya, kaf and digits do not count."""
    return text.translate(_TABLE)


def folded(text: str) -> Folded:
    """The same, with the way back to the text's own offsets."""
    spelled = [_TABLE[ord(letter)] for letter in text]
    offsets = [offset for offset, letters in enumerate(spelled) for _ in letters]
    return Folded("".join(spelled), [*offsets, len(text)])
