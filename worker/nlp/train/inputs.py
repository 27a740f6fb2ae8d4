"""What every step of the recipe is given: the corpora, the words that choose pieces, the cut vocabulary."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from worker.errors import UserError
from worker.nlp.evaluate import SCORED
from worker.nlp.pieces import Pieces
from worker.nlp.train import corpora
from worker.nlp.train.data import Example, read_corpus, read_words
from worker.nlp.train.vocabulary import COMMON_WORDS, LANGUAGES, common_words, name_words

EVERYTHING = (*corpora.FIRST, *corpora.ADDED, *corpora.DEV)


@dataclass(frozen=True)
class Inputs:
    """What every step needs.

    Args:
        pieces: the cut vocabulary.
        data: folder with ``ner/``, ``names/`` and ``ud/``.
        work: folder of the steps' weights.
        seed: of everything random.
    """

    pieces: Pieces
    data: Path
    work: Path
    seed: int

    def corpora(self, names: Sequence[str]) -> list[list[Example]]:
        """Sentences to fit on, what joins the dev parts left out."""
        parts = [read_corpus(self.data / "ner", name) for name in names]
        return [part[: len(part) - corpora.HELD_BACK.get(name, 0)] for name, part in zip(names, parts, strict=True)]

    def dev(self) -> dict[str, list[Example]]:
        """The parts that settings are chosen by."""
        parts = {name: read_corpus(self.data / "ner", name) for name in corpora.DEV}
        held = {
            f"{name.partition('.')[0]}, its end": read_corpus(self.data / "ner", name)[-count:] for name, count in corpora.HELD_BACK.items()
        }
        return {**parts, **held}

    def unlabelled(self) -> list[list[Example]]:
        """Treebank sentences whose tags nobody knows."""
        return [read_words(self.data / "ud" / f"{name}.conllu") for name in corpora.UNLABELLED]


def pick(pieces: Sequence[str], scores: Sequence[float], kept: Sequence[int]) -> Pieces:
    """A cut vocabulary."""
    return Pieces([pieces[index] for index in kept], [float(scores[index]) for index in kept])


def check_inputs(data: Path) -> None:
    """Say at once which corpora are not there.

    Raises:
        UserError: naming the first of them.
    """
    files = [data / "ner" / f"{name}.bio" for name in (*EVERYTHING, *corpora.VOCABULARY_ONLY)]
    files += [data / "ud" / f"{name}.conllu" for name in (*corpora.UNLABELLED, *corpora.HEARD)]
    files += [data / "names" / f"{language}-{kind}.tsv" for language in LANGUAGES for kind in SCORED]
    missing = [file for file in files if not file.is_file()]
    if missing:
        message = f"{missing[0]}: there is no such corpus ({len(missing)} of {len(files)} are missing)"
        raise UserError(message)


def words_to_spell(data: Path) -> Iterator[tuple[str, str]]:
    """(language, word): what the vocabulary is to spell as the encoder's whole one does."""
    yield from common_words(COMMON_WORDS)
    yield from name_words(data / "names")
    yield from text_words(data, (*EVERYTHING, *corpora.VOCABULARY_ONLY))


def text_words(data: Path, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(language, word): every word of the labelled texts."""
    for name in names:
        for example in read_corpus(data / "ner", name):
            for word in example.words:
                yield name[:2], word
