"""Sentences and words by rule: any language, linear time, exact offsets.

Rules, not a model: on news a splitter that knows closing quotes, abbreviations and initials made no mistake where a
learned one broke at ``»``, and it costs next to nothing. All offsets are code points of the text given.
"""

import re
import unicodedata
from collections.abc import Iterable
from itertools import groupby

from worker.enrich.abbreviations import abbreviates
from worker.enrich.text import is_arabic, listed

LONG_SENTENCE = 400
"""Code points above which ``؛`` and ``;`` end a sentence too: below it they join clauses, as their writers meant."""

LONG_BEFORE_DOTS = 150
"""The same for two dots and more in Arabic script, where they stand for a dash as often as for an end."""

MAX_WORD = 64
"""Code points of a word at most: longer runs are cut into pieces, so that 50,000 letters without a space stay words."""

_CONTEXT = 24  # code points looked at behind a full stop
_TERMINATORS = ".!?؟…۔。！？।॥։።"
_WIDE = frozenset("。！？।॥።")  # their scripts put no space between sentences
_CONTROLS = "\u200e\u200f\u202a-\u202e\u2066-\u2069"
# Possessive throughout: a long run of marks is walked once. A space may stand before an unmistakable closer ("است . »").
_BREAK = re.compile(
    r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]++"
    rf"|[{_TERMINATORS}]++(?:[ \u00a0\u202f]?[»”›)\]}}）」』]|[\"'’]|[\u200b\u200e\u200f\u202c\u2069\ufeff])*+"
)
_JOINT = re.compile(r"[؛;]++\s++")
_NEXT = re.compile(rf"[\s{_CONTROLS}]*([«“„\"'‘(\[]*)([^\W\d_]*)")


def sentences(text: str) -> list[tuple[int, int]]:
    """Split a text into sentences: (start, end), in order; between them stands nothing but white space.

    A newline always ends a sentence: news has one paragraph a line. Otherwise ``. ! ? ؟ …`` and their kin do, with the
    quotes and brackets that close right after them, unless a full stop belongs to an abbreviation, an initial, a number
    or a list. ``؛`` ends one only where the sentence is longer than `LONG_SENTENCE`, ``..`` between words of Arabic script only
    where what stands before it is longer than `LONG_BEFORE_DOTS`.
    """
    found: list[tuple[int, int]] = []
    start = 0
    for match in _BREAK.finditer(text):
        if _ends_sentence(text, start, match):
            _append(found, text, start, match.end())
            start = match.end()
    _append(found, text, start, len(text))
    return found


def words(text: str, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """Split ``text[start:end]`` into words: (start, end) in the whole text; white space and bidi controls are left out.

    Letters, digits, diacritics and zero-width non-joiners stay together, in Arabic script too; ``3.5``, ``U.S.`` and
    addresses of the web are one word; an English ``'s`` and every punctuation mark stand alone, also a hyphen, but for
    names like ``Jong-un`` and ``Port-au-Prince``. No word is longer than
    `MAX_WORD`.
    """
    spans = [match.span() for match in _WORD.finditer(text, start, len(text) if end is None else end)]
    if all(right - left <= MAX_WORD for left, right in spans):
        return spans
    return [(cut, min(cut + MAX_WORD, right)) for left, right in spans for cut in range(left, right, MAX_WORD)]


def _append(found: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    """Add a sentence without the space around it, cut at semicolons where it is long."""
    piece = text[start:end]
    right = start + len(piece.rstrip())
    left = end - len(piece.lstrip())
    if right - left > LONG_SENTENCE:
        for joint in _JOINT.finditer(text, left, right):
            found.append((left, left + len(text[left : joint.end()].rstrip())))
            left = joint.end()
    if right > left:
        found.append((left, right))


def _ends_sentence(text: str, start: int, match: re.Match[str]) -> bool:
    """Whether this candidate ends the sentence that began at ``start``."""
    mark, at, end = match.group(), match.start(), match.end()
    if mark[0].isspace() or end == len(text) or mark[0] in _WIDE:
        return True
    if at > start and text[at - 1] in "([":  # an omission: [...]
        return False
    follows = _NEXT.match(text, end, end + _CONTEXT)
    opener, word, after = (follows[1], follows[2], text[follows.end() : follows.end() + 1]) if follows else ("", "", "")
    if not text[end].isspace():
        return _glued(text, at, mark, word)
    if not opener and _goes_on(mark, word, after, at - start):
        return False
    return mark[0] != "." or mark[:2] == ".." or not abbreviates(text, start, at, word, after)


def _goes_on(mark: str, word: str, after: str, length: int) -> bool:
    """Whether what follows, no quote, shows that a sentence of this length so far goes on behind the mark."""
    if word[:1].islower():  # "Stop!" he said; also every abbreviation inside a sentence
        return True
    if not word and after and after in _TERMINATORS:  # . . .
        return True
    return _is_dots(mark) and is_arabic(word) and length <= LONG_BEFORE_DOTS


def _is_dots(mark: str) -> bool:
    """Whether a mark is two full stops or more, or an ellipsis."""
    return mark[:2] == ".." or mark[0] == "…"


def _glued(text: str, at: int, mark: str, word: str) -> bool:
    """Whether a mark without a space behind it ends a sentence: so only between Arabic-script words, where it often lacks."""
    if _is_dots(mark) or len(word) == 1:
        return False
    return is_arabic(word) and is_arabic(text[max(at - 1, 0) : at]) and is_arabic(text[max(at - 2, 0) : max(at - 1, 0)])


def _ranges(codes: Iterable[int]) -> str:
    """Code points, ascending, as the inside of a character class."""
    runs = [[code for _, code in run] for _, run in groupby(enumerate(codes), lambda pair: pair[1] - pair[0])]
    return "".join(f"{chr(run[0])}-{chr(run[-1])}" for run in runs)


_CAPITALISED = "[A-Z\u00c0-\u00de][a-z\u00df-\u024f]{1,15}+"
_NO_SYLLABLE = "|".join(
    sorted(
        listed(
            "led run hit held born era like wide free only made area side type day year week hour mile inch tier man men plus ish ism safe "
            "ally tied plan deal war"
        )
    )
)
_BETWEEN = "|".join(sorted(listed("au aux sur sous en et le la les de du des del am an im ob der on upon in by the of y")))
_NAME_WITH_HYPHEN = (
    f"(?:{_CAPITALISED}-(?:(?:{_BETWEEN})-)++{_CAPITALISED}"  # Port-au-Prince, Stoke-on-Trent
    rf"|{_CAPITALISED}-(?!(?:{_NO_SYLLABLE})(?![a-z]))(?:[a-z]{{2,4}}|[a-z]{{2,3}}ng))"  # Jong-un, Jae-myung, but not Moscow-led
)


def _word_pattern() -> re.Pattern[str]:
    r"""The pattern of a word. One positive class of letters, digits and marks: ``\w`` knows no marks and takes ``_`` for a letter."""
    plane = (code for code in range(0x30, 0xFFDD) if chr(code).isalnum() or unicodedata.category(chr(code)).startswith("M"))
    letter = _ranges(plane) + "\U00010000-\U0001efff\U00020000-\U0003ffff"  # beyond the first plane: all but emoji
    inside = f"[{letter}\u200c\u200d\u00ad]"
    return re.compile(
        r"(?:https?://|www\.)[^\s<>«»\"]++"
        r"|\d++(?:[.,٫٬]\d++)++"
        rf"|[^\W\d_](?:\.[^\W\d_]){{1,9}}(?!{inside})\.?"
        rf"|{_NAME_WITH_HYPHEN}(?!{inside}|-)"
        rf"|[{letter}]{inside}*+(?:['’](?![sS](?!{inside})){inside}++)*+"
        rf"|['’][sS](?!{inside})|\.\.++|--++"
        rf"|[^\s{_CONTROLS}\u200b-\u200d\u00ad\u061c\u2060\ufeff]"
    )


_WORD = _word_pattern()
