"""`worker.enrich.segment`: where sentences and words begin and end."""

import pytest

from tests.unit.enrich.growth import grows_linearly
from worker.enrich.segment import LONG_BEFORE_DOTS, LONG_SENTENCE, MAX_WORD, sentences, words


def split(text: str) -> list[str]:
    """The sentences of a text."""
    return [text[start:end] for start, end in sentences(text)]


def cut(text: str) -> list[str]:
    """The words of a text."""
    return [text[start:end] for start, end in words(text)]


@pytest.mark.parametrize(
    "parts",
    [
        ["The vote failed.", "Nobody was surprised!", "Was it close?", "No…", "It was not."],
        ["وصل الوفد صباحا.", "هل يعود غدا؟", "لا أحد يعلم!", "سنرى…"],
        ["قال: «انتهت الجولة. لا جديد»."],
        ["گفت: «کار تمام شد.»", "سپس رفت."],
        ["گفت: «کار تمام شد. »", "سپس رفت."],
        ["“We lost.”", "He left."],
        ['He said "we won."', "Then he left."],
        ["(The mayor agreed.)", "The council did not."],
        ["ارتفعت الأسعار 3.5 في المئة.", "وبلغت 1,200.50 ليرة."],
        ["وہ آیا۔", "پھر گیا۔"],
        ["आज वर्षा हुई।", "कल भी होगी।"],
    ],
)
def test_ends_of_sentences(parts: list[str]) -> None:
    """Marks of every script end a sentence, with the quotes and brackets that close behind them."""
    if parts == ["قال: «انتهت الجولة. لا جديد»."]:
        parts = ["قال: «انتهت الجولة.", "لا جديد»."]
    assert split(" ".join(parts)) == parts


def test_newline_ends_a_sentence() -> None:
    """News has one paragraph a line: single newlines, blank lines and the other line breaks all end a sentence."""
    assert split("عنوان فرعي\nنص أول بلا نقطة\n\n  نص ثان\r\nثالث\u2028رابع\u2029خامس\x85سادس") == [
        "عنوان فرعي", "نص أول بلا نقطة", "نص ثان", "ثالث", "رابع", "خامس", "سادس",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "sentence",
    [
        "Dr. Rana Aziz met Mr. J. R. Obi and Gen. Lee at St. Mary in Washington D.C. yesterday.",
        "The U.S. Senate and the U.K. government e.g. agreed at 5 p.m. on Jan. 5 with Acme Inc. of Ohio.",
        "See No. 5, vol. 3 and p. 12 of the report.",
        "1. The first point stands.",
        "قال د. سامي حداد وم. ليلى نصر إن أ. د. كريم عواد حضر.",
        "نقلت وكالة أ.ف.ب. الخبر عن مصدر.",
        "دکتر م. ر. کاظمی در نشست حضور داشت.",
        "He paused . . . and went on.",
        "He paused... and went on.",
        "“Stop!” he said.",
        "Who [...] knows what (!) it means.",
        "Yahoo! is a company at example.com with 3.5 million users.",
        "حضر الاجتماع وزير؛ وغاب آخر؛ وتأجل القرار.",
        "Brig. Gen. Omar Haddad and Lt.-Gen. Roy Park met Sens. Ada Cole and Lee Marsh in Richmond, Va. Friday.",
        "The bank opens at 9 a.m. Monday and shuts at 5 p.m. EST on Fridays.",
        "It begins at 3 p.m. (1200 GMT) on Friday, at 9 a.m. (local time) on Monday or at 5 p.m. Tokyo time.",
        "From 9 a.m. - 5 p.m. 4 October to 6 p.m. Wed. he spoke with P.M. Smith.",
        "أكد الوزير أن البلاد.. لن تتخلى عن دورها.",
        "الوزارة مستعدة للحوار مع الجميع... لكنها لن تقبل بأي شروط.",
        "او گفت… نمی‌دانم.",
    ],
)
def test_marks_inside_a_sentence(sentence: str) -> None:
    """Abbreviations, initials, numbers, lists, ellipses, reported speech and ؛ do not end one."""
    assert split(sentence) == [sentence]


@pytest.mark.parametrize(
    "parts",
    [
        ["He moved to the U.S.", "The family stayed."],
        ["She works at Acme Inc.", "It is large."],
        ["It began at 3:30 a.m.", "Police came an hour later."],
        ["قال المتحدث إنه لا يعلم شيئا.\u200b", "وأضاف أنه سيسأل."],
        ["They took vitamin C.", "The others did not."],
        ["The answer was no.", "Nobody asked again."],
        ["That was in 2011.", "Prices rose."],
        ["He likes art.", "She does not."],
        ["ولد عام 1920 م.", "وتوفي بعد سبعين عاما."],
        ["در سال 1400 ه.", "به پایان رسید."],
    ],
)
def test_abbreviations_may_end_a_sentence(parts: list[str]) -> None:
    """What follows tells: a word that begins sentences, or an era after a year."""
    assert split(" ".join(parts)) == parts


def test_missing_space_between_arabic_sentences() -> None:
    """A full stop glued between two Arabic words ends a sentence; in addresses, numbers and initials it does not."""
    assert split("انتهى اللقاء.وغادر الوفد؟نعم") == ["انتهى اللقاء.", "وغادر الوفد؟", "نعم"]
    assert len(split("زر example.com وأ.ب.ج ورقم 3.5 وكان...ثم")) == 1
    assert len(split("قال «حسنا.»، ثم مضى")) == 1


def test_lost_non_joiners_change_nothing() -> None:
    """Persian whose zero-width non-joiners are lost splits where the same text with them does."""
    kept = "او می‌رود. آن‌ها نمی‌دانند؟ کتاب‌ها را می‌خوانیم."
    assert [part.replace("\u200c", "") for part in split(kept)] == split(kept.replace("\u200c", ""))
    assert len(split(kept)) == 3


def test_dots_end_a_long_arabic_sentence() -> None:
    """Where writers set two dots between all their sentences, those are what ends them."""
    sentence = "كلمة " * (LONG_BEFORE_DOTS // 5) + "انتهت.."
    assert split(" ".join([sentence] * 3)) == [sentence] * 3


def test_long_sentence_is_cut_at_semicolons() -> None:
    """؛ joins clauses, until the sentence is too long to be read as one."""
    clause = "كلمة " * (LONG_SENTENCE // 12) + "انتهت؛"
    text = " ".join([clause] * 4)
    assert len(text) > LONG_SENTENCE
    assert split(text) == [clause] * 4
    assert split(clause + " تمت.") == [clause + " تمت."]


def test_between_sentences_is_only_space() -> None:
    """Nothing of the text is lost, and no sentence begins or ends with white space."""
    text = "  First one.   Second؟ «third.»\n\n... \t Fourth"
    spans = sentences(text)
    covered = "".join(text[start:end] for start, end in spans)
    assert "".join(covered.split()) == "".join(text.split())
    assert all(text[start:end].strip() == text[start:end] for start, end in spans)
    assert sentences("") == sentences(" \n ") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("«پیت هگست»، وزیر", ["«", "پیت", "هگست", "»", "،", "وزیر"]),
        ("می‌رود", ["می‌رود"]),
        ("مُحَمَّد", ["مُحَمَّد"]),
        ("جو-جو (2+2)", ["جو", "-", "جو", "(", "2", "+", "2", ")"]),
        ("3.5 و ١٬٢٠٠٫٥ و 1,000.25", ["3.5", "و", "١٬٢٠٠٫٥", "و", "1,000.25"]),
        ("U.S. and U.N", ["U.S.", "and", "U.N"]),
        ("Obama's and O'Neill’s don't", ["Obama", "'s", "and", "O'Neill", "’s", "don't"]),
        ("Seo Jin-ho and Bo Mi-kyung's", ["Seo", "Jin-ho", "and", "Bo", "Mi-kyung", "'s"]),
        ("Moscow-led, Paris-born, Iran-backed", ["Moscow", "-", "led", ",", "Paris", "-", "born", ",", "Iran", "-", "backed"]),
        ("Stoke-on-Trent, Port-au-Prince", ["Stoke-on-Trent", ",", "Port-au-Prince"]),
        ("Norway-Chad Jin-ho-x al-Nuaimi", ["Norway", "-", "Chad", "Jin", "-", "ho", "-", "x", "al", "-", "Nuaimi"]),
        ("https://example.com/a?b=1 now", ["https://example.com/a?b=1", "now"]),
        ("#صلاح_الدين @user", ["#", "صلاح", "_", "الدين", "@", "user"]),
        ("wait... -- no", ["wait", "...", "--", "no"]),
        ("a\u200fb\u202ec\ufeff", ["a", "b", "c"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("😀😀", ["😀", "😀"]),
        ("سال2011م", ["سال2011م"]),
        ("", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    """Letters, marks and non-joiners stay together; every punctuation mark stands alone; controls are no words."""
    assert cut(text) == expected


def test_words_of_a_part_keep_the_offsets_of_the_whole() -> None:
    """Offsets are those of the text, not of the part asked for."""
    text = "one two three"
    assert words(text, 4, 7) == [(4, 7)]


def test_long_words_come_in_pieces() -> None:
    """A run without a space is cut, so that no word is longer than the cap and nothing is lost."""
    text = "ا" * 1000 + " x"
    spans = words(text)
    assert max(end - start for start, end in spans) == MAX_WORD
    assert "".join(text[start:end] for start, end in spans) == "ا" * 1000 + "x"


@pytest.mark.parametrize("unit", ["ا", ".", ". ", "a.", "؛ ", ". »", "Mr. ", "'", "x'", "1.", "http://", "\n", "«", "a. "])
def test_cost_is_linear(unit: str) -> None:
    """Twice the text takes about twice the time, whatever it repeats."""

    def work(size: int) -> object:
        text = (unit * size)[:size]
        return sentences(text), words(text)

    assert grows_linearly(work, size=20_000)
