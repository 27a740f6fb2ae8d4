"""Words to pieces."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.nlp.pieces import LONGEST_SPELLING, WORD_START, Pieces, is_persian, normalise

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
TABLE = {WORD_START: -3.0, "a": -4.0, "b": -4.5, "ab": -5.0, f"{WORD_START}a": -3.5, f"{WORD_START}ab": -9.0, "ba": -6.0}


def small(**options: int) -> Pieces:
    """A vocabulary of seven pieces over two letters."""
    return Pieces([*SPECIAL, *TABLE], [0.0] * 4 + list(TABLE.values()), **options)


def splits(text: str) -> list[list[str]]:
    """Every way to cut a text."""
    cuts = itertools.chain.from_iterable(itertools.combinations(range(1, len(text)), n) for n in range(len(text)))
    return [[text[a:b] for a, b in itertools.pairwise((0, *cut, len(text)))] for cut in cuts]


@given(st.text(alphabet="ab", min_size=1, max_size=8))
def test_spelling_is_the_best_of_all(word: str) -> None:
    """The path found is the best of every way to cut the word."""
    pieces = small()
    found = [pieces.pieces[index] for index in pieces.spell(word)]
    assert "".join(found) == WORD_START + word
    best = max(sum(TABLE.get(part, -math.inf) for part in split) for split in splits(WORD_START + word))
    assert sum(TABLE[part] for part in found) == pytest.approx(best)


def test_unknown_letters_in_a_row_are_one_piece() -> None:
    """Letters of no piece become a single unknown one, between known neighbours."""
    pieces = small()
    assert [pieces.pieces[index] for index in pieces.spell("aךשb")] == [f"{WORD_START}a", "<unk>", "b"]


@pytest.mark.parametrize("word", ["", " ", "\u200c", "\u064b", "ـ"])
def test_a_word_of_nothing_is_unknown_rather_than_empty(word: str) -> None:
    """Every word has a first piece, even one that normalises to nothing."""
    assert small().spell(word) == (Pieces.unk,)


def test_a_monster_word_is_paid_for_once() -> None:
    """A word of a hundred thousand letters costs a bounded number of pieces."""
    assert len(small().spell("ab" * 50_000)) <= LONGEST_SPELLING


def test_the_cache_is_bounded() -> None:
    """More different words than the cache holds leave it no larger than its limit."""
    pieces = small(cache_words=10)
    for number in range(100):
        pieces.spell(f"a{number}")
    assert len(pieces._cache) <= 10  # noqa: SLF001 - the bound is the subject


@pytest.mark.parametrize(
    ("word", "persian", "expected"),
    [
        ("كِتَابٌ", False, "كتاب"),
        ("محمـــد", False, "محمد"),
        ("علي", True, "علی"),
        ("علي", False, "علي"),
        ("می\u200cرود", True, "می رود"),
        ("ﻣﺼﺮ", False, "مصر"),
        ("\u202bتهران\u202c", True, "تهران"),
        ("Café", False, "Café"),
    ],
)
def test_normalising(word: str, *, persian: bool, expected: str) -> None:
    """Diacritics, tatweel, direction marks and presentation forms go; ya and kaf follow the language."""
    assert normalise(word, persian=persian) == expected


PERSIAN_ON_AN_ARABIC_KEYBOARD = "رئيس جمهور گفت كه پنج هزار نفر در چهار شهر كشته شدند"
ARABIC_WITH_A_FOREIGN_NAME = "قال الرئيس إن خمسة آلاف شخص قتلوا في أربع مدن بحسب وكالة أنباء چينخوا الصينية الرسمية أمس"


def test_persian_is_told_from_arabic_even_on_an_arabic_keyboard() -> None:
    """Four letters that Arabic lacks decide; one transliterated name does not."""
    assert is_persian(PERSIAN_ON_AN_ARABIC_KEYBOARD.split())
    assert not is_persian(ARABIC_WITH_A_FOREIGN_NAME.split())
    assert not is_persian(["no", "Arabic", "letter"])
