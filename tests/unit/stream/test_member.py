"""The group member that never gives up, and its fence."""

import asyncio
from typing import Any

import pytest
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, UnknownTopicOrPartitionError
from faust.transport.drivers.aiokafka import DEFAULT_GENERATION_ID

from worker.stream import member as module
from worker.stream.fence import Fence
from worker.stream.member import persist


def coordinator(fence: Fence) -> Any:  # noqa: ANN401 - aiokafka has no types
    """A coordinator without a client: every method that is called is replaced."""
    made: Any = GroupCoordinator.__new__(GroupCoordinator)
    made.generation = 3
    persist(made, fence)
    return made


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once."""
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.001)


def test_heartbeats_move_the_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer renews it; being unknown to the coordinator closes it at once; no error ends the heartbeats."""
    answers: list[tuple[bool | KafkaError, int]] = [(True, 3), (False, 3), (KafkaError("of a new kind"), 3), (True, DEFAULT_GENERATION_ID)]

    async def heartbeat(self: Any) -> bool:  # noqa: ANN401
        answer, self.generation = answers.pop(0)
        if isinstance(answer, KafkaError):
            raise answer
        return answer

    monkeypatch.setattr(GroupCoordinator, "_do_heartbeat", heartbeat)

    async def scenario() -> None:
        fence = Fence(session_timeout=10)
        one = coordinator(fence)
        assert await one._do_heartbeat() is True  # noqa: SLF001
        assert fence.is_open()
        for _ in range(2):
            assert await one._do_heartbeat() is False  # noqa: SLF001
            assert fence.is_open()
        await one._do_heartbeat()  # noqa: SLF001
        assert not fence.is_open()

    asyncio.run(scenario())


def test_the_coordinator_is_looked_for_until_it_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after an error that aiokafka takes for final."""
    errors: list[KafkaError] = [GroupAuthorizationFailedError("g"), KafkaError("new")]

    async def known(self: Any) -> None:  # noqa: ANN401
        if errors:
            raise errors.pop()
        self.coordinator_id = 1

    monkeypatch.setattr(GroupCoordinator, "ensure_coordinator_known", known)

    async def scenario() -> None:
        one = coordinator(Fence(session_timeout=10))
        one._closing = asyncio.get_running_loop().create_future()  # noqa: SLF001
        await one.ensure_coordinator_known()
        assert one.coordinator_id == 1

    asyncio.run(scenario())


def test_committed_offsets_are_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else aiokafka's task ends with an error it does not know, and the partitions are never read."""

    async def refresh(_self: Any, _assignment: Any) -> bool:  # noqa: ANN401
        raise KafkaError

    monkeypatch.setattr(GroupCoordinator, "_maybe_refresh_commit_offsets", refresh)
    assert asyncio.run(coordinator(Fence(session_timeout=10))._maybe_refresh_commit_offsets(None)) is False  # noqa: SLF001


def test_offsets_of_a_topic_that_is_gone_are_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else aiokafka does, every 0.1 s, until the topic is made anew."""

    async def commit(_self: Any, _assignment: Any, _offsets: Any) -> None:  # noqa: ANN401
        raise UnknownTopicOrPartitionError

    monkeypatch.setattr(GroupCoordinator, "_do_commit_offsets", commit)
    with pytest.raises(KafkaError) as caught:
        asyncio.run(coordinator(Fence(session_timeout=10))._do_commit_offsets(None, {}))  # noqa: SLF001
    assert not caught.value.retriable


def test_an_error_for_the_user_is_not_waited_for() -> None:
    """Nobody takes it."""
    asyncio.run(asyncio.wait_for(coordinator(Fence(session_timeout=10))._push_error_to_user(KafkaError()), 1))  # noqa: SLF001
