"""Armed bodies in Arabic, told by their grammar: ``قيادة العمليات المشتركة`` is a command, whether a model has met it or not.

The text that models are trained on has few of them, and their words are common ones. A body is a head (command, forces), what it
is of, and at least one definite adjective: without one it is any forces, with one it is these. All three come out of closed lists,
as a person behind the forces that hold them is a definite word in -ي too (``اعتقلت قوات الأمن الصحفي``). A few of the best known
are a list of their own: they are no other body whatever follows.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache

from worker.enrich.analysis import Span
from worker.enrich.text import fold, listed

_HEADS = listed(fold("قيادة قوات جيش هيئة جهاز حرس مديرية"))
_OF = listed(
    fold(
        "الدفاع العمليات الأمن الجيش القوات الحرس التحالف الحدود الأركان الطوارئ الشرطة البحرية الدرك المخابرات الاستخبارات المهام "
        "الردع التدخل الحماية الدعم الأسطول المنطقة المنظومة السواحل"
    )
)
_ADJECTIVES = listed(
    fold(
        "العام العامة الخاص الخاصة المشترك المشتركة الموحد الموحدة المسلح المسلحة المتحد المتحدة السريع السريعة الشمال الجنوب الشرق الغرب "
        "الأول الأولى الثاني الثانية الثالث الثالثة الرابع الرابعة الخامس الخامسة السادس السادسة السابع السابعة الثامن الثامنة"
    )
)
_BELONGING = listed(
    fold(
        "الوطني القومي الشعبي الجمهوري الملكي الأميري السلطاني الرئاسي الحكومي الاتحادي الفيدرالي الفدرالي الديمقراطي النظامي الاحتياطي "
        "الجوي البحري البري الفضائي الصاروخي النووي الكيميائي السيبراني الإلكتروني الاستراتيجي العملياتي الحربي العسكري المدني الذاتي "
        "الجنائي السيادي المركزي المحلي الحدودي الساحلي الداخلي الخارجي الإقليمي الدولي الأممي الأطلسي الشمالي الجنوبي الشرقي الغربي "
        "العربي الخليجي الإسلامي الأفريقي الإفريقي الأوروبي السوري العراقي اللبناني الأردني الفلسطيني الإسرائيلي المصري الليبي التونسي "
        "الجزائري المغربي الموريتاني السوداني الصومالي اليمني العماني السعودي الكويتي القطري البحريني الإماراتي الكردي الكردستاني التركي "
        "الإيراني الأفغاني الباكستاني الهندي البنغلاديشي الصيني الياباني الكوري التايواني الفلبيني الإندونيسي الماليزي التايلاندي "
        "الفيتنامي الأسترالي الأميركي الأمريكي الكندي المكسيكي الكولومبي الفنزويلي البرازيلي الأرجنتيني الكوبي البريطاني الفرنسي "
        "الألماني الإيطالي الإسباني البرتغالي البلجيكي الهولندي النرويجي السويدي الفنلندي الدنماركي البولندي التشيكي المجري الروماني "
        "البلغاري الصربي الكرواتي البوسني الألباني اليوناني القبرصي الأوكراني الروسي السوفياتي البيلاروسي الجورجي الأرميني الأذربيجاني "
        "الأذري الكازاخستاني الأوزبكي الطاجيكي التركماني القرغيزي الإثيوبي الإريتري الكيني الأوغندي الرواندي الكونغولي التشادي المالي "
        "النيجري النيجيري السنغالي الغاني"
    )
)
"""Adjectives of belonging; the feminine ones are these with a ة."""
_NAMED = frozenset(
    tuple(fold(name).split()) for name in ("الحرس الثوري", "حرس الثوري", "الحشد الشعبي", "حشد الشعبي", "قوات سوريا الديمقراطية")
)
"""Names as they stand, adjectives may follow; those with no ال are what لل leaves of the others."""
_BEGINNINGS = _HEADS | {name[0] for name in _NAMED}
_FIRST = frozenset(word[0] for word in _BEGINNINGS)
_PROCLITICS = re.compile(r"[وف]?(?:لل|[بكل])?")
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
        count = 0 if start is None else _length(text, start, words[at : at + _MOST])
        if start is not None and count:
            found.append(Span(start=start, end=words[at + count - 1].end(), type="ORG"))
        at += max(count, 1)
    return found


def _covers(span: Span, body: Span) -> bool:
    return span.start <= body.start and span.end >= body.end


def _head(word: re.Match[str]) -> int | None:
    """Where the head of a body begins in a word, behind its clitics."""
    for off in range(min(_matched(word[0]), len(word[0]) - 1) + 1):
        if _may_begin(word[0][off]) and fold(word[0][off:]) in _BEGINNINGS:
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


def _length(text: str, start: int, words: Sequence[re.Match[str]]) -> int:
    """How many words belong to a body that begins with the first, at ``start`` behind its clitics; 0 where none does."""
    near = [words[0]]
    for word in words[1:]:
        if not _side_by_side(text, near[-1], word):
            break
        near.append(word)
    spelled = [fold(text[start : words[0].end()]), *(fold(word[0]) for word in near[1:])]
    least = next((len(name) for name in _NAMED if tuple(spelled[: len(name)]) == name), 0)
    count = least or _LEAST
    while count < len(spelled) and _is_adjective(spelled[count]):
        count += 1
    told = count > _LEAST and spelled[0] in _HEADS and spelled[1] in _OF
    return count if least or told else 0


def _side_by_side(text: str, word: re.Match[str], following: re.Match[str]) -> bool:
    """Whether only space, and no end of a line, stands between two words."""
    between = text[word.end() : following.start()]
    return between.isspace() and "\n" not in between


def _is_adjective(spelled: str) -> bool:
    """Whether a folded word is one of the definite adjectives that bodies are told apart by."""
    return spelled in _ADJECTIVES or spelled.removesuffix("ه") in _BELONGING
