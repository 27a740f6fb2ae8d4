"""Exact-span precision, recall and F1 of any tagger over BIO sentences (as CoNLL-2003's ``conlleval`` counts them)."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

SCORED = ("PER", "LOC", "ORG")
"""The types that count; mentions of others are neither expected nor held against a tagger."""

DOCUMENT = 16
"""How many neighbouring sentences are one document to a tagger, where nobody says otherwise."""

T = TypeVar("T")  # neighbours are neighbours, whatever is known of a sentence

Tagged = tuple[Sequence[str], Sequence[str]]
"""Words and their BIO tags."""

Tag = Callable[[Sequence[Sequence[Sequence[str]]]], list[list[list[str]]]]
"""documents → sentences → words to tags of the same shape."""


def spans(tags: Sequence[str]) -> set[tuple[int, int, str]]:
    """(start, end, type) of every mention; an ``I-`` that continues nothing of its type starts a mention."""
    found: set[tuple[int, int, str]] = set()
    start, kind = 0, ""
    for index, tag in enumerate([*tags, "O"]):
        if not (tag.startswith("I-") and tag[2:] == kind):
            if kind:
                found.add((start, index, kind))
            start, kind = index, tag[2:]
    return found


def rates(right: int, predicted: int, support: int) -> dict[str, float | int]:
    """Precision, recall and F1 as fractions of 1 (0 where nothing was predicted or expected), and the support."""
    precision = right / predicted if predicted else 0.0
    recall = right / support if support else 0.0
    both = precision + recall
    return {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / both if both else 0.0,
        "support": support,
    }


def neighbours(sentences: Sequence[T], number: int) -> list[Sequence[T]]:
    """Runs of that many neighbouring sentences; the last may be shorter."""
    return [sentences[start : start + number] for start in range(0, len(sentences), number)]


def evaluate(
    sentences: Sequence[Tagged],
    tag: Tag,
    *,
    language: str = "",
    types: Iterable[str] = SCORED,
    document: int = DOCUMENT,
) -> dict[str, Any]:
    """`evaluate_documents` where nobody knows the documents: so many neighbouring sentences are one, as in running text.

    Args:
        sentences: (words, BIO tags) pairs; tokens are taken as given, clitics included.
        tag: the tagger.
        language: copied into the answer.
        types: which mentions count.
        document: how many sentences are one document to the tagger; 1 tags each alone.
    """
    return evaluate_documents(neighbours(sentences, document), tag, language=language, types=types)


def evaluate_documents(
    documents: Sequence[Sequence[Tagged]], tag: Tag, *, language: str = "", types: Iterable[str] = SCORED
) -> dict[str, Any]:
    """Tag the words of the documents' sentences and compare: ``language sentences tokens overall types``.

    Args:
        documents: each holds (words, BIO tags) pairs.
        tag: the tagger.
        language: copied into the answer.
        types: which mentions count; ``overall`` is their micro average.
    """
    wanted = tuple(types)
    right, predicted, support = Counter[str](), Counter[str](), Counter[str]()
    sentences = [sentence for document in documents for sentence in document]
    guesses = [tags for guess in tag([[words for words, _ in document] for document in documents]) for tags in guess]
    for (_, tags), guess in zip(sentences, guesses, strict=True):
        gold, found = spans(tags), spans(guess)
        support.update(kind for *_, kind in gold if kind in wanted)
        predicted.update(kind for *_, kind in found if kind in wanted)
        right.update(kind for *_, kind in gold & found if kind in wanted)
    return {
        "language": language,
        "sentences": len(sentences),
        "tokens": sum(len(words) for words, _ in sentences),
        "overall": rates(right.total(), predicted.total(), support.total()),
        "types": {kind: rates(right[kind], predicted[kind], support[kind]) for kind in wanted},
    }
