"""`khabar` as a person runs it: a process of its own, its exit code and every line it wrote."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.cluster import REPOSITORY

SECONDS = 90.0


@dataclass(frozen=True)
class Ran:
    """A program that ended.

    Args:
        code: its exit code.
        out: standard output.
        err: standard error.
    """

    code: int
    out: str
    err: str


def khabar(*arguments: str, settings: Mapping[str, str], stdin: str = "") -> Ran:
    """Run a command to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "worker.cli", *arguments],
        env=environment(settings),
        cwd=REPOSITORY,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@contextmanager
def worker(log: Path, *, settings: Mapping[str, str], module: str = "tests.faults.worker") -> Iterator["subprocess.Popen[bytes]"]:
    """A running worker with light models; killed at the end if it still runs."""
    with log.open("wb") as sink:
        process = subprocess.Popen([sys.executable, "-m", module], env=environment(settings), cwd=REPOSITORY, stdout=sink, stderr=sink)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(40)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(10)


def ended(process: "subprocess.Popen[bytes]", *, seconds: float = SECONDS) -> int:
    """The exit code of a process that must end by itself."""
    return process.wait(seconds)


def wait_for(log: Path, what: str, *, seconds: float = SECONDS) -> None:
    """Wait until a log holds a word.

    Raises:
        TimeoutError: it does not within the time.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if what in log.read_text(encoding="utf-8", errors="replace"):
            return
        time.sleep(0.2)
    message = f"{what!r} did not come up in {log}: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}"
    raise TimeoutError(message)


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """These settings and nothing else that looks like one."""
    rest = {name: value for name, value in os.environ.items() if not name.startswith("KHABAR_")}
    defaults = {"KHABAR_PROCESSES": "1", "KHABAR_HTTP_PORT": "0", "PYTHONPATH": str(REPOSITORY)}
    return {**rest, **defaults, **settings}
