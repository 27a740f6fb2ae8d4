"""Edges of a name: what a model's span holds that is no part of the name."""

import re
import unicodedata

from worker.enrich.clitics import Clitics
from worker.enrich.text import fold, listed
from worker.records import EntityType

_POSSESSIVE = re.compile(r"['’][sS]\Z")
_PLUSES = re.compile(r"\++")
_OWN_ENDING = re.compile(
    r"\b(?:mcdonald|moody|sotheby|christie|lloyd|levi|macy|wendy|kellogg|sainsbury|domino|hershey|poor)['’]s\Z", re.IGNORECASE
)
"""Organisations whose ``'s`` is part of the name."""
_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]\Z")
_FIRST_WORD = re.compile(r"\S+")
_BEFORE_QUOTE = re.compile(r"[وفبلك]{1,2}\u0640?\s?(?=[«“\"'(\[])")  # بـ«الجزيرة»
_PAIRS = {")": "(", "]": "[", "»": "«", "”": "“"}

_LOOK_BACK = 200
_TITLES = listed(
    fold(
        "mr mrs ms dr prof sir president vice premier chancellor minister prime secretary senator governor mayor general colonel captain "
        "judge رئيس الرئيس رئيسه الرئيسه وزير الوزير وزيره الوزيره السيد السيده الدكتور الدكتوره د النائب السفير الجنرال العقيد العميد "
        "اللواء الفريق المهندس الاستاذ البروفيسور المستشار المستشاره المتحدث الملك الامير "
        "اقاي خانم دكتر مهندس رییس رییسجمهور وزير سردار سرتيپ سرلشكر استاد پروفسور جناب"
    )
)
_DIGNITIES = re.compile(r"(?i:(?:crown\s+prince(?:ss)?|king|queen|prince(?:ss)?|pope|lord|sheikh)\s+)++(?!(?:[IVX]+|[JS]r)\b)")
"""Titles that are names too (Stephen King, Prince): they go only before a capitalised name, no ordinal (King III)."""
_NAMED_LIKE_A_TITLE = tuple(
    fold(name) + " "
    for name in (
        *("سردار آزمون", "سردار دورسون", "سردار بردی‌محمداف", "سردار بردی محمداف", "سردار بردی‌محمدوف", "سردار بردی محمدوف"),
        *("Judge Reinhold", "Sheikh Hasina", "Sheikh Mujibur", "Queen Latifah", "King Kong"),
    )
)
"""People whose given name is a title."""
_LONGEST_OF_THEM = 32  # code points that are looked at for one of these


def trim(text: str, start: int, end: int, kind: EntityType, clitics: Clitics | None) -> tuple[int, int]:
    """The name inside a span: without quotes and brackets around it, ``'s``, titles before a person, and clitics.

    Args:
        text: the field.
        start: first code point of the span.
        end: one past its last.
        kind: what the model took it for.
        clitics: what takes clitics off; None in a language that has none.

    Returns:
        (start, end) inside the span; empty (equal) where nothing is left.
    """
    limit = min(end, len(text))
    start, end = _strip(text, max(start, 0), limit)
    if kind in {"ORG", "PRODUCT"} and start < end and (pluses := _PLUSES.match(text, end, limit)):  # Disney+, C++
        end = pluses.end()
    possessive = _POSSESSIVE.search(text, start, end)
    if possessive and not (kind == "ORG" and _OWN_ENDING.search(text, start, end)):
        start, end = _strip(text, start, possessive.start())
    if clitics and start < end:
        quoted = _BEFORE_QUOTE.match(text, start, end)
        start, end = _strip(text, quoted.end(), end) if quoted else (start + clitics.length(text, start, end), end)
    if kind == "PER":
        start = _after_titles(text, start, end)
    return start, end


def _strip(text: str, start: int, end: int) -> tuple[int, int]:
    """Take off what is no letter or digit, but keep U.S. its last dot, and a bracket closed that is opened inside."""
    while start < end and not _names(text[start]):
        start += 1
    while start < end and not _names(text[end - 1]) and not unicodedata.category(text[end - 1]).startswith("M"):
        last = text[end - 1]
        if (last == "." and _DOTTED.search(text, start, end - 1)) or (
            last in _PAIRS and text.rfind(_PAIRS[last], max(start, end - _LOOK_BACK), end) >= 0
        ):
            break
        end -= 1
    return start, end


def _names(letter: str) -> bool:
    """Whether a name may begin or end with it."""
    return letter.isalnum() and letter != "\u0640"


def _after_titles(text: str, start: int, end: int) -> int:
    """Where the name begins behind titles; a title alone is left as it is."""
    at = start
    while at < end and (past := _after_title(text, at, end)) > at:
        at = past
    return at if at < end else start


def _after_title(text: str, start: int, end: int) -> int:
    """Where what follows a title begins; ``start`` where none stands there."""
    if f"{fold(text[start : min(end, start + _LONGEST_OF_THEM)])} ".startswith(_NAMED_LIKE_A_TITLE):
        return start
    dignity = _DIGNITIES.match(text, start, end)
    if dignity and dignity.end() < end and text[dignity.end()].isupper():
        return dignity.end()
    word = _FIRST_WORD.match(text, start, end)
    if not word or fold(word[0]).rstrip(".") not in _TITLES:
        return start
    at = word.end()
    while at < end and not _names(text[at]):
        at += 1
    return at
