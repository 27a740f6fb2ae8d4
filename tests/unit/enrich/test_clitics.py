"""`worker.enrich.clitics`: which letters at the front of an Arabic name are no part of it."""

import pytest

from worker.enrich.clitics import Clitics
from worker.enrich.text import listed


def bare(word: str, *, among: str = "", before: str = "") -> str:
    """The name inside a word, in a text that also names others."""
    text = f"{before} {word} ... {among}".lstrip()
    start = text.index(word)
    names = [(text, start, start + len(word))]
    at = start + len(word) + 5
    for other in among.split():
        at = text.index(other, at)
        names.append((text, at, at + len(other)))
        at += len(other)
    return word[Clitics(names).length(text, start, start + len(word)) :]


@pytest.mark.parametrize(
    "name",
    [
        "وليد", "وائل", "وفاء", "واشنطن", "والتر", "ويليام", "ولاية", "وزارة", "وكالة", "فرنسا",
        "فيصل", "فلسطين", "فاطمة", "فنلندا", "باريس", "بيروت", "بغداد", "باسم", "بلال", "بلجيكا",
        "بريطانيا", "بوتين", "بكين", "لبنان", "ليبيا", "لندن", "لويس", "ليلى", "كوريا", "كندا",
        "كمال", "كريم", "كابول", "كاليفورنيا", "كتائب", "بنك", "لجنة", "فريق",
        "بزشكيان", "بقائي", "وهران", "واسط", "كسلا", "لحج", "والز", "بدخشان", "بايدن", "لاهاي", "كربلاء", "كركوك",
    ],
)  # fmt: skip
def test_first_letter_of_the_name_stays(name: str) -> None:
    """A name that begins with one of the five letters keeps it; behind و or ل it still does."""
    assert bare(name) == name
    assert bare("و" + name) == name
    assert bare("ل" + name) == name


@pytest.mark.parametrize("name", ["اليابان", "القاهرة", "الهند", "الفلبين", "الرياض", "الاتحاد"])
def test_article_stays_with_the_name(name: str) -> None:
    """و and ب go, ال stays; of ل + ال, whose alef is not written, both ل go."""
    assert bare("و" + name) == name
    assert bare("ب" + name) == name
    assert bare("ل" + name[1:]) == name[2:]


@pytest.mark.parametrize("name", ["أوباما", "مصر", "تونس", "سوريا", "أردوغان", "إيران", "روسيا", "جنيف", "دمشق", "غزة"])
@pytest.mark.parametrize("clitic", ["و", "ل", "ب"])
def test_names_that_begin_otherwise(name: str, clitic: str) -> None:
    """A clitic before any other letter goes."""
    assert bare(clitic + name) == name


NAMES = sorted(
    listed(
        "بكين بيروت بلجيكا باكستان بريطانيا بولندا بلغاريا بنغازي بنسلفانيا بنما بنغلاديش بغداد باريس برلين برشلونة بيلاروسيا بلغراد "
        "بروكسل بلينكن بوتين بايدن بقائي بزشكيان بوريل بنكيران بوتفليقة لبنان ليبيا لندن لشبونة ليتوانيا ليما لاتفيا لاهاي لاوس لاباز "
        "لاغوس لاهور لارنكا لوكسمبورغ لواندا ليفربول لافروف لاغارد لاريجاني لابيد ليفني لوكاشينكو لوبان لولا واشنطن والنسيا وهران واسط "
        "وارسو وزيرستان وليد ولفغانغ وليامز ولسون وينتر واتسون ويتكوف والاس كابل كابول كييف كوبا كوريا كندا كينيا كولومبيا كرواتيا "
        "كوسوفو كازاخستان كمبوديا كراتشي كمبالا كيري كلينتون كيم كالاس كلاوس فلسطين فنلندا فيينا فرنسا فيتنام فنزويلا فاطمة فيصل فانس "
        "فيدان فولفغانغ طهران دمشق موسكو تونس أنقرة صنعاء عدن غزة رفح حيفا حلب نابلس جنين جنيف روما مدريد أثينا طوكيو سيول نيودلهي صوفيا "
        "ماكرون ترامب نتنياهو زيلينسكي ستارمر مودي أردوغان خامنئي روحاني ظريف عراقجي روبيو هاريس غوتيريش غروسي ميقاتي عون هنية حفتر دقلو "
        "تبون القاهرة الرياض الكويت البحرين السنوار البرهان الدبيبة السيسي"
    )
)


@pytest.mark.parametrize("name", NAMES)
def test_names_in_the_news_behind_every_clitic(name: str) -> None:
    """Bare, behind و, ب or ل, and behind two of them, the name is the same; of لل before ال nothing of the article is left."""
    behind_lam = name.removeprefix("ال")
    lam = "ل" if name == behind_lam else "لل"
    for clitic in ("", "و", "ب", "وب"):
        assert bare(clitic + name) == name
    for clitic in (lam, "و" + lam):
        assert bare(clitic + behind_lam) == behind_lam


@pytest.mark.parametrize("name", ["اتحاد", "احتلال", "استخبارات", "أمم", "إمارات", "أوس"])
def test_lam_before_lam_alef_is_mostly_the_article(name: str) -> None:
    """للا begins nouns with ال, unless a name is known that begins with لا; a hamza leaves no doubt."""
    assert bare("لل" + name) == bare("ولل" + name) == name


def test_behind_a_conjunction_the_table_is_asked_again() -> None:
    """Also for names that no list has; a second و belongs to the name."""
    assert bare("ولبغداد") == "بغداد"
    assert bare("وبكرواتيا") == "كرواتيا"
    assert bare("وبلجيكا") == "بلجيكا"
    assert bare("وولاية") == "ولاية"


def test_hamza_on_alef_begins_a_word() -> None:
    """أ, إ and آ behind و, ف, ل or ب tell that those are clitics; كأس is a word of its own."""
    assert bare("لإدرنة") == "إدرنة"
    assert bare("وآغري") == "آغري"
    assert bare("كأس") == "كأس"


def test_hamza_under_alef_behind_ka() -> None:
    """No name begins with كإ or كآ, so that ك is a clitic too."""
    assert bare("كإيران") == "إيران"
    assert bare("وكآسيا") == "آسيا"


def test_well_known_names_are_known_behind_every_clitic() -> None:
    """Also behind the rarer ones, of which the table has seen too little."""
    assert bare("بترامب") == bare("كترامب") == "ترامب"
    assert bare("فبايدن") == "بايدن"
    assert bare("فالمغرب") == "المغرب"
    assert bare("كأوكرانيا") == "أوكرانيا"
    assert bare("والتر") == "والتر"


def test_two_clitics() -> None:
    """A conjunction and a preposition go together."""
    assert bare("ولمصر") == "مصر"
    assert bare("وبالقاهرة") == "القاهرة"


def test_preposition_before_leaves_no_room() -> None:
    """After في or من no clitic can follow: the letter belongs to the name, and so it does elsewhere in the article."""
    assert bare("بنقلو", before="في") == "بنقلو"
    assert bare("كزرين", before="محافظة") == "كزرين"
    assert bare("ومصر", before="شمال،") == bare("ومصر", before="من قبل") == "مصر"
    text = "زار بنقلو ثم عاد من بنقلو"
    names = [(text, 4, 9), (text, 20, 25)]
    assert Clitics(names).length(text, 4, 9) == 0


def test_the_article_tells() -> None:
    """A bare form that the article names elsewhere decides for names that no list has."""
    assert bare("ودرنكوف", among="درنكوف") == "درنكوف"
    assert bare("وردكوف", among="وردكوف") == "وردكوف"
    assert bare("للدرنكوف", among="الدرنكوف") == "درنكوف"


def test_what_is_cut_for_certain_tells_too() -> None:
    """A word that begins as only names behind a clitic do has the bare form in it, for those that leave it in doubt."""
    assert bare("وترشاف") == "ترشاف"
    assert bare("كترشاف") == "كترشاف"
    assert bare("كترشاف", among="وترشاف") == "ترشاف"


def test_diacritics_and_tatweel_go_with_the_clitic() -> None:
    """Marks on a clitic are part of it; what is left begins with the name's own letter."""
    assert bare("وَالهِند") == "الهِند"
    assert bare("وـالقاهرة") == "القاهرة"


@pytest.mark.parametrize("word", ["", "و", "بن", "123", "«", "B", "وB"])
def test_too_short_or_no_word(word: str) -> None:
    """Where hardly anything would be left, nothing is taken."""
    assert Clitics([(word, 0, len(word))]).length(word, 0, len(word)) == 0
