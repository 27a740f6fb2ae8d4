"""aiokafka's Kafka client, made to notice a broker that hangs.

A broker that dies closes its sockets; one that hangs (stopped, swapping, behind a dead switch) is noticed only by a
time limit, and aiokafka has one for everything, which must be longer than the longest request: joining a group waits
for the slowest member. So: small requests have a small limit; long ones are left alone as long as the broker answers a
question on another connection; a broker that does not is suspected, all its connections are closed, and for a
while others are asked first for metadata and for the coordinator.

Faust's driver makes its clients itself: `patient` turns one into ours before it connects.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Sequence
from typing import Any

from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.conn import CloseReason
from aiokafka.errors import KafkaError, RequestTimedOutError
from aiokafka.protocol.metadata import MetadataRequest

from worker import log

QUICK_SECONDS = 5.0
"""What a broker answers from memory: heartbeats, commits, lookups; connecting too."""
DOUBT_SECONDS = 4.0
"""A long request unanswered for so long: ask the broker whether it is there, and again after each such time."""
PROBE_SECONDS = 3.0
"""So long it may take to say so."""
BULK_SECONDS = 15.0
"""A fetch or a produce request may take so long although the broker is there: the connection may be the one that hangs."""
LONGEST_BULK_SECONDS = 120.0
"""Each such time-out in a row doubles the time, up to this: a slow line must not mean never."""
SUSPECT_SECONDS = 20.0
WAITING = frozenset({"JoinGroupRequest", "SyncGroupRequest"})
"""Answered when the other members are ready: no limit of ours, the client's own is above the rebalance timeout."""
BULK = frozenset({"FetchRequest", "ProduceRequest"})
SMALL, WAITS = "small", "waits"
"""Names of further connections: a broker answers a connection's requests one after the other, and a small one would wait
behind a produce request that waits for a follower, or behind one that waits for the group."""
BOOTSTRAP = "bootstrap"
"""aiokafka's name for the node it knows only by its address."""

logger = log.get()


class PatientClient(AIOKafkaClient):  # type: ignore[misc] # aiokafka has no types
    """A client whose patience depends on the request; see the module. Made by `patient`."""

    suspected: dict[Any, float]
    """Node to when it last failed to answer, monotonic seconds."""
    late: dict[Any, int]
    """Node to its bulk time-outs in a row."""
    connecting: dict[Any, asyncio.Lock]
    _request_timeout_ms: int

    async def bootstrap(self) -> None:
        """Learn the cluster from the first of the given brokers that answers; a hung one costs seconds, not a minute."""
        kept, self._request_timeout_ms = self._request_timeout_ms, int(QUICK_SECONDS * 1000)
        try:
            await super().bootstrap()
        finally:
            self._request_timeout_ms = kept

    async def send(self, node_id: Any, request: Any, *, group: Any = ConnectionGroup.DEFAULT) -> Any:  # noqa: ANN401 - aiokafka has no types
        """Send a request and wait for the answer.

        Raises:
            RequestTimedOutError: none came in the time such a request may take, or the broker hangs.
        """
        return await self._send(node_id, request, group=group, quick=QUICK_SECONDS)

    async def _send(self, node_id: Any, request: Any, *, group: Any, quick: float) -> Any:  # noqa: ANN401
        kind = type(request).__name__
        if kind in WAITING:
            group = WAITS
        elif group == ConnectionGroup.DEFAULT and kind not in BULK and node_id != BOOTSTRAP:
            group = SMALL
        answer = asyncio.ensure_future(super().send(node_id, request, group=group))
        answer.add_done_callback(_heard)
        try:
            if kind in WAITING or kind in BULK:
                await self._watch(answer, node_id, limit=self._bulk_seconds(node_id) if kind in BULK else None)
            else:
                await asyncio.wait({answer}, timeout=quick)
            if not answer.done():
                self._suspect(node_id, kind, group)
                raise RequestTimedOutError
            if kind in BULK and answer.exception() is None:
                self.late.pop(node_id, None)
            return answer.result()
        finally:
            answer.cancel()

    def get_random_node(self) -> Any:  # noqa: ANN401
        """A node to ask: any that is not suspected, where there is one."""
        return next(iter(self._by_trust([broker.nodeId for broker in self.cluster.brokers()])), None)

    async def _watch(self, answer: "asyncio.Future[Any]", node_id: Any, *, limit: float | None) -> None:  # noqa: ANN401
        """Wait for the answer as long as the broker says that it is there, and no longer than ``limit``."""
        began = time.monotonic()
        while True:
            await asyncio.wait({answer}, timeout=DOUBT_SECONDS)
            if answer.done() or (limit is not None and time.monotonic() - began >= limit):
                break
            try:
                await self._send(node_id, MetadataRequest([]), group=SMALL, quick=PROBE_SECONDS)
            except KafkaError:
                return
        if not answer.done():
            self.late[node_id] = self.late.get(node_id, 0) + 1

    def _bulk_seconds(self, node_id: Any) -> float:  # noqa: ANN401
        return min(LONGEST_BULK_SECONDS, BULK_SECONDS * 2.0 ** self.late.get(node_id, 0))

    def _suspect(self, node_id: Any, kind: str, group: Any) -> None:  # noqa: ANN401
        """The node did not answer in time: its connections are of no use, and others are asked first."""
        logger.warning("broker_silent", node=node_id, request=kind.removesuffix("Request"), connection=str(group))
        self.suspected[node_id] = time.monotonic()
        for (node, _), connection in list(self._conns.items()):
            if node == node_id:
                connection.close(reason=CloseReason.CONNECTION_TIMEOUT)

    def _by_trust(self, nodes: Sequence[Any]) -> list[Any]:
        """Nodes in random order, those that were silent a short time ago behind the others."""
        now = time.monotonic()
        shuffled = random.sample(list(nodes), len(nodes))
        return sorted(shuffled, key=lambda node: now - self.suspected.get(node, float("-inf")) < SUSPECT_SECONDS)

    @property
    def _get_conn_lock(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Not one lock for all brokers: a hung one would hold up the rest."""
        return contextlib.nullcontext()

    async def _get_conn(self, node_id: Any, *, group: Any = ConnectionGroup.DEFAULT, no_hint: bool = False) -> Any:  # noqa: ANN401
        """Connect within seconds, and never wait for the connection to another broker; None when it cannot be had."""
        async with self.connecting.setdefault((node_id, group), asyncio.Lock()):
            try:
                async with asyncio.timeout(QUICK_SECONDS if self._trusted(node_id) else PROBE_SECONDS):
                    connection = await super()._get_conn(node_id, group=group, no_hint=no_hint)
            except TimeoutError:
                self._suspect(node_id, "connect", group)
                self.force_metadata_update()
                return None
            if connection is None:
                self.suspected[node_id] = time.monotonic()  # it is down: ask others first
            return connection

    def _trusted(self, node_id: Any) -> bool:  # noqa: ANN401
        return time.monotonic() - self.suspected.get(node_id, float("-inf")) >= SUSPECT_SECONDS

    async def _metadata_update(self, cluster_metadata: Any, topics: Any) -> bool:  # noqa: ANN401
        """Ask one node after the other for metadata, trusted ones first; tell whether one answered."""
        request = MetadataRequest(list(topics) if topics else None)
        first = (BOOTSTRAP, ConnectionGroup.DEFAULT)
        nodes = [broker.nodeId for broker in self.cluster.brokers()] + [BOOTSTRAP] * (first in self._conns)
        for node_id in self._by_trust(nodes):
            try:
                metadata = await self.send(node_id, request)
            except KafkaError:
                continue
            if not metadata.brokers:  # a cluster that is only starting
                return False
            cluster_metadata.update_metadata(metadata)
            if first in self._conns and self.cluster.brokers():
                self._conns.pop(first).close()
            return True
        cluster_metadata.failed_update(None)
        return False


def _heard(answer: "asyncio.Future[Any]") -> None:
    """Nobody else may ask for the error of a request that was given up."""
    if not answer.cancelled():
        answer.exception()


def patient(client: Any) -> PatientClient:  # noqa: ANN401 - an AIOKafkaClient
    """Make an aiokafka client that has not connected yet one of ours."""
    client.__class__ = PatientClient
    client.suspected = {}
    client.late = {}
    client.connecting = {}
    ours: PatientClient = client
    return ours
