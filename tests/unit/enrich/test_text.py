"""`worker.enrich.text`: spellings that count as the same, and the way back to the text."""

import pytest

from worker.enrich.text import fold, folded, listed


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("أنتوني إيّاد آدم", "انتوني اياد ادم"),
        ("علی کریم", "علي كريم"),
        ("مصطفى", "مصطفي"),
        ("فاطمة", "فاطمه"),
        ("مُحَمَّد", "محمد"),
        ("محـــمد", "محمد"),
        ("می‌رود", "میرود"),
        ("ۀ", "ه"),
        ("١٢٣ ۴۵", "123 45"),
        ("Beyoncé", "BEYONCE"),
        ("ﬁrst", "first"),
        ("Straße", "STRASSE"),
        ("O’Neill", "o'neill"),
        ("a\u200fb\u2066", "ab"),
        ("a\u00a0b\tc", "a b c"),
    ],
)
def test_same_name_however_typed(one: str, other: str) -> None:
    """Case, marks, joiners and look-alike letters do not tell names apart."""
    assert fold(one) == fold(other)


@pytest.mark.parametrize(("one", "other"), [("عمر", "عمرو"), ("علي", "عالي"), ("Anna", "Ana"), ("پاک", "باك")])
def test_different_names_stay_different(one: str, other: str) -> None:
    """Letters that tell names apart are kept."""
    assert fold(one) != fold(other)


def test_the_way_back() -> None:
    """Each folded letter knows where it came from, also where one letter became two or none."""
    text = "مُ ﬁ‌x"
    spelled = folded(text)
    assert spelled.text == fold(text) == "م fix"
    assert [text[offset] for offset in spelled.offsets[:-1]] == ["م", " ", "ﬁ", "ﬁ", "x"]
    assert spelled.offsets[-1] == len(text)


def test_listed() -> None:
    """A word list is a set of its words."""
    assert listed(" a b\n a ") == {"a", "b"}
