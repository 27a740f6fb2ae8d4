"""Classes ``unicode``, ``text`` and ``size``: articles that are strange but are articles."""

import unicodedata
from collections.abc import Iterator

from tests.hostile.cases import ARABIC, ENGLISH, MAX_BYTES, PERSIAN, PLAIN, TEXTS, Case, Dead, Enriched, article, raw_json

ODD = {
    "zero-width-space": "\u200b",
    "zero-width-joiner": "\u200d",
    "zero-width-non-joiner": "\u200c",
    "left-to-right-mark": "\u200e",
    "right-to-left-mark": "\u200f",
    "arabic-letter-mark": "\u061c",
    "right-to-left-override": "\u202e",
    "embedding-unclosed": "\u202b\u202a",
    "isolates-unclosed": "\u2066\u2067\u2068",
    "pop-without-push": "\u202c\u2069",
    "byte-order-mark": "\ufeff",
    "soft-hyphen": "\u00ad",
    "word-joiner": "\u2060",
    "line-separator": "\u2028",
    "paragraph-separator": "\u2029",
    "next-line": "\u0085",
    "no-break-space": "\u00a0",
    "ideographic-space": "\u3000",
    "mongolian-vowel-separator": "\u180e",
    "tatweel": "ـ" * 5,
    "diacritics": "\u064b\u064c\u0651\u0652",
    "zalgo": "a" + "\u0301\u0316\u0334" * 20,
    "combining-alone": "\u0301",
    "variation-selectors": "\ufe0f\ufe0e\U000e0100",
    "tag-characters": "\U000e0041\U000e007f",
    "emoji-family": "👨‍👩‍👧‍👦",
    "emoji-flags": "🇮🇷🇸🇦🇬🇧",
    "emoji-skin": "👍🏿",
    "noncharacter-fffe": "\ufffe",
    "noncharacter-fdd0": "\ufdd0",
    "noncharacter-10ffff": "\U0010ffff",
    "private-use": "\ue000\U000f0000",
    "replacement": "\ufffd",
    "object-replacement": "\ufffc",
    "astral-letters": "𐤀𐤁𐤂",
    "mathematical-letters": "𝕳𝖊𝖑𝖑𝖔",
    "fullwidth": "ＡＢＣ１２３",
    "presentation-forms": "ﷲ ﷺ ﻻ ﺍﻟ",
    "ligature-long": "\ufdfd",
    "arabic-digits": "٠١٢٣٤٥ ۰۱۲۳۴۵",
    "control-characters": "\u0001\u0002\u001f\u007f\u0080\u009f",
    "hangul-jamo": "\u1112\u1161\u11ab",
    "unassigned": "\U0003fffd",
    "quotation": "«“‹›”»",
}
"""Pieces that are put into an ordinary sentence of each language: the language must still be told."""

BLANK = {
    "empty": "",
    "space": " ",
    "spaces": " " * 5000,
    "newlines": "\n\r\n\t\v\f",
    "no-break-spaces": "\u00a0\u2007\u202f",
    "zero-widths": "\u200b\u200c\u200d\u2060\ufeff",
    "bidi-controls": "\u200e\u200f\u202a\u202c\u2066\u2069\u061c",
    "controls": "\u0001\u0007\u001b\u007f\u0085",
    "soft-hyphens": "\u00ad\u00ad",
    "separators": "\u2028\u2029\u3000\u1680",
}

WORDLESS = {
    "full-stops": "." * 300,
    "punctuation": "؟!؛،…«»“”()[]{}—–-",
    "emoji": "😀😃😄🎉🔥",
    "digits": "12345 67890 1.5 2,000",
    "arabic-digits": "٣٤٥ ٦٧٨ ۴۵۶",
    "symbols": "§±×÷€£¥→←≠≤",
    "one-combining-mark": "\u0301",
    "noncharacters": "\ufffe\uffff\ufdd0",
    "private-use": "\ue000\ue001",
    "replacement-characters": "\ufffd" * 50,
}

OTHER_LANGUAGES = {
    "ru": "Министерство транспорта сообщило в понедельник, что старый железнодорожный мост закроют на ремонт.",
    "de": "Das Verkehrsministerium teilte am Montag mit, dass die alte Eisenbahnbrücke wegen Reparaturen gesperrt wird.",
    "fr": "Le ministère des Transports a annoncé lundi que le vieux pont ferroviaire serait fermé pour travaux.",
    "es": "El ministerio de Transportes dijo el lunes que el viejo puente del ferrocarril cerrará por reparaciones.",
    "tr": "Ulaştırma bakanlığı pazartesi günü eski demiryolu köprüsünün onarım için kapatılacağını söyledi.",
    "he": "משרד התחבורה הודיע ביום שני כי גשר הרכבת הישן ייסגר לצורך תיקונים.",
    "ur": "وزارت نے پیر کو کہا کہ پرانے ریلوے پل کو مرمت کے لیے بند کر دیا جائے گا اور لوگ دوسرا راستہ لیں گے۔",
    "hi": "परिवहन मंत्रालय ने सोमवार को कहा कि पुराना रेलवे पुल मरम्मत के लिए बंद रहेगा।",
    "zh": "交通部周一表示，旧铁路桥将因维修而关闭，居民可以改走河边的公路。",
    "ja": "交通省は月曜日、古い鉄道橋が修理のために閉鎖されると発表しました。",
    "ko": "교통부는 월요일에 오래된 철교가 수리를 위해 폐쇄될 것이라고 밝혔다.",
    "el": "Το υπουργείο ανακοίνωσε τη Δευτέρα ότι η παλιά γέφυρα του τρένου θα κλείσει για επισκευές.",
    "th": "กระทรวงคมนาคมกล่าวเมื่อวันจันทร์ว่าสะพานรถไฟเก่าจะปิดเพื่อซ่อมแซม",
    "am": "የትራንስፖርት ሚኒስቴር ሰኞ ዕለት አሮጌው የባቡር ድልድይ ለጥገና እንደሚዘጋ ገለጸ።",
    "ka": "ტრანსპორტის სამინისტრომ ორშაბათს განაცხადა, რომ ძველი სარკინიგზო ხიდი დაიხურება.",
}

STRANGE = {
    "one-letter": ("a", None),
    "one-arabic-letter": ("م", None),
    "one-word": ("مرحبا", None),
    "html": (f"<p>{ENGLISH}</p><script>alert('x')</script><!-- c --><b>{ENGLISH}</b>", "en"),
    "html-arabic": (f'<div dir="rtl" onclick="x()">{ARABIC}</div>&nbsp;&amp;&#x27;', "ar"),
    "broken-html": (f"<<a><<{ENGLISH}<p<//>", "en"),
    "template-injection": (f"{ENGLISH} {{{{7*7}}}} ${{jndi:ldap://x}} {{%x%}} %s %n {{0}}", "en"),
    "sql": (f"{ENGLISH}'; DROP TABLE articles; --", "en"),
    "terminal-escapes": (f"{ENGLISH} \u001b[2J\u001b]0;title\u0007", "en"),
    "windows-newlines": (f"{ENGLISH}\r\n\r\n{ENGLISH}\r{ENGLISH}", "en"),
    "ten-thousand-newlines": (ENGLISH + "\n" * 10_000 + ENGLISH, "en"),
    "no-full-stop": (ENGLISH.rstrip(".") * 50, "en"),
    "thousand-sentences": ((ENGLISH + " ") * 400, "en"),
    "one-word-repeated": ("bridge " * 5000, "en"),
    "latin-without-space": ("a" * 50_000, None),
    "arabic-without-space": ("م" * 30_000, None),
    "persian-lost-joiners": (PERSIAN.replace("\u200c", ""), "fa"),
    "persian-spaced-joiners": (PERSIAN.replace("\u200c", " "), "fa"),
    "persian-arabic-letters": (PERSIAN.replace("ی", "ي").replace("ک", "ك"), "fa"),
    "arabic-vocalised": ("أَعْلَنَتْ وِزَارَةُ الصِّحَّةِ اليَوْمَ أَنَّ عَدَدَ المَرَاكِزِ سَيَزْدَادُ", "ar"),
    "arabic-stretched": ("أعلنـــت وزارة الصـــحة اليـــوم أن عدد المراكـــز سيـــزداد في المـــدينة", "ar"),
    "arabic-and-english": (f"{ARABIC} {ARABIC} {ENGLISH}", None),
    "three-languages": (f"{ARABIC}\n{PERSIAN}\n{ENGLISH}", None),
    "mojibake": (ARABIC.encode().decode("latin-1"), None),
    "mojibake-1256": ("ÃÚáäÊ æÒÇÑÉ ÇáÕÍÉ Çáíæã Ãä ÚÏÏ ÇáãÑÇßÒ", None),
    "upper-case": (ENGLISH.upper(), "en"),
    "decomposed": (unicodedata.normalize("NFD", ARABIC), "ar"),
    "presentation-form-word": ("ﺍﻟﺴﻼﻡ ﻋﻠﻴﻜﻢ ﻭﺭﺣﻤﺔ ﺍﻟﻠﻪ", None),
    "transliteration": ("salam chetori khoobi man khoobam merci", None),
    "urls-only": ("https://example.org/a?b=c&d=e http://example.net/%D8%A3", None),
    "base64": ("QWxsIHRoZSB3b3JsZCBpcyBhIHN0YWdl" * 100, None),
    "code": ("def f(x):\n    return {k: v for k, v in x.items()}\n" * 20, None),
    "quotes-unbalanced": (f"«{ARABIC} “{ARABIC} ({ARABIC}", "ar"),
    "abbreviations": ("Dr. J. K. Smith of the U.S. Dept. of State met Prof. A. Lee at 5 p.m. on Jan. 3.", "en"),
    "ellipses": ("..." + ENGLISH + "....?!?!…", "en"),
    "nested-quotes": (f"'\"«{ENGLISH}»\"'", "en"),
    "astral-before-names": ("😀" * 100 + ENGLISH, "en"),
    "alternating-scripts": ("aم" * 2000, None),
    "alternating-direction": ("\u202ea\u202cم " * 500, None),
    "hangul-filler": ("\u3164" * 10, None),
    "braille-blank": ("\u2800" * 10, None),
}


def cases() -> Iterator[Case]:
    """Strange articles of every language, as JSON and as plain text."""
    for language, text in TEXTS.items():
        middle = text.index(" ") + 1
        for name, piece in ODD.items():
            value = article(body=f"{text[:middle]}{piece} {text[middle:]} {text}")
            yield Case(f"{language}-{name}", "unicode", value, Enriched(language=language, summary=True))
    for name, piece in ODD.items():
        yield Case(f"title-{name}", "unicode", article(body=ARABIC, title=f"{piece}{PERSIAN}{piece}"), Enriched(summary=True))
    for name, text in BLANK.items():
        yield Case(f"blank-{name}", "text", article(body=text, title=ENGLISH), Dead("empty_body"))
        yield Case(f"blank-plain-{name}", "text", text.encode(), Dead("empty_body"), headers=PLAIN)
    for name, text in WORDLESS.items():
        yield Case(f"wordless-{name}", "text", article(body=text), Enriched(language="und"))
    for code, text in OTHER_LANGUAGES.items():
        yield Case(f"language-{code}", "text", article(body=text), Enriched(language=code, summary=True))
    for name, (text, wanted) in STRANGE.items():
        yield Case(f"strange-{name}", "text", article(body=text), Enriched(language=wanted))
        yield Case(f"strange-plain-{name}", "text", text.encode(), Enriched(language=wanted), headers=PLAIN)
    nul = f"{ENGLISH}\x00".encode()
    yield Case("plain-nul", "text", nul, Dead("invalid_schema"), headers=PLAIN)
    yield Case("plain-json", "text", article(body=ENGLISH), Enriched(language="en"), headers=PLAIN)
    yield from _sizes()


def _sizes() -> Iterator[Case]:
    frame = len(article(body=""))
    for over in (-1, 0, 1, 100):
        expect: Enriched | Dead = Dead("too_large") if over > 0 else Enriched()
        yield Case(
            f"json-limit{over:+d}",
            "size",
            article(body="b " * ((MAX_BYTES + over - frame) // 2) + "b" * ((MAX_BYTES + over - frame) % 2)),
            expect,
        )
        yield Case(f"plain-limit{over:+d}", "size", b"x" * (MAX_BYTES + over), expect, headers=PLAIN)
    letters = (MAX_BYTES - frame) // 2
    yield Case("arabic-at-limit", "size", article(body="م" * letters), Enriched())
    yield Case("arabic-over-limit", "size", article(body="م" * (letters + 1)), Dead("too_large"))
    yield Case("ten-megabytes", "size", article(body="x" * 10_000_000), Dead("too_large"))
    yield Case("ten-megabytes-of-brackets", "size", b"[" * 10_000_000, Dead("too_large"))
    yield Case("ten-megabytes-of-junk", "size", b"\xff" * 10_000_000, Dead("too_large"))
    yield Case("ten-megabytes-plain", "size", (ARABIC * 70_000).encode()[:10_000_000], Dead("too_large"), headers=PLAIN)
    yield Case("escapes-at-limit", "size", raw_json('{"body": "' + "\\u0645" * 10_000 + '"}'), Enriched())
    yield Case("quotes-that-grow", "size", article(body='"\\' * 15_000), Enriched(language="und"))
    yield Case("large-title", "size", article(body=ARABIC, title=ENGLISH * 300), Enriched())
    yield Case("large-unknown-member", "size", article(body=ARABIC, blob="x" * 60_000), Enriched(language="ar"))
    yield Case("smallest", "size", b'{"body":"x"}', Enriched())
    yield Case("smallest-plain", "size", b"x", Enriched(), headers=PLAIN)
    yield Case("full-stops-at-limit", "size", article(body=". " * 30_000), Enriched(language="und"))
    yield Case("capitals-at-limit", "size", article(body="London Paris " * 4000), Enriched())
    yield Case("sentences-of-one-letter", "size", article(body="a. " * 20_000), Enriched())
    yield Case(
        "spaces-before-and-after", "size", article(body=" " * 30_000 + ENGLISH + " " * 30_000), Enriched(language="en", summary=True)
    )
    yield Case("zero-widths-at-limit", "size", article(body=ARABIC + "\u200b" * 20_000), Enriched(language="ar"))
