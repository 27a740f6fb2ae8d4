"""`khabar demo`, the whole of it: broker, worker, models, in processes of their own."""

import functools
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from worker import kafka
from worker.commands import demo
from worker.commands.worker_process import WorkerProcess
from worker.settings import Settings

ROOT = Path(__file__).parents[2]
IDLE = """
import os, time
from prometheus_client import CollectorRegistry
from worker.settings import Settings
from worker.status import Status
from worker.web import WebServer
status = Status(stall_timeout=60)
for condition in ("models", "topics", "partitions"):
    status.met(condition)
WebServer(Settings.from_env(os.environ), status, CollectorRegistry()).start()
time.sleep(60)
"""
DEMO = [sys.executable, "-m", "worker.cli", "demo"]


def environ(**settings: str) -> dict[str, str]:
    """This environment with the small model and the package on the path, whatever the working directory."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KHABAR_")}
    return clean | {"PYTHONPATH": str(ROOT), "KHABAR_MODELS": "fast", "KHABAR_PROCESSES": "1"} | settings


@pytest.mark.timeout(400)
def test_once_shows_every_sample_and_ends_well(tmp_path: Path) -> None:
    """From any working directory: all samples come out, the broken one as a dead letter, exit code 0."""
    result = subprocess.run([*DEMO, "--once"], cwd=tmp_path, env=environ(), capture_output=True, text=True, timeout=360, check=False)
    assert result.returncode == 0, result.stderr
    assert re.search(r"19 articles sent: 18 enriched \(.*6 ar.*\), 1 dead-lettered, 0 lost", result.stdout)
    assert "dead letter · empty_body" in result.stdout
    assert re.search(r"live page  http://127\.0\.0\.1:\d+/", result.stdout)
    assert "سلمى الحداد" in result.stdout
    log = re.search(r"worker log (\S+)", result.stdout)
    assert log
    assert Path(log.group(1)).exists()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.timeout(400)
def test_own_files_are_shown_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    """Given files stand for the samples; the page is up; Ctrl-C stops broker and worker and is no failure."""
    article = tmp_path / "mine.txt"
    article.write_text("The harbour of Valparaiso reopened on Monday after the storm.", encoding="utf-8")
    # a session of its own, so that the signal reaches the demo alone, as a terminal's would reach the foreground
    with subprocess.Popen(
        [*DEMO, str(article)],
        cwd=tmp_path,
        env=environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        shown = ""
        for line in process.stdout:
            shown += line
            if "Ctrl-C ends" in line:
                break
        assert "1 article sent: 1 enriched (1 en), 0 dead-lettered, 0 lost" in shown, shown
        url = re.search(r"live page  (\S+)", shown)
        assert url
        with urllib.request.urlopen(url.group(1) + "ready", timeout=5) as response:  # noqa: S310 - our own address
            assert response.status == 200
        os.killpg(process.pid, signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(60) == 0
    assert "khabar: stopped" in rest
    assert "Traceback" not in rest
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url.group(1) + "ready", timeout=5)  # noqa: S310 - our own address


def test_a_lost_article_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where a worker answers probes and enriches nothing, the articles count as lost: each is named, exit code 1."""
    command = [sys.executable, "-c", IDLE]
    monkeypatch.setattr(demo, "WorkerProcess", functools.partial(WorkerProcess, command=command))
    monkeypatch.setattr(demo, "PATIENCE_SECONDS", 2.0)
    article = tmp_path / "mine.txt"
    article.write_text("Nobody reads this.", encoding="utf-8")
    huge = tmp_path / "huge.txt"
    huge.write_bytes(b"x" * (kafka.MAX_RECORD_BYTES + 1))
    assert demo.run(Settings(drain_timeout=2.0), paths=[str(article), str(huge)], once=True) == 1
    captured = capsys.readouterr()
    assert f"khabar: {huge}: too large to send" in captured.err
    assert "1 article sent: 0 enriched (none), 0 dead-lettered, 1 lost" in captured.out
    assert f"khabar: lost: {article} at articles.raw/" in captured.err


def test_a_closed_terminal_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGHUP ends the demo, and with it broker and worker, which have sessions of their own."""
    monkeypatch.setattr(demo, "WorkerProcess", functools.partial(WorkerProcess, command=[sys.executable, "-c", IDLE]))
    article = tmp_path / "mine.txt"
    article.write_text("Nobody reads this.", encoding="utf-8")
    before = set(psutil.Process().children())
    started: list[psutil.Process] = []

    def hang_up() -> None:
        while len(started) < 2:
            started[:] = set(psutil.Process().children()) - before
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGHUP)

    threading.Thread(target=hang_up, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        demo.run(Settings(drain_timeout=2.0), paths=[str(article)], once=True)
    assert psutil.wait_procs(started, timeout=10)[1] == []


@pytest.mark.timeout(200)
def test_a_worker_that_cannot_start_is_one_line(tmp_path: Path) -> None:
    """A model that is not there: why, in one line, exit code 2, soon."""
    began = time.monotonic()
    settings = environ(KHABAR_MODELS=str(tmp_path / "nothing"))
    result = subprocess.run([*DEMO, "--once"], cwd=tmp_path, env=settings, capture_output=True, text=True, timeout=180, check=False)
    assert result.returncode == 2
    assert "the worker ended with exit code 2" in result.stderr
    assert "nothing" in result.stderr
    assert "Traceback" not in result.stderr
    assert time.monotonic() - began < 150
