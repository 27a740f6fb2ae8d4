"""What a step leaves in the folder of the steps: written whole or not at all, and found again only by a step made of the same."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.nlp.train.average import State
from worker.nlp.train.data import Example


def mark(
    states: Iterable[State],
    text: Sequence[Sequence[Example]],
    *,
    taught: Iterable[NDArray[np.float16]] = (),
    settings: str = "",
) -> str:
    """Twelve hex digits that stand for all that a step is made of.

    Args:
        states: the networks that it begins with.
        text: that it reads.
        taught: scores that it imitates.
        settings: of the fitting, written out.
    """
    digest = hashlib.sha256(settings.encode())
    for state in states:
        for name, value in sorted(state.items()):
            digest.update(name.encode() + value.detach().contiguous().numpy().tobytes())
    for corpus in text:
        for example in corpus:
            digest.update(json.dumps([example.words, example.tags, example.corpus]).encode())
    for scores in taught:
        digest.update(scores.tobytes())
    return digest.hexdigest()[:12]


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Have a file written beside its place and put there when it is finished."""
    part = path.with_name(f"unfinished-{path.name}")  # numpy adds its own ending to any other
    write(part)
    part.rename(path)
