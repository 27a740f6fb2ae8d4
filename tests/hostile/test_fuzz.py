"""The short form of the fuzzers: seconds, in every test run."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile import fuzz, oracle, targets

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=300)
QUICK = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_random_inputs_have_no_unexpected_outcome(tmp_path: Path) -> None:
    """Three thousand numbered inputs through decode, split and enrich agree with the oracle."""
    result = fuzz.run(inputs=3000, seed=7, out=tmp_path / "fuzz.json")
    assert result["examples"] == []
    assert result["inputs"] == 3000


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """The second half of a run in two parts is not the first half again."""
    out = tmp_path / "fuzz.json"
    assert fuzz.run(inputs=64, seed=8, out=out)["inputs"] == 64
    assert fuzz.run(inputs=128, seed=8, out=out)["inputs"] == 128
    assert fuzz.run(inputs=64, seed=9, out=out)["seed"] == 9


@given(value=st.binary(max_size=400), plain=st.booleans())
@QUICK
def test_decode_agrees_with_the_oracle_on_any_bytes(value: bytes, plain: bool) -> None:  # noqa: FBT001
    """Decoding raises nothing but its own errors, with the reason that a second implementation gives."""
    assert list(targets.decode(value, plain_text=plain)) == []


@given(text=TEXT)
@QUICK
def test_sentences_and_words_cover_any_text_in_order(text: str) -> None:
    """Splitting keeps its promises on any Unicode text."""
    assert list(targets.split(text)) == []


@given(texts=st.lists(TEXT, min_size=1, max_size=4))
@QUICK
def test_enrichment_of_any_text_is_as_expected(texts: list[str]) -> None:
    """Any batch of plain texts comes out enriched, or dead-lettered for a reason the oracle knows."""
    assert targets.enrich([(text.encode(), True) for text in texts]) == [[]] * len(texts)


@pytest.mark.parametrize(
    ("value", "reasons"),
    [
        (b'{"body": "x"}', set()),
        (b'{"body": " "}', {"empty_body"}),
        (b'{"body": "\\ud800"}', {"invalid_json"}),
        (b'{"body": 1e999}', {"invalid_json"}),
        (b"\xff", {"invalid_utf8"}),
        (b"[" * 101 + b"]" * 101, {"too_deep", "invalid_schema"}),
        (b'"' + b"[" * 101 + b'"', {"invalid_schema"}),
        (b"x" * 9000, {"too_large"}),
    ],
)
def test_the_oracle_itself(value: bytes, reasons: set[str]) -> None:
    """The second implementation gives known answers."""
    assert oracle.expected(value, plain_text=False, max_bytes=targets.MAX_BYTES) == reasons
