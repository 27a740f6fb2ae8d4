"""Files of articles -> what stands in the records: shared by `khabar enrich`, `publish` and `demo`.

========  ==========================================================================================
``.txt``    the file is the body, byte for byte; its name without ending is the id (the record's key)
``.json``   one article, or a list of them
``.jsonl``  one article a line; blank lines are skipped
``-``       standard input: a list, an article or lines of them when it begins with ``[`` or ``{``, else a body
folder      its ``.txt``, ``.json`` and ``.jsonl`` files, by name
========  ==========================================================================================

Nothing is repaired or judged here: bytes that are no article go on as they are and get the same answer everywhere.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from worker.errors import UserError

ENDINGS = (".txt", ".json", ".jsonl")
PLAIN_TEXT = ("content-type", b"text/plain; charset=utf-8")
BOM = b"\xef\xbb\xbf"
WHITE = b" \t\r\n"


class Item(Struct, frozen=True):
    """One record to be: its bytes, key and headers, and where it was found."""

    value: bytes
    key: bytes | None
    headers: list[tuple[str, bytes]]
    path: str
    number: int  # place in the file: 0 is its first article

    @property
    def place(self) -> str:
        """Where a person finds it: ``file`` or ``file#number``, counted from 1 as editors do."""
        return f"{self.path}#{self.number + 1}" if self.path.endswith((".json", ".jsonl")) else self.path


class _Id(Struct):
    id: str


def read(paths: Sequence[str]) -> Iterator[Item]:
    """Every article of these files, in order. All paths are looked at before the first article comes.

    Raises:
        UserError: a path is missing, unreadable or of another kind.
    """
    files: list[str] = []
    for path in paths:
        try:
            files += _files(path)
        except (OSError, ValueError) as error:  # no right to look, a name that is too long or holds a NUL
            message = f"{path[:200]}: {getattr(error, 'strerror', None) or error}"
            raise UserError(message) from error
    return (item for file in files for item in _read(file))


def _files(path: str) -> list[str]:
    if path == "-":
        return [path]
    place = Path(path)
    if place.is_dir():
        found = sorted(str(file) for file in place.iterdir() if file.suffix in ENDINGS and file.is_file())
        if not found:
            message = f"{path}: a folder without {', '.join(ENDINGS)} files"
            raise UserError(message)
        return found
    if not place.exists():
        message = f"{path}: there is no such file"
        raise UserError(message)
    if place.suffix not in ENDINGS:
        message = f"{path}: not {', '.join(ENDINGS)} or - for standard input"
        raise UserError(message)
    return [path]


def _read(path: str) -> Iterator[Item]:
    if path == "-":
        yield from _stdin(sys.stdin.buffer.read())
        return
    try:
        if path.endswith(".jsonl"):
            with Path(path).open("rb") as lines:
                yield from _lines(lines, path)
            return
        content = Path(path).read_bytes()
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise UserError(message) from error
    if path.endswith(".txt"):
        yield _body(content, path, key=os.fsencode(Path(path).stem))
    else:
        yield from _json(content, path)


def _stdin(content: bytes) -> Iterator[Item]:
    """A list, one article (over as many lines as it likes), lines of articles, or a bare body."""
    start = content.removeprefix(BOM).lstrip(WHITE)[:1]
    if start not in (b"[", b"{"):
        yield _body(content, "stdin", key=None)
    elif start == b"{" and not _is_json(content) and b"\n" in content.strip(WHITE):
        yield from _lines(content.splitlines(keepends=True), "stdin")
    else:
        yield from _json(content, "stdin")


def _lines(lines: Iterable[bytes], path: str) -> Iterator[Item]:
    texts = (line.strip(WHITE) for line in lines)
    for number, value in enumerate(text for text in texts if text):
        yield _article(value, path, number)


def _json(content: bytes, path: str) -> Iterator[Item]:
    """The members of a list, byte for byte; anything else is one article, well-formed or not."""
    if content.removeprefix(BOM).lstrip(WHITE).startswith(b"["):
        try:
            members = msgspec.json.decode(content.removeprefix(BOM), type=list[msgspec.Raw])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            members = None
        if members is not None:
            yield from (_article(bytes(member), path, number) for number, member in enumerate(members))
            return
    yield _article(content, path, 0)


def _is_json(content: bytes) -> bool:
    try:
        msgspec.json.decode(content.removeprefix(BOM), type=msgspec.Raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _article(value: bytes, path: str, number: int) -> Item:
    """A JSON article; its id is the key, so that all versions of an article keep their order on one partition."""
    try:
        key = msgspec.json.decode(value.removeprefix(BOM), type=_Id).id.encode() or None
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        key = None
    return Item(value=value, key=key, headers=[("content-type", b"application/json")], path=path, number=number)


def _body(value: bytes, path: str, *, key: bytes | None) -> Item:
    return Item(value=value, key=key, headers=[PLAIN_TEXT], path=path, number=0)
