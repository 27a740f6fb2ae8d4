"""A real schema registry for tests (Apicurio, with Confluent's API), and what one needs to talk to it without the worker's code.

``REGISTRY_HOME`` names the folder that holds its ``run.sh``. It keeps everything in memory: what it knew is gone when it stops.
"""

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from worker.broker import free_port

START_SECONDS = 120.0
ROOT = Path(__file__).resolve().parents[2]


def registry_home() -> Path:
    """Where the registry should be."""
    return Path(os.environ.get("REGISTRY_HOME") or ROOT.parent / "shared" / "registry")


def missing() -> str | None:
    """Why there is no registry here; None when there is."""
    if not (registry_home() / "run.sh").exists():
        return f"no schema registry at {registry_home()} (set REGISTRY_HOME)"
    return None if shutil.which("java") else "no Java"


class SchemaRegistry:
    """One registry process, for as long as the ``with`` block lasts."""

    def __init__(self, log: Path) -> None:
        """Prepare; its output goes to ``log``."""
        self.port = free_port()
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What KHABAR_REGISTRY_URL is set to."""
        return address(self.port)

    def __enter__(self) -> Self:
        """Start it and wait until it answers."""
        with self._log.open("ab") as output:
            command = [str(registry_home() / "run.sh"), str(self.port)]
            self._process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                message = f"the registry does not answer at {self.url}; see {self._log}"
                raise RuntimeError(message)
            time.sleep(0.2)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop it; what it knew is gone."""
        self.stop()

    def stop(self) -> None:
        """Stop it, gently and then not."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        try:
            return isinstance(self.call("GET", "/subjects"), list)
        except OSError:
            return False

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - any JSON
        """One call of its API."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310 - our own address
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)

    def register(self, subject: str, schema: Any, **more: Any) -> int:  # noqa: ANN401 - any JSON
        """Register a schema; its id."""
        return int(self.call("POST", f"/subjects/{subject}/versions", {"schema": json.dumps(schema), **more})["id"])

    def schema(self, number: int) -> Any:  # noqa: ANN401 - any JSON
        """The schema of an id."""
        return json.loads(self.call("GET", f"/schemas/ids/{number}")["schema"])


def address(port: int) -> str:
    """Confluent's API of a registry at a port of loopback."""
    return f"http://127.0.0.1:{port}/apis/ccompat/v7"
