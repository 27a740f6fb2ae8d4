"""Where a worker reads on after a rebalance, shown on a real broker with aiokafka's own consumer."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from tests.faults.cluster import UNCLOSED, Cluster, available
from worker.stream.reader import ConsumerThread

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300), pytest.mark.filterwarnings(UNCLOSED)]

FRESH, COMMITTED = TopicPartition("t", 0), TopicPartition("t", 1)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """One broker with one topic of two partitions."""
    if not available():
        pytest.skip("needs Apache Kafka (KAFKA_HOME) and Java")
    made = Cluster(tmp_path)
    try:
        made.start()
        with made.admin() as admin:
            admin.create_topics({"t": {"num_partitions": 2}}, wait_for_metadata=True)
        yield made
    finally:
        made.stop()


def _thread(kind: type[AIOKafkaConsumerThread], consumer: AIOKafkaConsumer) -> Any:  # noqa: ANN401 - one method of it is used
    """Faust's consumer thread without its thread: calls go straight to the client."""

    async def call_thread(method: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401
        return await method(*arguments)

    thread: Any = kind.__new__(kind)
    thread.call_thread = call_thread
    thread._last, thread._seeks, thread._seeking = {}, 0, 0  # noqa: SLF001
    thread._ensure_consumer = lambda: consumer  # noqa: SLF001
    return thread


def test_records_dropped_in_a_rebalance_are_read_again(cluster: Cluster) -> None:
    """Twenty records a partition are fetched and dropped; one partition has a committed offset, the other has none yet."""

    async def scenario() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=cluster.direct)
        await producer.start()
        for number in range(20):
            for part in (FRESH, COMMITTED):
                await producer.send_and_wait("t", str(number).encode(), partition=part.partition)
        await producer.stop()
        consumer = AIOKafkaConsumer(bootstrap_servers=cluster.direct, group_id="g", auto_offset_reset="earliest", enable_auto_commit=False)
        consumer.assign([FRESH, COMMITTED])
        await consumer.start()
        try:
            await consumer.commit({COMMITTED: 5})
            while min(await consumer.position(FRESH), await consumer.position(COMMITTED)) < 20:
                await consumer.getmany(timeout_ms=500)  # fetched, and dropped
            await _thread(AIOKafkaConsumerThread, consumer).seek_to_committed()
            assert await consumer.position(FRESH) == 20, "Faust mends this itself now: ours can go"
            assert await _thread(ConsumerThread, consumer).seek_to_committed() == {FRESH: None, COMMITTED: 5}
            assert (await consumer.position(FRESH), await consumer.position(COMMITTED)) == (0, 5)
        finally:
            await consumer.stop()

    asyncio.run(scenario())
