"""Record batches made by hand, as a producer with a fault or an intention would, and sent as they are."""

import struct
from collections.abc import Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
HEADER_BYTES = 61
_LENGTH_AT, _CRC_AT, _ATTRIBUTES_AT = 8, 17, 21


def batch(
    first: int, values: Sequence[bytes], *, codec: int = 0, headers: Sequence[tuple[str, bytes | None]] = (), **extra: int
) -> bytearray:
    """A batch as a producer makes it, at this offset."""
    options: dict[str, Any] = {"is_transactional": 0, "producer_id": -1, "producer_epoch": -1, "base_sequence": -1, **extra}
    builder = DefaultRecordBatchBuilder(2, codec, batch_size=2**30, **options)
    for number, value in enumerate(values):
        builder.append(number, timestamp=1_700_000_000_000 + number, key=b"k", value=value, headers=list(headers))
    made = bytearray(builder.build())
    struct.pack_into(">q", made, 0, first)
    return made


def seal(made: bytearray) -> bytearray:
    """Give a batch that was changed the checksum of what it is now."""
    struct.pack_into(">I", made, _CRC_AT, calc_crc32c(bytes(made[_ATTRIBUTES_AT:])))
    return made


def repack(made: bytearray, payload: bytes, *, attributes: int) -> bytearray:
    """The same batch with another payload."""
    changed = made[:HEADER_BYTES] + payload
    struct.pack_into(">i", changed, _LENGTH_AT, len(changed) - 12)
    struct.pack_into(">h", changed, _ATTRIBUTES_AT, attributes)
    return seal(changed)


async def send(bootstrap: str, topic: str, made: bytes | bytearray, *, partition: int = 0) -> int:
    """Give a batch to the broker as it is; the first offset it got.

    Raises:
        ValueError: the broker refuses it; the message is its error code.
    """
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        await client._wait_on_metadata(topic)  # noqa: SLF001
        node = client.cluster.leader_for_partition(TopicPartition(topic, partition)) or client.get_random_node()
        request = ProduceRequest(transactional_id=None, required_acks=-1, timeout=10_000, topics=[(topic, [(partition, bytes(made))])])
        answer = await client.send(node, request)
        ((_, ((_, error, offset, *_),)),) = answer.topics
        if error:
            raise ValueError(error)
        return int(offset)
    finally:
        await client.close()
