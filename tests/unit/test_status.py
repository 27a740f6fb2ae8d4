"""What the worker knows about itself: readiness, stalls, the last articles."""

from collections.abc import Callable

import pytest

from worker.status import RECENT_ARTICLES, Status

PARTITION = ("articles.raw", 0)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        """Begin at no particular time."""
        self.now = 1000.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock of the test's own."""
    return Clock()


@pytest.fixture
def status(clock: Clock) -> Status:
    """A status that takes ten idle seconds with lag for a stall."""
    return Status(stall_timeout=10, clock=clock)


def test_it_is_not_ready_until_every_condition_is_met(status: Status) -> None:
    """Models, topics and partitions, in any order; a condition may be lost again."""
    assert status.not_ready() == ["models", "partitions", "topics"]
    for condition in ("topics", "models", "partitions"):
        status.met(condition)
    assert status.not_ready() == []
    status.unmet("brake")
    assert status.not_ready() == ["brake"]


def test_an_idle_stream_is_no_stall(status: Status, clock: Clock) -> None:
    """Without lag nothing has to move."""
    status.lag({PARTITION: 0})
    clock.now += 3600
    assert status.stalled_for() == 0


def test_lag_without_progress_is_a_stall(status: Status, clock: Clock) -> None:
    """The clock starts when lag does, and tells how long nothing moved once that is too long."""
    clock.now += 3600
    status.lag({PARTITION: 5})
    clock.now += 10
    assert status.stalled_for() == 0
    clock.now += 2
    status.lag({PARTITION: 6})
    assert status.stalled_for() == pytest.approx(12)


@pytest.mark.parametrize(
    "progress",
    [
        lambda status: status.moving({PARTITION: 8}, busy=()),
        lambda status: status.moving({PARTITION: 7}, busy={PARTITION}),
        lambda status: status.holding(),
    ],
    ids=["moved", "busy", "held"],
)
def test_progress_ends_a_stall(status: Status, clock: Clock, progress: Callable[[Status], None]) -> None:
    """The partition moved, its next article is in good hands, or articles are held on purpose."""
    status.moving({PARTITION: 7}, busy=())
    status.lag({PARTITION: 5})
    clock.now += 11
    status.moving({PARTITION: 7}, busy=())
    assert status.stalled_for() > 0
    progress(status)
    assert status.stalled_for() == 0


def test_one_partition_that_stands_still_is_a_stall(status: Status, clock: Clock) -> None:
    """However well the others get on."""
    other = ("articles.raw", 1)
    for number in range(12):
        status.moving({PARTITION: 7, other: number}, busy=())
        status.lag({PARTITION: 5, other: 5})
        status.published(b"{}")
        clock.now += 1
    assert status.stalled_for() == pytest.approx(12)


def test_lag_that_went_away_ends_a_stall(status: Status, clock: Clock) -> None:
    """A partition that was handed over is no longer this worker's concern."""
    status.lag({PARTITION: 5})
    clock.now += 11
    status.lag({})
    assert status.stalled_for() == 0


def test_recent_articles_are_numbered_and_bounded(status: Status) -> None:
    """A page asks for what came after the last number it has; old articles are forgotten."""
    for number in range(RECENT_ARTICLES + 5):
        status.published(b"%d" % number)
    recent = status.recent()
    assert len(recent) == RECENT_ARTICLES
    assert recent[-1] == (RECENT_ARTICLES + 5, b"%d" % (RECENT_ARTICLES + 4))
    assert status.recent(after=RECENT_ARTICLES + 4) == recent[-1:]
    assert status.recent(after=RECENT_ARTICLES + 5) == []


def test_counts_add_up(status: Status) -> None:
    """Published, dead-lettered, and the lag of all partitions together."""
    status.published(b"{}")
    status.dead_lettered()
    status.dead_lettered()
    status.lag({PARTITION: 2, ("articles.raw", 1): 3})
    assert status.counts() == (1, 2, 5)
