"""A name the model saw once is a name where it stands again: the places it overlooked."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from worker.records import EntityType, FieldName, Mention

_MOST_NAMES = 100  # names looked for again: the cost is names times text
_MIN_LETTERS = 4
_LOOK_BACK = 4
_MARKS = "\u0610-\u061a\u064b-\u065f\u0670\u200c"
_LETTER = re.compile(rf"[\w{_MARKS}]")
_ALONE = re.compile(rf"(?:\A|[^\w{_MARKS}])\Z")
_ALONE_ARABIC = re.compile(rf"(?:\A|[^\w{_MARKS}])[وف]?[بلك]?\Z")


def repeats(
    texts: Mapping[FieldName, str], found: Sequence[tuple[Mention, EntityType]], *, language: str
) -> list[tuple[Mention, EntityType]]:
    """Mentions, spelled alike and standing alone, of names that were found elsewhere in the article.

    A name of two words or more is one wherever it stands. A single word may be a common word too: it has to be tagged
    twice, or be the family name of a person named in full, and be tagged at least as often as it is not.

    Args:
        texts: the fields.
        found: the mentions the model saw, with their types.
        language: ISO 639 code: in Arabic a name of several words may stand behind a clitic.
    """
    types: dict[str, Counter[EntityType]] = defaultdict(Counter)
    families: set[str] = set()
    taken = {field: bytearray(len(text)) for field, text in texts.items()}
    for mention, kind in found:
        taken[mention.field][mention.start : mention.end] = b"\1" * (mention.end - mention.start)
        if len(mention.text) >= _MIN_LETTERS:
            types[mention.text][kind] += 1
        if kind == "PER" and " " in mention.text:
            families.add(mention.text.rsplit(" ", 1)[1])
    names = sorted(types, key=lambda text: (-types[text].total(), -len(text), text))[:_MOST_NAMES]
    added: list[tuple[Mention, EntityType]] = []
    for name in sorted(names, key=lambda text: (-len(text), text)):
        kind, tagged = types[name].most_common(1)[0][0], types[name].total()
        alone = _ALONE_ARABIC if language == "ar" and " " in name else _ALONE
        places = [(field, *place) for field, text in texts.items() for place in _places(text, name, alone)]
        places = [(field, start, end) for field, start, end in places if taken[field].find(1, start, end) < 0]
        if " " in name or (len(places) <= tagged and (tagged > 1 or name in families)):
            for field, start, end in places:
                taken[field][start:end] = b"\1" * (end - start)
                added.append((Mention(field=field, start=start, end=end, text=name), kind))
    return added


def _places(text: str, name: str, alone: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Where a name stands as words of its own."""
    start = text.find(name)
    while start >= 0:
        end = start + len(name)
        if alone.search(text, max(start - _LOOK_BACK, 0), start) and not _LETTER.match(text, end):
            yield start, end
        start = text.find(name, end)
