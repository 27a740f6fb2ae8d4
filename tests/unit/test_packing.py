"""Unpacking within bounds, and kafka-python reading through it."""

import time
import zlib
from typing import Any

import cramjam
import pytest
from kafka.record.memory_records import MemoryRecords

from tests.faults.craft import CODECS, HEADER_BYTES, batch, repack, seal
from worker import kafka_reading, packing


def test_gzip_of_several_members_is_read() -> None:
    """Some producers flush in the middle."""
    both = zlib.compress(b"one", wbits=31) + zlib.compress(b"two", wbits=31)
    assert packing.gunzip(both) == b"onetwo"
    with pytest.raises(ValueError, match="ends too early"):
        packing.gunzip(both[:-4])


def test_snappy_in_blocks_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Java's producer writes Xerial's blocks."""
    from aiokafka.codec import snappy_encode

    packed = snappy_encode(b"word " * 20_000)
    assert packing.unsnap(packed) == b"word " * 20_000
    monkeypatch.setattr(packing, "MOST_UNPACKED", 1000)
    with pytest.raises(packing.TooMuchError):
        packing.unsnap(packed)


@pytest.mark.parametrize("name", packing.DECODERS)
def test_nothing_unpacks_to_more_than_fits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the limit it does."""
    packed = {
        "gzip_decode": zlib.compress(bytes(3 * 2**20), wbits=31),
        "snappy_decode": bytes(cramjam.snappy.compress_raw(bytes(3 * 2**20))),
        "lz4_decode": bytes(cramjam.lz4.compress(bytes(3 * 2**20))),
        "zstd_decode": bytes(cramjam.zstd.compress(bytes(3 * 2**20))),
    }[name]
    assert packing.DECODERS[name](packed) == bytes(3 * 2**20)
    monkeypatch.setattr(packing, "MOST_UNPACKED", 3 * 2**20 - 1)
    with pytest.raises(packing.TooMuchError):
        packing.DECODERS[name](packed)


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_the_commands_read_what_the_worker_reads(codec: int) -> None:
    """Every compression, and a header name that is no text: `khabar replay` looks through the input topic."""
    kafka_reading.install()
    kafka_reading.install()
    plain = batch(0, [b"one", b"two"], headers=[("na-me", b"v")])
    odd = seal(bytearray(bytes(plain).replace(b"na-me", b"na\xffme", 1)))
    pack: dict[int, Any] = {
        0: bytes,
        1: lambda data: zlib.compress(data, wbits=31),
        2: cramjam.snappy.compress_raw,
        3: cramjam.lz4.compress,
    }
    packed = pack.get(codec, cramjam.zstd.compress)(bytes(odd[HEADER_BYTES:]))
    records = MemoryRecords(bytes(repack(odd, bytes(packed), attributes=codec)))
    found = [(record.value, record.headers) for record in records.next_batch()]
    assert found == [(b"one", [("na\\xffme", b"v")]), (b"two", [("na-me", b"v")])]


def test_many_small_members_of_gzip_are_linear() -> None:
    """What a member leaves unused is copied: with all of the rest each time, a megabyte of them would take minutes."""
    member = zlib.compress(b"x", wbits=31)
    began = time.process_time()
    assert packing.gunzip(member * 20_000) == b"x" * 20_000
    assert time.process_time() - began < 5
    assert packing.gunzip(zlib.compress(bytes(300_000), wbits=31) + member) == bytes(300_000) + b"x"
    with pytest.raises(ValueError, match="ends too early"):
        packing.gunzip(member[:-1])
