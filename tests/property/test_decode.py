"""Decoding any bytes: an article or a `DecodeError`, nothing else; and what is valid comes through whole."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.property import strategies as texts
from worker.decode import Decoded, decode
from worker.errors import REASONS, DecodeError

RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
FRAGMENTS = st.lists(
    st.sampled_from([b'{"body":"', b'"}', b'"', b"\\", b"\\u0000", b"\\ud83d", b"\xed\xa0\x80", b"[", b"{", b"}", b"]", b",", b":"])
    | st.sampled_from([b"1e9", b"-", b"\x00", b"NaN", b"\xef\xbb\xbf", b" "])
    | st.binary(max_size=4),
    max_size=12,
).map(b"".join)  # fmt: skip


def attempt(value: bytes, *, plain_text: bool, max_bytes: int) -> tuple[Decoded | None, DecodeError]:
    """What decoding gives: an article, or the one kind of error it may raise; anything else ends the test."""
    try:
        return decode(value, plain_text=plain_text, max_bytes=max_bytes), DecodeError("none", reason="invalid_json")
    except DecodeError as error:
        return None, error


@RELAXED
@given(st.binary(max_size=300) | FRAGMENTS, st.booleans(), st.integers(0, 300))
def test_any_bytes(value: bytes, plain_text: bool, max_bytes: int) -> None:  # noqa: FBT001 - drawn by hypothesis
    """Nothing but `DecodeError` is raised, with a reason of the list and one short line."""
    decoded, error = attempt(value, plain_text=plain_text, max_bytes=max_bytes)
    if decoded is None:
        assert error.reason in REASONS
        assert "\n" not in str(error)
        assert len(str(error)) < 200
    else:
        assert decoded.article.body.strip()
        assert json.loads(bytes(decoded.raw))["body"] == decoded.article.body


@RELAXED
@given(st.dictionaries(texts.TEXTS | st.sampled_from(["id", "title", "n"]), texts.JSON, max_size=5), texts.BODIES)
def test_what_python_writes(members: dict[str, Any], body: str) -> None:
    """An object of JSON's own values is carried on whole; what JSON lacks, or a member of the wrong kind, is refused."""
    value = json.dumps({**members, "body": body}).encode()
    decoded, error = attempt(value, plain_text=False, max_bytes=len(value))
    if decoded is None:
        assert error.reason in {"invalid_json", "invalid_schema"}
        assert error.reason == "invalid_schema" or b"NaN" in value or b"Infinity" in value
    else:
        assert json.loads(bytes(decoded.raw)) == {**members, "body": body}
        assert decoded.article.body == body


@RELAXED
@given(texts.BODIES)
def test_plain_text(body: str) -> None:
    """Any text without NUL is its own body, but for one byte order mark."""
    decoded = decode(body.encode(), plain_text=True, max_bytes=10_000)
    assert decoded.article.body == body.removeprefix("\ufeff")
