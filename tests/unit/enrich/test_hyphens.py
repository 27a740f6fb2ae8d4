"""Names with a hyphen inside."""

import pytest

from tests.unit.enrich.growth import grows_linearly
from worker.enrich.analysis import Span
from worker.enrich.hyphens import with_hyphens
from worker.records import EntityType


def found(text: str, *names: tuple[str, EntityType]) -> list[tuple[str, EntityType]]:
    """What becomes of these spans, each the first of its text."""
    spans = [Span(start=text.index(name), end=text.index(name) + len(name), type=kind) for name, kind in names]
    return [(text[span.start : span.end], span.type) for span in with_hyphens(text, spans)]


@pytest.mark.parametrize(
    ("text", "names", "wanted"),
    [
        ("met Sophie Laine-Moreau here", [("Sophie Laine", "PER"), ("Moreau", "PER")], [("Sophie Laine-Moreau", "PER")]),
        ("said Mei-Ling Chen", [("Mei", "PER"), ("Ling Chen", "PER")], [("Mei-Ling Chen", "PER")]),
        ("said Mei-Ling Chen", [("Mei-", "PER"), ("Ling Chen", "PER")], [("Mei-Ling Chen", "PER")]),
        ("said Mei-Ling Chen", [("Mei", "PER"), ("-Ling Chen", "PER")], [("Mei-Ling Chen", "PER")]),
        ("Ngozi Okonjo-Bright spoke", [("Ngozi Okonjo", "PER")], [("Ngozi Okonjo-Bright", "PER")]),
        ("Agence Nord-Presse reported", [("Agence Nord", "ORG"), ("Presse", "ORG")], [("Agence Nord-Presse", "ORG")]),
        ("drinks of Cola-Nova", [("Cola", "ORG")], [("Cola-Nova", "ORG")]),
    ],
)
def test_two_halves_are_one_name(text: str, names: list[tuple[str, EntityType]], wanted: list[tuple[str, EntityType]]) -> None:
    """Where several words stand on one side and one on the other, whichever half took the hyphen in."""
    assert found(text, *names) == wanted


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("the Dahl-Brandt summit", [("Dahl", "PER"), ("Brandt", "PER")]),  # two people
        ("the Ingrid Dahl-Brandt summit; Omar Brandt left", [("Ingrid Dahl", "PER"), ("Brandt", "PER"), ("Omar Brandt", "PER")]),
        ("the Ingrid Dahl-Brandt summit; Omar Brandt left", [("Ingrid Dahl", "PER"), ("Omar Brandt", "PER")]),
        ("the Norway-Chad border", [("Norway", "LOC"), ("Chad", "LOC")]),  # two countries
        ("a New Delhi-Lagos flight", [("New Delhi", "LOC"), ("Lagos", "LOC")]),
        ("Ingrid Dahl-Nordbro talks", [("Ingrid Dahl", "PER"), ("Nordbro", "ORG")]),
        ("Ingrid Dahl - Moreau", [("Ingrid Dahl", "PER"), ("Moreau", "PER")]),  # a dash
        ("Ingrid Dahl--Moreau", [("Ingrid Dahl", "PER"), ("Moreau", "PER")]),
        ("Ingrid Dahl-led talks", [("Ingrid Dahl", "PER")]),
        ("Dahl-Moreau", [("Dahl", "PER")]),
        ("Ingrid Dahl-", [("Ingrid Dahl", "PER")]),
        ("Ingrid Dahl-Moreau-Lie", [("Ingrid Dahl", "PER")]),
        ("", []),
    ],
)
def test_everything_else_stays(text: str, names: list[tuple[str, EntityType]]) -> None:
    """Summits, borders, dashes, participles."""
    assert found(text, *names) == names


def test_a_name_that_stands_twice_is_joined_twice() -> None:
    """Its own second half elsewhere, split again, is no other person."""
    text = "Sophie Laine-Moreau spoke. Later Sophie Laine-Moreau left, and Laine-Moreau wrote."
    halves = [(0, 12), (13, 19), (33, 45), (46, 52)]
    spans = with_hyphens(text, [Span(start=start, end=end, type="PER") for start, end in halves])
    assert [text[span.start : span.end] for span in spans] == ["Sophie Laine-Moreau"] * 2


def test_a_chain_of_hyphens_is_no_name_and_costs_no_more_than_its_length() -> None:
    """However many halves a model sees in a row, what is joined stays as short as a name."""

    def chain(parts: int) -> list[Span]:
        text = "Ingrid Dahl" + "-Moreau" * parts
        spans = [Span(start=0, end=11, type="PER")]
        spans += [Span(start=at, end=at + 6, type="PER") for at in range(12, len(text), 7)]
        return with_hyphens(text, spans)

    assert max(span.end - span.start for span in chain(100)) <= 64
    assert grows_linearly(chain, size=2_000)
