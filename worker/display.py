"""Readable printing of enriched articles and dead letters on a terminal.

Articles are hostile: nothing of them reaches the terminal as a control sequence. Right-to-left text is left to the
terminal's own bidirectional algorithm (UAX #9): each line of it stands inside RLI … PDI, so that it cannot disturb what
is around it, and is set against the right edge. Letters are neither shaped nor reordered here: a terminal that knows
Arabic would do it a second time.
"""

import base64
import json
import re
import shutil
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from worker.records import EnrichedArticle, Entity, Language, read_dead_letter

RLI, LRI, PDI = "\u2067", "\u2066", "\u2069"
INDENT = "  "
WIDEST = 100
"""Columns of a line at most: longer lines are hard to read."""
MENTIONS = 4
"""Mentions listed per entity; the others are counted."""
ENTITIES = 20
"""Entities listed per article; the others are counted."""
COLOURS = {"PER": "magenta", "ORG": "blue", "LOC": "green", "FAC": "cyan", "EVENT": "yellow", "PRODUCT": "red", "MISC": "white"}

_SPACE = re.compile(r"\s+")
_BREAKS = frozenset("\n\r\t\x0b\x0c\x85")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_BIDI_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Text that is safe to print: control characters become U+FFFD, bidi embeddings and isolates go, lines become spaces."""
    return _CONTROLS.sub("\ufffd", _BIDI_CONTROLS.sub("", _SPACE.sub(_unbroken, text))).strip()


def _unbroken(space: re.Match[str]) -> str:
    """One space for a run of white space that breaks a line."""
    return space[0] if _BREAKS.isdisjoint(space[0]) else " "


def isolated(text: str, *, direction: str) -> str:
    """Printable text in an isolate of its own direction."""
    return f"{RLI if direction == 'rtl' else LRI}{printable(text)}{PDI}"


def wrapped(text: str, *, width: int) -> list[str]:
    """Lines of at most ``width`` columns, broken at spaces; a longer word is cut."""
    lines, line, used = [], "", 0
    for word in _pieces(printable(text), width=width):
        cells = cell_len(word)
        if line and used + 1 + cells > width:
            lines.append(line)
            line, used = word, cells
        else:
            line, used = (f"{line} {word}", used + 1 + cells) if line else (word, cells)
    return [*lines, line] if line else lines


def _pieces(text: str, *, width: int) -> Iterable[str]:
    for word in text.split(" "):
        piece, used = "", 0
        for character in word if cell_len(word) > width else ():
            cells = cell_len(character)
            if used + cells > width:
                yield piece
                piece, used = "", 0
            piece, used = piece + character, used + cells
        rest = piece if cell_len(word) > width else word
        if rest:
            yield rest


class Printer:
    """Prints records to one console."""

    def __init__(self, console: Console) -> None:
        """Lines are as wide as the terminal, at most `WIDEST`."""
        self._console = console
        self._width = max(40, min(WIDEST, console.width if console.is_terminal else shutil.get_terminal_size((WIDEST, 0)).columns))

    def enriched(self, value: bytes, *, note: str = "") -> None:
        """Print an enriched article.

        Args:
            value: its JSON.
            note: what the caller knows besides (where it came from, how long it took).

        Raises:
            msgspec.MsgspecError: the value is no enriched article.
        """
        article = msgspec.json.decode(value, type=EnrichedArticle)
        raw = msgspec.json.decode(article.article, type=dict[str, Any])
        language = article.language
        title = raw.get("title") if isinstance(raw.get("title"), str) else ""
        self._rule(_facts(article.id, language, note))
        self._paragraph(title or article.id, direction=language.direction, style="bold")
        if article.summary.text:
            self._paragraph(article.summary.text, direction=language.direction)
        if article.provenance.stages["entities"].status != "ok":
            self._line(Text(f"{INDENT}no entity model for {language.code}", style="dim"))
        for entity in article.entities[:ENTITIES]:
            self._line(_entity(entity, direction=language.direction))
        if len(article.entities) > ENTITIES:
            self._line(Text(f"{INDENT}and {len(article.entities) - ENTITIES} more", style="dim"))
        self._line(Text())

    def dead_letter(self, value: bytes, *, note: str = "") -> None:
        """Print a dead letter: why, where from, and the beginning of what it holds.

        Raises:
            ValueError: the value is no dead letter.
        """
        letter = read_dead_letter(value)
        source = letter.source
        facts = f"{printable(source.topic)}/{source.partition}/{source.offset} · {printable(letter.failed_at)}"
        self._rule(Text(f"dead letter · {letter.reason}", style="bold red"), Text(f" · {facts}{' · ' + note if note else ''}", style="dim"))
        self._line(Text(f"{INDENT}{printable(letter.stage)}: {printable(letter.error)}"))
        if letter.value is not None:
            self._line(Text(f"{INDENT}{_excerpt(base64.b64decode(letter.value))}", style="dim"))
        self._line(Text())

    def other(self, value: bytes | None, *, note: str) -> None:
        """Print any other record, or a tombstone, as text."""
        self._rule(Text(note, style="dim"))
        self._line(Text(INDENT + ("(tombstone)" if value is None else _excerpt(value, length=1000))))
        self._line(Text())

    def _rule(self, *parts: Text) -> None:
        line = Text("── ", style="dim").append_text(Text().join(parts)).append(" ")
        line.append("─" * max(3, self._width - cell_len(line.plain)), style="dim")
        self._line(line)

    def _paragraph(self, text: str, *, direction: str, style: str = "") -> None:
        """Lines of running text, right-to-left ones against the right edge."""
        for line in wrapped(text, width=self._width - 2 * len(INDENT)):
            room = self._width - len(INDENT) - cell_len(line) if direction == "rtl" else len(INDENT)
            self._line(Text(" " * max(0, room) + isolated(line, direction=direction), style=style))

    def _line(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True, highlight=False)


def _facts(article_id: str, language: Language, note: str) -> Text:
    sure = f" {language.confidence:.0%}" if language.code != "und" else ""
    return Text(f"{language.code}{sure} · {isolated(article_id, direction='ltr')}{' · ' + note if note else ''}", style="cyan")


def _entity(entity: Entity, *, direction: str) -> Text:
    """One line: type, share of attention, name, and where it is mentioned (with the words, where they differ)."""
    line = Text(INDENT).append(f"{entity.type:<7}", style=COLOURS[entity.type]).append(f" {entity.salience:>4.0%}  ", style="dim")
    line.append(isolated(entity.name, direction=direction), style="bold").append("  ")
    places = []
    for mention in entity.mentions[:MENTIONS]:
        words = "" if mention.text == entity.name else " " + isolated(mention.text, direction=direction)
        places.append(f"{mention.field} {mention.start}–{mention.end}{words}")
    more = len(entity.mentions) - MENTIONS
    return line.append(" · ".join(places) + (f" · {more} more" if more > 0 else ""), style="dim")


def _excerpt(value: bytes, *, length: int = 160) -> str:
    """The beginning of some bytes, readable whatever they are."""
    text = printable(value[: 4 * length].decode("utf-8", "backslashreplace"))
    return isolated(text[:length] + ("…" if len(text) > length or len(value) > 4 * length else ""), direction="ltr")


def one_line(value: bytes | None) -> str:
    """A record's value as one line for other programs: JSON as it is, a tombstone as ``null``, other bytes as a JSON string."""
    if value is None:
        return "null"
    try:
        msgspec.json.decode(value, type=msgspec.Raw)
        text = value.decode("utf-8")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return json.dumps(value.decode("utf-8", "backslashreplace"), ensure_ascii=False)
    return " ".join(filter(None, re.split(r"[\r\n]+", text)))  # between members: inside a string JSON has neither


def names(headers: Sequence[tuple[str, bytes | None]]) -> dict[str, str]:
    """The last value of each header as printable text."""
    return {name: printable((value or b"").decode("utf-8", "backslashreplace")) for name, value in headers}
