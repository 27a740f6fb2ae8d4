"""`worker.decode`: every way in which bytes can fail to be an article, and what is carried on when they are one."""

import json
import tracemalloc

import msgspec
import pytest

from worker.decode import MAX_DEPTH, decode
from worker.errors import DecodeError

ROOM = 1_000_000


def read(value: bytes, *, plain_text: bool = False, max_bytes: int = ROOM) -> tuple[str, bytes]:
    """Decode and give back the body and the raw object."""
    decoded = decode(value, plain_text=plain_text, max_bytes=max_bytes)
    return decoded.article.body, bytes(decoded.raw)


def nested(levels: int) -> bytes:
    """An article whose object nests so many levels, its own included."""
    return b'{"body":"x","n":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


@pytest.mark.parametrize(
    ("value", "reason", "says"),
    [
        (b"", "invalid_json", "empty"),
        (b" \n", "invalid_json", "empty"),
        (b"news", "invalid_json", "invalid character"),
        (b'{"body":"x"', "invalid_json", "truncated"),
        (b'{"body":"x",}', "invalid_json", "trailing comma"),
        (b'{"body":"x"} {}', "invalid_json", "trailing characters"),
        (b"{'body':'x'}", "invalid_json", "strings"),
        (b'{"body":"a\x00b"}', "invalid_json", "invalid character"),
        (b'{"body":"a\nb"}', "invalid_json", "invalid character"),
        (b'{"body":"x","n":NaN}', "invalid_json", "invalid character"),
        (b'{"body":"x","n":-Infinity}', "invalid_json", "invalid character"),
        (b'{"body":"x","n":1e999}', "invalid_json", "out of range"),
        (b'{"body":"x","n":' + b"9" * 5000 + b"}", "invalid_json", "out of range"),
        (b'{"body":"x","n":"\\ud800"}', "invalid_json", "not JSON"),
        (b'{"body":"\\udc00 x"}', "invalid_json", "surrogate"),
        (b'\xff\xfe{\x00"\x00', "invalid_utf8", "byte 0"),
        (b'{"body":"\xed\xa0\x80"}', "invalid_utf8", "byte 9"),
        (b'{"body":"\xc3"}', "invalid_utf8", "byte 9"),
        (b"[]", "invalid_schema", "an array, not an object"),
        (b'"text"', "invalid_schema", "a string, not an object"),
        (b"17", "invalid_schema", "a number, not an object"),
        (b"null", "invalid_schema", "null, not an object"),
        (b"true", "invalid_schema", "a boolean, not an object"),
        (b"{}", "invalid_schema", "`body` is missing"),
        (b'{"body":null}', "invalid_schema", "`body` is null"),
        (b'{"body":["x"]}', "invalid_schema", "`body` is an array"),
        (b'{"body":{"text":"x"}}', "invalid_schema", "`body` is an object"),
        (b'{"body":"x","id":7}', "invalid_schema", "`id` is a number"),
        (b'{"body":"x","title":false}', "invalid_schema", "`title` is a boolean"),
        (b'{"body":"x","language":["ar"]}', "invalid_schema", "`language` is an array"),
        (b'{"body":"a\\u0000b"}', "invalid_schema", "NUL at code point 1"),
        (b'{"body":"x","title":"\\u0000"}', "invalid_schema", "`title` holds a NUL"),
        (b'{"body":""}', "empty_body", "`body` is blank"),
        (b'{"body":" \\t\\n\\u00a0\\u3000\\u2028"}', "empty_body", "`body` is blank"),
        ('{"body":"\u200b\u200f\u202e\ufeff\u0007"}'.replace("\u0007", "\\u0007").encode(), "empty_body", "`body` is blank"),
        (b"[" * 100_000, "too_deep", "deep"),
        (nested(100_000), "too_deep", "deep"),
        (nested(MAX_DEPTH + 1), "too_deep", "deep"),
        (b'{"body":"x","n":' + b'{"n":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH + b"}", "too_deep", "deep"),
    ],
)
def test_each_fault_has_its_reason(value: bytes, reason: str, says: str) -> None:
    """A fault is told by its slug and by one short line."""
    with pytest.raises(DecodeError) as caught:
        decode(value, plain_text=False, max_bytes=ROOM)
    assert caught.value.reason == reason
    assert caught.value.stage == "decode"
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 160


def test_size_counts_first() -> None:
    """A record over the limit is `too_large` whatever it holds; one at the limit is read."""
    value = b'{"body":"abc"}'
    assert read(value, max_bytes=len(value))[0] == "abc"
    with pytest.raises(DecodeError, match="14 bytes, 13 are allowed") as caught:
        decode(b"\xff" * 14, plain_text=False, max_bytes=13)
    assert caught.value.reason == "too_large"


def test_deepest_allowed_nesting_passes() -> None:
    """A hundred levels are allowed; many shallow brackets are no depth."""
    assert read(nested(MAX_DEPTH))[0] == "x"
    flat = b'{"body":"[[[","n":[' + b",".join([b"[]"] * 500) + b"]}"
    assert read(flat)[0] == "[[["


def test_a_hidden_member_is_deep_too() -> None:
    """What a later member of the same name hides is carried on as well, so it counts."""
    deep = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    with pytest.raises(DecodeError) as caught:
        read(b'{"body":"x","a":{"z":' + deep + b',"z":1}}')
    assert caught.value.reason == "too_deep"
    brackets = json.dumps({"body": "x", "a": "[{" * MAX_DEPTH + '"'}).encode()
    assert read(brackets)[0] == "x"


def test_looking_for_depth_takes_little_memory() -> None:
    """A long text beside many brackets: what is remembered for each letter of it would end the process that reads it."""
    text = "x" * 400_000 + '\\"' * 50_000
    value = json.dumps({"body": text, "other": [[]] * MAX_DEPTH}).encode()
    tracemalloc.start()
    try:
        assert read(value)[0] == text
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * len(value)


def test_members_are_carried_on_in_their_own_spelling() -> None:
    """Numbers, escapes, order and unknown members survive byte for byte; white space between them does not."""
    value = (
        b'{ "score": 1.50e+3, "big": 123456789012345678901234567890,\n "body": "caf\\u00e9 \\/ \xf0\x9f\x98\x80", "x": [1 , {"y": -0}] }'
    )
    body, raw = read(value)
    assert body == "café / 😀"
    assert raw == b'{"score":1.50e+3,"big":123456789012345678901234567890,"body":"caf\\u00e9 \\/ \xf0\x9f\x98\x80","x":[1,{"y":-0}]}'


def test_last_of_duplicate_members_counts() -> None:
    """A member given twice is read, and carried on, as its last value."""
    body, raw = read(b'{"body":"first","title":"t","body":"last"}')
    assert body == "last"
    assert json.loads(raw, object_pairs_hook=lambda pairs: pairs) == [("body", "last"), ("title", "t")]


def test_null_optional_members_count_as_absent() -> None:
    """`null` for an optional member is no fault and no text, and stays in the raw object."""
    decoded = decode(b'{"id":null,"title":null,"body":"x","language":null}', plain_text=False, max_bytes=ROOM)
    assert (decoded.article.id, decoded.article.title, decoded.article.language) == (None, None, None)
    assert b'"title":null' in bytes(decoded.raw)


def test_all_known_members_are_read() -> None:
    """Every member of RawArticle arrives where it belongs."""
    members = {"id": "1", "title": "t", "url": "u", "source": "s", "published_at": "p", "language": "ar", "body": "متن"}
    article = decode(json.dumps(members).encode(), plain_text=False, max_bytes=ROOM).article
    assert msgspec.to_builtins(article) == members


def test_byte_order_mark_is_no_text() -> None:
    """A UTF-8 signature before JSON or text is skipped; a second one is text."""
    assert read(b'\xef\xbb\xbf{"body":"x"}')[0] == "x"
    assert read(b"\xef\xbb\xbf\xef\xbb\xbfx", plain_text=True)[0] == "\ufeffx"


def test_plain_text_is_the_body_as_it_stands() -> None:
    """A bare body is taken whole, its white space too, and becomes an object that holds it."""
    text = ' {"body": "no JSON"}\n'
    body, raw = read(text.encode(), plain_text=True)
    assert body == text
    assert json.loads(raw) == {"body": text}


@pytest.mark.parametrize(
    ("value", "reason"), [(b"", "empty_body"), (b"\n \xe2\x80\x8f", "empty_body"), (b"\xff", "invalid_utf8"), (b"a\x00", "invalid_schema")]
)
def test_plain_text_faults(value: bytes, reason: str) -> None:
    """A bare body has the same reasons as one in JSON."""
    with pytest.raises(DecodeError) as caught:
        decode(value, plain_text=True, max_bytes=ROOM)
    assert caught.value.reason == reason


@pytest.mark.parametrize("body", [".", "😀", "\u0301", "\u2800", "0"])
def test_anything_visible_is_no_blank_body(body: str) -> None:
    """Punctuation, emoji, a lone mark and digits are a body."""
    assert read(json.dumps({"body": body}).encode())[0] == body
