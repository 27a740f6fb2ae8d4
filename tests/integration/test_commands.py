"""The commands against a real broker, the embedded one: kafka-python on both sides."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from worker import kafka
from worker.commands import publish, replay, replay_progress, tail, topics
from worker.commands.replay_progress import MARKER
from worker.errors import BrokerError
from worker.settings import Settings

PARTITIONS = 3
LETTERS = 60


def made(address: str, request: pytest.FixtureRequest) -> Settings:
    """Topics and group named after the test, made."""
    name = request.node.name.replace("[", "-").replace("]", "")[:60]
    settings = Settings(
        brokers=address,
        input_topic=f"{name}.raw",
        output_topic=f"{name}.enriched",
        dead_letter_topic=f"{name}.dead",
        group=name,
        max_article_bytes=20_000,
    )
    topics.create(settings, partitions=PARTITIONS, replication_factor=1)
    return settings


@pytest.fixture
def settings(embedded: str, request: pytest.FixtureRequest) -> Settings:
    """Topics on the embedded broker."""
    return made(embedded, request)


@pytest.fixture
def real(apache_kafka: str, request: pytest.FixtureRequest) -> Settings:
    """Topics on Apache Kafka: the embedded broker tells the ends of partitions wrongly after a batch of records."""
    return made(apache_kafka, request)


def everything(settings: Settings, topic: str) -> list[kafka.Record]:
    """Every record of a topic, by partition and offset."""
    found: list[kafka.Record] = []
    with kafka.consumer(settings) as consumer:
        partitions = kafka.partitions(consumer, topic)
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            for records in consumer.poll(timeout_ms=500).values():
                found += records
    return sorted(found, key=lambda record: (record.partition, record.offset))


def environ(settings: Settings) -> dict[str, str]:
    """The settings as a process gets them."""
    return os.environ | {
        "KHABAR_BROKERS": settings.brokers,
        "KHABAR_INPUT_TOPIC": settings.input_topic,
        "KHABAR_OUTPUT_TOPIC": settings.output_topic,
        "KHABAR_DEAD_LETTER_TOPIC": settings.dead_letter_topic,
        "KHABAR_GROUP": settings.group,
    }


def fill(settings: Settings, dead_letter: Callable[..., bytes], *, number: int = LETTERS, **options: Any) -> list[bytes]:  # noqa: ANN401 - members of several types
    """Put dead letters into their topic; the original values."""
    reasons = ("enrich_timeout", "worker_crashed", "invalid_json")
    values = [f"original {at}".encode() for at in range(number)]
    with kafka.producer(settings) as producer:
        for at, value in enumerate(values):
            members = {
                "value": base64.b64encode(value).decode(),
                "key": base64.b64encode(f"key {at % 7}".encode()).decode(),
                "headers": [("traceparent", base64.b64encode(b"00-1").decode()), ("empty", None)],
                "reason": reasons[at % 3],
                "source": {"topic": settings.input_topic, "partition": at % PARTITIONS, "offset": at, "timestamp": None},
            }
            letter = dead_letter(**(members | options))
            kafka.send(producer, settings.dead_letter_topic, letter, key=f"key {at % 7}".encode(), headers=[])
    return values


def test_topics_are_made_once(settings: Settings) -> None:
    """A second run finds them; another number of partitions is an error that names them."""
    lines = topics.create(settings, partitions=PARTITIONS, replication_factor=1)
    assert lines == [f"{topic.name}: is there, 3 partitions" for topic in topics.wanted(settings)]
    with pytest.raises(BrokerError, match=f"4 partitions wanted, but {settings.input_topic} has 3"):
        topics.create(settings, partitions=4, replication_factor=1)


def test_topics_take_the_sizes_they_must(settings: Settings) -> None:
    """A raw record of 10 MiB may arrive, and its dead letter leave."""
    with kafka.admin(settings) as admin:
        limits = [kafka.largest_record(admin, topic.name) for topic in topics.wanted(settings)]
    assert limits == [16 * topics.MIB, 24 * topics.MIB, 32 * topics.MIB]


def test_check_tells_what_is_missing_and_what_is_too_small(settings: Settings) -> None:
    """All well is no fault; a missing topic is one, a topic smaller than the settings want is one."""
    facts, faults = topics.check(settings)
    assert len(facts) == 3
    assert faults == []
    _, faults = topics.check(replace(settings, input_topic="not.there"))
    assert faults == ["not.there: missing; `khabar topics create` makes it"]
    _, faults = topics.check(replace(settings, max_article_bytes=14 * topics.MIB))
    assert faults == [f"{settings.output_topic}: takes records up to 24.0 MiB, the settings want 28.0 MiB (max.message.bytes)"]


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
            (settings.dead_letter_topic, [dead_letter()]),
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
    assert "dead letter · invalid_json" in capsys.readouterr().out
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
    fill(real, dead_letter, number=3, source={"topic": "another", "partition": 0, "offset": 1, "timestamp": None})
    assert replay.run(real, reasons=[], dry_run=False) == 1
    captured = capsys.readouterr()
    assert captured.err.count("no dead letter of this format") == 2
    assert "3 dead letters replayed" in captured.out


@pytest.mark.kafka
def test_a_run_cut_off_between_sending_and_committing_doubles_nothing(
    real: Settings, dead_letter: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The worst moment: everything sent, nothing noted. The next runs (one of them cut off as well) find the markers."""
    values = fill(real, dead_letter)
    commit = replay_progress.commit
    calls = Counter[str]()

    def fail_second(*arguments: Any, **options: Any) -> None:  # noqa: ANN401 - those of commit
        calls["commit"] += 1
        if calls["commit"] % 2 == 0:
            message = "cut off"
            raise KeyboardInterrupt(message)
        commit(*arguments, **options)

    monkeypatch.setattr(replay_progress, "commit", fail_second)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            replay.run(real, reasons=[], dry_run=False)
    assert len(everything(real, real.input_topic)) > 0
    monkeypatch.setattr(replay_progress, "commit", commit)
    replay.run(real, reasons=[], dry_run=True)
    capsys.readouterr()
    assert replay.run(real, reasons=[], dry_run=False) == 0
    assert "more were there already" in capsys.readouterr().out
    assert sorted(record.value or b"" for record in everything(real, real.input_topic)) == sorted(values)


@pytest.mark.kafka
@pytest.mark.timeout(300)
def test_killed_runs_lose_nothing_and_double_nothing(real: Settings, dead_letter: Callable[..., bytes]) -> None:
    """Two runs killed with SIGKILL while they send, then one to the end: every dead letter is back exactly once."""
    values = fill(real, dead_letter, number=3000)
    command = [sys.executable, "-m", "worker.cli", "replay"]
    for target in (100, 700):
        with subprocess.Popen(command, env=environ(real)) as process, kafka.consumer(real) as consumer:
            partitions = kafka.partitions(consumer, real.input_topic)
            until = time.monotonic() + 90
            while process.poll() is None and sum(consumer.end_offsets(partitions).values()) < target:
                assert time.monotonic() < until
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
    half = len(everything(real, real.input_topic))
    assert 100 <= half < len(values)  # both runs were killed before they were through
    result = subprocess.run(command, env=environ(real), capture_output=True, text=True, timeout=120, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert sorted(record.value or b"" for record in everything(real, real.input_topic)) == sorted(values)


@pytest.mark.kafka
@pytest.mark.timeout(300)
def test_two_runs_at_once_share_the_work(real: Settings, dead_letter: Callable[..., bytes]) -> None:
    """A second run that joins while the first is at work doubles nothing, and together they lose nothing."""
    values = fill(real, dead_letter, number=3000)
    command = [sys.executable, "-m", "worker.cli", "replay"]
    with subprocess.Popen(command, env=environ(real)) as first, kafka.consumer(real) as consumer:
        partitions = kafka.partitions(consumer, real.input_topic)
        while first.poll() is None and sum(consumer.end_offsets(partitions).values()) == 0:
            time.sleep(0.01)
        with subprocess.Popen(command, env=environ(real)) as second:
            codes = first.wait(120), second.wait(120)
    assert set(codes) <= {0, 2}  # a run whose partitions were taken while it committed says so and ends
    assert subprocess.run(command, env=environ(real), timeout=120, check=False).returncode == 0
    assert sorted(record.value or b"" for record in everything(real, real.input_topic)) == sorted(values)


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


@pytest.mark.kafka
def test_a_run_without_partitions_says_what_it_waits_for(
    real: Settings, dead_letter: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where another run holds them all, the person is told once; here the time to get them stands for it."""
    fill(real, dead_letter, number=3)
    monkeypatch.setattr(replay, "WAIT_SECONDS", 0.0)
    assert replay.run(real, reasons=[], dry_run=False) == 0
    assert capsys.readouterr().err.count("another replay is at work") == 1


@pytest.mark.kafka
def test_an_article_the_topic_refuses_is_a_line(real: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Larger than the topic takes, smaller than the client sends: the broker's answer is told."""
    (tmp_path / "a.txt").write_bytes(os.urandom(17 * topics.MIB))
    assert publish.run(real, paths=[str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert "a.txt: too large for the topic" in captured.err
    assert captured.out.startswith("0 articles published")


def test_a_password_for_a_broker_without_one_is_a_line(embedded: str) -> None:
    """A wrong way of talking ends in one line that names the way, not in a hang."""
    settings = Settings(brokers=embedded, security_protocol="SASL_PLAINTEXT", sasl_username="u", sasl_password="secret-word")  # noqa: S106 - a test's
    with pytest.raises(BrokerError) as caught:
        topics.check(settings)
    assert "SASL_PLAINTEXT" in str(caught.value)
    assert "secret-word" not in str(caught.value)
