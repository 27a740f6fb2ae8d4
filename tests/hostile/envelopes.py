"""Classes ``headers``, ``keys`` and ``timestamps``: what stands around the value."""

from collections.abc import Iterator

from tests.hostile.cases import ARABIC, ENGLISH, PERSIAN, Case, Dead, Enriched, Headers, Tombstone, article

PLAIN_SPELLINGS: dict[str, Headers] = {
    "plain": [("content-type", b"text/plain")],
    "parameter": [("content-type", b"text/plain; charset=utf-8")],
    "parameter-tight": [("content-type", b"text/plain;charset=UTF-8")],
    "capitals": [("Content-Type", b"Text/Plain")],
    "spaces": [("content-type", b"  text/plain  ")],
}
"""Spellings of one media type: RFC 9110 makes type, subtype and field name case-insensitive, and allows parameters."""

OTHER_TYPES: dict[str, Headers] = {
    "none": [],
    "json": [("content-type", b"application/json")],
    "json-parameter": [("content-type", b"application/json; charset=utf-8")],
    "cloudevents-json": [("content-type", b"application/vnd.khabar+json")],
    "empty": [("content-type", b"")],
    "null": [("content-type", None)],
    "not-utf8": [("content-type", b"\xff\xfe")],
    "nonsense": [("content-type", b"\x00\x01;;;=")],
    "html": [("content-type", b"text/html")],
    "plain-prefix": [("content-type", b"text/plainer")],
}

CARRIED: dict[str, Headers] = {
    "traceparent": [("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), ("tracestate", b"a=b")],
    "traceparent-broken": [("traceparent", b"zz-not-a-trace")],
    "repeated": [("x", b"1"), ("x", b"2"), ("x", b"1")],
    "null-value": [("x", None)],
    "empty-value": [("x", b"")],
    "empty-name": [("", b"x")],
    "binary-value": [("x", bytes(range(256)))],
    "arabic-name": [("مصدر", "وكالة".encode())],
    "emoji-name": [("😀", "😀".encode())],
    "newline-in-name": [("a\r\nb: c", b"d\r\ne: f")],
    "hundred": [(f"h{number}", str(number).encode()) for number in range(100)],
    "large-value": [("x", b"v" * 20_000)],
    "long-name": [("n" * 2000, b"v")],
    "ce-forged": [("ce_id", b"forged"), ("ce_source", b"/forged"), ("ce_type", b"forged"), ("ce_specversion", b"9"), ("ce_forged", b"x")],
    "ce-not-utf8": [("ce_id", b"\xff")],
    "dead-letter-headers": [("khabar.error.reason", b"invalid_json"), ("khabar.error.stage", b"decode"), ("khabar.error.source", b"t/0/1")],
    "injection": [("x", b"'; DROP TABLE x; --"), ("y", b"<script>"), ("z", b"${jndi:ldap://x}")],
}

KEYS: dict[str, bytes] = {
    "text": b"article-17",
    "arabic": "مقال-١".encode(),
    "space": b" ",
    "not-utf8": b"\xff\xfe\x00",
    "nul": b"\x00",
    "nul-inside": b"a\x00b",
    "json": b'{"id": 1}',
    "newline": b"a\nb",
    "long": b"k" * 30_000,
    "emoji": "😀".encode(),
    "surrogate": b"\xed\xa0\x80",
    "bidi": "a\u202eb".encode(),
    "zero-width": "\u200b".encode(),
    "uuid-bytes": bytes(range(16)),
    "number-bytes": (7).to_bytes(8, "big"),
    "path": b"../../etc/passwd",
}
AS_ID = {"text", "arabic", "json", "newline", "long", "emoji", "bidi", "path"}
"""Keys that are text with something to see: they stand in for a missing id."""

TIMESTAMPS: dict[str, int | None] = {
    "none": None,
    "minus-one": -1,
    "zero": 0,
    "one": 1,
    "seconds-instead": 1_700_000_000,
    "microseconds-instead": 1_700_000_000_000_000,
    "nanoseconds-instead": 1_700_000_000_000_000_000,
    "year-1969": -1000,
    "year-2038": 2_147_483_648_000,
    "year-9999": 253_402_300_799_999,
    "year-10000": 253_402_300_800_000,
    "largest": 2**63 - 1,
    "smallest": -(2**63),
    "tomorrow": 1_900_000_000_000,
}


def cases() -> Iterator[Case]:
    """Every envelope around an ordinary article, some around a bad one."""
    for name, headers in PLAIN_SPELLINGS.items():
        yield Case(f"type-{name}", "headers", ARABIC.encode(), Enriched(language="ar", id="k1"), headers=headers)
    for name, headers in OTHER_TYPES.items():
        yield Case(f"type-{name}-json", "headers", article(body=PERSIAN), Enriched(language="fa"), headers=headers)
        yield Case(f"type-{name}-text", "headers", PERSIAN.encode(), Dead("invalid_json"), headers=headers)
    for name, headers in CARRIED.items():
        yield Case(f"carried-{name}", "headers", article(body=ARABIC, id="h1"), Enriched(language="ar", id="h1"), headers=headers)
        yield Case(f"dead-{name}", "headers", b"{", Dead("invalid_json"), headers=headers)
        yield Case(f"tombstone-{name}", "headers", None, Tombstone(), headers=headers)
    yield from _keys()
    for name, timestamp in TIMESTAMPS.items():
        yield Case(f"time-{name}", "timestamps", article(body=ENGLISH, id="t1"), Enriched(language="en", id="t1"), timestamp_ms=timestamp)
        yield Case(f"time-dead-{name}", "timestamps", b"[]", Dead("invalid_schema"), timestamp_ms=timestamp)


def _keys() -> Iterator[Case]:
    position = "articles.raw/0/7"
    for name, key in KEYS.items():
        wanted = key.decode() if name in AS_ID else position
        yield Case(f"key-{name}", "keys", article(body=ENGLISH), Enriched(id=wanted, key=key), key=key)
        yield Case(f"key-{name}-with-id", "keys", article(body=ENGLISH, id="i1"), Enriched(id="i1", key=key), key=key)
        yield Case(
            f"key-{name}-plain", "keys", ENGLISH.encode(), Enriched(id=wanted, key=key), key=key, headers=[("content-type", b"text/plain")]
        )
        yield Case(f"key-{name}-dead", "keys", b"nope", Dead("invalid_json"), key=key)
        yield Case(f"key-{name}-tombstone", "keys", None, Tombstone(), key=key)
    yield Case("key-none", "keys", article(body=ENGLISH), Enriched(id=position, key=position.encode()), key=None)
    yield Case("key-none-with-id", "keys", article(body=ENGLISH, id="i2"), Enriched(id="i2", key=b"i2"), key=None)
    yield Case("key-none-arabic-id", "keys", article(body=ENGLISH, id="خبر"), Enriched(id="خبر", key="خبر".encode()), key=None)
    yield Case("key-empty", "keys", article(body=ENGLISH), Enriched(id=position, key=b""), key=b"")
    yield Case("key-empty-with-id", "keys", article(body=ENGLISH, id="i3"), Enriched(id="i3", key=b""), key=b"")
    yield Case("key-none-dead", "keys", b"nope", Dead("invalid_json"), key=None)
    yield Case("key-none-tombstone", "keys", None, Tombstone(), key=None)
    for name, blank in {"empty": "", "space": "  ", "newline": "\n", "zero-width": "\u200b\u200c"}.items():
        yield Case(f"id-{name}", "keys", article(body=ENGLISH, id=blank), Enriched(id="k1"))
