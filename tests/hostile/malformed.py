"""Classes ``bytes``, ``json`` and ``structure``: what is no article, and what only looks so."""

from collections.abc import Iterator

from tests.hostile.cases import ARABIC, ENGLISH, MAX_BYTES, PERSIAN, PLAIN, Case, Dead, Enriched, article, raw_json

INVALID_UTF8 = {
    "lone-continuation": b"\x80",
    "lone-continuation-bf": b"\xbf",
    "two-continuations": b"\x80\xbf",
    "overlong-slash-2": b"\xc0\xaf",
    "overlong-nul-2": b"\xc0\x80",
    "overlong-c1": b"\xc1\xbf",
    "overlong-3": b"\xe0\x80\xaf",
    "overlong-3-edge": b"\xe0\x9f\xbf",
    "overlong-4": b"\xf0\x80\x80\xaf",
    "overlong-4-edge": b"\xf0\x8f\xbf\xbf",
    "five-byte-form": b"\xf8\x88\x80\x80\x80",
    "six-byte-form": b"\xfc\x84\x80\x80\x80\x80",
    "truncated-2": b"\xd8",
    "truncated-3": b"\xe2\x82",
    "truncated-4": b"\xf0\x9f\x98",
    "truncated-then-ascii": b"\xd9a",
    "surrogate-high": b"\xed\xa0\x80",
    "surrogate-low": b"\xed\xbf\xbf",
    "surrogate-pair-cesu8": b"\xed\xa0\xbd\xed\xb8\x80",
    "above-10ffff": b"\xf4\x90\x80\x80",
    "above-10ffff-f5": b"\xf5\x80\x80\x80",
    "byte-fe": b"\xfe",
    "byte-ff": b"\xff",
    "bom-utf16-le": b"\xff\xfe",
    "bom-utf16-be": b"\xfe\xff",
    "latin-1": "café à Paris".encode("latin-1"),
    "windows-1256": ARABIC.encode("windows-1256"),
    "iso-8859-6": "أعلنت وزارة الصحة اليوم".encode("iso-8859-6"),
    "windows-1251": "Министерство сообщило".encode("windows-1251"),
    "shift-jis": "交通省は月曜日".encode("shift-jis"),
    "gbk": "交通部门".encode("gbk"),
    "half-of-a-letter-at-the-end": ARABIC.encode()[:-2],
}

NOT_TEXT = {
    "gzip": (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "invalid_utf8"),
    "png": (b"\x89PNG\r\n\x1a\n\x00\x00", "invalid_utf8"),
    "confluent-avro": (b"\x00\x00\x00\x00\x07\x12abc", "invalid_json"),
    "protobuf": (b"\x0a\x05hello\x12\x03abc", "invalid_json"),
    "java-serialised": (b"\xac\xed\x00\x05t\x00\x04body", "invalid_utf8"),
    "pickle": (b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00", "invalid_utf8"),
    "msgpack-map": (b"\x81\xa4body\xa1x", "invalid_utf8"),
    "cbor-map": (b"\xa1dbodyax", "invalid_utf8"),
    "bson": (b"\x14\x00\x00\x00\x02body\x00\x02\x00\x00\x00x\x00\x00", "invalid_json"),
    "utf16-le": (article(body="x").decode().encode("utf-16-le"), "invalid_json"),
    "utf16-be": (article(body="x").decode().encode("utf-16-be"), "invalid_json"),
    "utf16-bom": (article(body=ARABIC).decode().encode("utf-16"), "invalid_utf8"),
    "utf32-le": (article(body="x").decode().encode("utf-32-le"), "invalid_json"),
    "zeros": (b"\x00" * 64, "invalid_json"),
    "spaces": (b" " * 64, "invalid_json"),
    "all-bytes": (bytes(range(256)), "invalid_utf8"),
}

NOT_JSON = {
    "empty": "",
    "newline": "\n",
    "bare-word": "body",
    "open-brace": "{",
    "open-string": '{"body": "x',
    "open-object": '{"body": "x"',
    "key-only": '{"body"}',
    "key-colon": '{"body":}',
    "two-values": '{"body": "x"} {"body": "y"}',
    "json-lines": '{"body": "x"}\n{"body": "y"}\n',
    "extra-brace": '{"body": "x"}}',
    "trailing-word": '{"body": "x"} end',
    "trailing-nul": '{"body": "x"}\x00',
    "trailing-comma": '{"body": "x",}',
    "leading-comma": '{,"body": "x"}',
    "double-comma": '{"body": "x",,"id": "1"}',
    "no-comma": '{"body": "x" "id": "1"}',
    "semicolon": '{"body": "x"; "id": "1"}',
    "equals": '{"body" = "x"}',
    "single-quotes": "{'body': 'x'}",
    "typographic-quotes": "{“body”: “x”}",
    "unquoted-key": '{body: "x"}',
    "number-key": '{1: "x"}',
    "comment-block": '{"body": "x" /* c */}',
    "comment-line": '{"body": "x"} // c',
    "comment-hash": '# c\n{"body": "x"}',
    "nan": '{"body": "x", "score": NaN}',
    "infinity": '{"body": "x", "score": Infinity}',
    "minus-infinity": '{"body": "x", "score": -Infinity}',
    "nan-as-body": '{"body": NaN}',
    "true-capital": '{"body": "x", "flag": True}',
    "none": '{"body": "x", "flag": None}',
    "undefined": '{"body": "x", "flag": undefined}',
    "hex-number": '{"body": "x", "n": 0x1F}',
    "leading-zero": '{"body": "x", "n": 012}',
    "plus-number": '{"body": "x", "n": +1}',
    "point-first": '{"body": "x", "n": .5}',
    "point-last": '{"body": "x", "n": 1.}',
    "exponent-empty": '{"body": "x", "n": 1e}',
    "two-points": '{"body": "x", "n": 1.2.3}',
    "minus-only": '{"body": "x", "n": -}',
    "underscored-number": '{"body": "x", "n": 1_000}',
    "arabic-digits": '{"body": "x", "n": ١٢٣}',
    "exponent-too-large": '{"body": "x", "n": 1e400}',
    "exponent-too-large-negative": '{"body": "x", "n": -1e999}',
    "raw-newline": '{"body": "one\ntwo"}',
    "raw-tab": '{"body": "one\ttwo"}',
    "raw-nul": '{"body": "one\x00two"}',
    "raw-escape": '{"body": "one\x1btwo"}',
    "raw-control-in-key": '{"bo\x01dy": "x"}',
    "bad-escape": '{"body": "\\x41"}',
    "bad-escape-quote": '{"body": "\\\'"}',
    "short-unicode-escape": '{"body": "\\u12"}',
    "bad-unicode-escape": '{"body": "\\u12G4"}',
    "backslash-last": '{"body": "x\\"}',
    "lone-high-surrogate": '{"body": "a\\ud800b and some more text after it"}',
    "lone-low-surrogate": '{"body": "a\\udc00b and some more text after it"}',
    "lone-high-at-end": '{"body": "a\\ud83d"}',
    "swapped-surrogates": '{"body": "a\\ude00\\ud83d b and more"}',
    "two-high-surrogates": '{"body": "a\\ud83d\\ud83d b and more"}',
    "high-then-letter-escape": '{"body": "a\\ud83d\\u0041 b and more"}',
    "lone-surrogate-in-key": '{"\\ud800 key": 1, "body": "x"}',
    "lone-surrogate-in-unknown-member": '{"body": "x", "note": "\\udfff and more"}',
    "lone-surrogate-behind-later-body": '{"body": "a\\udc00b and more", "body": " "}',
    "lone-surrogate-behind-later-object": '{"note": {"in": ["\\udfff"]}, "body": "x", "note": 1}',
    "exponent-behind-later-member": '{"n": 1e400, "body": "x", "n": 1}',
    "two-boms": "\ufeff\ufeff" + '{"body": "x"}',
    "bom-after": '{"body": "x"}\ufeff',
    "bom-inside": '{\ufeff"body": "x"}',
    "no-break-space-between": '{"body":\u00a0"x"}',
    "form-feed-between": '{"body":\x0c"x"}',
    "line-separator-between": '{"body":\u2028"x"}',
    "xml": "<article><body>x</body></article>",
    "yaml": "body: x\nid: 1\n",
    "csv": "id,body\n1,x\n",
    "python-literal": "{'body': u'x'}",
    "base64-json": "eyJib2R5IjogIngifQ==",
    "jsonp": 'callback({"body": "x"})',
    "xssi-prefix": ')]}\',\n{"body": "x"}',
}

NOT_AN_ARTICLE = {
    "null": "null",
    "true": "true",
    "number": "42",
    "string": '"body"',
    "array": "[]",
    "array-of-articles": '[{"body": "x"}]',
    "no-members": "{}",
    "body-missing": '{"id": "1", "title": "t"}',
    "body-capital": '{"Body": "x"}',
    "body-with-space": '{" body": "x"}',
    "body-nested": '{"article": {"body": "x"}}',
    "body-null": '{"body": null}',
    "body-number": '{"body": 12}',
    "body-float": '{"body": 1.5}',
    "body-true": '{"body": true}',
    "body-list": '{"body": ["x"]}',
    "body-object": '{"body": {"text": "x"}}',
    "body-last-wins-null": '{"body": "x", "body": null}',
    "body-nul": '{"body": "one\\u0000two"}',
    "title-nul": '{"body": "x y", "title": "\\u0000"}',
    "id-nul": '{"body": "x y", "id": "a\\u0000"}',
    "id-number": '{"body": "x y", "id": 7}',
    "id-list": '{"body": "x y", "id": ["7"]}',
    "title-object": '{"body": "x y", "title": {}}',
    "title-false": '{"body": "x y", "title": false}',
    "url-list": '{"body": "x y", "url": []}',
    "source-object": '{"body": "x y", "source": {"name": "n"}}',
    "published-at-number": '{"body": "x y", "published_at": 1700000000}',
    "language-list": '{"body": "x y", "language": ["ar"]}',
}


def cases() -> Iterator[Case]:
    """Every malformed record, and the near misses that are none."""
    for name, junk in INVALID_UTF8.items():
        yield Case(f"json-{name}", "bytes", b'{"body": "some text ' + junk + b'"}', Dead("invalid_utf8"))
        yield Case(f"plain-{name}", "bytes", b"some text " + junk, Dead("invalid_utf8"), headers=PLAIN)
    for name, (value, reason) in NOT_TEXT.items():
        yield Case(name, "bytes", value, Dead(reason))
    for name, text in NOT_JSON.items():
        yield Case(name, "json", raw_json(text), Dead("invalid_json"))
    for name, text in NOT_AN_ARTICLE.items():
        yield Case(name, "structure", raw_json(text), Dead("invalid_schema"))
    yield from _near_misses()
    yield from _nested()


def _near_misses() -> Iterator[Case]:
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in ARABIC)
    fine = {
        "bom-first": (b"\xef\xbb\xbf" + article(body=ARABIC), "ar"),
        "white-space-around": (b" \r\n\t" + article(body=PERSIAN) + b"\n\n ", "fa"),
        "all-escaped": (raw_json(f'{{"\\u0062ody": "{escaped}"}}'), "ar"),
        "escaped-pair": (raw_json(f'{{"body": "{ENGLISH} \\ud83d\\ude00"}}'), "en"),
        "escaped-slash": (raw_json(f'{{"body": "{ENGLISH} a\\/b \\" \\\\ \\b\\f\\n\\r\\t"}}'), "en"),
        "raw-delete-character": (raw_json(f'{{"body": "{ENGLISH}\x7f"}}'), "en"),
        "duplicate-body": (raw_json(f'{{"body": "x", "body": "{PERSIAN}"}}'), "fa"),
        "duplicate-body-first-invalid": (raw_json(f'{{"body": 7, "body": "{ENGLISH}"}}'), "en"),
        "duplicate-escaped-name": (raw_json(f'{{"body": "x", "\\u0062ody": "{ENGLISH}"}}'), "en"),
        "duplicate-unknown": (raw_json(f'{{"n": 1, "body": "{ENGLISH}", "n": 2}}'), "en"),
        "thirty-digits": (raw_json(f'{{"body": "{ENGLISH}", "n": {"9" * 30}}}'), "en"),
        "numbers-verbatim": (raw_json(f'{{"body": "{ENGLISH}", "n": [1.0, 1e2, -0.0, 1E-400, 0.10]}}'), "en"),
        "nulls-for-optional": (article(body=ARABIC, id=None, title=None, url=None, source=None, published_at=None, language=None), "ar"),
        "nul-in-unknown-member": (raw_json(f'{{"body": "{ENGLISH}", "note": "a\\u0000b"}}'), "en"),
        "empty-member-name": (raw_json(f'{{"": 1, "body": "{ENGLISH}"}}'), "en"),
        "members-named-as-ours": (article(body=ENGLISH, schema="x", entities=7, provenance=[], article={}, summary=None), "en"),
        "prototype-member": (article(body=ENGLISH, __proto__={"body": "y"}, constructor=1), "en"),
        "emoji-member-name": (article(**{"body": ENGLISH, "😀": "😀", "مفتاح": "قيمة"}), "en"),
        "empty-title": (article(body=ARABIC, title=""), "ar"),
        "empty-strings": (article(body=ARABIC, title=" ", url="", source="", published_at="", language=""), "ar"),
        "published-at-nonsense": (article(body=PERSIAN, published_at="yesterday"), "fa"),
        "url-javascript": (article(body=PERSIAN, url="javascript:alert(1)"), "fa"),
        "language-nonsense": (article(body=ARABIC, language="klingon-😀"), "ar"),
        "language-wrong": (article(body=ARABIC, language="en"), "ar"),
        "thousand-members": (article(**{"body": ENGLISH, **{f"m{number}": number for number in range(1000)}}), "en"),
        "long-member-name": (article(**{"body": ENGLISH, "m" * 20_000: 1}), "en"),
    }
    for name, (value, language) in fine.items():
        yield Case(name, "structure", value, Enriched(language=language))
    many = b'{"body": "x", "n": ' + b"9" * 5000 + b"}"
    yield Case("five-thousand-digits", "json", many, Dead("invalid_json"))
    last = raw_json(f'{{"body": "{ENGLISH}", "body": " "}}')
    yield Case("duplicate-body-last-blank", "structure", last, Dead("empty_body"))


def _nested() -> Iterator[Case]:
    def inside(opening: str, closing: str, depth: int) -> bytes:
        return raw_json(f'{{"body": "{ENGLISH}", "deep": {opening * depth}1{closing * depth}}}')

    for depth in (1, 50, 90):
        yield Case(f"arrays-{depth}-deep", "structure", inside("[", "]", depth), Enriched(language="en"))
        yield Case(f"objects-{depth}-deep", "structure", inside('{"a":', "}", depth), Enriched(language="en"))
    for depth in (110, 1000, 5000):
        yield Case(f"arrays-{depth}-deep", "structure", inside("[", "]", depth), Dead("too_deep"))
        yield Case(f"objects-{depth}-deep", "structure", inside('{"a":', "}", depth), Dead("too_deep"))
    huge = (MAX_BYTES - 200) // 2
    yield Case("arrays-to-the-limit", "structure", inside("[", "]", huge), Dead("too_deep"))
    yield Case("arrays-top-level", "structure", b"[" * huge + b"]" * huge, Dead("too_deep"))
    brackets = article(body=f"{ENGLISH} {'[' * 500}", note="{" * 500)
    yield Case("brackets-inside-strings", "structure", brackets, Enriched(language="en"))
    quotes = raw_json(f'{{"body": "{ENGLISH} \\"[[[[ \\\\", "note": "{"[" * 300}"}}')
    yield Case("brackets-behind-escaped-quotes", "structure", quotes, Enriched(language="en"))
