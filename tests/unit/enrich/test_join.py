"""`worker.enrich.join`: which names of an article are one entity, seen through `entities.build`."""

import pytest

from tests.unit.enrich.growth import grows_linearly
from tests.unit.enrich.test_entities import build
from worker.enrich import entities
from worker.enrich.analysis import Span


def groups(kind: str, *mentions: str, language: str = "ar") -> list[set[str]]:
    """What a text of these mentions of one type, in this order, has for entities: the spellings of each."""
    found = build(" ؛ ".join(mentions), ";".join(f"{kind} {mention}" for mention in mentions), language=language)
    return [{mention.text for mention in entity.mentions} for entity in sorted(found, key=lambda entity: entity.mentions[0].start)]


def together(kind: str, *mentions: str, language: str = "ar") -> bool:
    """Whether all of these are one entity."""
    return len(groups(kind, *mentions, language=language)) == 1


@pytest.mark.parametrize(
    ("whole", "other", "language"),
    [
        ("محمد بن سلمان", "سلمان", "ar"),
        ("محمد بن سلمان", "سلمان", "fa"),
        ("محمد بن سلمان بن عبدالعزيز", "سلمان بن عبدالعزيز", "ar"),
        ("محمد بن سلمان بن عبدالعزيز آل سعود", "سلمان بن عبدالعزيز آل سعود", "ar"),
        ("محمد بن سلمان بن عبدالعزيز", "عبدالعزيز", "ar"),
        ("خالد بن محمد بن زايد", "محمد بن زايد", "ar"),
        ("خالد بن محمد بن زاید", "محمد بن زاید", "fa"),
        ("لولوة بنت فيصل", "فيصل", "ar"),
        ("بن سلمان", "سلمان", "ar"),
        ("Mohammed bin Salman", "Salman", "en"),
        ("Khalid bin Mohamed bin Zayed", "Mohamed bin Zayed", "en"),
        ("Mohammed bin Salman", "bin", "en"),
    ],
)
def test_fathers_are_people_of_their_own(whole: str, other: str, language: str) -> None:
    """What stands behind بن is the father's name."""
    assert groups("PER", whole, other, language=language) == [{whole}, {other}]


@pytest.mark.parametrize(
    ("whole", "short", "language"),
    [
        ("محمد بن سلمان", "بن سلمان", "ar"),
        ("محمد بن سلمان", "محمد", "ar"),
        ("محمد بن سلمان بن عبدالعزيز", "محمد بن سلمان", "ar"),
        ("محمد بن سلمان آل سعود", "آل سعود", "ar"),
        ("محمد بن سلمان آل سعود", "بن سلمان", "ar"),
        ("محمد بن علي الحوثي", "الحوثي", "ar"),
        ("فیصل بن فرحان", "بن فرحان", "fa"),
        ("Mohammed bin Salman", "bin Salman", "en"),
        ("Mohammed bin Salman Al Saud", "Mohammed bin Salman", "en"),
        ("Osama Bin Laden", "Bin Laden", "en"),
    ],
)
def test_short_forms_of_names_with_a_father(whole: str, short: str, language: str) -> None:
    """The given name, the name up to any father, بن with the first father, and the family's name."""
    assert together("PER", whole, short, language=language)


def test_a_king_is_no_mention_of_the_crown_prince() -> None:
    """Titles off, his name is short for his own full name, and for no son's."""
    assert groups("PER", "محمد بن سلمان", "محمد بن سلمان", "سلمان بن عبدالعزيز", "سلمان") == [
        {"محمد بن سلمان"},
        {"سلمان بن عبدالعزيز", "سلمان"},
    ]
    assert groups("PER", "عبدالله الثاني", "الحسين بن عبدالله", "عبدالله") == [{"عبدالله الثاني", "عبدالله"}, {"الحسين بن عبدالله"}]


def test_equals_go_to_the_earlier() -> None:
    """More words are no reason to be the one who is meant."""
    assert groups("PER", "Omar Brand", "Nadia Rose Brand", "Brand", language="en") == [{"Omar Brand", "Brand"}, {"Nadia Rose Brand"}]


@pytest.mark.parametrize(
    ("one", "other", "language"),
    [
        ("Omar Brand", "Omar Brand Jr.", "en"),
        ("Omar Brand Sr.", "Omar Brand", "en"),
        ("Omar Brand", "Omar Brand III", "en"),
        ("سامر العبدلي", "سامر العبدلي الابن", "ar"),
        ("سامر العبدلي الأب", "سامر العبدلي الابن", "ar"),
        ("کاوه رستگار", "کاوه رستگار پسر", "fa"),
    ],
)
def test_father_and_son_of_one_name(one: str, other: str, language: str) -> None:
    """A last word that tells them apart; a family name goes to the earlier one."""
    assert groups("PER", one, other, language=language) == [{one.rstrip(".")}, {other.rstrip(".")}]
    family = one.split()[1]
    assert groups("PER", one, other, family, language=language) == [{one.rstrip("."), family}, {other.rstrip(".")}]


def test_what_tells_them_apart_is_kept_or_left_out_with_the_rest() -> None:
    """The son alone is called by his family name, with the tail or without; a king's number is often left out."""
    assert together("PER", "Omar Brand Jr", "Brand", "Brand Jr", "Omar", language="en")
    assert not together("PER", "Omar Brand Jr", "Jr", language="en")
    assert together("PER", "King Edgar III", "King Edgar", "Edgar", language="en")


@pytest.mark.parametrize(
    ("whole", "short", "language"),
    [
        ("Xi Jinping", "Xi", "en"),
        ("Li Qiang", "Li", "en"),
        ("Jack Ma", "Ma", "en"),
        ("شي جين بينغ", "شي", "ar"),
        ("شی جین‌پینگ", "شی", "fa"),
    ],
)
def test_names_of_two_letters(whole: str, short: str, language: str) -> None:
    """They are enough at an end of a person's name."""
    assert together("PER", whole, short, language=language)


@pytest.mark.parametrize(
    ("kind", "whole", "short", "language"),
    [
        ("PER", "Al Brand", "Al", "en"),
        ("PER", "De Rose", "De", "en"),
        ("PER", "آل سعود", "آل", "ar"),
        ("PER", "Kim Jo Brand", "Jo", "en"),
        ("PER", "J Brand", "J", "en"),
        ("ORG", "Xi Motors", "Xi", "en"),
        ("LOC", "Xi Valley Town", "Xi", "en"),
    ],
)
def test_two_letters_that_are_no_name(kind: str, whole: str, short: str, language: str) -> None:
    """Particles, initials, what stands in the middle, and what is no person."""
    assert not together(kind, whole, short, language=language)


@pytest.mark.parametrize(
    ("kind", "mentions"),
    [
        ("LOC", ("کره‌جنوبی", "کره جنوبی")),
        ("PER", ("محمد بن‌سلمان", "محمد بن سلمان")),
        ("ORG", ("سازمان‌ملل", "سازمان ملل")),
        ("ORG", ("مجلس شورای‌اسلامی", "مجلس شورای اسلامی")),
        ("ORG", ("مجلس شورای‌اسلامی ایران", "مجلس شورای اسلامی")),
        ("PER", ("فیصل بن‌فرحان", "بن فرحان")),
        ("PER", ("فیصل بن فرحان", "بن‌فرحان")),
        ("PER", ("عبد الله الثاني", "عبدالله")),
        ("PER", ("نورالدین رستگار", "نور الدین")),
    ],
)
def test_gaps_do_not_count(kind: str, mentions: tuple[str, ...]) -> None:
    """A space, a non-joiner or nothing between the same letters."""
    assert together(kind, *mentions, language="fa")


def test_gaps_of_very_short_names_count() -> None:
    """Few letters are easily the same by accident; a part of one word is no short form of it."""
    assert not together("ORG", "G 20", "G20", language="en")
    assert not together("PER", "علی‌پور", "علی", language="fa")


def bracketed(text: str, *tagged: str) -> int:
    """Number of entities of a text."""
    return len(build(text, ";".join(tagged)))


def test_other_names_in_brackets() -> None:
    """No capitals mark an acronym here: what fills brackets behind an organisation, or is one word behind a person, is the same."""
    agency = "وكالة غوث وتشغيل اللاجئين"
    assert bracketed(f"قالت {agency} (الأونروا) إن الأونروا باقية", f"ORG {agency}", "ORG الأونروا", "ORG الأونروا") == 1
    assert bracketed("قال محمد حمدان دقلو (حميدتي) ثم حميدتي", "PER محمد حمدان دقلو", "PER حميدتي", "PER حميدتي") == 1
    persian = build("خبرگزاری دانشجویان (ایسنا) و ایسنا", "ORG خبرگزاری دانشجویان; ORG ایسنا; ORG ایسنا", language="fa")
    assert len(persian) == 1


@pytest.mark.parametrize(
    ("text", "tagged"),
    [
        ("في باريس الكبرى (فرنسا) مطر", ("LOC باريس الكبرى", "LOC فرنسا")),
        ("قال سامر العبدلي (نادر القاسم) نعم", ("PER سامر العبدلي", "PER نادر القاسم")),
        ("قال سامر (نادر) نعم", ("PER سامر", "PER نادر")),
        ("مقر البنك المركزي (رويترز)", ("ORG البنك المركزي", "ORG رويترز")),
        ("مقر البنك المركزي (أ ف ب)", ("ORG البنك المركزي", "ORG أ ف ب")),
        ("حزب الحبوب (الحصاد سابقا)", ("ORG حزب الحبوب", "ORG الحصاد")),
        ("حزب الحبوب و(الحصاد)", ("ORG حزب الحبوب", "ORG الحصاد")),
        ("قال سامر العبدلي (الحصاد)", ("PER سامر العبدلي", "ORG الحصاد")),
    ],
)
def test_what_else_stands_in_brackets(text: str, tagged: tuple[str, ...]) -> None:
    """Countries, other people, the source of a picture, more than a name."""
    assert bracketed(text, *tagged) == len(tagged)


def test_somebody_known_in_brackets() -> None:
    """A family name of another person is no other name; nor is what stands behind two different ones."""
    assert (
        bracketed(
            "سامر العبدلي ونادر القاسم. سجل سامر العبدلي (القاسم).", "PER سامر العبدلي", "PER نادر القاسم", "PER سامر العبدلي", "PER القاسم"
        )
        == 2
    )
    assert bracketed("حزب الحبوب (الحصاد) وحزب القمح (الحصاد)", "ORG حزب الحبوب", "ORG الحصاد", "ORG حزب القمح", "ORG الحصاد") == 3


def test_news_agencies_have_short_names() -> None:
    """Behind an agency's name it is its own."""
    assert bracketed("وكالة الصحافة الفرنسية (فرانس برس)", "ORG وكالة الصحافة الفرنسية", "ORG فرانس برس") == 1


@pytest.mark.parametrize(
    ("one", "other", "short", "language"),
    [
        ("البنك المركزي المصري", "البنك المركزي العراقي", "البنك المركزي", "ar"),
        ("وزارت خارجه ژاپن", "وزارت خارجه چین", "وزارت خارجه", "fa"),
        ("Barlow Grain Trading", "Barlow Grain Holding", "Barlow Grain", "en"),
    ],
)
def test_what_two_organisations_share_is_neither(one: str, other: str, short: str, language: str) -> None:
    """The bare form is one of its own beside two long ones, and goes with one that is named in two lengths."""
    assert groups("ORG", one, other, other, short, language=language) == [{one}, {other}, {short}]
    assert together("ORG", f"{one} X", one, short, language=language)


def test_a_short_form_goes_to_the_nearest() -> None:
    """Where the longer ones part further on, what they have in common is one organisation."""
    middle = "بنك الحبوب العربي"
    assert groups("ORG", f"{middle} تونس", f"{middle} طنجة", middle, "بنك الحبوب") == [
        {f"{middle} تونس"},
        {f"{middle} طنجة"},
        {middle, "بنك الحبوب"},
    ]


def test_many_long_forms_of_one_short_are_linear() -> None:
    """The nearest of them is looked for once, however many spellings the short form has."""

    def work(size: int) -> object:
        body, spans = "", []
        for name in [f"Acme Grain X{index}" for index in range(size)] + [f"Acme{' ' * (index % 300 + 1)}Grain" for index in range(size)]:
            spans.append(Span(len(body), len(body) + len(name), "ORG"))
            body += name + ". "
        return entities.build({"body": body}, {"body": spans}, language="en")

    assert grows_linearly(work, size=300)
