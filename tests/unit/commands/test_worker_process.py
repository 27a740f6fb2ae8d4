"""The worker process of the demo: started, watched and stopped for real, with programs that stand for a worker."""

import dataclasses
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from worker.commands import worker_process
from worker.commands.worker_process import WorkerProcess, free_port
from worker.errors import UserError
from worker.settings import Settings

SETTINGS = Settings(http_port=0, drain_timeout=1.0)
READY = """
import http.server, os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
class Handler(http.server.BaseHTTPRequestHandler):
    asked = 0
    def do_GET(self):
        Handler.asked += 1
        self.send_response(200 if Handler.asked > 2 else 503)
        self.end_headers()
        self.wfile.write(b"waiting for: models")
http.server.HTTPServer(("127.0.0.1", int(os.environ["KHABAR_HTTP_PORT"])), Handler).serve_forever()
"""


def process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str) -> WorkerProcess:
    """A worker process that runs this code instead of a worker."""
    monkeypatch.setattr(worker_process, "STOP_SECONDS", 1.0)
    return WorkerProcess(SETTINGS, log=tmp_path / "worker.log", command=[sys.executable, "-c", code])


def test_it_waits_until_ready_and_stops_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not ready is waited out; leaving the block ends the process, cleanly."""
    one = process(monkeypatch, tmp_path, READY)
    with one:
        one.wait_until_ready()
        assert one.running()
        one.check()
    assert not one.running()
    with pytest.raises(UserError, match="exit code 0"):
        one.check()


def test_a_worker_that_ends_is_explained_by_its_last_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The person sees why, and where the rest is."""
    why = r"exit code 2: no model \(all of it: .*worker\.log\)"
    code = "print('starting'); print('khabar: no model'); raise SystemExit(2)"
    with process(monkeypatch, tmp_path, code) as one, pytest.raises(UserError, match=why):
        one.wait_until_ready()
    with process(monkeypatch, tmp_path, "raise SystemExit(3)") as one, pytest.raises(UserError, match="exit code 3: it said nothing"):
        one.wait_until_ready()


def test_a_worker_that_is_never_ready_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What it last answered is said; it is stopped all the same."""
    monkeypatch.setattr(worker_process, "START_SECONDS", 1.0)
    with (
        process(monkeypatch, tmp_path, READY.replace("> 2", "> 9999")) as one,
        pytest.raises(UserError, match=r"waiting for: models|refused"),
    ):
        one.wait_until_ready()
    assert not one.running()


def test_a_worker_that_will_not_stop_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is left behind when it ignores SIGTERM beyond its own deadline."""
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    one = process(monkeypatch, tmp_path, code)
    with one:
        until = time.monotonic() + 20
        while "up" not in one.log.read_text() and time.monotonic() < until:
            time.sleep(0.05)
        began = time.monotonic()
    assert time.monotonic() - began < 10
    with pytest.raises(UserError, match=f"exit code -{signal.SIGKILL.value}"):
        one.check()


def test_it_must_be_entered_first(tmp_path: Path) -> None:
    """A process that was never started is a programming error, not a silent no."""
    with pytest.raises(RuntimeError, match="on entry"):
        WorkerProcess(SETTINGS, log=tmp_path / "log").running()


def test_the_port_is_a_free_one() -> None:
    """It can be listened on; a host of another machine is one line."""
    with socket.create_server(("127.0.0.1", free_port("127.0.0.1"))) as server:
        assert server.getsockname()[1] > 0
    with pytest.raises(UserError, match=r"KHABAR_HTTP_HOST=192\.0\.2\.1: no port"):
        free_port("192.0.2.1")


def test_a_port_that_was_asked_for_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With `KHABAR_HTTP_PORT` in the environment there is no choosing."""
    monkeypatch.setenv("KHABAR_HTTP_PORT", "18123")
    one = WorkerProcess(dataclasses.replace(SETTINGS, http_port=18123, http_host="::1"), log=tmp_path / "log")
    assert one.url == "http://[::1]:18123/"


def test_answers_that_are_no_http_are_no_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Something else on the port is waited out like no answer at all."""
    monkeypatch.setattr(worker_process, "START_SECONDS", 0.5)
    monkeypatch.delenv("KHABAR_HTTP_PORT", raising=False)
    with process(monkeypatch, tmp_path, "import time; time.sleep(30)") as one, pytest.raises(UserError, match="not ready after"):
        one.wait_until_ready()
