"""Logs: one JSON line an event, from us and from libraries; repeats are held back and counted."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from worker import log
from worker.log import LINES_PER_WINDOW, WINDOW_SECONDS, RepeatFilter
from worker.settings import LogFormat


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave logging as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What stands on standard error, each line parsed."""
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_an_event_is_one_json_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Fields, level, logger and time; letters stay letters."""
    log.configure(level="info", form="json")
    log.get().warning("dead_lettered", topic="t", partition=1, offset=7, stage="decode", reason="خطأ")
    [line] = lines(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "dead_lettered",
        "level": "warning",
        "logger": "khabar",
        "topic": "t",
        "partition": 1,
        "offset": 7,
        "stage": "decode",
        "reason": "خطأ",
    }


def test_a_traceback_stays_in_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    """An exception is a field."""
    log.configure(level="info", form="json")
    log.get().critical("lane", exc_info=ValueError("bug"))
    [line] = lines(capsys)
    assert "ValueError: bug" in line["exception"]


def test_libraries_speak_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    """From warnings up, in one line whatever they print."""
    log.configure(level="info", form="json")
    logging.getLogger("aiokafka.conn").info("quiet")
    logging.getLogger("faust.app").warning("a table\n|of %s\n", "things")
    [line] = lines(capsys)
    assert (line["event"], line["logger"]) == ("a table |of things", "faust.app")


def test_text_is_readable_too(capsys: pytest.CaptureFixture[str]) -> None:
    """KHABAR_LOG_FORMAT=text."""
    log.configure(level="info", form="text")
    log.get().info("listening", url="http://x")
    assert "listening" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_traceback_shows_no_article(form: LogFormat, capsys: pytest.CaptureFixture[str]) -> None:
    """Where it went wrong, but not the values of local variables."""
    log.configure(level="info", form=form)

    def enrich(article: str) -> None:
        raise ValueError(len(article))

    try:
        enrich("ثلاثون " * 3)
    except ValueError as error:
        log.get().critical("lane", exc_info=error)
    said = capsys.readouterr().err
    assert "ValueError" in said
    assert "enrich" in said
    assert "ثلاثون ثلاثون" not in said


def test_a_library_that_repeats_itself_is_held_back() -> None:
    """A few lines a window from each place; the next one tells how many were held back. Ours always pass."""
    now = [0.0]
    repeats = RepeatFilter(clock=lambda: now[0])

    def record(name: str, line: int) -> logging.LogRecord:
        return logging.LogRecord(name, logging.ERROR, "client.py", line, "gone", None, None)

    assert sum(repeats.filter(record("aiokafka", 10)) for _ in range(100)) == LINES_PER_WINDOW
    assert repeats.filter(record("aiokafka", 11))
    assert all(repeats.filter(record("khabar", 10)) for _ in range(100))
    now[0] += WINDOW_SECONDS
    later = record("aiokafka", 10)
    assert repeats.filter(later)
    assert later.__dict__["suppressed"] == 100 - LINES_PER_WINDOW


def test_a_collector_that_is_away_is_mentioned_now_and_then() -> None:
    """Its exporter has something to say every second for as long as it is away."""
    now = [0.0]
    repeats = RepeatFilter(clock=lambda: now[0])
    passed = []
    for now[0] in range(1200):  # twenty minutes
        record = logging.LogRecord("opentelemetry.exporter.otlp", logging.WARNING, "http.py", 10, "gone", None, None)
        if repeats.filter(record):
            passed.append((now[0], getattr(record, "suppressed", None)))
    assert passed == [(0, None), (600, 599)]


def test_our_event_of_an_outage_is_held_back_too(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every article in flight says it; a dead letter's line is never held back."""
    now = [0.0]
    monkeypatch.setattr(RepeatFilter.__init__, "__kwdefaults__", {"clock": lambda: now[0]})
    log.configure(level="info", form="json")
    for offset in range(100):
        log.get().warning("publish_retry", offset=offset)
        log.get().warning("dead_lettered", offset=offset)
    now[0] += WINDOW_SECONDS
    log.get().warning("publish_retry", offset=100)
    said = lines(capsys)
    assert [line["offset"] for line in said if line["event"] == "dead_lettered"] == list(range(100))
    retries = [line for line in said if line["event"] == "publish_retry"]
    assert [line["offset"] for line in retries] == [*range(LINES_PER_WINDOW), 100]
    assert [line.get("suppressed") for line in retries] == [None] * LINES_PER_WINDOW + [100 - LINES_PER_WINDOW]
