"""Records from Faust's stream into the lanes; no exception ever leaves the agent's body.

An agent that raises is restarted by Faust, and what its lanes held is skipped: our own bug ends the process instead,
un-acked, and the articles are delivered again.
"""

from typing import TYPE_CHECKING, Any, cast

from faust.types import EventT, StreamT

from worker import log
from worker.stream.batches import Unreadable
from worker.stream.consumer import Consumer, StreamApp
from worker.stream.fatal import end
from worker.stream.lane import Record

if TYPE_CHECKING:
    from faust import Stream

logger = log.get()


def add_agent(app: StreamApp, *, topic: str) -> None:
    """Let ``app`` consume ``topic``, raw bytes, one agent, acknowledged by hand."""
    channel = app.topic(topic, key_serializer="raw", value_serializer="raw")

    async def articles(stream: StreamT[bytes]) -> None:
        try:
            async for event in cast("Stream[bytes]", stream).noack().events():
                await _take(app, stream, event)
        except Exception as error:  # noqa: BLE001 - see the module
            end("agent", error)

    app.agent(channel, name="articles", concurrency=1)(articles)


async def _take(app: StreamApp, stream: StreamT[bytes], event: EventT[Any]) -> None:
    message = event.message

    async def ack() -> None:
        cast("Consumer", app.consumer).finished(message)
        await stream.ack(event)

    await app.parts.lanes.put(
        record(message),
        ack=ack,
        wanted=lambda: message.generation_id == app.consumer_generation_id,
        failed=message.value.failed if isinstance(message.value, Unreadable) else None,
    )


def record(message: Any) -> Record:  # noqa: ANN401 - Faust's message; a stand-in in tests
    """Take the record out of Faust's message: the headers as they came, repeated names included."""
    timestamp_ms = None if message.timestamp is None or message.timestamp < 0 else round(message.timestamp * 1000)
    return Record(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=[(name, value) for name, value in message.headers or ()],
        timestamp_ms=timestamp_ms,
    )
