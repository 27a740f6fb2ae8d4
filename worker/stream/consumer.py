"""Faust's Kafka driver, with what it needs so as to lose and double nothing.

- A rebalance waits for what is in flight and commits it *before* Faust forgets the acknowledgements
  (``Consumer.on_partitions_revoked`` drops them first, so up to a commit interval would be done twice).
- A rebalance that meets a stopping worker does the same instead of closing the client, which could then neither commit
  nor leave the group (``App._on_rebalance_when_stopped``).
- A member that was expelled, or cannot finish in time, gives its articles up unpublished: its successor has them.
- A partition without a committed offset is read from its beginning after every rebalance, not from where it was left;
  one whose log was cut off or made anew is taken from its new beginning.
- What is committed is what was handed out and acknowledged, gaps of any kind included (`worker.stream.progress`);
  acknowledgements of an older generation are refused, and a commit that fails is made again.
- Aborted transactions are not read; a batch that cannot be read stops nothing (`worker.stream.batches`).
- A broker that hangs is noticed within seconds (`worker.stream.client`), and no error of the group's is final
  (`worker.stream.member`).

Faust 0.15.3 and aiokafka 0.14.0, whose private names this uses, are pinned for that reason.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

import faust
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from worker import log
from worker.status import Status
from worker.stream.brake import Brake
from worker.stream.fence import Fence
from worker.stream.lanes import Lanes
from worker.stream.producer import Producer
from worker.stream.progress import Position, Progress
from worker.stream.reader import ConsumerThread

if TYPE_CHECKING:
    from faust.types import ConsumerMessage, Message

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


class Consumer(driver.Consumer):
    """Faust's consumer; see the module for what differs."""

    _thread: ConsumerThread

    def __post_init__(self) -> None:
        """Add what Faust's consumer does not keep."""
        self.progress = Progress()
        self.positions: dict[TP, Position] = {}
        self._settled: dict[TP, int] = {}
        self._committing: asyncio.Task[None] | None = None  # kept: the loop alone keeps no task alive

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def _parts(self) -> Parts:
        return cast("StreamApp", self.app).parts

    def _to_message(self, tp: TP, record: Any) -> "ConsumerMessage":  # noqa: ANN401 - aiokafka has no types
        """Note a record before anybody else has it: what lies in Faust's buffers is not done either."""
        message = super()._to_message(tp, record)
        read = self._read_offset[tp]
        if read is None or message.offset >= read:  # else Faust drops it: it has been handed out before
            self.progress.handed_out(message)
        return message

    def ack(self, message: "Message") -> bool:
        """Let Faust forget a message, unless its generation is over. Commits do not depend on it: see `finished`."""
        if message.generation_id != self.app.consumer_generation_id:
            self._unacked_messages.discard(message)
            return False
        return bool(super().ack(message))

    def finished(self, message: "Message") -> None:
        """Note that the broker has what became of a message. Faust's acknowledgements say less: it acks what it skips."""
        if message.generation_id == self.app.consumer_generation_id:
            self.progress.acknowledged(message)

    def rewind(self, tp: TP) -> None:
        """Take records of earlier offsets again: the log was cut off, or the topic deleted and made anew.

        Faust would drop everything up to the offset where it had been.
        """
        self.progress.rewind(tp)
        self.positions.pop(tp, None)
        self._settled.pop(tp, None)
        self._read_offset[tp] = self._committed_offset[tp] = None
        self._forget_acks(tp)

    def reached(self, tp: TP) -> int | None:
        """First offset of a partition that is not done; None where nothing is known."""
        return self.progress.reached(tp, self.positions.get(tp), self.app.consumer_generation_id)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:  # noqa: ANN401, ARG002 - all topics
        """Every partition may have something to commit: behind the last record may be a transaction's marker."""
        return iter(self.assignment())

    def _new_offset(self, tp: TP) -> int | None:
        self._forget_acks(tp)
        return self.reached(tp)

    def _should_commit(self, tp: TP, offset: int) -> bool:
        return offset != (self._settled.get(tp, self._committed_offset[tp]) or 0)

    def _forget_acks(self, tp: TP) -> None:
        """Faust's own lists of acknowledged offsets are of no use here."""
        self._acked.pop(tp, None)
        self._acked_index.pop(tp, None)
        self._gap.pop(tp, None)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Gaps need no filling, see `Progress`."""

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        done = bool(await super()._commit(offsets))
        for tp, offset in offsets.items():  # Faust takes a failed commit for done
            self._settled[tp] = offset if done else self._settled.get(tp, -1)
        return done

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
        self._forget()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Start the new generation."""
        self._forget()
        self._parts.lanes.open()
        self._parts.fence.renew()  # joining is as good as a heartbeat
        await super().on_partitions_assigned(assigned, generation_id)
        self._parts.status.met("partitions")
        logger.info("partitions_assigned", generation=generation_id, partitions=sorted(tp.partition for tp in assigned))

    def _forget(self) -> None:
        self.progress.clear()
        self.positions.clear()
        self._settled.clear()

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
        """Commit, and wait so long at most. Not cancelled: Faust would take that for a reason to begin anew."""
        task = self._committing = asyncio.create_task(self._commit_twice())
        if not (await asyncio.wait({task}, timeout=seconds))[0]:
            logger.warning("commit_timeout", seconds=seconds)
            return
        task.result()

    async def _commit_twice(self) -> None:
        await self.commit()
        await self.commit()  # the first may have waited for one that was under way, and committed nothing itself


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

    def _create_directories(self) -> None:
        """There are no tables: nothing is written to disk, and nothing is left behind."""

    def _on_rebalance_when_stopped(self) -> None:
        """Do not close the client: it has to commit and leave the group first; `Consumer.on_partitions_revoked` does the rest."""
