"""Random hostile inputs: number ``index`` of seed ``seed`` is always the same bytes, so a long run can be taken up again."""

import json
import random
from collections.abc import Callable

from tests.hostile.cases import TEXTS
from tests.hostile.corpus import CASES
from tests.hostile.texts import ODD, OTHER_LANGUAGES, STRANGE

LONGEST_SEED = 4096
_SEEDS = [case.value for case in CASES if case.value is not None and len(case.value) <= LONGEST_SEED]
_PIECES = [*TEXTS.values(), *ODD.values(), *OTHER_LANGUAGES.values(), *(text for text, _ in STRANGE.values() if len(text) < 500)]
_TOKENS = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    '"',
    "\\",
    "\\u",
    "d800",
    "dc00",
    '"body"',
    '"id"',
    "null",
    "1e",
    "-",
    "0",
    "9" * 20,
    " ",
    "\n",
    "x",
    "م",
    "\ufeff",
]
_RANGES = [
    (0x20, 0x7E),
    (0x0, 0x1F),
    (0x600, 0x6FF),
    (0xFB50, 0xFDFF),
    (0x2000, 0x206F),
    (0x300, 0x36F),
    (0x1F300, 0x1F6FF),
    (0xE000, 0xE010),
    (0x0, 0xD7FF),
]
_MEMBERS = ["id", "title", "url", "source", "published_at", "language", "x", "", "ناشر"]


def sample(index: int, *, seed: int) -> tuple[bytes, bool]:
    """Input number ``index``: the value, and whether it comes as plain text."""
    dice = random.Random(f"{seed}/{index}")  # noqa: S311 - reproducible on purpose
    maker = dice.choice(_MAKERS)
    value = maker(dice)
    for _ in range(dice.choice([0, 0, 0, 1, 3])):
        value = _mutate(value, dice)
    return value, dice.random() < 0.2


def text(dice: random.Random) -> str:
    """Unicode text out of ordinary sentences, odd pieces and letters of every kind; no surrogates."""
    parts = []
    for _ in range(dice.randint(0, 12)):
        if dice.random() < 0.5:
            parts.append(dice.choice(_PIECES))
        else:
            low, high = dice.choice(_RANGES)
            parts.append("".join(chr(dice.randint(low, high)) for _ in range(dice.randint(1, 30))))
        parts.append(dice.choice([" ", "", "\n", ". ", "؟ ", "\u200c"]))
    return "".join(parts)


def _article(dice: random.Random) -> bytes:
    members: dict[str, object] = {"body": text(dice)}
    for name in dice.sample(_MEMBERS, dice.randint(0, 4)):
        members[name] = text(dice) if dice.random() < 0.8 else _tree(dice, 3)
    return json.dumps(members, ensure_ascii=dice.random() < 0.3).encode()


def _tree(dice: random.Random, depth: int) -> object:
    kind = dice.randint(0, 7 if depth else 5)
    if kind == 6:
        return [_tree(dice, depth - 1) for _ in range(dice.randint(0, 4))]
    if kind == 7:
        return {dice.choice([*_MEMBERS, "body"]): _tree(dice, depth - 1) for _ in range(dice.randint(0, 4))}
    return [None, True, dice.randint(-(2**70), 2**70), dice.random() * 10 ** dice.randint(-300, 300), "", text(dice)][kind]


def _json(dice: random.Random) -> bytes:
    return json.dumps(_tree(dice, 5)).encode()


def _tokens(dice: random.Random) -> bytes:
    return "".join(dice.choice(_TOKENS) for _ in range(dice.randint(0, 60))).encode()


def _nested(dice: random.Random) -> bytes:
    depth = dice.choice([95, 98, 99, 100, 101, 102, 200, 3000])
    opening, closing = dice.choice([("[", "]"), ('{"a":', "}")])
    return f'{{"body": "x y", "deep": {opening * depth}1{closing * (depth - dice.choice([0, 0, 0, 1]))}}}'.encode()


def _noise(dice: random.Random) -> bytes:
    return dice.randbytes(dice.randint(0, 200))


def _plain(dice: random.Random) -> bytes:
    return text(dice).encode()


def _seeded(dice: random.Random) -> bytes:
    return dice.choice(_SEEDS)


def _mutate(value: bytes, dice: random.Random) -> bytes:
    changed = bytearray(value)
    place = dice.randint(0, len(changed))
    kind = dice.randint(0, 4)
    if kind == 0 and changed:
        changed[place - 1] ^= 1 << dice.randint(0, 7)
    elif kind == 1:
        changed[place:place] = dice.randbytes(dice.randint(1, 4))
    elif kind == 2:
        del changed[place : place + dice.randint(1, 8)]
    elif kind == 3:
        changed[place:place] = dice.choice(_TOKENS).encode()
    else:
        changed[place:] = dice.choice(_SEEDS)[-50:]
    return bytes(changed)


_MAKERS: list[Callable[[random.Random], bytes]] = [
    _article,
    _article,
    _article,
    _article,
    _json,
    _tokens,
    _nested,
    _noise,
    _plain,
    _seeded,
    _seeded,
]
