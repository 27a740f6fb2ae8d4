"""Stanza's own models, or anybody's in Stanza's form: tokenizer and tagger of any language.

Every text goes through the tokenizer and the tagger by itself. Stanza's bulk mode joins texts before it splits them, so
that a text's sentences would depend on its neighbours; here they must not. It costs nothing: on 96 news articles of 1,600
characters, one thread, it was 13.9 articles a second one by one, 11.4 in bulks of 32, and 16.4 as it is done below.
"""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from worker import log
from worker.enrich import segment
from worker.enrich.analysis import Analysis, Span
from worker.errors import ModelError, one_line
from worker.nlp import stanza_directory
from worker.records import EntityType, Model

logger = logging.getLogger(log.OWN)  # commands configure no logging: what is said there goes to standard error

PIECE = 4_000
"""Code points given to Stanza at once: its tokenizer copies the rest of a text for every window of 1,000."""

AT_START = 4
"""Languages that are loaded at the start: what is broken shows then, and no article's time limit pays for loading.

Where there are more, memory counts more: each is loaded when its first article comes.
"""

# Nobody's name: Stanza makes a token of nearly every letter of such a run, and its rule for addresses is quadratic in it.
_ABSURD = re.compile(r"\w{201,}|[^\w\s]{65,}|[!-~]{257,}")
# Marks of direction and control characters stick to words and make them unknown.
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_LINE_END = frozenset("\n\r\x0b\x0c\x85")

TYPES: dict[str, EntityType] = {
    name: kind
    for kind, names in cast(
        "dict[EntityType, str]",
        {
            "PER": "per pers person persname nep myth",
            "ORG": "org organization organisation orgname neo inst gpe_org brn",
            "LOC": "loc gpe location placename geogname nel place gpe_loc",
            "FAC": "fac facility",
            "EVENT": "event eve evt project",
            "PRODUCT": "product pro prod duc",
            "MISC": "misc miscellaneous oth other others norp work work_of_art woa art language ang law drv non_human animal disease",
        },
    ).items()
    for name in names.split()
}
"""Types of Stanza's packages (casefolded) and ours: OntoNotes, CoNLL, NKJP, BSNLP, SUC3, NorNE, IAHLT, kazNERD, ARMAN …"""

_IGNORED = """
date time timex dtm neti nd cardinal ordinal num number percent percentage money currency quantity mea measure nem
ttl title ed des designation position trm term adage contact informal
"""
IGNORED = frozenset(_IGNORED.split())
"""Types that name nobody and nothing."""


def unified(kind: str) -> EntityType | None:
    """One of our seven types for one of Stanza's, nothing for dates, numbers and titles; MISC for a type not known here."""
    name = kind.casefold()
    base = next((name[: -len(end)] for end in ("deriv", "part") if name.endswith(end)), name)  # GermEval's LOCderiv
    return None if base in IGNORED else TYPES.get(base, "MISC")


def blanked(text: str) -> str:
    """The text with absurd runs and invisible controls as spaces: the same length, so that every offset holds."""
    masked = _ABSURD.sub(lambda run: " " * len(run[0]), text)
    return _INVISIBLE.sub(lambda mark: "\n" if mark[0] in _LINE_END else " ", masked)


def pieces(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of stretches of at most `PIECE` code points, cut between sentences where that is possible."""
    begin = last = None
    for start, end in segment.sentences(text):
        if begin is not None and last is not None and end - begin > PIECE:
            yield begin, last
            begin = None
        begin = start if begin is None else begin
        while end - begin > PIECE:
            cut = text.rfind(" ", begin + 1, begin + PIECE)
            cut = begin + PIECE if cut < 0 else cut
            yield begin, cut
            begin = cut
        last = end
    if begin is not None and last is not None:
        yield begin, last


class Official:
    """A directory of Stanza models.

    Args:
        directory: holds ``resources.json``.
    """

    def __init__(self, directory: Path) -> None:
        """Verify every language that is there; load them, or, where there are many, leave each to its first article."""
        self._directory = directory
        self._packages = stanza_directory.present(directory)
        if not self._packages:
            message = f"{directory}: no language there has both a tokenizer and a tagger: fetch one with `khabar models pull`"
            raise ModelError(message)
        for language, path in stanza_directory.missing(directory):
            logger.warning("model_file_missing: %s is left out: %s", language, path)
        self._models = stanza_directory.records(directory, self._packages)
        self._pipelines: dict[str, Any] = {}
        if len(self._models) <= AT_START:
            for language in self._models:
                self._pipeline(language)

    @property
    def models(self) -> Sequence[Model]:
        """One row a language, in the order of their codes."""
        return tuple(self._models[language] for language in sorted(self._models))

    @property
    def by_language(self) -> Mapping[str, Model]:
        """The models of each language."""
        return self._models

    def models_for(self, language: str) -> Sequence[Model]:
        """What takes part for one language."""
        return (self._models[self._packages[language].language],) if self.supports(language) else ()

    def supports(self, language: str) -> bool:
        """Whether tokenizer and tagger are there; Stanza's aliases (``zh``, ``no``) count."""
        return language in self._packages

    def analyse(self, texts: Sequence[tuple[str, str]]) -> list[Analysis]:
        """Analyse (language, text) pairs, each by itself.

        Raises:
            ModelError: a language's models cannot be loaded.
        """
        return [self._analyse(self._pipeline(language), text) for language, text in texts]

    def tag(self, documents: Sequence[Sequence[Sequence[str]]], *, language: str) -> list[list[list[str]]]:
        """BIO tags (our types) of words given, all in one go."""
        from stanza.models.common.doc import Document

        tagger = self._pipeline(language).processors["ner"]
        rows = [
            [{"id": (number,), "text": word} for number, word in enumerate(words, 1)]
            for sentences in documents
            for words in sentences
            if words
        ]
        found = iter(tagger.process(Document(rows)).sentences if rows else ())
        return [[[_bio(token.ner) for token in next(found).tokens] if words else [] for words in sentences] for sentences in documents]

    def _analyse(self, pipeline: Any, text: str) -> Analysis:  # noqa: ANN401 - stanza.Pipeline
        """Sentences and spans of one text."""
        analysis = Analysis(sentences=[], spans=[])
        clean = blanked(text)
        for start, end in pieces(clean):
            document = pipeline.process(clean[start:end])
            for sentence in document.sentences:
                analysis.sentences.append((start + sentence.tokens[0].start_char, start + sentence.tokens[-1].end_char))
            for entity in document.ents:
                kind = unified(entity.type)
                if kind:
                    analysis.spans.append(Span(start=start + entity.start_char, end=start + entity.end_char, type=kind))
        return analysis

    def _pipeline(self, language: str) -> Any:  # noqa: ANN401 - stanza.Pipeline
        """The language's pipeline, loaded on first use."""
        packages = self._packages.get(language)
        if packages is None:
            message = f"no entity model for {language!r} in {self._directory}: fetch it with `khabar models pull {language}`"
            raise ModelError(message)
        if packages.language not in self._pipelines:
            self._refuse_changed(packages)
            self._pipelines[packages.language] = stanza_pipeline(self._directory, packages.language)
        return self._pipelines[packages.language]

    def _refuse_changed(self, packages: stanza_directory.StanzaPackages) -> None:
        """End the process when files have changed since they were verified, hours ago where a language is loaded late.

        No article is to blame and none may be marked with the wrong sha256: what starts anew takes the new models up.
        """
        try:
            changed = stanza_directory.digest(self._directory, packages) != self._models[packages.language].sha256
        except OSError:
            changed = True
        if changed:
            message = f"{self._directory}: the models for {packages.language!r} have changed since they were verified"
            raise SystemExit(message)


def stanza_pipeline(directory: Path, language: str) -> Any:  # noqa: ANN401 - stanza.Pipeline
    """Load a language; the network is not used, and Stanza reads its files with ``weights_only``.

    Raises:
        ModelError: the files cannot be loaded.
    """
    import stanza
    import torch

    torch.set_num_threads(1)  # a process a core
    try:
        pipeline = stanza.Pipeline(
            language, dir=str(directory), processors="tokenize,ner", download_method=None, use_gpu=False, logging_level="ERROR"
        )
    except Exception as error:  # Stanza raises what it likes: KeyError, RuntimeError, its own
        message = f"{directory}: Stanza cannot load its models for {language!r}: {one_line(error)[:300]}"
        raise ModelError(message) from error
    _skip_training_loss(pipeline)
    return pipeline


def _skip_training_loss(pipeline: Any) -> None:  # noqa: ANN401 - stanza.Pipeline
    """Keep the tagger from computing, for every batch, a training loss that it throws away: a fifth of its time."""
    from torch import nn

    class Transitions(nn.Module):
        """Answers like Stanza's ``CRFLoss``: a loss (nothing) and the transition scores."""

        def __init__(self, criterion: Any) -> None:  # noqa: ANN401 - stanza's CRFLoss
            super().__init__()
            self._transitions = criterion._transitions  # noqa: SLF001 - its only content

        def forward(self, *_: Any) -> tuple[float, Any]:  # noqa: ANN401 - tensors that are not needed
            return 0.0, self._transitions

    for trainer in pipeline.processors["ner"].trainers:
        trainer.model.crits = nn.ModuleList(Transitions(criterion) for criterion in trainer.model.crits)


def _bio(tag: str) -> str:
    """Stanza's BIOES tag as a BIO tag of our types."""
    mark, _, kind = tag.partition("-")
    ours = unified(kind) if kind else None
    return f"{'B' if mark in 'BS' else 'I'}-{ours}" if ours else "O"
