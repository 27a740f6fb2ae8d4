"""Faust's Kafka driver, with what it needs so as to lose and double nothing.

- A rebalance waits for what is in flight and commits it *before* Faust forgets the acknowledgements
  (``Consumer.on_partitions_revoked`` drops them first, so up to a commit interval would be done twice).
- A rebalance that meets a stopping worker does the same instead of closing the client, which could then neither commit
  nor leave the group (``App._on_rebalance_when_stopped``).
- A member that was expelled, or cannot finish in time, gives its articles up unpublished: its successor has them.
- A partition without a committed offset is read from its beginning after every rebalance, not from where it was left.
- Heartbeats renew the fence; acknowledgements of an older generation are refused.

Faust 0.15.3 and aiokafka 0.14.0, whose private names this uses, are pinned for that reason.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

import faust
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError
from faust.exceptions import ProducerSendError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from worker import log
from worker.enrich.job import Headers
from worker.status import Status
from worker.stream.brake import Brake
from worker.stream.delivery import TooLargeError
from worker.stream.fence import Fence
from worker.stream.lane import Lanes

if TYPE_CHECKING:
    from collections.abc import Callable

    from faust.types import Message

COMMIT_SECONDS = 5.0
SHARE_OF_REBALANCE = 0.7
"""What is left of the rebalance timeout is for committing and joining again."""

logger = log.get()


class Parts(Protocol):
    """What the driver needs from the rest of the worker."""

    lanes: Lanes
    brake: Brake
    fence: Fence
    status: Status


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Runs aiokafka's consumer in its thread; tells the fence of each heartbeat the coordinator answered."""

    async def on_start(self) -> None:
        """Start the client and listen to its heartbeats."""
        await super().on_start()
        coordinator = self._ensure_consumer()._coordinator  # noqa: SLF001 - aiokafka tells nobody of its heartbeats
        if isinstance(coordinator, GroupCoordinator):
            _watch_heartbeats(coordinator, cast("StreamApp", self.app).parts.fence)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Go to the committed offsets; where there is none, to the beginning.

        What was fetched before a rebalance is dropped, and aiokafka leaves a partition that nobody has committed yet
        where it is: behind the dropped records, which would then never be read.
        """
        committed: Mapping[TP, int] = await super().seek_to_committed()
        never = [tp for tp, offset in committed.items() if not offset]
        if never:
            await self.seek_to_beginning(*never)
        return committed

    def expelled(self) -> bool:
        """Whether the coordinator does not know this member any more."""
        return bool(self._ensure_consumer()._coordinator.generation == driver.DEFAULT_GENERATION_ID)  # noqa: SLF001


def _watch_heartbeats(coordinator: Any, fence: Fence) -> None:  # noqa: ANN401 - aiokafka has no types
    heartbeat: Callable[[], Any] = coordinator._do_heartbeat  # noqa: SLF001

    async def watched() -> Any:  # noqa: ANN401
        sent = time.monotonic()
        answered = await heartbeat()
        if coordinator.generation == driver.DEFAULT_GENERATION_ID:
            fence.close()
        elif answered:
            fence.renew(sent)
        return answered

    coordinator._do_heartbeat = watched  # noqa: SLF001


class Consumer(driver.Consumer):
    """Faust's consumer; see the module for what differs."""

    _thread: ConsumerThread

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def _parts(self) -> Parts:
        return cast("StreamApp", self.app).parts

    def ack(self, message: "Message") -> bool:
        """Acknowledge, unless the message's generation is over."""
        if message.generation_id != self.app.consumer_generation_id:
            self._unacked_messages.discard(message)
            return False
        return bool(super().ack(message))

    def on_buffer_drop(self, tp: TP) -> None:
        """Resume a partition, unless its lane is full: then the lane resumes it."""
        if not self._parts.lanes.is_full((tp.topic, tp.partition)):
            super().on_buffer_drop(tp)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Finish and commit what is in flight, or give it up, before Faust forgets what was acknowledged."""
        self._parts.status.unmet("partitions")
        assignment = self.assignment()
        if assignment:
            self.stop_flow()
            self.app.flow_control.suspend()
            self.app.flow_control.clear()
            if not await self._drained(self.app.conf.broker_rebalance_timeout * SHARE_OF_REBALANCE):
                self._give_up("not finished within the rebalance timeout")
            self._unacked_messages.clear()  # what is left was handed over
            await self._commit_within(COMMIT_SECONDS)
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Start the new generation."""
        self._parts.lanes.open()
        self._parts.fence.renew()  # joining is as good as a heartbeat
        await super().on_partitions_assigned(assigned, generation_id)
        self._parts.status.met("partitions")
        logger.info("partitions_assigned", generation=generation_id, partitions=sorted(tp.partition for tp in assigned))

    async def wait_empty(self) -> None:
        """Finish what has been started, then commit. Faust's own collects garbage and commits after each acknowledgement."""
        while not self.should_stop and not await self._drained(1.0):
            await self._commit_within(COMMIT_SECONDS)
        self._unacked_messages.clear()
        await self.commit_and_end_transactions()

    async def _drained(self, seconds: float) -> bool:
        """Finish the articles that a process has started on; tell whether it was in time. A held article is given up."""
        deadline = time.monotonic() + seconds
        self._parts.lanes.hand_over()
        while True:
            if self._parts.brake.on:
                self._give_up("the brake is on")
            if self._thread.expelled():
                self._give_up("expelled from the group")
            if self._parts.lanes.is_empty():
                return True
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.02)

    def _give_up(self, why: str) -> None:
        self._parts.lanes.release(why)
        self._unacked_messages.clear()

    async def _commit_within(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.commit()
        except TimeoutError:
            logger.warning("commit_timeout", seconds=seconds)


class Producer(driver.Producer):
    """Faust's producer with a send that waits for the broker."""

    async def send_acknowledged(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """Send one record; returns when the broker has acknowledged it.

        Raises:
            TooLargeError: the client or the broker refuses it for its size.
        """
        try:
            await (await self.send(topic, key, value, None, None, cast("Any", headers)))
        except (MessageSizeTooLargeError, RecordListTooLargeError) as error:
            raise TooLargeError(str(error)) from error
        except ProducerSendError as error:
            if isinstance(error.__cause__, MessageSizeTooLargeError | RecordListTooLargeError):
                raise TooLargeError(str(error.__cause__)) from error
            raise


class Transport(driver.Transport):
    """The driver with our consumer and producer."""

    Consumer = Consumer
    Producer = Producer


class StreamApp(faust.App):
    """The Faust app on our driver."""

    parts: Parts

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Transport:
        return Transport(self.conf.broker_producer, self)

    def _on_rebalance_when_stopped(self) -> None:
        """Do not close the client: it has to commit and leave the group first; `Consumer.on_partitions_revoked` does the rest."""
