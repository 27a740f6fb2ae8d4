"""Brokers for tests: real Apache Kafka, one broker or a cluster on loopback, formatted, started, killed, stopped, resumed.

Also used by the fault rig. ``KAFKA_HOME`` names the distribution (``bin/``, ``config/``, ``libs/``).
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from worker.broker import free_port, listens

CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qk"
START_SECONDS = 60.0
SETTINGS = {
    "embedded": {"KHABAR_SESSION_TIMEOUT": "5", "KHABAR_REBALANCE_TIMEOUT": "15", "KHABAR_DRAIN_TIMEOUT": "14"},
    "kafka": {"KHABAR_SESSION_TIMEOUT": "6", "KHABAR_REBALANCE_TIMEOUT": "20", "KHABAR_DRAIN_TIMEOUT": "15"},
}
"""Membership timeouts that suit a test: Kafka allows no session below 6 s; the embedded broker waits for all of the rebalance timeout."""
ROOT = Path(__file__).resolve().parents[2]


def kafka_home() -> Path:
    """Where Apache Kafka should be."""
    return Path(os.environ.get("KAFKA_HOME") or ROOT.parent / "shared" / "kafka")


def missing() -> str | None:
    """Why there is no Apache Kafka here; None when there is."""
    if not (kafka_home() / "bin" / "kafka-server-start.sh").exists():
        return f"no Apache Kafka at {kafka_home()} (set KAFKA_HOME)"
    return None if shutil.which("java") else "no Java"


class KafkaBroker:
    """One process of Apache Kafka, broker and controller at once."""

    def __init__(self, folder: Path, *, node: int, port: int, controllers: Mapping[int, int], config: Mapping[str, str]) -> None:
        """Write the configuration and format the log folder.

        Args:
            folder: for logs and configuration; made.
            node: this broker's id.
            port: its PLAINTEXT listener.
            controllers: controller port of every node.
            config: further properties; the last word.
        """
        folder.mkdir(parents=True)
        self.node = node
        self.port = port
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._config = folder / "server.properties"
        properties = _properties(folder, node=node, port=port, controllers=controllers) | dict(config)
        self._config.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
        self._tool("kafka-storage.sh", "format", "-t", CLUSTER_ID, "-c", str(self._config))

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, without waiting."""
        command = [str(kafka_home() / "bin" / "kafka-server-start.sh"), str(self._config)]
        with (self._folder / "out.log").open("ab") as output:
            self._process = subprocess.Popen(command, env=self._environ(), stdout=output, stderr=output, start_new_session=True)

    def wait(self) -> None:
        """Wait until it listens."""
        deadline = time.monotonic() + START_SECONDS
        while not listens(self.port):
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                message = f"Kafka does not listen on {self.address}; see {self._folder / 'out.log'}"
                raise RuntimeError(message)
            time.sleep(0.1)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the broker and to whatever script started it: SIGKILL, SIGSTOP, SIGCONT, SIGTERM."""
        if self._process is not None:
            os.killpg(self._process.pid, number)
            if number == signal.SIGKILL:
                self._process.wait()

    def stop(self) -> None:
        """Stop it, gently and then not."""
        if self._process is None or self._process.poll() is not None:
            return
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)

    def _tool(self, *command: str) -> None:
        script, *arguments = command
        subprocess.run([str(kafka_home() / "bin" / script), *arguments], check=True, env=self._environ(), capture_output=True)

    def _environ(self) -> dict[str, str]:
        defaults = {"KAFKA_HEAP_OPTS": "-Xmx384m -Xms128m", "KAFKA_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
        return {**defaults, **os.environ, "LOG_DIR": str(self._folder / "logs")}


class Kafka:
    """A cluster of real Kafka for as long as the ``with`` block lasts."""

    def __init__(self, folder: Path, *, brokers: int = 1, config: Mapping[str, str] | None = None) -> None:
        """Format ``brokers`` brokers below ``folder``; with three, everything is replicated three times, two in sync."""
        ports = [free_port() for _ in range(2 * brokers)]
        controllers = {node: ports[brokers + node - 1] for node in range(1, brokers + 1)}
        replicated = _replicated(brokers) | dict(config or {})
        self.brokers = [
            KafkaBroker(folder / f"broker-{node}", node=node, port=ports[node - 1], controllers=controllers, config=replicated)
            for node in range(1, brokers + 1)
        ]

    @property
    def address(self) -> str:
        """Every broker, comma between."""
        return ",".join(broker.address for broker in self.brokers)

    def __enter__(self) -> Self:
        """Start every broker and wait for all."""
        for broker in self.brokers:
            broker.start()
        for broker in self.brokers:
            broker.wait()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop every broker."""
        for broker in self.brokers:
            broker.stop()


def _properties(folder: Path, *, node: int, port: int, controllers: Mapping[int, int]) -> dict[str, str]:
    return {
        "process.roles": "broker,controller",
        "node.id": str(node),
        "controller.quorum.voters": ",".join(f"{other}@127.0.0.1:{its}" for other, its in controllers.items()),
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controllers[node]}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": str(folder / "data"),
        "auto.create.topics.enable": "false",
        "offsets.topic.num.partitions": "5",
        "group.initial.rebalance.delay.ms": "0",
        "log.retention.hours": "24",
    }


def _replicated(brokers: int) -> dict[str, str]:
    factor, in_sync = (3, 2) if brokers >= 3 else (1, 1)
    return {
        "offsets.topic.replication.factor": str(factor),
        "transaction.state.log.replication.factor": str(factor),
        "transaction.state.log.min.isr": str(in_sync),
        "share.coordinator.state.topic.replication.factor": str(factor),
        "share.coordinator.state.topic.min.isr": str(in_sync),
        "default.replication.factor": str(factor),
        "min.insync.replicas": str(in_sync),
        "broker.session.timeout.ms": "6000",
    }
