"""A broker that hangs, played by sockets that take connections and say nothing, or say only some things."""

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.errors import RequestTimedOutError
from aiokafka.protocol.coordination import FindCoordinatorRequest
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.group import JoinGroupRequest
from aiokafka.structs import BrokerMetadata

from worker.stream import client as module
from worker.stream.client import PatientClient, patient

VERSIONS, METADATA, JOIN, FETCH = 18, 3, 11, 1


class FakeBroker:
    """Answers the requests it was told to, and keeps the others."""

    def __init__(self, *answers: int) -> None:
        """``answers``: the kinds (API keys) it answers."""
        self.answers = set(answers)
        self.port = 0
        self.connections = 0
        self.asked: list[int] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        try:
            while True:
                (size,) = struct.unpack(">i", await reader.readexactly(4))
                kind, _, correlation = struct.unpack_from(">hhi", await reader.readexactly(size))
                self.asked.append(kind)
                if kind in self.answers:
                    body = struct.pack(">i", correlation) + self._body(kind)
                    writer.write(struct.pack(">i", len(body)) + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _body(self, kind: int) -> bytes:
        if kind == VERSIONS:
            keys = [(VERSIONS, 0), (METADATA, 0), (JOIN, 0), (FETCH, 4), (10, 0)]
            return struct.pack(">hi", 0, len(keys)) + b"".join(struct.pack(">hhh", key, 0, newest) for key, newest in keys)
        host = b"127.0.0.1"
        return struct.pack(">iih", 1, 1, len(host)) + host + struct.pack(">ii", self.port, 0)


@asynccontextmanager
async def brokers(*fakes: FakeBroker) -> AsyncIterator[PatientClient]:
    """A client that knows these brokers as nodes 1, 2 …."""
    servers = [await asyncio.start_server(fake.serve, "127.0.0.1", 0) for fake in fakes]
    for fake, server in zip(fakes, servers, strict=True):
        fake.port = server.sockets[0].getsockname()[1]
    made = AIOKafkaClient(bootstrap_servers=[f"127.0.0.1:{fake.port}" for fake in fakes], request_timeout_ms=60_000)
    client = patient(made)
    client.cluster._brokers = {  # noqa: SLF001 - what bootstrapping learns
        number: BrokerMetadata(number, "127.0.0.1", fake.port, None) for number, fake in enumerate(fakes, 1)
    }
    try:
        yield client
    finally:
        await client.close()
        for server in servers:
            server.close()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the time limits."""
    for name in ("QUICK_SECONDS", "DOUBT_SECONDS", "PROBE_SECONDS", "BULK_SECONDS"):
        monkeypatch.setattr(module, name, getattr(module, name) / 10)


async def took(work: Callable[[], Awaitable[Any]]) -> float:
    """Seconds until it was given up."""
    began = time.monotonic()
    with pytest.raises(RequestTimedOutError):
        await work()
    return time.monotonic() - began


def fetch() -> FetchRequest:
    """Ask for nothing."""
    return FetchRequest(1500, 1, 2**20, 0, [])


def join() -> JoinGroupRequest:
    """Join as nobody."""
    return JoinGroupRequest("g", 10_000, 60_000, "", None, "consumer", [])


def test_a_small_request_has_a_small_limit() -> None:
    """And the node is asked last afterwards."""

    async def scenario() -> None:
        hung, other = FakeBroker(VERSIONS), FakeBroker(VERSIONS, METADATA)
        async with brokers(hung, other) as client:
            assert await took(lambda: client.send(1, FindCoordinatorRequest("g", 0))) < 3 * module.QUICK_SECONDS
            assert {client.get_random_node() for _ in range(20)} == {2}
            assert await client._metadata_update(client.cluster, []) is True  # noqa: SLF001
            assert METADATA not in hung.asked

    asyncio.run(scenario())


def test_a_long_request_ends_when_the_broker_hangs() -> None:
    """Waiting for the group's other members may take a minute; a broker that does not even say so is given up."""

    async def scenario() -> None:
        hung = FakeBroker(VERSIONS)
        async with brokers(hung) as client:
            limit = module.DOUBT_SECONDS + module.PROBE_SECONDS
            assert await took(lambda: client.send(1, join(), group=ConnectionGroup.COORDINATION)) < limit + 1
            assert await took(lambda: client.send(1, fetch())) < limit + 1

    asyncio.run(scenario())


def test_a_long_request_is_left_alone_while_the_broker_answers() -> None:
    """For ever, where it waits for others; a fetch has a limit, which grows."""

    async def scenario() -> None:
        busy = FakeBroker(VERSIONS, METADATA)
        async with brokers(busy) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(8 * module.DOUBT_SECONDS):
                    await client.send(1, join(), group=ConnectionGroup.COORDINATION)
            first = await took(lambda: client.send(1, fetch()))
            assert first >= module.BULK_SECONDS
            assert await took(lambda: client.send(1, fetch())) >= 2 * module.BULK_SECONDS

    asyncio.run(scenario())


def test_a_hung_broker_does_not_hold_up_connecting_to_another() -> None:
    """Aiokafka makes one connection at a time."""

    async def scenario() -> None:
        hung, other = FakeBroker(), FakeBroker(VERSIONS, METADATA)
        async with brokers(hung, other) as client:
            slow = asyncio.create_task(client.ready(1))
            await asyncio.sleep(0.05)
            began = time.monotonic()
            assert await client.ready(2)
            assert time.monotonic() - began < module.QUICK_SECONDS
            assert await slow is False

    asyncio.run(scenario())


def test_bootstrapping_passes_over_a_hung_broker() -> None:
    """Within the limit of a small request, not that of joining a group."""

    async def scenario() -> None:
        hung, other = FakeBroker(), FakeBroker(VERSIONS, METADATA)
        async with brokers(hung, other) as client:
            began = time.monotonic()
            await client.bootstrap()
            assert time.monotonic() - began < 3 * module.QUICK_SECONDS
            assert client._request_timeout_ms == 60_000  # noqa: SLF001 - as it was

    asyncio.run(scenario())
