"""kafka-python, made to read every record the worker's own client reads: all compressions, and header names that are no text."""

import kafka.codec
import kafka.record.default_records
import kafka.record.legacy_records
from kafka.record.default_records import DefaultRecordBatch

from worker import packing


def install() -> None:
    """Put our readers in the place of kafka-python's own; a second call changes nothing."""
    for module in (kafka.record.default_records, kafka.record.legacy_records):
        packing.teach(module)
    for name in ("has_snappy", "has_lz4", "has_zstd"):
        setattr(kafka.codec, name, lambda: True)
    if DefaultRecordBatch._read_msg is not _read:  # noqa: SLF001 - there is no other way in
        DefaultRecordBatch._read_msg = _read  # noqa: SLF001


_original = DefaultRecordBatch._read_msg  # noqa: SLF001


def _read(batch: DefaultRecordBatch) -> object:
    """Read the next record; where a header's name is no text, with its stray bytes written out."""
    try:
        return _original(batch)
    except UnicodeDecodeError:
        batch._buffer = packing.Lenient(batch._buffer)  # noqa: SLF001 - its place moves only when a record was read
        return _original(batch)
