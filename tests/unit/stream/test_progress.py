"""How far a partition is done, whatever gaps its offsets have."""

from faust.types import TP, ConsumerMessage

from worker.stream.progress import Position, Progress

P0, P1 = TP("t", 0), TP("t", 1)


def message(offset: int, tp: TP = P0) -> ConsumerMessage:
    """A record that was handed out."""
    return ConsumerMessage("t", tp.partition, offset, 1.0, 0, [], b"k", b"v", None, tp=tp, generation_id=1)


def test_the_first_open_record_holds_everything_up() -> None:
    """Whatever is acknowledged behind it; and gaps behind it are passed at once."""
    progress = Progress()
    records = [message(offset) for offset in (0, 3, 4, 10**12)]
    for record in records:
        progress.handed_out(record)
    assert progress.reached(P0, None, 1) == 0
    progress.acknowledged(records[1])
    progress.acknowledged(records[2])
    assert progress.reached(P0, None, 1) == 0
    progress.acknowledged(records[0])
    assert progress.reached(P0, None, 1) == 10**12
    progress.acknowledged(records[3])
    assert progress.reached(P0, None, 1) == 10**12 + 1
    assert progress.reached(P1, None, 1) is None


def test_markers_behind_the_last_record_are_passed() -> None:
    """The client's position counts where nothing is open, and only in its own generation."""
    progress = Progress()
    record = message(5)
    progress.handed_out(record)
    assert progress.reached(P0, Position(1, 9), 1) == 5
    progress.acknowledged(record)
    assert progress.reached(P0, Position(1, 9), 1) == 9
    assert progress.reached(P0, Position(1, 3), 1) == 6, "noted before the record was handed out"
    assert progress.reached(P0, Position(1, 9), 2) == 6
    assert progress.reached(P1, Position(1, 9), 1) == 9


def test_what_is_in_flight_of_a_log_that_is_gone_does_not_count() -> None:
    """The topic was made anew: offsets begin again, and the old ones must not be committed over the new."""
    progress = Progress()
    old, new = message(500), message(0)
    progress.handed_out(old)
    progress.rewind(P0)
    progress.handed_out(new)
    progress.acknowledged(old)
    assert progress.reached(P0, None, 1) == 0
    progress.acknowledged(new)
    assert progress.reached(P0, None, 1) == 1
    progress.clear()
    assert progress.reached(P0, None, 1) is None
