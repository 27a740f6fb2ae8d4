"""Exact-span figures."""

from collections.abc import Sequence

import pytest

from worker.nlp.evaluate import evaluate, evaluate_documents, spans

GOLD = [
    (["Mona", "Haddad", "left", "Cairo"], ["B-PER", "I-PER", "O", "B-LOC"]),
    (["Nile", "Bank", "of", "Egypt"], ["B-ORG", "I-ORG", "I-ORG", "I-ORG"]),
]
GUESS = [["B-PER", "I-PER", "O", "B-ORG"], ["B-ORG", "I-ORG", "O", "B-LOC"]]


def always(documents: Sequence[Sequence[Sequence[str]]]) -> list[list[list[str]]]:
    """A tagger that knows the two sentences."""
    answers = {tuple(words): tags for (words, _), tags in zip(GOLD, GUESS, strict=True)}
    return [[answers[tuple(sentence)] for sentence in document] for document in documents]


def test_figures_by_hand() -> None:
    """One of three mentions is right and four were predicted: counted by hand."""
    result = evaluate(GOLD, always, language="en")
    assert (result["language"], result["sentences"], result["tokens"]) == ("en", 2, 8)
    assert result["overall"] == pytest.approx({"precision": 1 / 4, "recall": 1 / 3, "f1": 2 / 7, "support": 3})
    assert result["types"]["PER"] == pytest.approx({"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1})
    assert result["types"]["LOC"]["f1"] == 0
    assert result["types"]["ORG"]["precision"] == 0


def test_other_types_do_not_count() -> None:
    """A predicted or expected MISC changes nothing."""
    sentence = (["Eid", "in", "Cairo"], ["B-MISC", "O", "B-LOC"])
    result = evaluate([sentence], lambda _: [[["O", "B-MISC", "B-LOC"]]])
    assert result["overall"]["f1"] == 1
    assert result["overall"]["support"] == 1


def test_documents_hold_the_sentences_asked_for() -> None:
    """The tagger is given runs of neighbouring sentences of the length asked for."""
    seen: list[int] = []

    def note(documents: Sequence[Sequence[Sequence[str]]]) -> list[list[list[str]]]:
        seen.extend(len(document) for document in documents)
        return [[["O"] * len(sentence) for sentence in document] for document in documents]

    evaluate([(["a"], ["O"])] * 5, note, document=2)
    assert seen == [2, 2, 1]


def test_documents_that_are_known_are_kept() -> None:
    """The figures are those of all their sentences."""
    seen: list[int] = []

    def note(documents: Sequence[Sequence[Sequence[str]]]) -> list[list[list[str]]]:
        seen.extend(len(document) for document in documents)
        return always(documents)

    result = evaluate_documents([GOLD[:1], GOLD], note, language="en")
    assert seen == [1, 2]
    assert (result["sentences"], result["overall"]["support"]) == (3, 5)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("B-PER I-PER O", {(0, 2, "PER")}),
        ("B-PER B-PER", {(0, 1, "PER"), (1, 2, "PER")}),
        ("B-PER I-LOC", {(0, 1, "PER"), (1, 2, "LOC")}),
        ("I-ORG I-ORG", {(0, 2, "ORG")}),
        ("O", set()),
    ],
)
def test_spans(tags: str, expected: set[tuple[int, int, str]]) -> None:
    """Mentions start at B-, or at an I- that continues nothing of its type."""
    assert spans(tags.split()) == expected
