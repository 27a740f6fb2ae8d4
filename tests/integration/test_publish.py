"""`khabar publish` against real brokers: what it sends, and what cannot be sent."""

import json
import os
from pathlib import Path

import pytest

from tests.integration.commands import everything
from worker import kafka
from worker.commands import publish, topics
from worker.errors import BrokerError
from worker.settings import Settings


def test_published_files_arrive_byte_for_byte(settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Value, key and content type as the file says; bad bytes too."""
    (tmp_path / "a.jsonl").write_bytes(b'{"id":"1","body":"A","n":1.0}\n{broken\n')
    (tmp_path / "b.txt").write_bytes(b"\xff body")
    assert publish.run(settings, paths=[str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"3 articles published to {settings.input_topic}\n"
    found = {record.value: (record.key, dict(record.headers)) for record in everything(settings, settings.input_topic)}
    assert found == {
        b'{"id":"1","body":"A","n":1.0}': (b"1", {"content-type": b"application/json"}),
        b"{broken": (None, {"content-type": b"application/json"}),
        b"\xff body": (b"b", {"content-type": b"text/plain; charset=utf-8"}),
    }


def test_publishing_many_keeps_the_order_of_a_key(settings: Settings, tmp_path: Path) -> None:
    """More than one window of answers; every version of an article in the order of the file."""
    lines = "".join(json.dumps({"id": f"a{number % 5}", "body": str(number)}) + "\n" for number in range(1200))
    (tmp_path / "many.jsonl").write_text(lines)
    assert publish.run(settings, paths=[str(tmp_path / "many.jsonl")]) == 0
    versions: dict[bytes | None, list[int]] = {}
    for record in everything(settings, settings.input_topic):
        versions.setdefault(record.key, []).append(int(json.loads(record.value or b"")["body"]))
    assert sum(len(numbers) for numbers in versions.values()) == 1200
    assert all(numbers == sorted(numbers) for numbers in versions.values())


def test_an_article_too_large_to_send_is_a_line(settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The others go out, the exit code is 1."""
    (tmp_path / "a.txt").write_bytes(b"x" * (kafka.MAX_RECORD_BYTES + 1))
    (tmp_path / "b.txt").write_bytes(b"small")
    assert publish.run(settings, paths=[str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert captured.out.startswith("1 article published")
    assert "a.txt: too large to send" in captured.err
    assert [record.value for record in everything(settings, settings.input_topic)] == [b"small"]


@pytest.mark.kafka
def test_publishing_to_no_topic_is_an_error(apache_kafka: str, tmp_path: Path) -> None:
    """Nothing is made by accident."""
    (tmp_path / "a.txt").write_bytes(b"x")
    with pytest.raises(BrokerError, match=r"there is no topic nowhere"):
        publish.run(Settings(brokers=apache_kafka, input_topic="nowhere"), paths=[str(tmp_path)])


@pytest.mark.kafka
def test_an_article_the_topic_refuses_is_a_line(real: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Larger than the topic takes, smaller than the client sends: the broker's answer is told."""
    (tmp_path / "a.txt").write_bytes(os.urandom(17 * topics.MIB))
    assert publish.run(real, paths=[str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert "a.txt: too large for the topic" in captured.err
    assert captured.out.startswith("0 articles published")
