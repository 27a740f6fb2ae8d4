"""The embedded broker as a cluster of the rig: one process, one listener, everything in memory.

Its listener advertises the proxy's port, so that whoever asks it is behind the proxy, the test itself too.
"""

import contextlib
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kafka.admin import KafkaAdminClient

from tests.faults.cluster import Broker, free_ports, listens
from worker.broker import EmbeddedBroker


class Process(Broker):
    """The broker's process: what a fault may stop, never kill, as it would forget everything."""

    server: EmbeddedBroker | None = None

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.server is not None and self.server.pid is not None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self.server is not None and self.server.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.server.pid, number)


class Embedded:
    """What the rig needs of a cluster."""

    def __init__(self, folder: Path) -> None:
        """Choose ports and start nothing yet."""
        behind, advertised = free_ports(2)
        self.brokers: list[Broker] = [
            Process(node=111, direct=advertised, behind=behind, advertised=advertised, controller=0, folder=folder)
        ]

    @property
    def direct(self) -> str:
        """Bootstrap servers: there is no way around the proxy."""
        return f"127.0.0.1:{self.brokers[0].advertised}"

    proxied = direct

    def start(self) -> None:
        """Start the broker and wait until it listens."""
        self.launch(self.brokers[0])

    def launch(self, broker: Broker) -> None:
        """Start the broker's process; it remembers nothing."""
        if isinstance(broker, Process):
            broker.server = EmbeddedBroker(port=broker.behind, advertised=broker.advertised)
            broker.server.__enter__()

    def answers(self, broker: Broker) -> bool:
        """Whether it listens."""
        return listens(broker.behind)

    def stop(self) -> None:
        """End it."""
        for broker in self.brokers:
            broker.signal(signal.SIGCONT)
            if isinstance(broker, Process) and broker.server is not None:
                broker.server.stop()

    @contextmanager
    def admin(self) -> Iterator[Any]:
        """An admin client."""
        client = KafkaAdminClient(bootstrap_servers=[self.direct], bootstrap_timeout_ms=5000, request_timeout_ms=15000)
        try:
            yield client
        finally:
            client.close()
