"""Reading: aiokafka's consumer in the thread Faust gives it.

Our client, which notices a broker that hangs; our reader of batches, which no batch ends; only what transactional
producers committed; a group member that never gives up; positions noted where everything before them is handed out.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import ConsumerStoppedError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from worker import log
from worker.stream import batches
from worker.stream.client import patient
from worker.stream.member import persist
from worker.stream.progress import Position

if TYPE_CHECKING:
    from worker.stream.consumer import Consumer, StreamApp

COMMIT_TIMEOUT_SECONDS = 15.0
"""A commit that takes longer is made again with what has been done meanwhile; one for a topic that is gone never ends."""
FETCH_RETRY_SECONDS = 1.0

logger = log.get()


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Runs aiokafka's consumer in its thread: our client, our reader of batches, and a group member that never gives up."""

    consumer: "Consumer"
    _last: dict[TP, int]
    """Last offset that was fetched of each partition, or went before where it was sought to: below it the log went back by itself."""
    _seeks: int
    _seeking: int

    def _create_worker_consumer(self, transport: Any) -> Any:  # noqa: ANN401 - aiokafka has no types
        """Make the client; only what was committed is read from transactional producers."""
        batches.install()
        self._last = {}
        self._seeks = self._seeking = 0
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # noqa: SLF001 - Faust sets it for exactly-once only
        patient(consumer._client)  # noqa: SLF001
        return consumer

    async def on_start(self) -> None:
        """Start the client and listen to its heartbeats."""
        await super().on_start()
        coordinator = self._ensure_consumer()._coordinator  # noqa: SLF001 - aiokafka tells nobody of its heartbeats
        if isinstance(coordinator, GroupCoordinator):
            persist(coordinator, cast("StreamApp", self.app).parts.fence)

    async def on_thread_stop(self) -> None:
        """Stop the client; whatever it raises, the thread has to end, for a stop waits for it until its deadline.

        aiokafka's fetcher waits for each request that it has just cancelled, and one that was pausing between two tries is then
        cancelled for good: that came out of the thread as the thread's own end. The group has been left by then.
        """
        try:
            await super().on_thread_stop()
        except (asyncio.CancelledError, Exception) as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            logger.warning("client_stop_failed", error=f"{type(error).__name__}: {error}")
            if self._consumer is not None:
                with contextlib.suppress(Exception):
                    await self._consumer._client.close()  # noqa: SLF001 - what its own stop did not reach

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Go to the committed offsets; where there is none, to the beginning.

        What was fetched before a rebalance is dropped, and aiokafka leaves a partition that nobody has committed yet
        where it is: behind the dropped records, which would then never be read.
        """
        self._seeks += 1
        self._seeking += 1
        try:
            committed: Mapping[TP, int] = await super().seek_to_committed()
            never = [tp for tp, offset in committed.items() if not offset]
            if never:
                await self.seek_to_beginning(*never)
            self._last = {tp: offset - 1 for tp, offset in committed.items() if offset}
        finally:
            self._seeking -= 1
        return committed

    def expelled(self) -> bool:
        """Whether the coordinator does not know this member any more."""
        return bool(self._ensure_consumer()._coordinator.generation == driver.DEFAULT_GENERATION_ID)  # noqa: SLF001

    async def _fetch_records(self, consumer: Any, active_partitions: set[TP], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Take what was fetched; note where the client stands before, and when it went back."""
        self._note_positions(consumer)
        seeks = self._seeks
        try:
            records = await super()._fetch_records(consumer, active_partitions, *args, **kwargs)
        except KafkaError as error:
            if isinstance(error, ConsumerStoppedError):
                raise
            logger.warning("fetch_failed", error=f"{type(error).__name__}: {error}")  # a right taken away, say
            await asyncio.sleep(FETCH_RETRY_SECONDS)
            return {}
        if seeks == self._seeks and not self._seeking:  # else going back is our own doing
            for tp, batch in (records or {}).items():
                if batch[0].offset <= self._last.get(tp, -1):
                    logger.warning("partition_rewound", topic=tp.topic, partition=tp.partition, offset=batch[0].offset)
                    self.consumer.loop.call_soon_threadsafe(self.consumer.rewind, tp)
                self._last[tp] = batch[-1].offset
        return records

    def _note_positions(self, consumer: Any) -> None:  # noqa: ANN401
        """All records fetched earlier have been handed out by now: Faust asks again only then."""
        if self._seeking or not self.consumer.flow_active:
            return
        subscription = consumer._subscription.subscription  # noqa: SLF001
        assignment = subscription.assignment if subscription else None
        if assignment is None or not assignment.active:
            return
        generation = consumer._coordinator.generation  # noqa: SLF001
        for tp in assignment.tps:
            state = assignment.state_value(tp)
            if state.has_valid_position:
                self.consumer.positions[tp] = Position(generation, state.position)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit, or say that it could not be done: the next commit tries again. Faust's own ends the worker."""
        consumer = self._ensure_consumer()
        mine = {tp: offset for tp, offset in offsets.items() if tp in self.assignment()}
        if not mine:
            return False
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT_SECONDS):  # a topic that is gone would be tried for ever
                await consumer.commit({driver.ensure_aiokafka_TP(tp): OffsetAndMetadata(offset, "") for tp, offset in mine.items()})
        except (KafkaError, TimeoutError) as error:
            logger.warning("commit_failed", error=f"{type(error).__name__}: {error}")
            return False
        self.tp_last_committed_at.update(dict.fromkeys(mine, time.monotonic()))
        return True
