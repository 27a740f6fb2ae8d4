"""`worker.enrich.language` and `worker.enrich.scripts`: what is told, and what is left untold on purpose."""

import pytest

from tests.unit.enrich.growth import grows_linearly
from worker.enrich import scripts
from worker.enrich.language import detect, model
from worker.records import Language

ARABIC = "أعلنت البلدية أن أشغال ترميم السوق القديم ستبدأ بعد عطلة نهاية الأسبوع وتستمر شهرين."
PERSIAN = "شهرداری اعلام کرد که بازسازی بازار قدیمی پس از تعطیلات آغاز می‌شود و دو ماه ادامه دارد."
ENGLISH = "The city said that repairs of the old market will begin after the holiday and last two months."


def code(body: str, *, title: str | None = None, hint: str | None = None) -> str:
    """Only the language's code."""
    return detect(body, title=title, hint=hint).code


@pytest.mark.parametrize(
    ("text", "language", "script", "direction"),
    [
        (ARABIC, "ar", "Arab", "rtl"),
        (PERSIAN, "fa", "Arab", "rtl"),
        (PERSIAN.replace("\u200c", ""), "fa", "Arab", "rtl"),
        (ENGLISH, "en", "Latn", "ltr"),
        ("حکومت نے کہا ہے کہ پرانے بازار کی مرمت چھٹیوں کے بعد شروع ہو گی۔", "ur", "Arab", "rtl"),
        ("ښاروالۍ وویل چې د زاړه بازار رغونه به له رخصتیو وروسته پیل شي.", "ps", "Arab", "rtl"),
        ("شارەوانی ڕایگەیاند کە نۆژەنکردنەوەی بازاڕی کۆن لە دوای پشوو دەست پێدەکات.", "ckb", "Arab", "rtl"),
        ("Belediye, eski çarşının onarımının bayramdan sonra başlayacağını açıkladı.", "tr", "Latn", "ltr"),
        ("העירייה הודיעה ששיפוץ השוק הישן יתחיל אחרי החג ויימשך חודשיים.", "he", "Hebr", "rtl"),
        ("Мэрия сообщила, что ремонт старого рынка начнётся после праздников.", "ru", "Cyrl", "ltr"),
        ("市役所は古い市場の改修工事を連休明けに始めると発表した。", "ja", "Jpan", "ltr"),
        ("市政府表示旧市场的维修工程将在假期后开始。", "zh", "Hani", "ltr"),
        ("시는 옛 시장의 보수 공사가 연휴가 끝난 뒤 시작된다고 밝혔다.", "ko", "Kore", "ltr"),
        ("नगर निगम ने कहा कि पुराने बाज़ार की मरम्मत छुट्टियों के बाद शुरू होगी।", "hi", "Deva", "ltr"),
        ("Η δημοτική αρχή ανακοίνωσε ότι οι εργασίες αρχίζουν μετά τις διακοπές.", "el", "Grek", "ltr"),
    ],
)
def test_clear_text(text: str, language: str, script: str, direction: str) -> None:
    """A sentence is enough for language, script and direction, with confidence."""
    found = detect(text)
    assert (found.code, found.script, found.direction) == (language, script, direction)
    assert 0.5 < found.confidence <= 1


@pytest.mark.parametrize(
    "text", ["12345", "٣٫٥٪", "...", "😀😀🎉", "؟!", "\u0301", "https://example.com/a/b", "reporter@example.com", "<br><p></p>", "  "]
)
def test_nothing_to_tell(text: str) -> None:
    """Without letters of a text there is no language: no digits, marks, emoji, addresses or tags make one."""
    assert detect(text) == Language(code="und", confidence=0.0, script="Zyyy", direction="ltr")


def test_script_the_detector_does_not_know() -> None:
    """The script is told all the same, and its direction."""
    assert detect("ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ") == Language(code="und", confidence=0.0, script="Cher", direction="ltr")
    assert detect("ߒߞߏ ߞߊ߲") == Language(code="und", confidence=0.0, script="Nkoo", direction="rtl")
    assert detect("\U0001e900\U0001e901").direction == "rtl"
    assert detect("𓀀𓀁𓀂").script == "Zzzz"


@pytest.mark.parametrize("page", ["latin-1", "cp1252", "cp1256"])
@pytest.mark.parametrize("text", [ARABIC, PERSIAN, "Мэрия сообщила о ремонте старого рынка."])
def test_mojibake_is_no_language(text: str, page: str) -> None:
    """UTF-8 read in a Windows code page looks like some language to every detector: it is none."""
    garbled = "".join(bytes([byte]).decode(page, errors="ignore") or chr(byte) for byte in text.encode())
    assert garbled != text
    found = detect(garbled)
    assert (found.code, found.confidence) == ("und", 0.0)


def test_windows_arabic_read_as_latin_is_no_language() -> None:
    """Arabic in Windows-1256 shown as Latin-1 is all accents; so is a text of replacement characters."""
    assert code(ARABIC.encode("cp1256").decode("latin-1")) == "und"
    assert code("\ufffd\ufffd\ufffd \ufffd\ufffd abc") == "und"


def test_accents_and_a_few_broken_quotes_are_no_mojibake() -> None:
    """Languages full of accents, and English with a broken apostrophe, are still told."""
    assert code("Hội đồng thành phố cho biết việc sửa chữa chợ cũ sẽ bắt đầu sau kỳ nghỉ lễ.") == "vi"
    assert code("Le maire a été hué à la fête où l'élève âgé s'était présenté.") == "fr"
    assert code("It wasnâ€™t clear when repairs of the old market would begin, the city said on Monday.") == "en"


@pytest.mark.parametrize("text", [ARABIC, PERSIAN, ENGLISH])
def test_markup_and_controls_do_not_count(text: str) -> None:
    """Tags, addresses, handles, entities and bidi controls change neither code nor script."""
    dressed = f'<div class="story main-column"><script>var a = "function";</script><p>\u202b\u200f{text}\u202c</p>&nbsp;@some_reporter https://example.com/news'
    assert (code(dressed), detect(dressed).script) == (code(text), detect(text).script)
    marked = "\u200f".join(text)
    assert code(marked) == code(text)


def test_markup_may_be_long() -> None:
    """Text behind much markup is found."""
    assert code("<td></td>" * 100 + ARABIC + "<td></td>" * 100) == "ar"
    assert code("😀" * 5000 + PERSIAN) == "fa"


def test_prevailing_language_of_mixed_text() -> None:
    """The script with most letters decides, whatever stands first."""
    assert code(f"Breaking news from the agency. {ARABIC} {ARABIC} {ARABIC}") == "ar"
    assert code(f"{ENGLISH} {ENGLISH} {ENGLISH} {ARABIC}") == "en"
    assert detect(f"OPEC {PERSIAN}").script == "Arab"
    assert detect("東京でひらがなを書く").script == "Jpan"


def test_headline_counts_with_the_body() -> None:
    """A body of digits or one word gets its language from the headline."""
    assert code("2024", title=PERSIAN) == "fa"
    assert code(ARABIC * 30, title="Live updates") == "ar"


@pytest.mark.parametrize(("hint", "expected"), [("fa", "fa"), ("ar", "ar"), ("ar-EG", "ar"), ("fas", "fa"), ("FA_ir", "fa")])
def test_hint_decides_where_the_text_is_too_short(hint: str, expected: str) -> None:
    """One word that both languages write is what the sender says."""
    assert code("سلام", hint=hint) == expected


@pytest.mark.parametrize("hint", ["fa", "en", "ur", "xx", "", "-", "not a tag"])
def test_hint_never_overrides_clear_text(hint: str) -> None:
    """Whatever the sender says, clear text is what it is."""
    assert code(ARABIC, hint=hint) == "ar"
    assert code("وزير الخارجية يزور الجزائر", hint=hint) == "ar"


def test_hint_cannot_make_up_a_language() -> None:
    """A hint in another script, or for text without letters, is not believed; a fitting one helps a word nobody knows."""
    assert code("123", hint="ar") == "und"
    assert code("Hello", hint="ar") == "en"
    assert code("مرحبا", hint="en") != "en"
    assert code("lol") == "und"
    assert code("lol", hint="en") == "en"
    assert code("lol", hint="eng-GB") == "en"
    assert code("Berlin", hint="deu") == "de"


@pytest.mark.parametrize("hint", ["und", "zxx", "mul", "mis", "zzz", "xx"])
def test_hint_has_to_name_a_language(hint: str) -> None:
    """Codes for no language, or that nobody has given away, are as good as no hint."""
    assert detect("OK", hint=hint) == detect("OK")
    assert detect("Berlin", hint=hint) == detect("Berlin")


def test_letters_overrule_the_detector() -> None:
    """A letter that a language does not write rules it out, in a headline."""
    assert code("پاکستان کے وزیر") == "ur"
    assert code("گچ پژمان") == "fa"
    assert code("مدرسة") == "ar"


def test_confidence_falls_with_less_text() -> None:
    """One word is told with less confidence than a sentence."""
    assert detect("دولت").confidence < detect(PERSIAN).confidence


def test_deterministic() -> None:
    """The same text gives the same answer, in any order of calls."""
    texts = [ARABIC, PERSIAN, ENGLISH, "سلام", "x", "😀"]
    first = {text: detect(text) for text in texts}
    assert all(detect(text) == first[text] for text in [*reversed(texts), *texts])


@pytest.mark.parametrize("unit", ["ا", "<", "a ", "😀", "@", "<script>", "é", "&amp"])
def test_cost_has_a_bound(unit: str) -> None:
    """Four times the body takes at most about four times the time, whatever it repeats."""
    assert grows_linearly(lambda size: detect((unit * size)[:size], title=(unit * size)[:size]), size=50_000)


def test_every_script_code_is_well_formed() -> None:
    """Scripts are ISO 15924 codes, so that the record is valid."""
    letters = [chr(number) for number in range(0x20, 0x20000, 7)]
    assert all(len(scripts.of_letter(letter)) == 4 and scripts.of_letter(letter).istitle() for letter in letters)
    assert scripts.of_letter("Ａ") == "Latn"
    assert scripts.of_letter("ﾊ") == "Jpan"


def test_model_names_itself() -> None:
    """The detector stands in the provenance with its checksum."""
    assert (model().stage, model().name) == ("language", "lid.176")
    assert len(model().sha256) == 64
