"""The numbered articles that the rig feeds: three languages, small and large, some bad on purpose, each with what must come of it."""

import json
import random
from dataclasses import dataclass

from tests.faults.poison import MARKER

ENRICHED = frozenset({"enriched"})
TOMBSTONE = frozenset({"tombstone"})
MAX_ARTICLE_BYTES = 262_144
"""The rig's ``KHABAR_MAX_ARTICLE_BYTES``."""
MAX_OUTPUT_BYTES = 100_000
"""``max.message.bytes`` of the rig's output topic: articles that do not compress below it cannot be published."""
KEYS = 48

SENTENCES = {
    "ar": (
        "قالت وزارة النقل إن الجسر القديم سيغلق ثلاثة أشهر.",
        "وصل الوفد إلى مدينة بيروت مساء الأحد بعد رحلة طويلة.",
        "ينتظر المزارعون المطر منذ بداية الشتاء.",
        "أكد المتحدث أن الأسعار لن ترتفع قبل نهاية العام.",
        "افتتح المتحف قاعة جديدة تعرض فيها خرائط نادرة.",
        "تعمل الفرق على إصلاح خطوط الكهرباء في القرى البعيدة.",
    ),
    "fa": (
        "وزیر راه گفت که پل قدیمی تا سه ماه دیگر بسته می‌ماند.",
        "کتابخانهٔ شهر تبریز بخش تازه‌ای برای کودکان باز کرد.",
        "کشاورزان از آغاز زمستان چشم به راه باران هستند.",
        "سخنگو گفت قیمت‌ها تا پایان سال بالا نمی‌رود.",
        "گروهی از دانشجویان نقشه‌های کمیاب را بازسازی کردند.",
        "برق چند روستا پس از توفان دوباره وصل شد.",
    ),
    "en": (
        "The council of Westbrook voted to close the old bridge for three months.",
        "Farmers along the river have waited for rain since the winter began.",
        "A delegation arrived in Lisbon on Sunday evening after a long journey.",
        "The museum opened a new hall in which rare maps are shown.",
        "Prices will not rise before the end of the year, a spokeswoman said.",
        "Crews are mending power lines in the villages beyond the hills.",
    ),
}

BAD = {
    "invalid_utf8": b'{"body": "\xff\xfe"}',
    "invalid_json": b'{"body": "no end',
    "invalid_schema": b'{"body": 17}',
    "empty_body": '{"body": " \u200f\u200b\\n"}'.encode(),
    "too_deep": b'{"body": "x", "d": ' + b"[" * 500 + b"]" * 500 + b"}",
    "too_large": b"x" * (MAX_ARTICLE_BYTES + 1),
}
POISONED = {
    "kill": frozenset({"worker_crashed", "enrich_timeout"}),
    "hang": frozenset({"enrich_timeout", "worker_crashed"}),
    "burst": frozenset({"worker_crashed", "enrich_timeout"}),
    "raise": frozenset({"enrich_failed"}),
    "leak": ENRICHED,
    "once": ENRICHED,
}
"""What becomes of a poisoned article. A second fault that hits its last try may change how it ends, not whether."""


@dataclass(frozen=True)
class Article:
    """An article to feed.

    Args:
        number: counts up from 0.
        key: one of `KEYS`.
        value: None is a tombstone.
        expect: any of these may come of it: ``enriched``, ``tombstone`` or a dead letter's reason.
    """

    number: int
    key: bytes
    value: bytes | None
    expect: frozenset[str]


def make(number: int, *, seed: int, poison: str | None = None) -> Article:
    """Article ``number`` of this seed, poisoned if so wished."""
    dice = random.Random(f"{seed}/{number}")  # noqa: S311 - reproducible on purpose
    key = f"key-{number % KEYS}".encode()
    if poison is not None:
        body = f"{' '.join(SENTENCES['en'])} {MARKER}-{poison}-{number}"
        return Article(number, key, _encode(number, body), POISONED[poison])
    lot = dice.random()
    if lot < 0.01:
        return Article(number, key, None, TOMBSTONE)
    if lot < 0.05:
        reason = dice.choice(sorted(BAD))
        return Article(number, key, BAD[reason], frozenset({reason}))
    if lot < 0.055:
        blob = dice.randbytes(MAX_OUTPUT_BYTES).hex()
        return Article(number, key, _encode(number, SENTENCES["ar"][0], blob=blob), frozenset({"output_too_large"}))
    sentences = dice.choice([2, 4, 8, 30]) if lot < 0.98 else dice.choice([300, 900])
    language = dice.choice(sorted(SENTENCES))
    body = " ".join(dice.choice(SENTENCES[language]) for _ in range(sentences))
    return Article(number, key, _encode(number, body), ENRICHED)


def _encode(number: int, body: str, **members: object) -> bytes:
    return json.dumps({"id": f"a{number}", "title": body[:40], "body": body, "number": number, **members}, ensure_ascii=False).encode()
