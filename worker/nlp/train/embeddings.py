"""Piece embeddings in 4 bits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.nlp.tagger import EMBEDDING_BLOCK

Array = NDArray[Any]


def quantise_embeddings(table: Array) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """4-bit rows in blocks: (pieces, hidden / 2) bytes, low nibble first half of a block, and (pieces, blocks) scales.

    Level = round(value / scale) + 8 in 0–15; of several scales a block takes the one with the least squared error.
    """
    blocks = table.reshape(len(table), -1, EMBEDDING_BLOCK)
    peak = np.abs(blocks).max(2, keepdims=True)
    sign = np.where(np.take_along_axis(blocks, np.abs(blocks).argmax(2)[..., None], 2) > 0, -1.0, 1.0)
    best = np.full(peak.shape, np.inf)
    chosen = np.zeros(peak.shape, np.float16)
    for part in np.linspace(0.7, 1.05, 15):
        for reach in (7.0, 8.0):
            # With eight steps the negative end reaches one further, so the scale's sign turns the peak there.
            scale = (peak * part / reach * (sign if reach > 7 else 1.0)).astype(np.float16)  # noqa: PLR2004 - see above
            step = np.where(scale == 0, 1, scale.astype(np.float32))
            error = np.square(np.clip(np.rint(blocks / step), -8, 7) * step - blocks).sum(2, keepdims=True)
            chosen = np.where(error < best, scale, chosen)
            best = np.minimum(best, error)
    step = np.where(chosen == 0, 1, chosen.astype(np.float32))
    levels = (np.clip(np.rint(blocks / step), -8, 7) + 8).astype(np.uint8)
    half = EMBEDDING_BLOCK // 2
    packed: NDArray[np.uint8] = levels[..., :half] | (levels[..., half:] << np.uint8(4))
    scales: NDArray[np.float16] = chosen[..., 0]
    return packed.reshape(len(table), -1), scales
