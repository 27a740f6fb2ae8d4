"""Arabic clitics (و ف ب ل ك) at the front of a name: where the name itself begins.

A letter that may be a clitic may as well belong to the name (وليد, باريس, لبنان, كوريا, فرنسا), so three kinds of
evidence decide, strongest first: a preposition before the word leaves no room for a clitic; the article itself names the
bare form elsewhere, or a short list of names that begin like no others has it; and ``clitics.tsv`` says how names begin.
That file is a prefix tree learned from open lists of names and tagged news (`worker.nlp.train.clitics`); its words are
spelled by `fold`.

ال stays with the name (``واليابان`` → ``اليابان``). In ``للولايات`` its alef is not written: there both ل go, and
``ولايات``, a word as it stands, is the mention.
"""

import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from worker.enrich.text import fold, folded, listed

_LETTERS = "وفبلك"
_CONJUNCTIONS = "وف"
_PREPOSITIONS = "بلك"
_ARTICLE = "ال"
_CLITICS = re.compile(r"[وف]?[بكل]?")
_BEFORE_HAMZA = re.compile("(?:[وف]?لل|[وف][بل]?|[بل])(?=[إأآ])|[وف]?ك(?=[إآ])")  # these begin words: no clitic is part of one (but كأس)
_WORD = re.compile(r"[^\W_](?:[^\W_]|[\u0610-\u061a\u064b-\u065f\u0670])*")
_BEFORE = re.compile(r"([^\W_]+)([^\w\s]?)\s+\Z")
_LOOK_BACK = 24
_MIN_NAME = 2  # letters of a name at least
_SURE = 0.9  # a word that begins so is taken for a bare form others are measured by
_LIKELY = 0.8  # … and so much is enough behind a conjunction
PREPOSITIONS = listed(fold("في من إلى على عن مع عند لدى منذ حتى خلال ضد السيد السيدة الرئيس مدينة دولة"))
"""Words, folded, that no clitic can follow."""
_BEFORE_A_PLACE = listed(
    fold(
        "محافظة محافظ ولاية بلدة بلدية قضاء إقليم قرية حي مطار ميناء جزيرة جامعة شارع سكان أهالي شمال جنوب شرق غرب شمالي جنوبي شرقي غربي "
        "وسط قرب بين تجاه"
    )
)
"""More of them: what they stand before is what they belong to."""
_NAMES = listed(
    fold(
        "وهران ورقلة واسط واحة ودمدني واخان ولقايت ولاتة وستمنستر وزيرستان وارسي ونوس وارن ورنوك والز والنسيا وارسو واشنطن ولفغانغ "
        "فولفغانغ ولسون وليامز وينتر واتسون والاس وليد ويتكوف "
        "بزشكيان بقائي بهشتي بزنجي بزاز باستوني بجا بجنورد بكتيا بكتيكا بدخشان بغلان بكين بنغازي بنسلفانيا بنكيران بنما بنغلاديش "
        "كسلا كفري كفرنبل كلاوس لحج لرستان لفيف لكناو لامين لاوتارو "
        "لاتفيا لاوس لاباز لاغوس لاهور لارنكا لاذقية لاهاي لافروف لاغارد لاريجاني لابيد لندن لشبونة ليما لواندا ليفني لوكاشينكو لوبان "
        "لولا لينين ليفربول بايدن ترامب نتنياهو كربلاء كركوك أوكرانيا أمريكا أميركا المغرب السعودية العراق الأردن الجزائر السودان اليمن "
        "الكويت الإمارات البحرين القاهرة الرياض الدوحة القدس الصين الهند اليابان الولايات "
        "طهران دمشق صنعاء عدن رفح حيفا جنين حلب جنيف روما سيول طوكيو روحاني ظريف حفتر دقلو"
    )
)
"""Names whose first letters mislead the table below, common ones that it does not know behind a clitic, and كلاوس, which is no لاوس."""


class Clitics:
    """What takes clitics off the names of one article."""

    def __init__(self, names: Iterable[tuple[str, int, int]]) -> None:
        """Collect the forms that are bare for certain.

        Args:
            names: (text, start, end) of every name in the article, clitics still on.
        """
        self._bare = set(_NAMES)
        for text, start, end in names:
            first, *others = [word[0] for word in _WORD.finditer(text, start, end)] or [""]
            self._bare.update(map(fold, others))
            if _BEFORE_HAMZA.match(first):
                continue
            first = fold(first)
            if first[:1] not in _LETTERS or _after_preposition(text, start):
                self._bare.add(first)
            elif bare := _surely_bare(first):
                self._bare.add(bare)

    def length(self, text: str, start: int, end: int) -> int:
        """Code points at ``start`` that are clitics, 0 where the name ``text[start:end]`` begins at once."""
        match = _WORD.match(text, start, end)
        word, offsets = folded(match[0]) if match else ("", [0])
        hamza = _BEFORE_HAMZA.match(text, start, end)
        if hamza:
            return hamza.end() - start
        if word[:1] not in _LETTERS or len(word) <= _MIN_NAME or word in self._bare or _after_preposition(text, start):
            return 0
        cuts = list(_cuts(word))
        for cut in cuts:
            if word[cut:] in self._bare or (word[:cut].endswith("لل") and _ARTICLE + word[cut:] in self._bare):
                return offsets[cut]
        cut = _learned_twice(word)
        return offsets[cut] if cut in cuts else 0


def _cuts(word: str) -> Iterable[int]:
    """Numbers of letters that may be clitics; with the ل of ل + ال counted in."""
    for conjunction in ("", "و", "ف"):
        for preposition in ("", "ب", "ل", "ك"):
            clitic = conjunction + preposition
            if clitic and word.startswith(clitic) and len(word) - len(clitic) >= _MIN_NAME:
                yield len(clitic)
                if preposition == "ل" and word.startswith(clitic + "ل") and len(word) - len(clitic) > _MIN_NAME:
                    yield len(clitic) + 1


def _after_preposition(text: str, start: int) -> bool:
    """Whether the word before ``start`` is one that no clitic can follow."""
    before = _BEFORE.search(text, max(start - _LOOK_BACK, 0), start)
    if before is None:
        return False
    word = fold(before[1])
    return word in PREPOSITIONS or (not before[2] and word in _BEFORE_A_PLACE)


def _surely_bare(word: str) -> str:
    """The bare form of a word whose beginning leaves nearly no doubt, itself or behind its clitics; empty where ال may stand there."""
    cut, share = _learned(word)
    if share < _SURE or word[1:3] == _ARTICLE or word.startswith("لل"):
        return ""
    cuts = list(_cuts(word))
    if any(word[one:] in _NAMES for one in cuts):  # لوهران begins like a name, and is none
        return ""
    return word[cut:] if cut in (0, *cuts) else ""


def _learned_twice(word: str) -> int:
    """How many letters are clitics, where what stands behind a conjunction is looked up too.

    Words with two clitics are so rare that the table knows few of their beginnings; ``ولبغداد`` is read like ``لبغداد``.
    """
    cut = _learned(word)[0]
    if cut == 1 and word[0] in _CONJUNCTIONS and word[1] in _PREPOSITIONS:
        more, share = _learned(word[1:])
        return cut + more if share >= _LIKELY else cut
    return cut


def _learned(word: str) -> tuple[int, float]:
    """How many letters are clitics in words that begin like this one, and in what share of them."""
    tree = _tree()
    spelled = word + "$"
    longest = next((length for length in range(len(spelled), 0, -1) if spelled[:length] in tree), 0)
    return tree[spelled[:longest]] if longest else (0, 1.0)


@cache
def _tree() -> dict[str, tuple[int, float]]:
    """Beginning of a word (``$``: its end) to letters that are clitics and the share of words with so many."""
    lines = (files("worker.enrich") / "clitics.tsv").read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines if not line.startswith("#"))
    return {beginning: (int(cut), int(percent) / 100) for beginning, cut, percent in rows}
