"""Our splitter and our tagger as processors of Stanza's pipeline. Importing this imports stanza, and so torch.

Two extension points of Stanza are used, both its own decorators: ``register_processor_variant`` for ``tokenize`` and
``register_processor`` for the tagger. (A variant of ``ner`` itself does not start: the base class asks for trainers.)
"""

from collections.abc import Sequence
from typing import Any, Protocol

from stanza.models.common.doc import Document
from stanza.pipeline.processor import Processor, ProcessorVariant, register_processor, register_processor_variant

from worker.enrich import segment

SPLITTER = "khabar"
TAGGER = "khabartagger"  # no underscore: Stanza cuts its options' names at the first one


class WordTagger(Protocol):
    """What the tagging processor needs."""

    def tag(self, documents: Sequence[Sequence[Sequence[str]]]) -> list[list[list[str]]]:
        """BIO tags, in the shape of documents, sentences, words."""


class TextDocument(Document):  # type: ignore[misc]  # stanza has no types
    """A Stanza Document that keeps its words as offsets and builds Stanza's objects when somebody looks at them.

    A Token and a Word object for every word cost as much as a third of the small model's own time, and the worker needs
    the offsets alone. Whatever Stanza does with a Document works: ``sentences``, ``ents`` and the counts build it first.

    Args:
        text: the text as received; every offset is a code point of it.
    """

    def __init__(self, text: str) -> None:
        """Begin without words."""
        self.word_spans: list[list[tuple[int, int]]] = []
        self.tags: list[list[str]] = []
        self._built = True
        super().__init__([], text=text)

    def set_words(self, word_spans: list[list[tuple[int, int]]]) -> None:
        """Take (start, end) of every word, sentence by sentence; no sentence is empty."""
        self.word_spans, self.tags, self._built = word_spans, [], False

    def set_tags(self, tags: list[list[str]]) -> None:
        """Take the BIO tags of all words."""
        self.tags, self._built = tags, False

    def words(self) -> list[list[str]]:
        """The words as they stand in the text."""
        text = self.text
        return [[text[start:end] for start, end in spans] for spans in self.word_spans]

    @property
    def sentences(self) -> Any:  # noqa: ANN401 - Stanza's own objects
        """Stanza's sentences."""
        self._build()
        return self._sentences

    @sentences.setter
    def sentences(self, value: Any) -> None:  # noqa: ANN401 - Stanza's own objects
        self._sentences = value

    @property
    def ents(self) -> Any:  # noqa: ANN401 - Stanza's own objects
        """Stanza's entity spans."""
        self._build()
        return self._ents

    @ents.setter
    def ents(self, value: Any) -> None:  # noqa: ANN401 - Stanza's own objects
        self._ents = value

    entities = ents

    @property
    def num_tokens(self) -> int:
        """Words in all; ours are never split further."""
        return sum(map(len, self.word_spans))

    @num_tokens.setter
    def num_tokens(self, value: int) -> None:
        """Stanza sets what is counted here."""

    num_words = num_tokens

    def _build(self) -> None:
        if self._built:
            return
        self._built = True  # first: Stanza's own code below reads the properties above
        text = self.text
        rows = [
            [
                {"id": (number,), "text": text[start:end], "start_char": start, "end_char": end}
                for number, (start, end) in enumerate(spans, 1)
            ]
            for spans in self.word_spans
        ]
        self._process_sentences(rows)
        self.mark_whitespace()
        for sentence, tags in zip(self._sentences, self.tags, strict=False):
            for token, tag in zip(sentence.tokens, bioes(tags), strict=True):
                token.ner = tag
        self.build_ents()


def bioes(tags: Sequence[str]) -> list[str]:
    """BIO tags as the BIOES tags that Stanza writes."""
    result = []
    for tag, follows in zip(tags, [*tags[1:], "O"], strict=False):
        goes_on = follows == f"I-{tag[2:]}"
        mark = {"B": "B" if goes_on else "S", "I": "I" if goes_on else "E"}.get(tag[0])
        result.append(f"{mark}-{tag[2:]}" if mark else "O")
    return result


@register_processor_variant("tokenize", SPLITTER)
class Splitter(ProcessorVariant):  # type: ignore[misc]
    """Sentences and words by our rules, offsets exact."""

    OVERRIDE = True

    def __init__(self, config: dict[str, Any]) -> None:
        """There is nothing to configure."""

    def process(self, document: Any) -> TextDocument:  # noqa: ANN401 - a text or a Document, as Stanza allows
        """Split one text."""
        text = document if isinstance(document, str) else document.text
        found = document if isinstance(document, TextDocument) else TextDocument(text)
        split = (segment.words(text, start, end) for start, end in segment.sentences(text))
        found.set_words([words for words in split if words])
        return found


@register_processor(TAGGER)
class TaggerProcessor(Processor):  # type: ignore[misc]
    """Entities by our tagger: every word of every document in one call."""

    PROVIDES_DEFAULT = frozenset({TAGGER})
    REQUIRES_DEFAULT = frozenset({"tokenize"})

    def __init__(self, config: dict[str, Any], pipeline: Any, device: str) -> None:  # noqa: ANN401 - stanza.Pipeline
        """Take the loaded tagger out of the pipeline's options (``khabartagger_model``)."""
        super().__init__(config, pipeline, device)
        self._tagger: WordTagger = config["model"]

    def process(self, document: TextDocument) -> TextDocument:
        """Tag one document."""
        return self.bulk_process([document])[0]

    def bulk_process(self, docs: list[TextDocument]) -> list[TextDocument]:
        """Tag many documents at once: the tagger sorts and packs them."""
        for document, tags in zip(docs, self._tagger.tag([document.words() for document in docs]), strict=True):
            document.set_tags(tags)
        return docs
