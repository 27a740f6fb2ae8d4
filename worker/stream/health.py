"""Lag, the watchdog and the deadline: what tells, and what ends, a worker that does not get on."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping

from worker import log, metrics
from worker.status import Status
from worker.stream.fatal import UNACKED_EXIT_CODE, end
from worker.stream.lane import Partition

LAG_SECONDS = 3.0
"""Seconds between two measurements of the lag."""
ANSWER_SECONDS = 10.0
MEMBERSHIP_SECONDS = 1.0
GRACE_SECONDS = 15.0
"""Between ``/live`` failing and the worker ending itself, for those that nobody probes."""

logger = log.get()

Measure = Callable[[], Awaitable[Mapping[Partition, int]]]
"""Lag, in articles, of every assigned partition."""


async def watch_lag(measure: Measure, moving: Callable[[], None], status: Status) -> None:
    """Publish the lag, and end the process un-acked when a partition has lag and does not move for too long.

    The lag is asked from the broker each time, not taken from the last fetch: a consumer that stopped fetching must
    not look idle.

    Args:
        measure: see `Measure`.
        moving: tells the status how far each partition is, without asking anybody.
        status: told of the lag.
    """
    shown: set[Partition] = set()
    while True:
        await asyncio.sleep(LAG_SECONDS)
        moving()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                lag = dict(await measure())
        except Exception as error:  # noqa: BLE001 - the broker may be away; the last lag stays
            logger.warning("lag_unknown", error=f"{type(error).__name__}: {error}")
        else:
            for topic, partition in shown - lag.keys():
                metrics.CONSUMER_LAG.remove(topic, str(partition))
            for (topic, partition), count in lag.items():
                metrics.CONSUMER_LAG.labels(topic=topic, partition=str(partition)).set(count)
            shown = set(lag)
            status.lag(lag)
        stalled = status.stalled_for()
        if stalled:
            logger.error("stalled", seconds=round(stalled), hint="a partition has lag and does not move; the worker ends to be restarted")
            await asyncio.sleep(GRACE_SECONDS)
            moving()
            if status.stalled_for():
                end("stalled", code=UNACKED_EXIT_CODE)


async def watch_membership(is_member: Callable[[], bool], status: Status) -> None:
    """Let ``/ready`` fail while the group may have given this worker's partitions away: the broker is out of reach."""
    while True:
        if is_member():
            status.met("group")
        else:
            status.unmet("group")
        await asyncio.sleep(MEMBERSHIP_SECONDS)


def start_deadline(seconds: float) -> None:
    """End the process after ``seconds`` whatever it is waiting for: a drain with the broker gone never finishes."""
    timer = threading.Timer(seconds, end, args=("drain_deadline",), kwargs={"code": UNACKED_EXIT_CODE})
    timer.daemon = True
    timer.start()
