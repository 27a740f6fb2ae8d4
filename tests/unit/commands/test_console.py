"""Where commands print."""

import io
import sys

import pytest

from worker.commands import console


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


def test_nothing_moves_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """In a log, spinners and bars are noise."""
    with console.working("working"), console.progress() as progress:
        progress.update(progress.add_task("counting", total=2), completed=1)
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""


def test_people_at_a_terminal_see_that_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """The step is named on standard error, never among the results."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with console.working("loading models"):
        pass
    assert "loading models" in terminal.getvalue()


def test_results_are_as_wide_as_they_need_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table in a pipe is not folded at 80 columns; at a terminal it fits the terminal."""
    assert console.output().width == console.WIDE
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("COLUMNS", "97")
    assert console.output().width == 97
