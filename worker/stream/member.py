"""The worker as a member of its group: it never gives up, and tells the fence of each heartbeat the coordinator answered.

aiokafka hands an error it does not know "to the user" and then waits for the user to take it, which Faust never does: the
worker would be alive, out of the group and silent. Here the error is logged and the same thing tried again.
"""

import asyncio
import time
from typing import Any

from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError
from faust.transport.drivers.aiokafka import DEFAULT_GENERATION_ID

from worker import log
from worker.stream.fence import Fence

RETRY_SECONDS = 1.0

logger = log.get()


class Member(GroupCoordinator):  # type: ignore[misc] # aiokafka has no types
    """See the module. Made by `persist`."""

    fence: Fence

    async def _do_heartbeat(self) -> bool:
        sent = time.monotonic()
        try:
            answered = bool(await super()._do_heartbeat())
        except KafkaError as error:
            logger.warning("heartbeat_failed", error=_line(error))
            answered = False
        if self.generation == DEFAULT_GENERATION_ID:
            self.fence.close()
        elif answered:
            self.fence.renew(sent)
        return answered

    async def ensure_coordinator_known(self) -> None:
        """Look for the coordinator until there is one."""
        while True:
            try:
                await super().ensure_coordinator_known()
            except KafkaError as error:
                logger.warning("coordinator_unknown", error=_line(error))
                await asyncio.sleep(RETRY_SECONDS)
                if not self._closing.done():
                    continue
            return

    async def _maybe_refresh_commit_offsets(self, assignment: Any) -> bool:  # noqa: ANN401 - aiokafka has no types
        try:
            return bool(await super()._maybe_refresh_commit_offsets(assignment))
        except KafkaError as error:
            logger.warning("committed_offsets_unknown", error=_line(error))
            await asyncio.sleep(RETRY_SECONDS)
            return False

    async def _do_commit_offsets(self, assignment: Any, offsets: Any) -> None:  # noqa: ANN401
        """Commit, and do not try again where the topic is gone: made anew, it would get the offsets of the old one."""
        try:
            await super()._do_commit_offsets(assignment, offsets)
        except UnknownTopicOrPartitionError as error:
            message = f"no offset can be committed: {_line(error)}"
            raise KafkaError(message) from error

    async def _push_error_to_user(self, error: BaseException) -> None:
        logger.warning("group_error", error=_line(error))
        await asyncio.sleep(RETRY_SECONDS)


def persist(coordinator: Any, fence: Fence) -> None:  # noqa: ANN401 - a GroupCoordinator
    """Make an aiokafka coordinator one of ours; ``fence`` is renewed by its heartbeats."""
    coordinator.__class__ = Member
    coordinator.fence = fence


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
