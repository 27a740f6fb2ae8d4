"""Apache Kafka on loopback for tests: one broker or three (KRaft, each its own controller), started from ``KAFKA_HOME``.

Every broker has two client listeners: DIRECT, for the test itself and for the brokers among themselves, and PROXIED,
whose advertised port belongs to a proxy (`tests.faults.proxy`) when one is asked for, so that a client which found the
cluster through the proxy stays behind it.
"""

import contextlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qk"
START_SECONDS = 90.0
UNCLOSED = "ignore::pytest.PytestUnraisableExceptionWarning"
"""For tests beside a broker that starts or dies: kafka-python leaves the sockets of refused connections to the collector."""
REPOSITORY = Path(__file__).parents[2]


def home() -> Path:
    """Where Kafka is: ``KAFKA_HOME``, else the folder beside the repository."""
    return Path(os.environ.get("KAFKA_HOME") or REPOSITORY.parent / "shared" / "kafka")


def available() -> bool:
    """Whether real Kafka can be started here."""
    return (home() / "bin" / "kafka-server-start.sh").exists() and shutil.which("java") is not None


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@dataclass
class Broker:
    """One broker process and its ports."""

    node: int
    direct: int
    behind: int
    advertised: int
    controller: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        """Name its log."""
        self.log = self.folder / "broker.log"

    @property
    def alive(self) -> bool:
        """Whether the process runs (stopped by a signal counts as running)."""
        return self.process is not None and self.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait(30)

    def limit_files(self, megabytes: float | None) -> None:
        """Let no file of the broker grow beyond this: what a full disk looks like to it. None: as large as it likes."""
        if self.process is None:
            return
        most = resource.RLIM_INFINITY if megabytes is None else int(megabytes * 2**20)
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(self.process.pid).rlimit(psutil.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


class Cluster:
    """Brokers of one Kafka cluster."""

    def __init__(  # noqa: PLR0913 - what a cluster can differ in
        self,
        folder: Path,
        *,
        brokers: int = 1,
        proxied: bool = False,
        extra: Mapping[str, str] | None = None,
        listeners: Mapping[str, tuple[int, str]] | None = None,
        format_options: Sequence[str] = (),
    ) -> None:
        """Choose ports and write nothing yet.

        Args:
            folder: where logs and data go.
            brokers: one or three.
            proxied: PROXIED listeners advertise a port of their own, on which a proxy must listen.
            extra: further lines of ``server.properties``; they win over ours.
            listeners: name to port and security protocol of further listeners, for clusters of one broker.
            format_options: further arguments of ``kafka-storage.sh format``.
        """
        ports = free_ports(4 * brokers)
        self.brokers: list[Broker] = []
        for number in range(brokers):
            direct, behind, advertised, controller = ports[4 * number : 4 * number + 4]
            self.brokers.append(
                Broker(
                    node=number + 1,
                    direct=direct,
                    behind=behind,
                    advertised=advertised if proxied else behind,
                    controller=controller,
                    folder=folder / f"broker-{number + 1}",
                )
            )
        self._extra = dict(extra or {})
        self._format = list(format_options)
        self._listeners = dict(listeners or {})

    @property
    def direct(self) -> str:
        """Bootstrap servers without the proxy."""
        return ",".join(f"127.0.0.1:{broker.direct}" for broker in self.brokers)

    @property
    def proxied(self) -> str:
        """Bootstrap servers behind the proxy."""
        return ",".join(f"127.0.0.1:{broker.advertised}" for broker in self.brokers)

    def start(self, *, wait: bool = True) -> None:
        """Format and start every broker; wait until all of them answer."""
        for broker in self.brokers:
            broker.folder.mkdir(parents=True, exist_ok=True)
            properties = broker.folder / "server.properties"
            properties.write_text("".join(f"{name}={value}\n" for name, value in self._properties(broker).items()))
            command = [str(home() / "bin" / "kafka-storage.sh"), "format", "-t", CLUSTER_ID, "-c", str(properties), *self._format]
            subprocess.run(command, check=True, capture_output=True, env=_environment(), cwd=broker.folder)
        for broker in self.brokers:
            self.launch(broker)
        if wait:
            self.wait()

    def launch(self, broker: Broker) -> None:
        """Start one broker's process (again)."""
        command = [str(home() / "bin" / "kafka-server-start.sh"), str(broker.folder / "server.properties")]
        with broker.log.open("ab") as log:
            broker.process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=_environment(), cwd=broker.folder, start_new_session=True
            )

    def wait(self, *, seconds: float = START_SECONDS) -> None:
        """Wait until the cluster counts all its brokers.

        Raises:
            TimeoutError: it does not within the time.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not all(listens(broker.direct) for broker in self.brokers):
                time.sleep(0.2)
                continue
            with contextlib.suppress(KafkaError, OSError), self.admin() as admin:
                if len(admin.describe_cluster()["brokers"]) >= len(self.brokers):
                    return
            time.sleep(0.3)
        message = f"{len(self.brokers)} brokers did not come up within {seconds:.0f} s: see {self.brokers[0].log}"
        raise TimeoutError(message)

    def answers(self, broker: Broker) -> bool:
        """Whether a broker answers a client, and counts itself among the cluster's brokers."""
        if not listens(broker.behind):
            return False
        with contextlib.suppress(KafkaError, OSError):
            client = KafkaAdminClient(bootstrap_servers=[f"127.0.0.1:{broker.direct}"], bootstrap_timeout_ms=2000, request_timeout_ms=2000)
            try:
                return any(one["broker_id"] == broker.node for one in client.describe_cluster()["brokers"])
            finally:
                client.close()
        return False

    def stop(self) -> None:
        """End every broker and wait; harmless when they are gone."""
        for broker in self.brokers:
            broker.signal(signal.SIGCONT)
            broker.signal(signal.SIGKILL)
        for broker in self.brokers:
            if broker.process is not None:
                broker.process.wait(30)

    @contextmanager
    def admin(self) -> Iterator[Any]:
        """An admin client on the DIRECT listeners."""
        client = KafkaAdminClient(bootstrap_servers=self.direct.split(","), bootstrap_timeout_ms=5000, request_timeout_ms=15000)
        try:
            yield client
        finally:
            client.close()

    def _properties(self, broker: Broker) -> dict[str, str]:
        many = len(self.brokers) > 1
        further = "".join(f",{name}://localhost:{port}" for name, (port, _) in self._listeners.items())
        kinds = "".join(f",{name}:{kind}" for name, (_, kind) in self._listeners.items())
        replicas, in_sync = ("3", "2") if many else ("1", "1")
        return {
            "process.roles": "broker,controller",
            "node.id": str(broker.node),
            "controller.quorum.voters": ",".join(f"{one.node}@127.0.0.1:{one.controller}" for one in self.brokers),
            "listeners": f"DIRECT://127.0.0.1:{broker.direct},PROXIED://127.0.0.1:{broker.behind}{further},CONTROLLER://127.0.0.1:{broker.controller}",
            "advertised.listeners": f"DIRECT://127.0.0.1:{broker.direct},PROXIED://127.0.0.1:{broker.advertised}{further}",
            "listener.security.protocol.map": f"CONTROLLER:PLAINTEXT,DIRECT:PLAINTEXT,PROXIED:PLAINTEXT{kinds}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "DIRECT",
            "log.dirs": str(broker.folder / "data"),
            "auto.create.topics.enable": "false",
            "offsets.topic.num.partitions": "3",
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": in_sync,
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": in_sync,
            "default.replication.factor": replicas,
            "min.insync.replicas": in_sync,
            "broker.session.timeout.ms": "6000",
            "group.initial.rebalance.delay.ms": "0",
            "num.network.threads": "2",
            "num.io.threads": "2",
            "log.segment.bytes": str(64 * 2**20),
            **self._extra,
        }


def _environment() -> dict[str, str]:
    heap = {"KAFKA_HEAP_OPTS": "-Xms64m -Xmx384m"}
    return {**os.environ, **heap}
