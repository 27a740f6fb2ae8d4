"""What a name may be called once it has been named in full, and how names are spelled to be compared."""

import re
from collections.abc import Iterable

from worker.enrich.text import fold, listed
from worker.records import EntityType

_MIN_SHORT = 3  # letters of a word that may stand for a whole name; two are enough at an end of a person's: Xi
_MAX_WORDS = 12  # longer names are no names; bounds the number of their parts
_MIN_GAPLESS = 5  # letters of a name whose gaps do not count
_WORDS = re.compile(r"[^\W_]+")
_ARTICLE = "ال"
_GAPS = re.compile(r"\b(عبد|ابو)\s+(?=ال)|\s+(?=الدين\b)")
"""Gaps inside one given name, written or not: عبد الله, أبو الفضل, نور الدين."""
_CHILD_OF = listed(fold("بن ابن بنت bin ibn bint"))
_TAILS = listed("jr sr ابن اب پسر پدر")
"""Last words, the article off, that tell two people of one name apart: الابن, الأب."""
_NUMERALS = listed("ii iii iv")
_RULERS = listed("king queen pope emperor empress prince princess")
"""Before these a number is left out as often as not: King Charles is King Charles III."""
_PARTICLES = _CHILD_OF | _TAILS | _NUMERALS | listed("ال ابو ام بو ذو دي دو ده لا فون al el de la le di da du von of st")
_KINDS_OF_PLACE = listed(
    "county bay lake river island islands valley beach port airport stadium park street avenue bridge square university"
)
"""Words that make another place of the one before them: Los Angeles is not Los Angeles County."""


def parts(key: str) -> tuple[str, ...]:
    """The words of a folded name, an Arabic article off: الولايات المتحدة and ولايات متحدة are the same."""
    words = _WORDS.findall(_GAPS.sub(r"\1", key))
    return tuple(word[2:] if word.startswith(_ARTICLE) and len(word) > len(_ARTICLE) + 1 else word for word in words if word != "the")


def spelled(words: tuple[str, ...]) -> str:
    """One string for a name's words however they are set apart: a non-joiner, which is lost in folding, often stands for a space."""
    gapless = "".join(words)
    return gapless if len(gapless) >= _MIN_GAPLESS else " ".join(words)


def short_forms(kind: EntityType, words: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    """What a name may be called once it has been named in full.

    Args:
        kind: what it is a name of; only people, places and organisations have short forms.
        words: all of it, as ``parts`` gives them.
    """
    if not 1 < len(words) <= _MAX_WORDS:
        return
    if kind == "PER":
        yield from _of_person(words)
    elif kind in {"LOC", "ORG"}:
        yield from (words[:size] for size in range(2, len(words)) if kind == "ORG" or words[size] not in _KINDS_OF_PLACE)
        if kind == "ORG" and len(words[0]) > _MIN_SHORT and words[0].isascii():  # in Arabic script it is a common noun: بنك, حزب
            yield words[:1]


def _of_person(words: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    """Runs of words that do not begin with the name of a father, nor leave out what tells father and son apart.

    Behind the first بن there are fathers up to the word behind the last one, then the family: محمد بن سلمان آل سعود may be
    محمد, محمد بن سلمان, بن سلمان or آل سعود, but never سلمان.
    """
    links = [at for at, word in enumerate(words[:-1]) if word in _CHILD_OF]
    fathers = range(links[0] + 1, links[-1] + 2) if links else range(0)
    two_of_a_name = words[-1] in _TAILS or (words[-1] in _NUMERALS and words[0] not in _RULERS)
    for start in range(len(words)):
        for end in range(start + 1, len(words) + 1):
            whole = start == 0 and end == len(words)
            cut = two_of_a_name and end - start > 1 and end < len(words)
            if start not in fathers and not whole and not cut and _may_stand_alone(words, start, end):
                yield words[start:end]


def _may_stand_alone(words: tuple[str, ...], start: int, end: int) -> bool:
    """Whether a run of words is more than particles and initials; two letters are enough at either end of the name."""
    longest = max((len(word) for word in words[start:end] if word not in _PARTICLES), default=0)
    return longest >= (_MIN_SHORT - 1 if start == 0 or end == len(words) else _MIN_SHORT)
