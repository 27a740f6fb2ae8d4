"""Whether a function's cost grows with its input, not with its square: told by ratio, not by the clock of this machine."""

import time
from collections.abc import Callable

GROWTH = 4
LIMIT = 3.0  # times the growth; quadratic cost would show 4 times


def grows_linearly(work: Callable[[int], object], *, size: int, attempts: int = 4) -> bool:
    """Compare the processor time of `size` and of four times `size`; the best of some attempts, as others share the processor."""
    work(size)
    return any(seconds(work, size * GROWTH) <= LIMIT * GROWTH * max(seconds(work, size), 1e-4) for _ in range(attempts))


def seconds(work: Callable[[int], object], size: int) -> float:
    """Processor seconds of one call, this thread's own."""
    started = time.thread_time()
    work(size)
    return time.thread_time() - started
