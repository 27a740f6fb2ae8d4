"""From a setting to a loaded set of models, and from texts to plain analyses.

``accurate`` and ``fast`` are the bundled models: one ``stanza.Pipeline`` for all their languages, with our splitter and
tagger as its processors. ``official`` and any directory of Stanza models are :mod:`worker.nlp.official`'s.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from worker.enrich.analysis import Analyser, Analysis, Span
from worker.errors import ModelError, one_line
from worker.nlp import models
from worker.records import EntityType, Model
from worker.settings import Settings

if TYPE_CHECKING:
    from worker.nlp.processors import TextDocument

RESOURCES = Path(__file__).with_name("resources.json")


class Models(Analyser, Protocol):
    """A loaded set of models: what enriches, and what ``khabar evaluate`` measures."""

    @property
    def by_language(self) -> Mapping[str, Model]:
        """Each model under the language it serves; under none where it serves all that it knows."""

    def tag(self, documents: Sequence[Sequence[Sequence[str]]], *, language: str) -> list[list[list[str]]]:
        """BIO tags (our types) of words given, in the shape of documents, sentences, words."""


def load(settings: Settings) -> Models:
    """Load what ``KHABAR_MODELS`` names; every checksum is verified before anything is read.

    Loading takes a few seconds, most of them importing torch. Nothing here or later uses the network.

    Raises:
        ModelError: the models are absent, incomplete or differ from their checksums; one line that says what to do.
    """
    directory = models.directory_of(settings).resolve()  # a link that moves meanwhile must not mix two sets of models
    if models.is_bundle(directory):
        return Bundled(directory)
    from worker.nlp.official import Official

    return Official(directory)


class Bundled:
    """One of our models: a tagger for several languages behind one Stanza pipeline.

    Args:
        directory: holds ``card.json`` and the files it names.
    """

    def __init__(self, directory: Path) -> None:
        """Verify, then load."""
        card = models.verify_bundle(directory)
        from worker.nlp.tagger import FILES, Tagger

        unnamed = sorted(FILES - card["files"].keys())
        if unnamed:  # what no checksum covers is not loaded
            message = f"{directory / models.CARD}: incomplete: no sha256 of {', '.join(unnamed)}"
            raise ModelError(message)

        try:
            self._tagger = Tagger.load(directory)
        except Exception as error:  # whatever a file that matches its checksum breaks in: an older or newer format
            message = f"{directory}: the model cannot be read: {one_line(error)}"
            raise ModelError(message) from error
        self._pipeline = _stanza_pipeline(self._tagger)
        self._languages = frozenset(card["languages"])
        self._models = (models.bundle_record(card),)

    @property
    def models(self) -> Sequence[Model]:
        """The one model."""
        return self._models

    @property
    def by_language(self) -> Mapping[str, Model]:
        """The one model, for every language."""
        return {"": self._models[0]}

    def models_for(self, language: str) -> Sequence[Model]:
        """What takes part for a language: the one model, or nothing."""
        return self._models if self.supports(language) else ()

    def supports(self, language: str) -> bool:
        """Whether the model was trained for this ISO 639 code."""
        return language in self._languages

    def analyse(self, texts: Sequence[tuple[str, str]]) -> list[Analysis]:
        """Analyse (language, text) pairs, languages mixed, in one call of the tagger."""
        return [_analysis(document) for document in self.documents([text for _, text in texts])]

    def documents(self, texts: Sequence[str]) -> "list[TextDocument]":
        """Stanza's Documents of these texts, with exact ``ents``."""
        from worker.nlp.processors import TextDocument

        return cast("list[TextDocument]", self._pipeline.process([TextDocument(text) for text in texts]))

    def tag(self, documents: Sequence[Sequence[Sequence[str]]], *, language: str) -> list[list[list[str]]]:
        """BIO tags of words given; the tagger needs no telling of the language."""
        if not self.supports(language):
            message = f"no entity model for {language!r}: this one knows {', '.join(sorted(self._languages))}"
            raise ModelError(message)
        return self._tagger.tag(documents)


def quiet_stanza() -> None:
    """Keep Stanza's progress notes out of the worker's log; it sets its logger to INFO when imported."""
    logging.getLogger("stanza").setLevel(logging.ERROR)


def _stanza_pipeline(tagger: object) -> Any:  # noqa: ANN401 - stanza has no types
    """A ``stanza.Pipeline`` of our two processors, without any model of Stanza's and without the network."""
    import stanza
    import torch

    from worker.nlp import processors

    quiet_stanza()
    torch.set_num_threads(1)  # a process a core
    return stanza.Pipeline(
        "multilingual",
        dir=str(RESOURCES.parent),
        package="default",
        processors={"tokenize": processors.SPLITTER, processors.TAGGER: "bundled"},
        download_method=None,
        use_gpu=False,
        khabartagger_model=tagger,
    )


def _analysis(document: "TextDocument") -> Analysis:
    """Plain sentences and spans of one tagged document."""
    return Analysis(
        sentences=[(words[0][0], words[-1][1]) for words in document.word_spans],
        spans=[
            Span(start=words[first][0], end=words[last][1], type=cast("EntityType", kind))
            for words, tags in zip(document.word_spans, document.tags, strict=True)
            for first, last, kind in mentions(tags)
        ],
    )


def mentions(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """(first word, last word, type) of every mention of one sentence's BIO tags."""
    found: list[tuple[int, int, str]] = []
    for index, tag in enumerate(tags):
        if tag[0] == "B":
            found.append((index, index, tag[2:]))
        elif tag[0] == "I" and found:
            found[-1] = (found[-1][0], index, tag[2:])
    return found
