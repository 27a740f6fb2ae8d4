"""`khabar replay` on Apache Kafka: dead letters back to where they came from."""

import base64
from collections.abc import Callable

import pytest

from tests.integration.commands import LETTERS, PARTITIONS, everything, fill
from worker import kafka
from worker.commands import replay, replay_progress
from worker.commands.replay_progress import MARKER
from worker.settings import Settings


@pytest.mark.kafka
def test_replay_puts_back_what_was_sent(real: Settings, dead_letter: Callable[..., bytes], capsys: pytest.CaptureFixture[str]) -> None:
    """Value, key, headers and partition of the original, and a marker; a second run finds nothing."""
    values = fill(real, dead_letter)
    assert replay.run(real, reasons=[], dry_run=False) == 0
    assert f"{LETTERS} dead letters replayed" in capsys.readouterr().out
    records = everything(real, real.input_topic)
    assert sorted(record.value or b"" for record in records) == sorted(values)
    for record in records:
        number = int((record.value or b"").split()[1])
        assert record.key == f"key {number % 7}".encode()
        assert record.partition == number % PARTITIONS
        assert list(record.headers[:2]) == [("traceparent", b"00-1"), ("empty", b"")]
        assert record.headers[2][0] == MARKER
    assert replay.run(real, reasons=[], dry_run=False) == 0
    assert "0 dead letters replayed" in capsys.readouterr().out
    assert len(everything(real, real.input_topic)) == LETTERS


@pytest.mark.kafka
def test_reasons_move_independently(real: Settings, dead_letter: Callable[..., bytes], capsys: pytest.CaptureFixture[str]) -> None:
    """One reason today, everything tomorrow: each dead letter goes back once; a dry run counts and sends nothing."""
    values = fill(real, dead_letter)
    assert replay.run(real, reasons=["worker_crashed"], dry_run=True) == 0
    out = capsys.readouterr().out
    assert f"{LETTERS // 3} dead letters would be replayed" in out
    assert everything(real, real.input_topic) == []
    assert replay.run(real, reasons=["worker_crashed"], dry_run=False) == 0
    assert len(everything(real, real.input_topic)) == LETTERS // 3
    replay.run(real, reasons=[], dry_run=True)
    out = capsys.readouterr().out
    assert f"{2 * LETTERS // 3} dead letters would be replayed" in out
    assert "worker_crashed  " not in out
    assert replay.run(real, reasons=[], dry_run=False) == 0
    assert sorted(record.value or b"" for record in everything(real, real.input_topic)) == sorted(values)


@pytest.mark.kafka
def test_a_second_failure_carries_one_marker(real: Settings, dead_letter: Callable[..., bytes]) -> None:
    """An article that failed again after a replay goes back with the marker of its newest dead letter only."""
    old = [(MARKER, base64.b64encode(b"other/0/1").decode()), ("a", base64.b64encode(b"1").decode())]
    fill(real, dead_letter, number=1, headers=old)
    assert replay.run(real, reasons=[], dry_run=False) == 0
    (record,) = everything(real, real.input_topic)
    (letter,) = everything(real, real.dead_letter_topic)
    name = f"{letter.topic}/{letter.partition}/{letter.offset}".encode()
    assert list(record.headers) == [("a", b"1"), (MARKER, name)]


@pytest.mark.kafka
def test_originals_too_large_to_carry_come_from_their_source(
    real: Settings, dead_letter: Callable[..., bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    """A dead letter without its value is completed from the raw topic; where that is gone, it is a line and exit code 1."""
    with kafka.producer(real) as producer:
        kafka.send(producer, real.input_topic, b"the original", key=b"k", headers=[], partition=2)
    source = {"topic": real.input_topic, "partition": 2, "timestamp": None}
    fill(real, dead_letter, number=1, value=None, source=source | {"offset": 0})
    assert replay.run(real, reasons=[], dry_run=False) == 0
    assert [record.value for record in everything(real, real.input_topic)] == [b"the original"] * 2
    for place in ({"offset": 77}, {"offset": 0, "partition": 9}, {"offset": 0, "topic": "gone"}):
        fill(real, dead_letter, number=1, value=None, source=source | place)
    assert replay.run(real, reasons=[], dry_run=False) == 1
    assert capsys.readouterr().err.count("is gone") == 3
    assert len(everything(real, real.input_topic)) == 2


@pytest.mark.kafka
def test_what_is_no_dead_letter_is_passed_over_aloud(
    real: Settings, dead_letter: Callable[..., bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    """A stranger in the topic stops nothing, and is said."""
    with kafka.producer(real) as producer:
        kafka.send(producer, real.dead_letter_topic, b"{}", key=None, headers=[])
        kafka.send(producer, real.dead_letter_topic, None, key=b"k", headers=[])
        for value in (b"\xff\xfe", b'{"x":' + b"[" * 100_000, dead_letter(value="abc"), dead_letter(headers=[("h", "=")])):
            kafka.send(producer, real.dead_letter_topic, value, key=None, headers=[])
    fill(real, dead_letter, number=3, source={"topic": "another", "partition": 0, "offset": 1, "timestamp": None})
    assert replay.run(real, reasons=[], dry_run=False) == 1
    captured = capsys.readouterr()
    assert captured.err.count("no dead letter of this format") == 6
    assert "3 dead letters replayed" in captured.out


@pytest.mark.kafka
def test_an_offset_set_by_hand_counts_for_every_reason(real: Settings, dead_letter: Callable[..., bytes]) -> None:
    """An operator may move the group with Kafka's own tools: what is before that offset stays where it is."""
    fill(real, dead_letter, number=10)
    letters = everything(real, real.dead_letter_topic)
    partition = kafka.TopicPartition(real.dead_letter_topic, letters[-1].partition)
    with kafka.consumer(real, group_id=replay_progress.group(real)) as consumer:
        consumer.assign([partition])
        consumer.commit({partition: kafka.OffsetAndMetadata(letters[-1].offset, "", -1)})
    assert replay.run(real, reasons=[], dry_run=False) == 0
    expected = [letter for letter in letters if letter.partition != partition.partition] + letters[-1:]
    assert len(everything(real, real.input_topic)) == len(expected)
