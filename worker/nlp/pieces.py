"""Words to sub-word pieces: normalise for matching, then the best path of a Unigram model.

The pieces and their scores are those of multilingual-e5-small (XLM-R's SentencePiece model) with the vocabulary cut to
three languages. Forbidding the pieces that were cut makes the remaining ones spell every word, so a cut vocabulary needs
no other fallback than ``unk`` for letters of foreign scripts. Source: Kudo 2018, "Subword Regularization" (the Unigram
model); Unicode UAX #15 (NFKC).
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

WORD_START = "\u2581"
"""SentencePiece's mark for the start of a word."""

LONGEST_WORD = 64
"""Code points of one word that are looked at: anything longer is no word, and pieces are paid for."""

LONGEST_SPELLING = 24
"""Pieces of one word that are kept: the rest of a monster changes nothing about its tag."""

_UNKNOWN_PENALTY = 10.0
# Arabic diacritics, Quranic marks, tatweel, and the invisible marks of direction: none of them tells names apart.
_DROPPED = re.compile("[\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06ed\u200b\u200d-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_GAP = re.compile(r"[\s\u200c]+")
_ARABIC_LETTER = re.compile("[\u0620-\u064a\u066e-\u06d3]")
_PERSIAN_LETTER = re.compile("[پچژگکی]")
_PERSIAN_SHARE = 0.03
_TO_PERSIAN = str.maketrans({"ي": "ی", "ى": "ی", "ك": "ک"})


def is_persian(words: Iterable[str]) -> bool:
    """Whether these words are Persian rather than Arabic, by the letters that only one of them uses.

    Decides only how ya and kaf are read; a Persian text typed on an Arabic keyboard still has its پ چ ژ گ.
    """
    text = "".join(words)
    arabic = len(_ARABIC_LETTER.findall(text))
    return arabic > 0 and len(_PERSIAN_LETTER.findall(text)) > _PERSIAN_SHARE * arabic


def normalise(word: str, *, persian: bool = False) -> str:
    """One word as the model knows it: NFKC, no diacritics or tatweel, a ZWNJ as a space, Persian ya and kaf."""
    if word.isascii():
        return word.strip()
    text = _GAP.sub(" ", _DROPPED.sub("", unicodedata.normalize("NFKC", word))).strip()
    return text.translate(_TO_PERSIAN) if persian else text


@dataclass
class Pieces:
    """A Unigram vocabulary with a bounded cache of words.

    Args:
        pieces: every piece in the order of its id; ids 0–3 are ``<s> <pad> </s> <unk>``.
        scores: the log probability of each piece.
        cache_words: how many spelled words are kept; the cache is emptied when full.
    """

    pieces: Sequence[str]
    scores: Sequence[float]
    cache_words: int = 50_000  # 14 MB full; a word that is not there costs 30 µs
    _table: dict[str, tuple[float, int]] = field(init=False, repr=False)
    _cache: dict[tuple[str, bool], tuple[int, ...]] = field(init=False, repr=False)
    _longest: int = field(init=False, repr=False)
    _floor: float = field(init=False, repr=False)

    bos = 0
    pad = 1
    eos = 2
    unk = 3

    def __post_init__(self) -> None:
        """Build the lookup table; the four special pieces never match text."""
        pairs = list(zip(self.pieces, self.scores, strict=True))
        self._table = {piece: (score, index) for index, (piece, score) in enumerate(pairs) if index > self.unk}
        self._longest = max((len(piece) for piece in self._table), default=1)
        self._floor = min((score for score, _ in self._table.values()), default=0.0) - _UNKNOWN_PENALTY
        self._cache = {}

    def spell(self, word: str, *, persian: bool = False) -> tuple[int, ...]:
        """The ids of one word's pieces, never empty; unknown letters in a row are one ``unk``."""
        key = (word, persian)
        ids = self._cache.get(key)
        if ids is None:
            if len(self._cache) >= self.cache_words:
                self._cache.clear()
            text = normalise(word[:LONGEST_WORD], persian=persian)
            marked = WORD_START + text.replace(" ", WORD_START) if text else ""
            ids = self._cache[key] = tuple(self._best_path(marked)[:LONGEST_SPELLING]) or (self.unk,)
        return ids

    def _best_path(self, text: str) -> list[int]:
        """Viterbi over the pieces that spell ``text``."""
        table, longest, floor = self._table, self._longest, self._floor
        best: list[tuple[float, int, int]] = [(0.0, 0, -1)]
        for end in range(1, len(text) + 1):
            score, start, piece = best[end - 1][0] + floor, end - 1, self.unk
            for begin in range(max(0, end - longest), end):
                known = table.get(text[begin:end])
                if known is not None:
                    total = best[begin][0] + known[0]
                    if total > score:
                        score, start, piece = total, begin, known[1]
            best.append((score, start, piece))
        path: list[int] = []
        end = len(text)
        while end:
            _, start, piece = best[end]
            if not (piece == self.unk and path and path[-1] == self.unk):
                path.append(piece)
            end = start
        path.reverse()
        return path
