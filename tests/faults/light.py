"""An analyser that costs next to nothing: fault and hostile runs ask what happens to articles, not how names are found.

Sentences are the worker's own; a "name" is a capitalised word, or a word behind an Arabic or Persian title. Everything
else of the enricher (decoding, language, entities, summary, encoding) is the real thing.
"""

import hashlib
import re
from collections.abc import Sequence

from worker.enrich import segment
from worker.enrich.analysis import Analysis, Span
from worker.records import Model

_CAPITALISED = re.compile(r"[A-Z][a-z]{2,20}")
_TITLED = re.compile(r"(?:وزارة|وزير|وزیر|الرئيس|رئیس|مدينة|شهر)\s+(\w{2,30})")


class LightAnalyser:
    """Names by two regular expressions; Arabic, Persian and English."""

    models: Sequence[Model] = (Model(stage="entities", name="light", version="1", sha256=hashlib.sha256(b"light 1").hexdigest()),)

    def supports(self, language: str) -> bool:
        """Whether the language is one of the three."""
        return language in {"ar", "fa", "en"}

    def models_for(self, language: str) -> Sequence[Model]:
        """The one model, where the language is supported."""
        return self.models if self.supports(language) else ()

    def analyse(self, texts: Sequence[tuple[str, str]]) -> list[Analysis]:
        """Each text by itself, so that batches cannot matter."""
        return [_analyse(text) for _, text in texts]


def _analyse(text: str) -> Analysis:
    found = [(match.start(), match.end()) for match in _CAPITALISED.finditer(text)]
    found += [match.span(1) for match in _TITLED.finditer(text)]
    spans: list[Span] = []
    for start, end in sorted(found):
        if not spans or start >= spans[-1].end:
            spans.append(Span(start=start, end=end, type="LOC"))
    return Analysis(sentences=segment.sentences(text), spans=spans)
