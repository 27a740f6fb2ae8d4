"""Faust's producer with a send that waits for the broker, and with commits that wait for nobody else's sends."""

from typing import TYPE_CHECKING, Any, cast

from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError
from faust.exceptions import ProducerSendError
from faust.transport.drivers import aiokafka as driver

from worker.enrich.job import Headers
from worker.stream.client import patient
from worker.stream.delivery import TooLargeError

if TYPE_CHECKING:
    from faust.types import RecordMetadata


class Producer(driver.Producer):
    """Sends to the output topics."""

    def _new_producer(self, transactional_id: str | None = None) -> Any:  # noqa: ANN401 - aiokafka has no types
        producer = super()._new_producer(transactional_id)
        patient(producer.client)
        return producer

    async def flush(self) -> None:
        """Wait for nothing: each lane waits for its own sends before it acknowledges.

        Faust flushes before every commit, so one output partition without a leader would hold up the commits of all.
        """

    async def send_acknowledged(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> "RecordMetadata":
        """Send one record; returns where it lies when the broker has acknowledged it.

        Raises:
            TooLargeError: the client or the broker refuses it for its size.
        """
        try:
            return await (await self.send(topic, key, value, None, None, cast("Any", headers)))
        except (MessageSizeTooLargeError, RecordListTooLargeError) as error:
            raise TooLargeError(str(error)) from error
        except ProducerSendError as error:
            if isinstance(error.__cause__, MessageSizeTooLargeError | RecordListTooLargeError):
                raise TooLargeError(str(error.__cause__)) from error
            raise
