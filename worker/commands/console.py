"""Where commands print: results on standard output, everything else on standard error."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

WIDE = 240


def output() -> Console:
    """Standard output, as it is now (a test may have replaced it); in a file or a pipe, tables are as wide as they need."""
    width = None if sys.stdout.isatty() else WIDE
    return Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False)


def say(line: str) -> None:
    """One line for the person, beside the results."""
    sys.stderr.write(f"khabar: {line}\n")
    sys.stderr.flush()


def counted(number: int, what: str) -> str:
    """``1 article``, ``2 articles``."""
    return f"{number} {what}{'' if number == 1 else 's'}"


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress display on standard error; nothing where that is no terminal."""
    console = Console(file=sys.stderr)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as display:
        yield display


@contextmanager
def working(what: str) -> Iterator[None]:
    """A spinner beside a step that takes over a second; nothing where standard error is no terminal."""
    console = Console(file=sys.stderr)
    if not console.is_terminal:
        yield
        return
    with console.status(what):
        yield
