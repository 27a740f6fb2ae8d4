"""Pauses between tries."""

import pytest

from worker.backoff import pause


@pytest.mark.parametrize(("attempt", "highest"), [(0, 0.1), (1, 0.2), (4, 1.6), (5, 2.0), (100_000, 2.0)])
def test_pauses_double_up_to_the_longest(attempt: int, highest: float) -> None:
    """Between half of it and all of it, never the same twice; a day of tries overflows nothing."""
    drawn = [pause(attempt, first=0.1, longest=2.0) for _ in range(200)]
    assert highest / 2 <= min(drawn) < max(drawn) <= highest
    assert len(set(drawn)) > 100
