"""Extractive summary: the sentences that say most of what the others say, early ones first, no two the same.

LexRank (Erkan and Radev, JAIR 22, 2004) over cosine similarity of words weighed by how few sentences use them, with a
prior for each sentence in the place of the random jump (Otterbacher et al., 2005), then maximal marginal relevance
(Carbonell and Goldstein, SIGIR 1998) under a budget. No corpus, no stop words: any language.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from worker.enrich.segment import sentences as split
from worker.enrich.text import fold, listed
from worker.records import FieldName, Summary, SummarySentence

METHOD = "lexrank-mmr/1"
"""What stands in ``summary.method``: raise the number when the choice of sentences changes."""

CANDIDATES = 120
"""Sentences from the beginning that are looked at: news puts what matters first, and the graph is quadratic."""

_STRETCH = 3  # a leading sentence up to so many times too long is still better than no summary
_LEADING = 5
_LOOKED_AT = 600  # code points of a sentence that are compared
_DAMPING = 0.3  # weight of the graph against the prior
_ROUNDS = 12  # of the power iteration: enough for the order to settle
_REDUNDANCY = 0.2  # how much likeness to what is chosen counts against a sentence
_SAME = 0.8  # from this likeness on two sentences say the same
_DECAY = 0.05  # how fast the prior falls with position
_SHORT = 40  # code points below which a sentence is likely a byline or a heading
_TITLE = 2.0  # weight of likeness to the headline in the prior
_FACTORS = {"boilerplate": 0.05, "short": 0.4, "fragment": 0.7, "question": 0.7, "leaning": 0.7}

_WORD = re.compile(r"[^\W_]+")
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff]")
_ENDED = re.compile(r"[.!?؟…۔。！？।]\W*\Z")
_BOILERPLATE = tuple(
    fold(phrase)
    for phrase in (
        *(
            "©",
            "all rights reserved",
            "read more",
            "read also",
            "click here",
            "sign up for",
            "subscribe to",
            "follow us",
            "share this",
            "photo:",
        ),
        *("اقرأ أيضا", "اقرأ المزيد", "للمزيد", "تابعونا", "شاهد أيضا", "جميع الحقوق", "حقوق النشر", "اشترك في"),
        *("انتهای پیام", "بیشتر بخوانید", "کد خبر", "منبع:", "لینک کوتاه", "عضو شوید", "تمامی حقوق"),
    )
)
_LEANING = listed(  # folded first words that lean on a sentence before
    "he she it they his her this that these those but and however also meanwhile "
    "واضاف واضافت واشار واشارت وتابع وتابعت واوضح واوضحت وقال وقالت واكد واكدت وذكر ولفت كما وكان وكانت وهو وهي "
    "وي او همچنين اين ان اما انها وي افزود"
)


class _Candidate(NamedTuple):
    """A sentence that may be chosen: where it stands, its spelling for comparison (its beginning, where it is long), its words."""

    start: int
    end: int
    folded: str
    tokens: list[str]


def summarise(body: str, sentences: Sequence[tuple[int, int]], *, title: str | None, max_sentences: int, max_characters: int) -> Summary:
    """Choose the sentences that stand for the article, in its own words and order.

    Args:
        body: the running text.
        sentences: (start, end) of its sentences.
        title: the headline: a sentence that repeats it is left out, one that resembles it is likelier.
        max_sentences: sentences at most.
        max_characters: code points of the summary at most. No sentence is ever cut: where none fits, the shortest of
            the first five is taken, unless it is more than three times too long.

    Returns:
        Sentences of the body; of the title only where the body has no word; none where neither has.
    """
    field: FieldName = "body"
    text = body
    headline = (title or "")[:_LOOKED_AT]
    candidates = _candidates(text, sentences, repeated=fold(headline))
    if not candidates and title:
        field, text = "title", title
        candidates = _candidates(text, split(title), repeated="")
    chosen = _choose(text, candidates, title=headline, max_sentences=max_sentences, max_characters=max_characters)
    spans = [(candidates[index].start, candidates[index].end) for index in sorted(chosen)]
    return Summary(
        text=" ".join(text[start:end] for start, end in spans),
        method=METHOD,
        sentences=[SummarySentence(field=field, start=start, end=end) for start, end in spans],
    )


def _candidates(text: str, sentences: Sequence[tuple[int, int]], *, repeated: str) -> list[_Candidate]:
    """Leading sentences that hold a word and do not repeat the headline."""
    headline = _tokens(repeated)
    found = []
    for start, end in sentences[:CANDIDATES]:
        folded = fold(text[start : min(end, start + _LOOKED_AT)])
        tokens = _tokens(folded)
        if tokens and tokens != headline:
            found.append(_Candidate(start, end, folded, tokens))
    return found


def _tokens(text: str) -> list[str]:
    """Words to compare; pairs of letters where the script puts no space between words."""
    tokens = _WORD.findall(text)
    if not _UNSPACED.search(text):
        return tokens
    return [token[at : at + 2] for token in tokens for at in range(max(len(token) - 1, 1) if _UNSPACED.search(token) else 1)]


def _choose(text: str, candidates: Sequence[_Candidate], *, title: str, max_sentences: int, max_characters: int) -> list[int]:
    """Indices of the candidates that make the summary."""
    lengths = [candidate.end - candidate.start for candidate in candidates]
    if not any(length <= max_characters for length in lengths):
        leading = sorted(range(len(lengths))[:_LEADING], key=lengths.__getitem__)[:1]
        return [index for index in leading if lengths[index] <= _STRETCH * max_characters]
    vectors = _vectors([*(candidate.tokens for candidate in candidates), _tokens(fold(title))])
    likeness = vectors @ vectors.T
    prior = np.array(list(_priors(text, candidates)))
    prior *= 1 + _TITLE * likeness[-1, :-1]
    return _select(_centrality(likeness[:-1, :-1], prior), likeness, lengths, max_sentences=max_sentences, max_characters=max_characters)


def _vectors(sentences: Sequence[Sequence[str]]) -> NDArray[np.float32]:
    """One unit vector a sentence: words weighed by how few of the sentences use them; what one alone uses counts in its length only."""
    used = Counter(chain.from_iterable(map(set, sentences)))
    place = {token: index for index, token in enumerate(used)}
    spread = np.fromiter(used.values(), np.float32, len(used))
    rows = np.repeat(np.arange(len(sentences)), [len(tokens) for tokens in sentences])
    columns = np.fromiter(map(place.__getitem__, chain.from_iterable(sentences)), np.intp, len(rows))
    weights = np.log(len(sentences) / spread)[columns]
    vectors = np.bincount(rows * len(place) + columns, weights, len(sentences) * len(place)).reshape(len(sentences), -1)
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    unit: NDArray[np.float32] = (vectors[:, spread > 1] / np.maximum(norms, 1e-9)).astype(np.float32)
    return unit


def _priors(text: str, candidates: Sequence[_Candidate]) -> Iterator[float]:
    """How likely each sentence is to matter, by its place and its looks alone."""
    whole = "\n".join(candidate.folded for candidate in candidates)
    phrases = [phrase for phrase in _BOILERPLATE if phrase in whole]  # nearly always none, told in one pass
    for index, candidate in enumerate(candidates):
        yield _prior(text[candidate.start : candidate.end], candidate, index, phrases)


def _prior(sentence: str, candidate: _Candidate, index: int, phrases: Sequence[str]) -> float:
    """The same of one sentence."""
    weight = 1.0 / (1.0 + _DECAY * index)
    if any(phrase in candidate.folded for phrase in phrases):
        weight *= _FACTORS["boilerplate"]
    if len(sentence) < _SHORT:
        weight *= _FACTORS["short"]
    if not _ENDED.search(sentence[-4:]) or sentence.count("«") != sentence.count("»") or sentence.count("“") != sentence.count("”"):
        weight *= _FACTORS["fragment"]
    if sentence[-4:].rstrip("»”\"')").endswith(("?", "؟")):
        weight *= _FACTORS["question"]
    if index and candidate.tokens[0] in _LEANING:
        weight *= _FACTORS["leaning"]
    return weight


def _centrality(likeness: NDArray[np.float32], prior: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of attention of each sentence: likeness as the links of a random walk, the prior as its jump."""
    links = likeness.astype(np.float64)
    np.fill_diagonal(links, 0.0)
    sums = links.sum(axis=1, keepdims=True)
    jump = prior / prior.sum()
    links = np.where(sums > 0, links / np.maximum(sums, 1e-12), jump)
    rank: NDArray[np.float64] = jump
    for _ in range(_ROUNDS):
        rank = _DAMPING * (rank @ links) + (1 - _DAMPING) * jump
    return rank


def _select(
    rank: NDArray[np.float64], likeness: NDArray[np.float32], lengths: Sequence[int], *, max_sentences: int, max_characters: int
) -> list[int]:
    """Best first, each weighed down by its likeness to those already taken, as long as they fit."""
    score: list[float] = (rank / rank.max()).tolist()
    alike: list[list[float]] = likeness.tolist()
    chosen: list[int] = []
    room = max_characters
    while len(chosen) < max_sentences:
        liked = {index: max((alike[index][taken] for taken in chosen), default=0.0) for index in range(len(lengths))}
        fitting = [index for index, length in enumerate(lengths) if length <= room and liked[index] < _SAME and index not in chosen]
        if not fitting:
            break
        best = max(fitting, key=lambda index: (score[index] - _REDUNDANCY * liked[index], -index))
        chosen.append(best)
        room -= lengths[best] + 1
    return chosen
