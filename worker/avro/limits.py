"""Which schemas are read: those that bound what a value can do, whatever its bytes.

Anyone who may register a schema chooses it, and fastavro trusts it: a record that holds itself overflows the stack and
ends the process, an array of nulls asks for as many of them as its first bytes say, one byte may stand for a record of a
thousand names. So a schema is weighed before a value of it is read: no type within itself, nothing in an array that takes
no bytes, and not above `MOST_GROWTH` characters of JSON for a byte of Avro.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from worker.decode import MAX_DEPTH

MOST_GROWTH = 256
MOST_BASE = 2**20
"""Characters of JSON that a value may have whatever its length."""

_NUMBER = 50  # characters of the longest number, moment or UUID, amply
_ESCAPED = 6  # characters of a control character in JSON
_NAME = 4  # quotation marks, colon and comma


class SchemaError(ValueError):
    """A schema that is not read; one line."""


class Weight(NamedTuple):
    """What values of a type can take: ``characters of JSON <= base + growth * bytes``.

    Args:
        least: bytes of the smallest value.
        growth: characters that each byte may become.
        base: characters beside those.
        levels: types within types.
    """

    least: int
    growth: float = 0
    base: float = 0
    levels: int = 1


_PRIMITIVES = {
    "null": Weight(0, base=4),
    "boolean": Weight(1, base=5),
    "int": Weight(1, base=_NUMBER),
    "long": Weight(1, base=_NUMBER),
    "float": Weight(4, base=_NUMBER),
    "double": Weight(8, base=_NUMBER),
    "string": Weight(1, _ESCAPED, 2),
    "bytes": Weight(1, _ESCAPED, 2),
}


class Scale:
    """Weighs the types of one schema."""

    def __init__(self, named: Mapping[str, Any]) -> None:
        """Take the named types by full name, as fastavro parsed them."""
        self._named = named
        self._weighed: dict[str, Weight] = {}
        self._open: set[str] = set()

    def weigh(self, kind: Any) -> Weight:  # noqa: ANN401 - a name, a union or a complex type, as parsed
        """Weigh a type and what is within it.

        Raises:
            SchemaError: it is one that is not read.
            KeyError, TypeError, AttributeError: it is no schema, which the parser has not noticed.
        """
        if isinstance(kind, list):
            weight = _union([self.weigh(branch) for branch in kind])
        else:
            name = kind if isinstance(kind, str) else kind["type"]
            if name == "array":
                weight = _repeated(self.weigh(kind["items"]))
            elif name == "map":
                inner = self.weigh(kind["values"])
                entry = inner._replace(least=inner.least + 1, growth=max(inner.growth, _ESCAPED), base=inner.base + _NAME)
                weight = _repeated(entry)
            else:
                weight = _PRIMITIVES.get(name) or self._named_type(kind if isinstance(kind, dict) else self._named[name])
        if weight.levels > MAX_DEPTH:
            message = f"its types are nested more than {MAX_DEPTH} deep"
            raise SchemaError(message)
        if weight.growth > MOST_GROWTH or weight.base > MOST_BASE:
            message = "few bytes of it could stand for very many"
            raise SchemaError(message)
        return weight

    def _named_type(self, kind: Mapping[str, Any]) -> Weight:
        name = kind["name"]
        if name in self._open:
            message = f"its type {name[:100]} holds itself"
            raise SchemaError(message)
        if name not in self._weighed:
            self._open.add(name)
            self._weighed[name] = self._define(kind)
            self._open.discard(name)
        return self._weighed[name]

    def _define(self, kind: Mapping[str, Any]) -> Weight:
        if kind["type"] == "enum":
            return Weight(1, base=2 + max(len(symbol) for symbol in kind["symbols"]))
        if kind["type"] == "fixed":
            if kind["size"] < 0:  # the parser takes it, and less than nothing would outweigh the rest
                message = f"its type {kind['name'][:100]} has less than no bytes"
                raise SchemaError(message)
            return Weight(kind["size"], base=2 * kind["size"] + _NUMBER)
        fields = [(field["name"], self.weigh(field["type"])) for field in kind["fields"]]
        return Weight(
            sum(weight.least for _, weight in fields),
            max((weight.growth for _, weight in fields), default=0),
            2 + sum(len(name) + _NAME + weight.base for name, weight in fields),
            1 + max((weight.levels for _, weight in fields), default=0),
        )


def _repeated(item: Weight) -> Weight:
    """An array: each item pays for its base with its bytes."""
    if item.least < 1:
        message = "an array of it may have any number of items that take no bytes"
        raise SchemaError(message)
    return Weight(1, item.growth + (item.base + 1) / item.least, 2, 1 + item.levels)


def _union(branches: Sequence[Weight]) -> Weight:
    """A union: its base is that of the smallest branch; what a larger one has above it is paid for by that one's bytes."""
    least = min(branch.least for branch in branches)
    base = max(branch.base for branch in branches if branch.least == least)
    growth = max(branch.growth + max(0, branch.base - base) / (1 + branch.least) for branch in branches)
    return Weight(1 + least, growth, base, 1 + max(branch.levels for branch in branches))
