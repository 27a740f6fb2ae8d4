"""Armed bodies in Arabic, told by their grammar: ``قيادة العمليات المشتركة`` is a command, whether a model has met it or not.

The text that models are trained on has few of them, and their words are common ones. A body is a head (command, forces), what it
is of, out of a closed list, and at least one definite adjective: without one it is any forces, with one it is these.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache

from worker.enrich.analysis import Span
from worker.enrich.text import fold, listed

_HEADS = listed(fold("قيادة قوات جيش هيئة جهاز حرس مديرية"))
_FIRST = frozenset(head[0] for head in _HEADS)
_OF = listed(
    fold(
        "الدفاع العمليات الأمن الجيش القوات الحرس التحالف الحدود الأركان الطوارئ الشرطة البحرية الدرك المخابرات الاستخبارات المهام "
        "الردع التدخل الحماية الأسطول المنطقة المنظومة السواحل"
    )
)
_ADJECTIVES = listed(
    fold(
        "العام العامة الخاص الخاصة المشترك المشتركة الموحد الموحدة المسلح المسلحة المتحد المتحدة السريع السريعة الشمال الجنوب الشرق الغرب "
        "الأول الأولى الثاني الثانية الثالث الثالثة الرابع الرابعة الخامس الخامسة السادس السادسة السابع السابعة الثامن الثامنة"
    )
)
_NO_ADJECTIVES = listed(
    fold(
        "الحالي الحالية الماضي الماضية التالي التالية الجاري الجارية "
        "العملية القضية القرية البلدية المديرية الولاية البداية النهاية الحرية الهوية المدنية الآلية الاتفاقية الميزانية المسؤولية "
        "الأغلبية الأقلية الأراضي المباني الأهالي الضواحي النادي الوادي القاضي المحامي النواحي المساعي "
        "الخلية الضاحية الجمعية الأبنية الناحية"
    )
)
"""Definite words that end as an adjective of belonging does (الوطني, البحرية) and are a time, or a noun, often the verb's object."""
_SHORTEST = len("الجوي")
_PROCLITICS = re.compile(r"[وف]?[بكل]?")
_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|[\u064b-\u065f\u0670])*")  # with the marks on its letters
_LEAST = 2
"""Words of a body before its adjectives."""
_MOST = 6


def with_forces(text: str, spans: Sequence[Span]) -> list[Span]:
    """A model's spans and the armed bodies it did not find whole; what it found of one of these is left out."""
    bodies = forces(text)
    if not bodies:
        return list(spans)
    ordered = sorted(spans, key=lambda span: span.start)
    starts, ends = [span.start for span in ordered], [span.end for span in ordered]  # spans do not overlap: both are in order
    fresh: list[Span] = []
    gone: set[int] = set()
    for body in bodies:
        met = range(bisect_right(ends, body.start), bisect_left(starts, body.end))
        if not any(ordered[index].type == "ORG" and _covers(ordered[index], body) for index in met):
            fresh.append(body)
            gone.update(met)
    return [span for index, span in enumerate(ordered) if index not in gone] + fresh


def forces(text: str) -> list[Span]:
    """Every armed body that a text names, in order, clitics off, in code points of the text."""
    words = list(_WORD.finditer(text))
    found: list[Span] = []
    at = 0
    while at < len(words) - 1:
        start = _head(words[at])
        count = 1 if start is None else _length(text, words[at : at + _MOST])
        if start is not None and count > _LEAST:
            found.append(Span(start=start, end=words[at + count - 1].end(), type="ORG"))
        at += count
    return found


def _covers(span: Span, body: Span) -> bool:
    return span.start <= body.start and span.end >= body.end


def _head(word: re.Match[str]) -> int | None:
    """Where the head of a body begins in a word, behind its clitics."""
    for off in range(min(_matched(word[0]), len(word[0]) - 1) + 1):
        if _may_begin(word[0][off]) and fold(word[0][off:]) in _HEADS:
            return word.start() + off
    return None


@lru_cache(maxsize=1024)
def _may_begin(letter: str) -> bool:
    """Whether a head may begin with it: spelling every word of an article would cost more than all the rest here."""
    spelled = fold(letter)
    return not spelled or spelled[0] in _FIRST


def _matched(word: str) -> int:
    match = _PROCLITICS.match(word)
    return match.end() if match else 0


def _length(text: str, words: Sequence[re.Match[str]]) -> int:
    """How many words belong to a body that begins with the first; 1 where none does."""
    if fold(words[1][0]) not in _OF or not _side_by_side(text, words[0], words[1]):
        return 1
    count = _LEAST
    while count < len(words) and _side_by_side(text, words[count - 1], words[count]) and _is_adjective(words[count][0]):
        count += 1
    return count


def _side_by_side(text: str, word: re.Match[str], following: re.Match[str]) -> bool:
    """Whether only space, and no end of a line, stands between two words."""
    between = text[word.end() : following.start()]
    return between.isspace() and "\n" not in between


def _is_adjective(word: str) -> bool:
    """Whether a word is a definite adjective that bodies are told apart by, as far as its letters tell.

    Of the feminine ones only those of belonging (ية) and a few others count: most definite words in ة behind a subject are the object.
    """
    spelled = fold(word)
    if not spelled.startswith("ال") or spelled in _NO_ADJECTIVES:
        return False
    belongs = len(spelled) >= _SHORTEST and spelled.endswith(("ي", "يه")) and not word.endswith(("ى", "ئ"))  # المستشفى and الشاطئ are nouns
    return belongs or spelled in _ADJECTIVES
