"""How far each partition is done: what may be committed, and from where the lag counts.

Faust commits the longest run of acknowledged offsets without a gap, and offsets do have gaps: transaction markers,
aborted transactions, compacted and deleted records. It fills the gaps it saw while reading, except behind offset 0, and
fills them number by number, so a gap of a billion costs as much memory. Here the records that were handed out count, in
their order: everything before the first one that is not acknowledged is done, whatever lies between.
"""

from collections import deque
from typing import NamedTuple

from faust.types import TP, Message


class Position(NamedTuple):
    """Where the client would read on, noted when everything before it had been handed out.

    Args:
        generation: of the group.
        offset: next one to be read.
    """

    generation: int
    offset: int


class Progress:
    """Records of one generation that were handed out and are not acknowledged yet, by partition."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._open: dict[TP, deque[Message]] = {}
        self._done: dict[TP, int] = {}

    def clear(self) -> None:
        """Forget everything: the partitions are somebody else's, or are read from the committed offset again."""
        self._open.clear()
        self._done.clear()

    def rewind(self, tp: TP) -> None:
        """Forget a partition that is read from an earlier offset: what is in flight is of a log that is gone."""
        self._open.pop(tp, None)
        self._done.pop(tp, None)

    def handed_out(self, message: Message) -> None:
        """Note a record that is handed to the stream, in the order of its partition."""
        self._open.setdefault(message.tp, deque()).append(message)

    def acknowledged(self, message: Message) -> None:
        """Note that a record is done; one that is not known any more counts for nothing."""
        waiting = self._open.get(message.tp, ())
        if not waiting:
            return
        if waiting[0] is message:
            self._open[message.tp].popleft()
        else:
            kept = deque(other for other in waiting if other is not message)
            if len(kept) == len(waiting):
                return
            self._open[message.tp] = kept
        self._done[message.tp] = max(self._done.get(message.tp, 0), message.offset + 1)

    def reached(self, tp: TP, position: Position | None, generation: int) -> int | None:
        """First offset of a partition that is not done; None where nothing is known.

        Args:
            tp: the partition.
            position: the client's, see `Position`; counts only in its own generation, and only where nothing is open.
            generation: the current one.
        """
        waiting = self._open.get(tp)
        if waiting:
            return waiting[0].offset
        done = self._done.get(tp)
        if position is not None and position.generation == generation:
            return max(position.offset, done or 0)
        return done
