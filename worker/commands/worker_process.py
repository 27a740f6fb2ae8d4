"""A real `khabar worker` in a process of its own, for the demo (and for tests)."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import worker
from worker.errors import UserError
from worker.settings import PREFIX, Settings, page_url

COMMAND = (sys.executable, "-P", "-m", "worker.cli", "worker")
START_SECONDS = 180.0
STOP_SECONDS = 10.0
"""Beyond the drain deadline: then it is killed."""
POLL_SECONDS = 0.1


class WorkerProcess:
    """Started on entry, stopped with SIGTERM on exit; its output goes to ``log``."""

    def __init__(self, settings: Settings, *, log: Path, command: Sequence[str] = COMMAND) -> None:
        """Run with these settings; without ``KHABAR_HTTP_PORT`` in the environment the page takes a free port."""
        self._command = command
        self._settings = settings
        self._port = settings.http_port if os.environ.get("KHABAR_HTTP_PORT") and settings.http_port else free_port(settings.http_host)
        self._log: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.log = log

    @property
    def url(self) -> str:
        """Its live page."""
        return page_url(self._settings.http_host, self._port)

    def __enter__(self) -> Self:
        """Start it, out of reach of the terminal's Ctrl-C: it is told to stop when it is time."""
        self._log = self.log.open("wb")
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            self._command,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Let it finish what is in flight; kill it when it takes longer than it promises."""
        process = self._running()
        try:
            process.send_signal(signal.SIGTERM)
            process.wait(self._settings.drain_timeout + STOP_SECONDS)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.kill()
            process.wait()
        finally:
            if self._log:
                self._log.close()

    def _environment(self) -> dict[str, str]:
        """This environment, the settings given, and a path on which the package is found from any working directory."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        environment |= {PREFIX + name.upper(): str(value) for name, value in vars(self._settings).items()}
        environment["KHABAR_HTTP_PORT"] = str(self._port)
        package = str(Path(worker.__file__).parents[1])
        environment["PYTHONPATH"] = os.pathsep.join(path for path in (package, environment.get("PYTHONPATH", "")) if path)
        return environment

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            message = "the worker process is started on entry"
            raise RuntimeError(message)
        return self._process

    def running(self) -> bool:
        """Whether it is alive."""
        return self._running().poll() is None

    def check(self) -> None:
        """Say why it ended, if it has.

        Raises:
            UserError: it is not running; the message is the last line of its log.
        """
        if self.running():
            return
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it said nothing"]
        message = (
            f"the worker ended with exit code {self._running().returncode}: {lines[-1].removeprefix('khabar: ')} (all of it: {self.log})"
        )
        raise UserError(message)

    def wait_until_ready(self) -> None:
        """Until ``/ready`` says yes.

        Raises:
            UserError: it ended, or was not ready in `START_SECONDS`.
        """
        until = time.monotonic() + START_SECONDS
        answer = "no answer"
        while time.monotonic() < until:
            self.check()
            ready, answer = self._ask()
            if ready:
                return
            time.sleep(POLL_SECONDS)
        message = f"the worker was not ready after {START_SECONDS:.0f} s: {answer} (its log: {self.log})"
        raise UserError(message)

    def _ask(self) -> tuple[bool, str]:
        try:
            with urllib.request.urlopen(f"{self.url}ready", timeout=2) as response:  # noqa: S310 - our own http address
                return True, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return False, error.read().decode(errors="replace").strip()
        except OSError as error:
            return False, str(error)


def free_port(host: str) -> int:
    """A port nobody listens on at the moment. Any, not 8080 where it is free: two demos at once would both find it free.

    Raises:
        UserError: the host is none of this machine's.
    """
    try:
        with socket.create_server((host, 0), family=_family(host)) as probe:
            return int(probe.getsockname()[1])
    except OSError as error:
        message = f"KHABAR_HTTP_HOST={host}: no port can be opened there: {error.strerror}"
        raise UserError(message) from error


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
