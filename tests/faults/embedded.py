"""The embedded broker as a cluster of the rig: one process, one listener, everything in memory.

Its listener advertises the proxy's port, so that whoever asks it is behind the proxy, the test itself too. Faults may stop the
process, never kill it: it would forget everything (`tests.faults.menu`).
"""

from pathlib import Path

from tests.faults.cluster import Broker, Cluster, free_ports
from worker.broker import EmbeddedBroker


class Embedded(Cluster):
    """A cluster of one broker, without Kafka."""

    def __init__(self, folder: Path) -> None:
        """Choose ports and start nothing yet."""
        behind, advertised = free_ports(2)
        self.brokers = [Broker(node=1, direct=advertised, behind=behind, advertised=advertised, controller=0, folder=folder)]

    def start(self, *, wait: bool = True) -> None:  # noqa: ARG002 - it listens when it has started
        """Start the broker and wait until it listens."""
        [broker] = self.brokers
        broker.process = EmbeddedBroker(port=broker.behind, advertised=broker.advertised).start()
