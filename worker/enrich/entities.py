"""Spans of a model to the entities of an article: edges trimmed, short forms joined, one type each, salience."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from worker.enrich.adjectives import without_adjectives
from worker.enrich.analysis import Span
from worker.enrich.clitics import Clitics
from worker.enrich.forces import with_forces
from worker.enrich.hyphens import with_hyphens
from worker.enrich.join import Name, join
from worker.enrich.offices import Named, without_offices
from worker.enrich.repeats import repeats
from worker.enrich.spans import trim
from worker.enrich.text import fold
from worker.records import Entity, EntityType, FieldName, Mention

_FIELDS: tuple[FieldName, ...] = ("title", "body")
_IN_TITLE = 3.0  # a mention in the headline counts as much as so many in the body
_EARLY = 1.0  # and one at the very beginning of the body gets so much on top …
_FADES = 1_000  # … half of it so many code points on
_LONGEST = 400  # code points of a span: longer ones are no names, and what trims them looks at them more than once
_SHARES = 1_000_000  # salience is counted in millionths, so that it sums to 1 whatever the rounding


class _Found(NamedTuple):
    """A mention with what the model called it."""

    mention: Mention
    type: EntityType


def build(texts: Mapping[FieldName, str], spans: Mapping[FieldName, Sequence[Span]], *, language: str) -> list[Entity]:
    """Make the entities of one article.

    Args:
        texts: the fields that were analysed.
        spans: what the model found in each, in code points of that field.
        language: ISO 639 code; Arabic names lose their clitics, and Arabic armed bodies are told by their grammar.

    Returns:
        Entities, most salient first, ids ``e1`` on; no two mentions overlap, and each obeys
        ``article[field][start:end] == text``.
    """
    kept = {field: [span for span in found if span.end - span.start <= _LONGEST] for field, found in spans.items()}
    kept = {field: with_hyphens(texts[field], found) for field, found in kept.items()}
    if language == "ar":
        kept = {field: with_forces(texts[field], found) for field, found in kept.items()}
    named = without_adjectives(without_offices(texts, _mentions(texts, kept, language=language)))
    named += repeats(texts, named, language=language)
    found = [_Found(mention, kind) for mention, kind in named]
    groups = _grouped(texts, found)
    weights = [sum(map(_weight, (one.mention for one in group))) for group in groups]
    order = sorted(range(len(groups)), key=lambda index: (-weights[index], _place(groups[index][0].mention)))
    shares = _shares([weights[index] for index in order])
    return [
        Entity(
            id=f"e{number}",
            name=_fullest(groups[index]),
            type=_type(groups[index]),
            salience=share,
            mentions=[one.mention for one in groups[index]],
        )
        for number, (index, share) in enumerate(zip(order, shares, strict=True), start=1)
    ]


def _mentions(texts: Mapping[FieldName, str], spans: Mapping[FieldName, Sequence[Span]], *, language: str) -> list[Named]:
    """The names inside the spans, in the article's order, without overlaps."""
    clitics = None
    if language == "ar":
        clitics = Clitics((texts[field], span.start, span.end) for field in _FIELDS for span in spans.get(field, ()))
    found: list[Named] = []
    for field in _FIELDS:
        taken = 0
        for span in sorted(spans.get(field, ()), key=lambda span: (span.start, -span.end)):
            start, end = trim(texts[field], max(span.start, taken), span.end, span.type, clitics)
            if start < end:
                found.append((Mention(field=field, start=start, end=end, text=texts[field][start:end]), span.type))
                taken = end
    return found


def _grouped(texts: Mapping[FieldName, str], found: Sequence[_Found]) -> list[list[_Found]]:
    """Mentions of the same entity together, each group and all groups in the article's order."""
    by_key: dict[str, list[_Found]] = defaultdict(list)
    for one in sorted(found, key=lambda one: _place(one.mention)):
        by_key[fold(one.mention.text)].append(one)
    names = [Name(key=key, type=_type(group), mentions=[one.mention for one in group]) for key, group in by_key.items()]
    merged: dict[str, list[_Found]] = defaultdict(list)
    for name, entity in zip(names, join(names, texts), strict=True):
        merged[entity].extend(by_key[name.key])
    return [sorted(group, key=lambda one: _place(one.mention)) for group in merged.values()]


def _place(mention: Mention) -> tuple[int, int]:
    """Where a mention stands: title first."""
    return _FIELDS.index(mention.field), mention.start


def _type(group: Sequence[_Found]) -> EntityType:
    """What most mentions say, longer ones counting more: they carry more evidence; the earlier one where that ties."""
    votes: Counter[EntityType] = Counter()
    for one in group:
        votes[one.type] += 1 + one.mention.text.count(" ")
    return max(votes, key=votes.__getitem__)


def _fullest(group: Sequence[_Found]) -> str:
    """The mention with most words, the longest of these, the commonest of these, the first of these."""
    common = Counter(one.mention.text for one in group)
    return max(common, key=lambda text: (len(text.split()), len(fold(text)), common[text]))


def _weight(mention: Mention) -> float:
    """How much attention one mention draws."""
    return _IN_TITLE if mention.field == "title" else 1.0 + _EARLY * _FADES / (_FADES + mention.start)


def _shares(weights: Sequence[float]) -> list[float]:
    """Each weight's share of all, in millionths that sum to exactly one million; what is left over goes to the first."""
    total = sum(weights)
    counts = [int(weight / total * _SHARES) for weight in weights]
    if counts:
        counts[0] += _SHARES - sum(counts)
    return [count / _SHARES for count in counts]
