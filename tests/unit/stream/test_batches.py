"""Batches that aiokafka cannot read, as its own fetcher reads them through ours."""

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cramjam
import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.util import encode_varint

from tests.faults.craft import CODECS, batch, repack, seal
from worker import packing
from worker.stream import batches
from worker.stream.batches import Batches, Unreadable


@pytest.fixture(autouse=True)
def installed() -> None:
    """Aiokafka reads through ours."""
    batches.install()
    Batches._wrong.clear()  # noqa: SLF001


def answer(parts: Sequence[bytes | bytearray], *, start: int = 0, aborted: Sequence[tuple[int, int]] = ()) -> PartitionRecords:
    """One answer of a broker, as the fetcher reads it: checksums checked, only what was committed."""
    return PartitionRecords(
        TopicPartition("t", 0), Batches(b"".join(parts)), aborted, start, None, None, check_crcs=True, isolation_level=1
    )


def read(*parts: bytes | bytearray, start: int = 0) -> tuple[list[tuple[int, Any, Any]], int]:
    """Offset, value and headers of every record, and where the fetcher would read on."""
    records = answer(parts, start=start)
    found = [(record.offset, record.value, record.headers) for record in records]
    return found, records.next_fetch_offset


def test_a_header_name_that_is_no_text_is_carried_on() -> None:
    """Its article is read, and so are all around it; in every compression."""
    for codec in CODECS.values():
        made = batch(10, [b"one", b"two"], codec=0, headers=[("na-me", b"v"), ("other", None)])
        made = seal(bytearray(bytes(made).replace(b"na-me", b"na\xffme", 1)))
        packers: dict[int, Callable[[bytes], Any]] = {
            0: bytes,
            1: lambda data: zlib.compress(data, wbits=31),
            2: cramjam.snappy.compress_raw,
            3: cramjam.lz4.compress,
            4: cramjam.zstd.compress,
        }
        made = repack(made, bytes(packers[codec](bytes(made[61:]))), attributes=codec)
        found, position = read(batch(8, [b"a", b"b"]), made, batch(12, [b"c"]))
        assert [(offset, value) for offset, value, _ in found] == [(8, b"a"), (9, b"b"), (10, b"one"), (11, b"two"), (12, b"c")]
        assert found[2][2] == (("na\\xffme", b"v"), ("other", None))
        assert found[3][2] == (("na-me", b"v"), ("other", None))
        assert position == 13


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_every_compression_is_read(codec: int) -> None:
    """What the builder packs comes out again, also a megabyte that packs well."""
    values = [b"x" * 2**20, b"y", b""]
    found, position = read(batch(0, values, codec=codec))
    assert [value for _, value, _ in found] == values
    assert position == 3


@pytest.mark.parametrize("codec", [1, 2, 3, 4], ids=list(CODECS)[1:])
def test_a_bomb_is_not_unpacked(codec: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that unpacks to more than fits comes out whole and packed, ; what is behind it is read."""
    monkeypatch.setattr(packing, "MOST_UNPACKED", 2 * 2**20)
    bomb = batch(5, [bytes(3 * 2**20)], codec=codec)
    found, position = read(bomb, batch(6, [b"behind"]))
    assert [offset for offset, _, _ in found] == [5, 6]
    assert isinstance(found[0][1], Unreadable)
    assert found[0][1].failed.reason == "unreadable"
    assert "unpacks to more than" in found[0][1].failed.error
    assert found[0][1] == bytes(bomb)
    assert (found[1][1], position) == (b"behind", 7)


@pytest.mark.parametrize("codec", [1, 2, 3, 4, 7])
def test_broken_compression_is_one_dead_letter(codec: int) -> None:
    """Also a compression that nobody knows."""
    broken = repack(batch(5, [b"a", b"b"]), b"\x00this is no compressed data", attributes=codec)
    found, position = read(batch(4, [b"before"]), broken, batch(7, [b"behind"]))
    assert [offset for offset, _, _ in found] == [4, 6, 7], "the last offset of the batch stands for all"
    assert found[1][1].failed.reason == "unreadable"
    assert "offsets 5 to 6" in found[1][1].failed.error
    assert position == 8


def test_a_broken_record_leaves_those_before_it() -> None:
    """The batch says three records and its bytes end in the second."""
    made = batch(0, [b"first", b"second", b"third"])
    cut = repack(made, bytes(made[61 : 61 + 20]), attributes=0)
    found, position = read(cut, batch(3, [b"behind"]))
    assert [value for _, value, _ in found[:1]] == [b"first"]
    assert [offset for offset, _, _ in found] == [0, 2, 3]
    assert found[1][1].failed.reason == "unreadable"
    assert position == 4


def test_a_wrong_checksum_is_fetched_again_before_it_counts() -> None:
    """Nothing behind it is handed out, nothing before it is lost; the third time it is a dead letter."""
    good, bad, behind = batch(0, [b"a"]), batch(1, [b"b", b"c"]), batch(3, [b"d"])
    bad[-3] ^= 0xFF
    for _ in range(batches.TRIES - 1):
        found, position = read(good, bad, behind)
        assert [(offset, value) for offset, value, _ in found] == [(0, b"a")]
        assert position == 1
    found, position = read(bad, behind, start=1)
    assert [offset for offset, _, _ in found] == [2, 3]
    assert (found[0][1].failed.reason, position) == ("unreadable", 4)


def test_a_wrong_checksum_counts_wherever_reading_begins() -> None:
    """Also inside the batch: what was committed of it when it could be read is passed over, the rest is not."""
    bad, behind = batch(1, [b"b", b"c"]), batch(3, [b"d"])
    bad[-3] ^= 0xFF
    for _ in range(batches.TRIES - 1):
        assert read(bad, behind, start=2) == ([], 2)
    found, position = read(bad, behind, start=2)
    assert ([offset for offset, _, _ in found], position) == ([2, 3], 4)


@pytest.mark.parametrize("attributes", [0x20, 0x10])
def test_rotten_flags_hide_nothing(attributes: int) -> None:
    """A flag that says control batch, or transaction, in bytes whose checksum is wrong: its records are a dead letter all the same."""
    bad = batch(1, [b"b", b"c"])
    struct.pack_into(">h", bad, 21, attributes)
    struct.pack_into(">q", bad, 43, 7)
    for _ in range(batches.TRIES):
        records = answer([bad, batch(3, [b"d"])], start=1, aborted=[(7, 0)])
        found = [record.offset for record in records]
    assert found == [2, 3]


def test_a_broken_batch_whose_end_is_broken_too_is_not_passed_over() -> None:
    """It might pass over records that are sound: better a partition that stands still, and says so."""
    bad, behind = batch(1, [b"b", b"c"]), batch(3, [b"d"])
    struct.pack_into(">i", bad, 23, 5)
    for _ in range(batches.TRIES + 2):
        assert read(bad, behind, start=1) == ([], 1)


def test_a_batch_that_was_cut_off_is_fetched_again() -> None:
    """Else aiokafka takes it for one that is too large for ever, and passes over its first offset."""
    whole = batch(0, [b"a"])
    assert not Batches(bytes(whole[:-1])).has_next()
    assert Batches(bytes(whole[:-1])).size_in_bytes() == 0
    assert Batches(bytes(whole)).size_in_bytes() == len(whole)
    found, position = read(whole, batch(1, [b"b"])[:-1])
    assert ([offset for offset, _, _ in found], position) == ([0], 1)


@pytest.mark.parametrize(("magic", "codec"), [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (1, 3)])
def test_old_formats_are_read(magic: int, codec: int) -> None:
    """A broker upgraded for many years may still hold them."""
    builder = LegacyRecordBatchBuilder(magic, codec, 2**20)
    for number in range(3):
        builder.append(number, timestamp=1000, key=b"k", value=b"v%d" % number)
    made = bytearray(builder.build())
    if codec:
        struct.pack_into(">q", made, 0, 2)  # a broker gives the wrapper its last record's offset
    found, position = read(made)
    assert [(offset, value) for offset, value, _ in found] == [(0, b"v0"), (1, b"v1"), (2, b"v2")]
    assert position == 3


def test_aborted_transactions_and_markers_are_passed_over() -> None:
    """Only what was committed comes out; the position moves behind the marker."""
    theirs: dict[str, Any] = {"is_transactional": 1, "producer_id": 7, "producer_epoch": 0, "base_sequence": 0}
    aborted, committed = batch(0, [b"no", b"no"], **theirs), batch(3, [b"yes"], **theirs)
    parts = [aborted, _marker(2, commit=False), committed, _marker(4, commit=True)]
    records = answer(parts, aborted=[(7, 0)])
    assert [(record.offset, record.value) for record in records] == [(3, b"yes")]
    assert records.next_fetch_offset == 5


def _marker(offset: int, *, commit: bool) -> bytearray:
    """A control batch as the transaction coordinator writes it."""
    made = batch(offset, [b"x"], is_transactional=1, producer_id=7, producer_epoch=0, base_sequence=0)
    key = struct.pack(">hh", 0, int(commit))
    body = b"\x00\x00\x00" + bytes([len(key) << 1]) + key + bytes([6 << 1]) + b"\x00\x00\x00\x00\x00\x00" + b"\x00"
    length = bytearray()
    encode_varint(len(body), length.append)
    return repack(made, bytes(length) + body, attributes=0x10 | 0x20)


def test_only_the_first_of_equal_answers_is_counted() -> None:
    """Asking one answer again whether it has more is no new try."""

    def asks() -> Iterator[bool]:
        bad = batch(1, [b"b"])
        bad[-3] ^= 0xFF
        one = Batches(bytes(bad))
        for _ in range(10):
            yield one.has_next()

    assert not any(asks())
