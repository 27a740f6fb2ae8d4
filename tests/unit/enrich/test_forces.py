"""Armed bodies in Arabic by their grammar."""

import pytest

from worker.enrich.analysis import Span
from worker.enrich.forces import forces, with_forces
from worker.records import EntityType


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("تعاون مع قيادة العمليات المشتركة أمس", ["قيادة العمليات المشتركة"]),
        ("نظير لقوات الدفاع الذاتي الكورية، وقال", ["قوات الدفاع الذاتي الكورية"]),
        ("ووصل وفد من هيئة الأركان العامة وجهاز الأمن العام", ["هيئة الأركان العامة", "جهاز الأمن العام"]),
        ("قِيَادةُ العمليّات المُشتركة", ["قِيَادةُ العمليّات المُشتركة"]),
        ("وبقوات الحرس الوطني", ["قوات الحرس الوطني"]),
        ("نفت قيادة القوات البحرية المشتركة النبأ", ["قيادة القوات البحرية المشتركة"]),
        ("أعلنت قيادة المنطقة العسكرية الثانية في المكلا", ["قيادة المنطقة العسكرية الثانية"]),
        ("قيادة العمليات الأولى", ["قيادة العمليات الأولى"]),
        ("قيادة الدفاع الجوي", ["قيادة الدفاع الجوي"]),
        ("وأكدت قوات الأمن العراقية أن", ["قوات الأمن العراقية"]),
        ("انسحبت قوات الدعم السريع من المدينة", ["قوات الدعم السريع"]),
        ("لقوات الدعم السريع السودانية", ["قوات الدعم السريع السودانية"]),
        ("وقوات سوريا الديمقراطية التي", ["قوات سوريا الديمقراطية"]),
        ("وقال الحرس الثوري في بيان", ["الحرس الثوري"]),
        ("قيادة الحرس الثوري الإيراني", ["الحرس الثوري الإيراني"]),
        ("موقع للحرس الثوري", ["حرس الثوري"]),
        ("من قوات الحشد الشعبي", ["الحشد الشعبي"]),
    ],
)
def test_a_body_is_its_head_what_it_is_of_and_adjectives(text: str, names: list[str]) -> None:
    """Clitics before the head are no part of it, marks on letters change nothing."""
    found = forces(text)
    assert [text[span.start : span.end] for span in found] == names
    assert {span.type for span in found} == {"ORG"}


@pytest.mark.parametrize(
    "text",
    [
        "أطلقت قوات الأمن النار",  # any forces
        "عززت قوات الأمن الأسبوع الماضي وجودها",  # a time
        "قالت قوات الأمن الجمعة إنها",  # a day
        "قيادة السيارات الكهربائية سهلة",  # nothing armed
        "من قوات. الدفاع الذاتي",  # two sentences
        "قوات\nالدفاع الذاتي",  # two lines
        "قوات الأمن التي وصلت",
        "وصلت قوات الجيش إلى المدينة الساحلية",  # a preposition
        "اقتحمت قوات الأمن المستشفى",  # the object of the verb …
        "دخلت قوات الجيش المدينة",
        "أغلقت قوات الأمن المنطقة الخضراء",
        "نفذت قوات الأمن العملية",
        "استهدفت قوات الجيش الشاطئ",
        "فككت قوات الأمن الخلية",
        "قوات الأمن التابعة للحكومة",
        "فتشت قوات الأمن المباني",  # … also where it ends like an adjective
        "اعتقلت قوات الأمن الصحفي العراقي سامي",  # … and a person
        "قتلت قوات الأمن السياسي المعارض",
        "أوقفت قوات الجيش المحامية",
        "انتشرت قوات حفظ السلام في الجنوب",  # many forces, no name
        "قوات سوريا. الديمقراطية",
        "الحرس، الثوري",
        "قوات",
        "الحرس",
        "",
    ],
)
def test_what_is_no_body(text: str) -> None:
    """No complement of the list, or no adjective of the list behind it: left to the model."""
    assert forces(text) == []


def test_a_body_takes_the_place_of_its_parts_and_of_nothing_else() -> None:
    """What the model found whole, or beside it, stays as it was."""
    text = "زار سامي قيادة العمليات المشتركة في عمان"
    sami, whole, part, amman = (_span(text, *one) for one in (
        ("سامي", "PER"), ("قيادة العمليات المشتركة في عمان", "ORG"), ("العمليات المشتركة", "MISC"), ("عمان", "LOC"),
    ))  # fmt: skip
    assert with_forces(text, [sami, part, amman]) == [sami, amman, _span(text, "قيادة العمليات المشتركة", "ORG")]
    assert with_forces(text, [sami, whole]) == [sami, whole]
    assert with_forces("زار سامي عمان", [sami]) == [sami]


def _span(text: str, name: str, kind: EntityType) -> Span:
    return Span(start=text.index(name), end=text.index(name) + len(name), type=kind)
