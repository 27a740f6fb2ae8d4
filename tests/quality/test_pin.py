"""Floors are written below what was measured and never lowered silently."""

from tests.quality.pin import below, leaves, lowered


def test_floors_are_below_the_figures_and_rounded_down() -> None:
    """A margin off, three decimals, never negative."""
    assert below({"entities": {"ar": 0.81279}, "none": 0.004}, 0.01) == {"entities": {"ar": 0.802}, "none": 0.0}


def test_a_figure_below_its_floor_is_named() -> None:
    """Each floor that is missed or no longer measured is one line; one that is reached is none."""
    floors = {"languages": {"ar": 0.9, "fa": 0.9, "he": 0.9}}
    lines = list(lowered(floors, {"languages": {"ar": 0.9, "fa": 0.899}}))
    assert [line.partition(":")[0] for line in lines] == ["languages.fa", "languages.he"]


def test_leaves_have_dotted_names() -> None:
    """Nested figures are named by the way to them."""
    assert dict(leaves({"a": {"b": 1, "c": {"d": 0.5}}})) == {"a.b": 1.0, "a.c.d": 0.5}
