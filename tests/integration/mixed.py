"""300 mixed articles: good ones in three languages, every kind of bad one, tombstones, keys of every sort."""

import json
from typing import NamedTuple

MAX_ARTICLE_BYTES = 65536
"""What the workers of these tests run with, so that a too large article need not be a megabyte."""

TEXTS = {
    "ar": "وصل الوزير سامر الحلبي إلى مدينة تونس صباح الأحد. وقال الحلبي إن بلاده ستوقع اتفاقا مع شركة النور للكهرباء. "
    "وتستضيف العاصمة مؤتمرا دوليا حول المياه في الشهر المقبل.",
    "fa": "نرگس رضایی، شهردار شیراز، روز شنبه از آغاز ساخت یک پارک تازه خبر داد. او گفت شرکت سازه نو این طرح را اجرا می‌کند. "
    "ساکنان محله از این تصمیم استقبال کردند.",
    "en": "Mayor Ingrid Solheim opened a new bridge in Bergen on Monday. The company Nordbro built it in two years. "
    "Residents of the harbour district had waited for it since the last flood.",
}
CODES = {"ar": "ar", "fa": "fa", "en": "en"}


class Case(NamedTuple):
    """A record to send and what must become of it.

    ``expected`` is a language code, a dead letter's reason, or ``tombstone``.
    """

    number: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    expected: str


def cases(count: int = 300) -> list[Case]:
    """Make them; the same every time."""
    return [_case(number) for number in range(count)]


def _case(number: int) -> Case:
    value, expected, headers = _content(number)
    headers = [*headers, ("n", str(number).encode()), ("trace", b"one"), ("trace", b"two")]
    return Case(number, _key(number), value, headers, expected)


def _key(number: int) -> bytes | None:
    if number % 11 == 4 and number % 29 != 13:  # kafka-python sends no record that has neither key nor value
        return None
    if number % 11 == 7:
        return b"\xff\xfe\x00" + bytes([number % 5])
    return f"source-{number % 17}".encode()


def _content(number: int) -> tuple[bytes | None, str, list[tuple[str, bytes | None]]]:
    if number % 29 == 13:
        return None, "tombstone", []
    if number % 6 == 5:
        value, reason = BAD[(number // 6) % len(BAD)]
        return value, reason, []
    language = ("ar", "fa", "en")[number % 3]
    if number % 31 == 12:
        return TEXTS[language].encode(), language, [("content-type", b"text/plain")]
    article = {
        "id": f"a-{number}",
        "title": TEXTS[language].split(".")[0],
        "body": TEXTS[language] + "\n" + TEXTS[language],
        "desk": {"n": number},
    }
    return json.dumps(article, ensure_ascii=number % 2 == 0).encode(), language, []


BAD: list[tuple[bytes, str]] = [
    (b'{"body": "\xff\xfe"}', "invalid_utf8"),
    (b"no json at all", "invalid_json"),
    (b"", "invalid_json"),
    (b'{"body": NaN}', "invalid_json"),
    (b'["a", "list"]', "invalid_schema"),
    (b'{"title": "no body"}', "invalid_schema"),
    (b'{"body": 17}', "invalid_schema"),
    (b'{"body": " \\n\\t "}', "empty_body"),
    (b'{"body": "x", "deep": ' + b"[" * 500 + b"]" * 500 + b"}", "too_deep"),
    (json.dumps({"body": "x" * (MAX_ARTICLE_BYTES + 1)}).encode(), "too_large"),
]
"""A value of every decode reason, and the reason."""
