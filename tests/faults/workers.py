"""Worker processes of the rig: started, watched, started again when they end, as Kubernetes would."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import psutil

from tests.faults.cluster import REPOSITORY, free_ports

WATCH_SECONDS = 0.2


@dataclass
class Ended:
    """A worker process that ended.

    Args:
        name: of the worker.
        code: its exit code; negative is the signal that killed it.
        wanted: the rig did it.
        seconds: from the signal to the end; 0 when nobody sent one.
    """

    name: str
    code: int
    wanted: bool
    seconds: float


class Worker:
    """One worker that is to run all the time, unless the rig says otherwise."""

    def __init__(self, name: str, *, folder: Path, environ: Mapping[str, str], module: str = "tests.faults.worker") -> None:
        """Prepare; `start` starts.

        Args:
            name: of its log file.
            folder: where the log goes.
            environ: its settings.
            module: what to run.
        """
        self.name = name
        self.log = folder / f"{name}.log"
        self.port = free_ports(1)[0]
        self.ended: list[Ended] = []
        self._environ = {**os.environ, **environ, "KHABAR_HTTP_PORT": str(self.port), "PYTHONPATH": str(REPOSITORY)}
        self._command = [sys.executable, "-m", module] if module == "tests.faults.worker" else [sys.executable, "-m", module, "worker"]
        self._build = REPOSITORY
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._wanted_end: tuple[float, bool] | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name=f"watch-{name}")

    def start(self) -> None:
        """Start the process and watch over it."""
        self._launch()
        self._thread.start()

    def upgrade(self, build: Path) -> None:
        """SIGTERM, and start from another build of the program."""
        self._build = build
        self._environ["PYTHONPATH"] = str(build)
        self.signal(signal.SIGTERM)

    def signal(self, number: signal.Signals, *, again: bool = False) -> None:
        """Send a signal; after SIGKILL and SIGTERM the end that follows is wanted. ``again``: not to the next process."""
        with self._lock:
            if again and self._wanted_end is None:
                return  # it has ended meanwhile
            if number in {signal.SIGKILL, signal.SIGTERM} and not again:
                self._wanted_end = (time.monotonic(), True)
            if self._process is not None and self._process.poll() is None:
                self._process.send_signal(number)

    def wait_for(self, what: str, *, seconds: float, more_than: int = 0) -> bool:
        """Wait until its log holds a word more than so many times; tell whether it does."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.log.read_text(encoding="utf-8", errors="replace").count(what) > more_than:
                return True
            time.sleep(WATCH_SECONDS)
        return False

    def kill(self) -> None:
        """SIGKILL for good."""
        self._closing.set()
        self._thread.join(5)
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def close(self, *, seconds: float) -> Ended | None:
        """SIGTERM for good; wait, then SIGKILL. Gives how it ended."""
        self._closing.set()
        self._thread.join(5)
        process = self._process
        if process is None or process.poll() is not None:
            return None
        began = time.monotonic()
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        end = Ended(self.name, process.returncode, wanted=True, seconds=time.monotonic() - began)
        self.ended.append(end)
        return end

    def ready(self) -> bool:
        """Whether it says so."""
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ready", timeout=2) as answer:
            return bool(answer.status == HTTPStatus.OK)
        return False

    def children(self) -> list[psutil.Process]:
        """Its enricher processes: the grandchildren below the fork server."""
        try:
            me = psutil.Process(self._process.pid) if self._process else None
            found = me.children(recursive=True) if me else []
            return [process for process in found if process.ppid() != (self._process.pid if self._process else 0)]
        except psutil.Error:
            return []

    def resident_mib(self) -> float:
        """Resident memory of the worker and everything below it, MiB."""
        try:
            me = psutil.Process(self._process.pid) if self._process else None
            family = [me, *me.children(recursive=True)] if me else []
            return sum(process.memory_info().rss for process in family) / 2**20
        except psutil.Error:
            return 0.0

    def own_mib(self) -> float:
        """Resident memory of the worker's own process, without those below it, MiB."""
        try:
            return float(psutil.Process(self._process.pid).memory_info().rss / 2**20) if self._process else 0.0
        except psutil.Error:
            return 0.0

    def _launch(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self._environ, cwd=self._build, start_new_session=True
            )

    def _watch(self) -> None:
        while not self._closing.wait(WATCH_SECONDS):
            with self._lock:
                process = self._process
                if process is None or process.poll() is None:
                    continue
                since, wanted = self._wanted_end or (time.monotonic(), False)
                self._wanted_end = None
                self.ended.append(Ended(self.name, process.returncode, wanted=wanted, seconds=time.monotonic() - since))
                self._launch()
