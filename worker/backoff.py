"""Pauses between tries: each twice the one before up to a longest one, with jitter so that many workers do not ask at once.

Source: AWS Architecture Blog, "Exponential Backoff And Jitter" (2015), its "equal jitter".
"""

import random

_DOUBLINGS = 20
"""Beyond them any longest pause is reached, and a power of two still is a float."""


def pause(attempt: int, *, first: float, longest: float) -> float:
    """Seconds to wait after so many failed tries before this one (0: it was the first)."""
    return min(longest, first * 2.0 ** min(attempt, _DOUBLINGS)) * random.uniform(0.5, 1)  # noqa: S311 - jitter
