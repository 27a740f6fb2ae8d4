"""Readable printing: what a terminal gets."""

import io
import json
import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from worker.display import LRI, PDI, RLI, Printer, isolated, names, one_line, printable, wrapped


def printed(width: int = 80) -> tuple[Printer, io.StringIO]:
    """A printer, and where it prints."""
    stream = io.StringIO()
    return Printer(Console(file=stream, width=width, force_terminal=True, color_system=None)), stream


@given(st.text())
def test_nothing_printed_is_a_control(text: str) -> None:
    """No escape sequence, no line end and no bidi embedding of an article reaches the terminal."""
    safe = printable(text)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", safe)


@given(st.text(), st.integers(min_value=2, max_value=60))
def test_lines_fit_and_nothing_is_lost(text: str, width: int) -> None:
    """Wrapped lines are at most so wide and hold every letter in order."""
    lines = wrapped(text, width=width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == printable(text).replace(" ", "")


def test_zero_width_letters_stay() -> None:
    """A zero-width non-joiner is spelling, not a control."""
    assert printable("می\u200cشود") == "می\u200cشود"


def test_each_line_is_isolated_in_its_direction() -> None:
    """What an article leaves open is closed with its line."""
    assert isolated("سلام\u202e", direction="rtl") == f"{RLI}سلام{PDI}"
    assert isolated("a\u2066b", direction="ltr") == f"{LRI}ab{PDI}"


def test_right_to_left_text_stands_at_the_right(enriched: Any) -> None:  # noqa: ANN401 - a fixture
    """Every line of an Arabic paragraph ends at the same column, in an isolate."""
    printer, stream = printed()
    body = "زارت سلمى الحداد مدينة العقبة أمس. " * 6
    printer.enriched(
        enriched({"title": "العقبة", "body": body}, names={"العقبة": "LOC"}, language="ar", direction="rtl", summary=body.strip())
    )
    lines = stream.getvalue().split("\n")
    paragraph = [line for line in lines if "زارت" in line or "مدينة" in line]
    assert len(paragraph) >= 3
    assert all(line.strip().startswith(RLI) and line.endswith(PDI) for line in paragraph)
    assert {cell_len(line.strip(f"{RLI}{PDI}").replace(RLI, "").replace(PDI, "")) for line in paragraph} == {78}


def test_an_enriched_article_is_told_in_a_few_lines(enriched: Any) -> None:  # noqa: ANN401 - a fixture
    """Language, id, title, summary, and each entity with its places."""
    printer, stream = printed(100)
    body = "Grace Wanjala spoke in Nairobi. " * 6
    printer.enriched(
        enriched(
            {"id": "k-1", "title": "Nairobi", "body": body},
            names={"Grace Wanjala": "PER", "Nairobi": "LOC"},
            summary="Grace Wanjala spoke in Nairobi.",
        ),
        note="articles.enriched/0/4",
    )
    text = stream.getvalue().replace(LRI, "").replace(PDI, "")
    assert "en 99% · k-1 · articles.enriched/0/4" in text
    assert "PER      50%  Grace Wanjala  body 0–13 · body 32–45 · body 64–77 · body 96–109 · 2 more" in text
    assert "LOC      50%  Nairobi  title 0–7 · body 23–30" in text


def test_many_entities_are_counted_and_shorter_mentions_shown(enriched: Any) -> None:  # noqa: ANN401 - a fixture
    """Beyond twenty they are counted; a mention in other words shows them."""
    printer, stream = printed()
    wanted = {f"Name{number}": "PER" for number in range(23)}
    value = enriched({"body": " ".join(wanted)}, names=wanted)
    printer.enriched(value.replace(b'"name":"Name0"', b'"name":"Dr Name0"'))
    assert "and 3 more" in stream.getvalue()
    assert f"body 0–5 {LRI}Name0{PDI}" in stream.getvalue()


def test_unknown_language_and_no_model_are_said(enriched: Any) -> None:  # noqa: ANN401 - a fixture
    """Without a language there is no confidence to print; without a title the id stands for it."""
    printer, stream = printed()
    printer.enriched(enriched({"id": "x-1", "title": 5, "body": "123"}, language="und", status="unsupported_language"))
    text = stream.getvalue()
    assert "und · " in text
    assert "no entity model for und" in text
    assert text.count("x-1") == 2


def test_a_dead_letter_says_why_and_what(dead_letter: Any) -> None:  # noqa: ANN401 - a fixture
    """Reason, place, error, and the beginning of the bytes; or without bytes, none."""
    printer, stream = printed()
    printer.dead_letter(dead_letter(), note="here")
    assert "dead letter · invalid_json" in stream.getvalue()
    assert "articles.raw/0/3" in stream.getvalue()
    assert "decode: not JSON at byte 1" in stream.getvalue()
    assert "{no" in stream.getvalue()
    printer, stream = printed()
    printer.dead_letter(dead_letter(value=None, error="\x1b[31mred", stage="\x1b]0;title\x07", failed_at="\x1b[2Jnow"))
    assert not {"\x1b", "\x07"} & set(stream.getvalue())


def test_other_records_are_text() -> None:
    """Anything can be looked at, tombstones and bytes as well."""
    printer, stream = printed()
    printer.other(None, note="t/0/1")
    printer.other(b"\xff\x1b[2J" + b"x" * 5000, note="t/0/2")
    text = stream.getvalue()
    assert "(tombstone)" in text
    assert "\\xff\ufffd[2J" in text
    assert "…" in text


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (None, "null"),
        (b'{"a": "\xd8\xa7"}', '{"a": "ا"}'),
        (b'{"a":\n 1}', '{"a":  1}'),
        (b'{"a":\r\n"\xe2\x80\xa8\xc2\x85"}\n', '{"a": "\u2028\x85"}'),
        (b"text", '"text"'),
        (b"\xff", '"\\\\xff"'),
        (b'"\xff"', '"\\"\\\\xff\\""'),
        (b"", '""'),
    ],
)
def test_for_programs_a_record_is_one_line_of_json(value: bytes | None, line: str) -> None:
    """JSON as it is, anything else as a JSON string."""
    assert one_line(value) == line


def test_long_white_space_is_printed_in_good_time() -> None:
    """A run of blanks without a line's end stays, one with it is a single space; neither costs its square."""
    began = time.process_time()
    assert len(printable("a" + " " * 300_000 + "b")) == 300_002
    assert printable("a" + " " * 300_000 + "\n" + "\t" * 300_000 + "b") == "a b"
    assert time.process_time() - began < 5


def test_what_is_too_deep_for_json_is_a_string() -> None:
    """Any sender can put it on a topic; it ends nothing."""
    assert json.loads(one_line(b"[" * 200_000)) == "[" * 200_000


def test_headers_are_printable() -> None:
    """The last of a name counts; bytes that are no text are shown."""
    assert names([("a", b"1"), ("a", b"2"), ("b", None), ("c", b"\xff")]) == {"a": "2", "b": "", "c": "\\xff"}
