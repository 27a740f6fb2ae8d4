"""`khabar replay` on Apache Kafka, cut off, killed, and two at once: nothing lost, nothing doubled."""

import base64
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from kafka.admin import ConfigResource, ConfigResourceType

from tests.integration.commands import environ, everything, fill
from worker import kafka
from worker.commands import replay, replay_progress
from worker.settings import Settings


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
def test_what_the_topic_refuses_is_tried_again_by_the_next_run(
    real: Settings, dead_letter: Callable[..., bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    """A limit that was too low is raised and `khabar replay` run again: what was refused goes back, and nothing else a second time."""
    large = b'{"body": "' + random.Random(1).randbytes(6_000).hex().encode() + b'"}'  # noqa: S311 - what does not pack well
    values = [b'{"body": "a"}', large, b'{"body": "b"}', b'{"body": "c"}']
    with kafka.producer(real) as producer:
        for value in values:
            kafka.send(producer, real.dead_letter_topic, dead_letter(value=base64.b64encode(value).decode()), key=b"k", headers=[])
        producer.flush()
    _limit(real, 4_000)
    assert replay.run(real, reasons=[], dry_run=False) == 1
    assert "not replayed" in capsys.readouterr().err
    for _ in range(2):  # still too low: nothing is doubled
        assert replay.run(real, reasons=[], dry_run=False) == 1
    _limit(real, 1_000_000)
    assert replay.run(real, reasons=[], dry_run=False) == 0
    assert replay.run(real, reasons=[], dry_run=False) == 0
    assert sorted(record.value or b"" for record in everything(real, real.input_topic)) == sorted(values)


def _limit(settings: Settings, size: int) -> None:
    """Set the input topic's largest record."""
    resource = ConfigResource(ConfigResourceType.TOPIC, settings.input_topic, configs={"max.message.bytes": str(size)})
    with kafka.admin(settings) as admin:
        admin.alter_configs([resource])


@pytest.mark.kafka
@pytest.mark.timeout(300)
def test_killed_runs_lose_nothing_and_double_nothing(real: Settings, dead_letter: Callable[..., bytes]) -> None:
    """Two runs killed with SIGKILL while they send, then one to the end: every dead letter is back exactly once."""
    values = fill(real, dead_letter, number=10_000)
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
    values = fill(real, dead_letter, number=10_000)
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
def test_a_run_without_partitions_says_what_it_waits_for(
    real: Settings, dead_letter: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where another run holds them all, the person is told once; here the time to get them stands for it."""
    fill(real, dead_letter, number=3)
    monkeypatch.setattr(replay, "WAIT_SECONDS", 0.0)
    assert replay.run(real, reasons=[], dry_run=False) == 0
    assert capsys.readouterr().err.count("another replay is at work") == 1
