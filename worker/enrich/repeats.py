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
_ALONE = rf"(?:\A|[^\w{_MARKS}])\Z"
_ALONE_ARABIC = rf"(?:\A|[^\w{_MARKS}])[وف]?[بلك]?\Z"


def repeats(
    texts: Mapping[FieldName, str], found: Sequence[tuple[Mention, EntityType]], *, language: str
) -> list[tuple[Mention, EntityType]]:
    """Mentions, spelled alike and standing alone, of names of two words or more that were found elsewhere in the article.

    Args:
        texts: the fields.
        found: the mentions the model saw, with their types.
        language: ISO 639 code: in Arabic a name may stand behind a clitic.
    """
    types: dict[str, Counter[EntityType]] = defaultdict(Counter)
    taken = {field: bytearray(len(text)) for field, text in texts.items()}
    for mention, kind in found:
        taken[mention.field][mention.start : mention.end] = b"\1" * (mention.end - mention.start)
        if " " in mention.text and len(mention.text) > _MIN_LETTERS:
            types[mention.text][kind] += 1
    names = sorted(types, key=lambda text: (-types[text].total(), -len(text), text))[:_MOST_NAMES]
    alone = re.compile(_ALONE_ARABIC if language == "ar" else _ALONE)
    added: list[tuple[Mention, EntityType]] = []
    for name in sorted(names, key=lambda text: (-len(text), text)):
        kind = types[name].most_common(1)[0][0]
        for field, text in texts.items():
            for start, end in _places(text, name, alone):
                if taken[field].find(1, start, end) < 0:
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
