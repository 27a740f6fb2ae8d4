"""Reading what producers pack: gzip, snappy, lz4 and zstd, never into more memory than is there, and names that are no text.

For both Kafka clients: aiokafka unpacks whatever it is given, and kafka-python needs three further packages for what
cramjam does alone.
"""

import struct
import zlib
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

import cramjam

MOST_UNPACKED: Final = 128 * 2**20
"""Bytes a batch may unpack to. A larger one is dead-lettered whole, as it came."""
USUAL_RATIO: Final = 16
LEAST_BUFFER: Final = 2**20
GZIP_PART: Final = 4096


class TooMuchError(ValueError):
    """The batch unpacks to more than `MOST_UNPACKED`."""


class Lenient(bytearray):
    """A buffer whose text is read whatever its bytes are."""

    def __getitem__(self, where: Any) -> Any:  # noqa: ANN401 - an index or a slice
        """Slices are lenient too."""
        part = super().__getitem__(where)
        return Lenient(part) if isinstance(where, slice) else part

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        """Read text, stray bytes as backslash, x and their number."""
        return super().decode(encoding, errors)


def _too_much() -> TooMuchError:
    return TooMuchError(f"the batch unpacks to more than {MOST_UNPACKED} bytes")


def gunzip(payload: Any) -> bytes:  # noqa: ANN401 - any buffer
    """Unpack gzip, one member or several.

    Raises:
        TooMuchError: it is more than `MOST_UNPACKED`.
        zlib.error: it is no gzip.
    """
    packed = memoryview(bytes(payload))
    unpacked: list[bytes] = []
    room = MOST_UNPACKED + 1
    place = 0
    while place < len(packed):
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            if place >= len(packed):
                message = "gzip ends too early"
                raise ValueError(message)
            part = packed[place : place + GZIP_PART]  # what a member leaves unused is copied: never all of the rest
            unpacked.append(member.decompress(part, room))
            room -= len(unpacked[-1])
            if room <= 0:
                raise _too_much()
            place += len(part) - len(member.unused_data) - len(member.unconsumed_tail)
    return b"".join(unpacked)


def _bounded(unpack: Callable[[bytes, bytearray], int]) -> Callable[[Any], bytes]:
    """Unpack into a buffer of the usual size, and into the largest where that is too small."""

    def decode(payload: Any) -> bytes:  # noqa: ANN401 - any buffer
        packed = bytes(payload)
        for size in (min(MOST_UNPACKED, max(LEAST_BUFFER, USUAL_RATIO * len(packed))), MOST_UNPACKED):
            buffer = bytearray(size)
            try:
                return bytes(memoryview(buffer)[: unpack(packed, buffer)])
            except cramjam.DecompressionError as error:
                if "whole buffer" not in str(error) and "too small" not in str(error):
                    raise
        raise _too_much()

    return decode


def unsnap(payload: Any) -> bytes:  # noqa: ANN401 - any buffer
    """Unpack snappy, raw or in Xerial's blocks: each block says first how long it will be.

    Raises:
        TooMuchError: it is more than `MOST_UNPACKED`.
        cramjam.DecompressionError: it is no snappy.
    """
    packed = memoryview(bytes(payload))
    blocks = [packed]
    if bytes(packed[:8]) == b"\x82SNAPPY\x00":
        blocks, place = [], 16
        while place < len(packed):
            (length,) = struct.unpack_from(">i", packed, place)
            if length < 0:
                message = f"a snappy block of {length} bytes"
                raise ValueError(message)
            blocks.append(packed[place + 4 : place + 4 + length])
            place += 4 + length
    if sum(map(_announced, blocks)) > MOST_UNPACKED:
        raise _too_much()
    return b"".join(bytes(cramjam.snappy.decompress_raw(bytes(block))) for block in blocks)


def _announced(block: memoryview) -> int:
    """Unpacked length, a little-endian varint at the front."""
    length = shift = 0
    for byte in block[:5]:
        length |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the last byte of a varint
            break
        shift += 7
    return length


DECODERS: Final[dict[str, Callable[[Any], bytes]]] = {
    "gzip_decode": gunzip,
    "snappy_decode": unsnap,
    "lz4_decode": _bounded(cramjam.lz4.decompress_into),
    "zstd_decode": _bounded(cramjam.zstd.decompress_into),
}
"""Under the names that both clients use."""


def teach(module: ModuleType) -> None:
    """Let a client's module unpack through this one."""
    for name, decode in DECODERS.items():
        if hasattr(module, name):
            setattr(module, name, decode)
