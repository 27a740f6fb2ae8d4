"""`khabar tail` against the embedded broker."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.integration.commands import environ
from worker import kafka
from worker.commands import tail
from worker.settings import Settings


def test_tail_prints_what_each_topic_holds(
    settings: Settings,
    enriched: Callable[..., bytes],
    dead_letter: Callable[..., bytes],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Enriched articles and dead letters readably, tombstones and strangers as text, JSON for programs."""
    article = enriched({"id": "a", "title": "In Cairo", "body": "Text."}, names={"Cairo": "LOC"})
    with kafka.producer(settings) as producer:
        for topic, values in (
            (settings.output_topic, [article, None, b"no article"]),
            (settings.dead_letter_topic, [dead_letter(), dead_letter(value="abc"), b"\xff\xfe", b'{"x":' + b"[" * 100_000]),
            (settings.input_topic, [b"raw \xff"]),
        ):
            for value in values:
                kafka.send(producer, topic, value, key=b"k", headers=[("h", b"1")], partition=0).position()
    options = {"from_beginning": True, "number": None, "end": True}
    tail.run(settings, topic=None, as_json=False, **options)  # type: ignore[arg-type]
    captured = capsys.readouterr()
    assert "In Cairo" in captured.out
    assert "(tombstone)" in captured.out
    assert "no article" in captured.out
    assert "not what this topic should hold" in captured.err
    tail.run(settings, topic=settings.dead_letter_topic, as_json=False, **options)  # type: ignore[arg-type]
    captured = capsys.readouterr()
    assert "dead letter · invalid_json" in captured.out
    assert captured.err.count("not what this topic should hold") == 3
    tail.run(settings, topic=settings.input_topic, as_json=False, **options)  # type: ignore[arg-type]
    assert "· key k · h: 1" in capsys.readouterr().out
    tail.run(settings, topic=None, as_json=True, **options)  # type: ignore[arg-type]
    assert capsys.readouterr().out.splitlines() == [article.decode(), "null", '"no article"']
    tail.run(settings, topic=None, as_json=True, from_beginning=True, number=1, end=False)
    assert capsys.readouterr().out.splitlines() == [article.decode()]


def test_tail_waits_for_what_comes(settings: Settings) -> None:
    """Without an option it begins with the next record, and ends after as many as asked."""
    with kafka.producer(settings) as producer:
        kafka.send(producer, settings.input_topic, b"before", key=None, headers=[])
    command = [sys.executable, "-m", "worker.cli", "tail", settings.input_topic, "--json", "-n", "1"]
    with subprocess.Popen(command, env=environ(settings), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "waiting for records" in process.stderr.readline()
        with kafka.producer(settings) as producer:
            kafka.send(producer, settings.input_topic, b"after", key=None, headers=[])
        out, _ = process.communicate(timeout=60)
    assert out == '"after"\n'
