"""A soak: no faults, only load, and the memory of every worker watched. It must not climb."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tests.faults.rig import Rig

MINUTES = 30.0
SAMPLE_SECONDS = 10.0
MOST_GROWTH = 0.05
"""Share by which the last quarter may lie above the second: the first is warming up."""


class Sample(NamedTuple):
    """Memory of one worker at one moment.

    Args:
        at: seconds since the soak began.
        worker: its name.
        own: resident MiB of its own process.
        all: with its enricher processes.
    """

    at: float
    worker: str
    own: float
    all: float


def run(rig: Rig, *, minutes: float, say: Callable[[str], None]) -> list[Sample]:
    """Sample until the time is over."""
    began = time.monotonic()
    samples: list[Sample] = []
    while (at := time.monotonic() - began) < 60 * minutes:
        samples += [Sample(at, worker.name, worker.own_mib(), worker.resident_mib()) for worker in rig.workers]
        if len(samples) % (30 * len(rig.workers)) == 0:
            newest = samples[-len(rig.workers) :]
            say(f"{at:6.0f} s  {'  '.join(f'{one.own:.1f}/{one.all:.0f} MiB' for one in newest)}  missing {rig.missing()}")
        time.sleep(SAMPLE_SECONDS)
    return samples


def summary(samples: Sequence[Sample]) -> Mapping[str, Any]:
    """Median MiB of each worker in the second and in the last quarter."""
    return {
        name: {kind: [round(one, 1) for one in _quarters([getattr(sample, kind) for sample in mine])] for kind in ("own", "all")}
        for name, mine in _by_worker(samples).items()
    }


def problems(samples: Sequence[Sample]) -> list[str]:
    """Workers whose memory climbs."""
    found = []
    for name, mine in _by_worker(samples).items():
        for kind in ("own", "all"):
            before, after = _quarters([getattr(sample, kind) for sample in mine])
            if after > before * (1 + MOST_GROWTH):
                found.append(f"{name}: {kind} memory climbs from {before:.1f} to {after:.1f} MiB")
    return found


def _by_worker(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    return {name: [one for one in samples if one.worker == name] for name in sorted({one.worker for one in samples})}


def _quarters(values: Sequence[float]) -> tuple[float, float]:
    quarter = max(1, len(values) // 4)
    return statistics.median(values[quarter : 2 * quarter] or values), statistics.median(values[-quarter:])
