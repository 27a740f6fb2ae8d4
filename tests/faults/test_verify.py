"""The verifier must be able to say no: one good history, and the same with one thing wrong each."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.verify import Kept, Verdict, verify

ENRICHED, BAD = frozenset({"enriched"}), frozenset({"invalid_json"})
EXPECTED = {0: ENRICHED, 1: ENRICHED, 2: BAD, 3: frozenset({"tombstone"})}


def _silent(_name: str, _document: object) -> Iterator[str]:
    return iter(())


def _raw(number: int, *, key: bytes = b"k") -> Kept:
    return Kept(0, number, 0, key, None if number == 3 else b"v", [("feed", str(number).encode())])


def _out(number: int, at: int, *, ce_id: bytes = b"c", key: bytes = b"k") -> Kept:
    headers: list[tuple[str, bytes | None]] = [("feed", str(number).encode()), ("ce_id", ce_id)]
    if number == 3:
        return Kept(0, at, 0, key, None, headers)
    document = {"article": {"number": number}, "provenance": {"source": {"partition": 0, "offset": number}}}
    return Kept(0, at, 0, key, json.dumps(document).encode(), headers)


def _dead(number: int, at: int, *, reason: str = "invalid_json") -> Kept:
    document = {
        "reason": reason,
        "error": "x",
        "key": base64.b64encode(b"k").decode(),
        "headers": [],
        "source": {"partition": 0, "offset": number},
    }
    return Kept(0, at, 0, b"k", json.dumps(document).encode(), [("khabar.error.reason", reason.encode())])


def _verdict(**changes: Any) -> Verdict:  # noqa: ANN401 - topics to put in place of the good ones
    good: dict[str, Any] = {
        "fed": [_raw(number) for number in range(4)],
        "enriched": [_out(0, 0), _out(1, 1), _out(3, 2)],
        "dead": [_dead(2, 0)],
        "expected": EXPECTED,
        "validate": _silent,
        "numbers": [0, 1, 2, 3],
    }
    return verify(**(good | changes))


def test_a_good_history_is_delivered() -> None:
    """Two enriched, one dead letter, one tombstone: nothing to say but how many."""
    assert _verdict().line() == "ALL-RECORDS-DELIVERED n=4 duplicates=0 dead=1"


def test_duplicates_are_counted_and_allowed() -> None:
    """A second copy with the same id is a duplicate, not a finding, also when it comes late."""
    verdict = _verdict(enriched=[_out(0, 0), _out(1, 1), _out(3, 2), _out(0, 3)])
    assert verdict.line() == "ALL-RECORDS-DELIVERED n=4 duplicates=1 dead=1"


@pytest.mark.parametrize(
    ("where", "changes"),
    [
        ("lost", {"enriched": [_out(0, 0), _out(3, 1)]}),
        ("lost", {"enriched": [_out(0, 0), _out(1, 1)]}),
        ("lost", {"dead": []}),
        ("lost", {"numbers": [0, 1, 2, 3, 4]}),
        ("dead_lettered_wrongly", {"enriched": [_out(0, 0), _out(3, 1)], "dead": [_dead(2, 0), _dead(1, 1)]}),
        ("dead_lettered_wrongly", {"dead": [_dead(2, 0), _dead(1, 1, reason="enrich_timeout")]}),
        ("wrong", {"dead": [_dead(2, 0, reason="too_deep")]}),
        ("wrong", {"enriched": [_out(0, 0), _out(1, 1), _out(3, 2), _out(9, 3)]}),
        ("wrong", {"enriched": [_out(0, 0), _out(1, 1, key=b"other"), _out(3, 2)]}),
        ("ids", {"enriched": [_out(0, 0), _out(1, 1), _out(3, 2), _out(0, 3, ce_id=b"d")]}),
        ("disorder", {"enriched": [_out(1, 0), _out(0, 1), _out(3, 2)]}),
        ("disorder", {"enriched": [_out(0, 0), _out(3, 1), _out(1, 2)]}),
        ("invalid", {"validate": lambda name, _document: iter([name])}),
    ],
)
def test_every_fault_in_a_history_is_found(where: str, changes: dict[str, Any]) -> None:
    """One thing wrong is found, under its name, and the last line says no."""
    verdict = _verdict(**changes)
    assert getattr(verdict, where)
    assert not verdict.sound
    assert verdict.line().startswith("NOT-DELIVERED n=4")
