"""Ministers: in ``وزیر دفاع آمریکا`` the name is the country's; what comes between is an office, no organisation."""

import re
from collections.abc import Mapping, Sequence

from worker.enrich.text import fold, listed
from worker.records import EntityType, FieldName, Mention

Named = tuple[Mention, EntityType]

_MINISTERS = listed(fold("وزیر وزرای وزیران وزيرا وزير وزراء"))
_ALLIANCES = listed(fold("أوبك اوپک الناتو ناتو بريكس بریکس آسيان آسه‌آن إيكواس إيغاد OPEC NATO BRICS ASEAN"))
"""Organisations that have ministers without being their office."""
_PORTFOLIOS = listed(
    fold(
        "امور و خارجه دفاع جنگ پشتیبانی نیروهای مسلح امنیت ملی داخلی داخله کشور اطلاعات دادگستری عدلیه نفت گاز انرژی نیرو آب برق اقتصاد "
        "اقتصادی دارایی مالی مالیه خزانه‌داری بودجه برنامه بازرگانی تجارت صنعت صنایع معدن معادن کشاورزی جهاد غذا بهداشت درمان سلامت "
        "آموزش پرورش عالی معارف علوم تحقیقات فناوری دیجیتال ارتباطات مخابرات راه شهرسازی مسکن حمل نقل ترابری هوانوردی توسعه کار "
        "تعاون رفاه اجتماعی فرهنگ فرهنگی ارشاد اسلامی میراث گردشگری ورزش جوانان زنان خانواده محیط زیست مهاجرت مهاجران "
        "جدید سابق پیشین اسبق کنونی فعلی وقت موقت مشاور"
    )
)
"""Words of the Persian names of ministries, and what else stands between a minister and the country."""
_COUNTRIES = frozenset(
    fold(name.replace("_", " "))
    for name in listed(
        """ایران عراق سوریه لبنان اردن فلسطین اسرائیل عربستان عربستان_سعودی یمن عمان قطر کویت بحرین امارات امارات_متحده امارات_متحده_عربی
        ترکیه مصر لیبی تونس الجزایر مراکش سودان سودان_جنوبی سومالی اتیوپی کنیا نیجریه آفریقای_جنوبی افغانستان پاکستان هند بنگلادش سریلانکا
        چین تایوان ژاپن کره_جنوبی کره_شمالی ویتنام تایلند اندونزی مالزی سنگاپور فیلیپین استرالیا نیوزیلند
        آمریکا امریکا ایالات_متحده ایالات_متحده_آمریکا کانادا مکزیک کوبا ونزوئلا کلمبیا برزیل آرژانتین شیلی پرو بولیوی
        روسیه اوکراین بلاروس گرجستان ارمنستان آذربایجان جمهوری_آذربایجان ترکمنستان ازبکستان تاجیکستان قزاقستان قرقیزستان
        بریتانیا انگلیس انگلستان فرانسه آلمان ایتالیا اسپانیا پرتغال یونان قبرس هلند بلژیک لوکزامبورگ اتریش سوئیس ایرلند سوئد نروژ دانمارک
        فنلاند لهستان چک جمهوری_چک اسلواکی مجارستان رومانی بلغارستان صربستان کرواسی اسلوونی بوسنی آلبانی لیتوانی لتونی استونی
        """
    )
)
"""Countries in Persian, as the press names them."""
_BEFORE = re.compile(r"([^\W_]+)\s+\Z")
_FIRST = re.compile(r"[^\W_]+")
_LOOK_BACK = 16


def without_offices(texts: Mapping[FieldName, str], found: Sequence[Named]) -> list[Named]:
    """Turn an organisation that is a minister's office into the place it ends with.

    That is a place which the article names elsewhere, or a country known in Persian behind a known portfolio.

    Args:
        texts: the fields.
        found: mentions with what the model called them. Models trained on Persian news take ``دفاع آمریکا`` behind
            ``وزیر`` for an organisation.

    Returns:
        The same mentions; offices cut down to the place, and left out where one single word or a portfolio is all there is.
    """
    places = {mention.text for mention, kind in found if kind == "LOC"}
    kept: list[Named] = []
    for mention, kind in found:
        if kind != "ORG" or fold(mention.text) in _ALLIANCES or not _is_office(texts[mention.field], mention):
            kept.append((mention, kind))
            continue
        tail = _tail(mention.text, places)
        if tail:
            kept.append((Mention(field=mention.field, start=mention.end - len(tail), end=mention.end, text=tail), "LOC"))
        elif " " in mention.text and not _is_portfolio(mention.text.split(" ")):
            kept.append((mention, kind))
    return kept


def _is_office(text: str, mention: Mention) -> bool:
    """Whether a minister stands right before the mention, or at its beginning."""
    before = _BEFORE.search(text, max(mention.start - _LOOK_BACK, 0), mention.start)
    first = _FIRST.match(mention.text)
    return any(word is not None and fold(word) in _MINISTERS for word in (before and before[1], first and first[0]))


def _tail(name: str, places: set[str]) -> str:
    """The longest run of last words that is a place."""
    words = name.split(" ")
    tails = ((words[:start], " ".join(words[start:])) for start in range(len(words)))
    return next((tail for office, tail in tails if (office and tail in places) or (fold(tail) in _COUNTRIES and _is_portfolio(office))), "")


def _is_portfolio(words: Sequence[str]) -> bool:
    """Whether a minister of that is what all the words say, the minister among them or not."""
    return all(word in _PORTFOLIOS or word in _MINISTERS for word in map(fold, words))
