"""Nationality: ``آمریکایی`` is an adjective of ``آمریکا``, no name of its own, whatever a model of Persian news takes it for."""

from collections.abc import Iterable, Sequence

from worker.enrich.offices import Named
from worker.enrich.text import fold

_ENDINGS = tuple(map(fold, ("ی", "یی", "ئی", "ای", "یها", "ییها")))


def without_adjectives(found: Sequence[Named]) -> list[Named]:
    """Leave out what is a place of the same article with the ending of an adjective behind it.

    Args:
        found: mentions with what the model called them. A person is left alone: ``تهرانی`` is a family name too.
    """
    adjectives = set(_adjectives(mention.text for mention, kind in found if kind == "LOC"))
    return [(mention, kind) for mention, kind in found if kind == "PER" or fold(mention.text) not in adjectives]


def _adjectives(places: Iterable[str]) -> Iterable[str]:
    """Every adjective of every place, folded."""
    for place in set(map(fold, places)):
        yield from (place + ending for ending in _ENDINGS)
