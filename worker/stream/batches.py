r"""Record batches that aiokafka cannot read: none of them may end the worker, stop a partition or be passed over.

aiokafka's fetcher raises out of a batch with a header name that is not UTF-8, a wrong checksum or broken compression,
forgets what it had read before it in the same answer, and then passes over the rest. Here

- a header name that is not UTF-8 is carried on with ``\xff`` in place of each stray byte;
- a batch with a wrong checksum is fetched again, since the fault may be the line's; when it stays wrong, or its
  compression or structure is broken, or it unpacks to more than fits, its bytes are handed over as one `Unreadable`,
  which becomes a dead letter;
- decompression stops at `worker.packing.MOST_UNPACKED`: a megabyte of zstd can unpack to terabytes.

`install` puts these in the place of aiokafka's own.
"""

import struct
from collections.abc import Iterator
from itertools import islice
from types import SimpleNamespace
from typing import Any, Final

import aiokafka.consumer.fetcher
import aiokafka.record._crecords.default_records
import aiokafka.record._crecords.legacy_records
import aiokafka.record.default_records
import aiokafka.record.legacy_records
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy

from worker import log, packing
from worker.enrich.job import Failed
from worker.packing import Lenient, TooMuchError

TRIES: Final = 3
"""So often a batch with a wrong checksum is read before it is taken for broken."""
MOST_REMEMBERED: Final = 1000
_NEWEST_FORMAT: Final = 2
_MAGIC = struct.Struct(">q8xb")  # base offset, length and leader epoch or checksum, magic
_COUNTS = struct.Struct(">23xi30xi")  # last offset's distance from the base offset, number of records

logger = log.get()


class Unreadable(bytes):
    """The bytes of a batch (or what is left of one) whose records cannot be told apart; ``failed`` says why."""

    failed: Failed


def _unreadable(raw: memoryview, error: str) -> Unreadable:
    made = Unreadable(raw)
    made.failed = Failed(reason="unreadable", stage="consume", error=" ".join(error.split())[:300])
    return made


class Batch:
    """One batch as aiokafka's fetcher uses it; reading it never raises."""

    def __init__(self, batch: Any, raw: memoryview) -> None:  # noqa: ANN401 - aiokafka's, old format or new
        """Keep the bytes beside aiokafka's reader of them."""
        self._batch = batch
        self._raw = raw
        self.base_offset, self._magic = _MAGIC.unpack_from(raw)
        self.sound = bool(batch.validate_crc())
        self.counted = False
        if not self.sound:  # what a wrong checksum covers may say that it is to be passed over
            self.producer_id, self.is_control_batch, self.is_transactional = None, False, False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        """Everything else is aiokafka's."""
        return getattr(self._batch, name)

    def validate_crc(self) -> bool:
        """A wrong checksum shows in what comes out."""
        return True

    def knows_its_end(self) -> bool:
        """Whether a broken batch may be passed over: its end is not what is broken, and no record behind it is missed."""
        if self._magic < _NEWEST_FORMAT:
            return True
        distance, records = _COUNTS.unpack_from(self._raw)
        return bool(distance == records - 1)

    def __next__(self) -> Any:  # noqa: ANN401
        """Give the record of a control batch."""
        return next(iter(self._batch))

    def __iter__(self) -> Iterator[Any]:
        """Records; one that stands for the rest where they cannot be read."""
        if not self.sound:
            yield self._rest(self.base_offset, error="the batch's checksum is wrong")
            return
        offset = self.base_offset
        count = 0
        readers = [self._batch, self._lenient()] if self._magic >= _NEWEST_FORMAT else [self._batch]
        for reader in readers:
            try:
                for record in islice(reader, count, None):  # the second reader begins anew
                    count += 1
                    offset = record.offset + 1
                    yield record
            except TooMuchError as error:
                yield self._rest(offset, error=str(error))
            except Exception as error:  # noqa: BLE001 - whatever the bytes make the reader raise
                if isinstance(error, UnicodeDecodeError) and reader is not readers[-1]:
                    continue
                yield self._rest(offset, error=f"{type(error).__name__}: {error}")
            return

    def _lenient(self) -> Iterator[Any]:
        """Read it again, header names that are no text included."""
        batch = _DefaultRecordBatchPy(self._raw)
        batch._maybe_uncompress()  # noqa: SLF001 - then its text is read through ours
        batch._buffer = Lenient(batch._buffer)  # noqa: SLF001
        yield from batch

    def _rest(self, offset: int, *, error: str) -> SimpleNamespace:
        last = self._batch.next_offset - 1
        logger.error("batch_unreadable", first=offset, last=last, bytes=len(self._raw), error=error)
        value = _unreadable(self._raw, f"{error} (record batch of offsets {offset} to {last})")
        # At the last offset: reading may begin inside the batch, and what lies before is passed over
        return SimpleNamespace(
            offset=max(offset, last), timestamp=None, timestamp_type=None, key=None, value=value, headers=(), checksum=None
        )


class Batches(_MemoryRecordsPy):  # type: ignore[misc] # final for its author's type checker
    """The batches of one answer, up to the first that is to be fetched again."""

    _wrong: dict[tuple[int, int], int] = {}  # noqa: RUF012 - of all answers: offset and checksum to how often it was wrong
    _ahead: Batch | None = None
    _next_slice: memoryview | None

    def size_in_bytes(self) -> int:
        """Nothing, where there is no batch: else aiokafka takes a cut-off batch for one too large, and passes over it."""
        return super().size_in_bytes() if self.has_next() else 0

    def has_next(self) -> bool:
        """Whether there is another batch to be read now."""
        if self._ahead is None and self._next_slice is not None:
            raw = self._next_slice
            try:
                self._ahead = Batch(super().next_batch(), raw)
            except Exception as error:  # noqa: BLE001 - not even a batch: where the next one begins is not known
                logger.error("batch_unreadable", bytes=len(raw), error=f"{type(error).__name__}: {error}")  # noqa: TRY400
                self._next_slice = None
        if self._ahead is None:
            return False
        return self._ahead.sound or self._gives_up(self._ahead)

    def next_batch(self) -> Batch | None:
        """Return the next batch."""
        batch, self._ahead = (self._ahead, None) if self.has_next() else (None, self._ahead)
        return batch

    def _gives_up(self, batch: Batch) -> bool:
        """Count a wrong checksum once an answer; tell whether it has been wrong too often to be the line's fault."""
        place = (batch.base_offset, batch.crc)
        if not batch.counted:
            batch.counted = True
            if len(self._wrong) > MOST_REMEMBERED:
                self._wrong.clear()
            self._wrong[place] = self._wrong.get(place, 0) + 1
        return self._wrong[place] >= TRIES and batch.knows_its_end()


def install() -> None:
    """Let aiokafka read batches through this module; a second call changes nothing."""
    aiokafka.consumer.fetcher.MemoryRecords = Batches
    for module in (
        aiokafka.record._crecords.default_records,  # noqa: SLF001 - each holds its own names of the four
        aiokafka.record._crecords.legacy_records,  # noqa: SLF001
        aiokafka.record.default_records,
        aiokafka.record.legacy_records,
    ):
        packing.teach(module)
