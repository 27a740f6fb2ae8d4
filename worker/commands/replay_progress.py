"""How far `khabar replay` has come, so that a run that was interrupted loses nothing and doubles nothing.

Progress is kept where consumers keep theirs: an offset per dead-letter partition, committed by the group
``{KHABAR_GROUP}-replay``, with a note in the commit's metadata:

``done``
    per reason, the offset below which every dead letter of that reason has been put back. Reasons move
    independently, so ``--reason`` today and everything tomorrow puts each dead letter back once.
``input``
    the ends of the input topic's partitions before the first record was sent that ``done`` does not know of yet; null
    when there is no such record. A run that finds it set follows one that was interrupted: it reads the input topic from
    there and passes over every dead letter whose `MARKER` header it finds.

The broker keeps a note as long as it keeps offsets (``offsets.retention.minutes``, 7 days without a run by default).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct, field

from worker import kafka
from worker.settings import Settings

MARKER = "khabar.replay.of"
"""Header of a record that was put back: ``topic/partition/offset`` of its dead letter."""
NOTE_LENGTH = 3500
"""Characters of a note at most; brokers take 4096 (``offset.metadata.max.bytes``)."""
POLL_MS = 1000
WHOLE_TOPIC: list[int] = []


class Progress(Struct, omit_defaults=True):
    """What is put back of one dead-letter partition."""

    done: dict[str, int] = field(default_factory=dict)
    input: list[int] | None = None

    def is_done(self, reason: str, offset: int) -> bool:
        """Whether an earlier commit covers this dead letter."""
        return offset < self.done.get(reason, 0)

    def start(self, reasons: Iterable[str]) -> int:
        """First offset that may hold a dead letter of these reasons still to be put back."""
        return min(self.done.get(reason, 0) for reason in reasons)

    def note(self) -> str:
        """For the commit; too many partitions to list mean reading the whole input topic after an interruption."""
        text = msgspec.json.encode(self).decode()
        return text if len(text) <= NOTE_LENGTH else msgspec.json.encode(Progress(self.done, WHOLE_TOPIC)).decode()


def group(settings: Settings) -> str:
    """The consumer group of `khabar replay`."""
    return f"{settings.group}-replay"


def load(consumer: Any, partition: kafka.TopicPartition, *, reasons: Iterable[str]) -> Progress:  # noqa: ANN401 - kafka-python has no types
    """The progress committed for a dead-letter partition; none yet is an empty one."""
    committed = consumer.committed(partition, metadata=True)
    if committed is None or committed.offset < 0:
        return Progress()
    try:
        return msgspec.json.decode(committed.metadata or "", type=Progress)
    except msgspec.MsgspecError:  # committed by hand, with kafka-consumer-groups: that offset counts for every reason
        return Progress(dict.fromkeys(reasons, committed.offset))


def commit(consumer: Any, progress: Mapping[kafka.TopicPartition, Progress], *, reasons: Sequence[str]) -> None:  # noqa: ANN401 - kafka-python has no types
    """Store progress; the offset itself is where the least advanced reason stands, so that lag tools show what is left."""
    offsets = {partition: kafka.OffsetAndMetadata(one.start(reasons), one.note(), -1) for partition, one in progress.items()}
    if offsets:
        consumer.commit(offsets)


def input_ends(consumer: Any, settings: Settings) -> list[int]:  # noqa: ANN401 - kafka-python has no types
    """The next offset of every input partition, in order."""
    partitions = kafka.partitions(consumer, settings.input_topic)
    ends = consumer.end_offsets(partitions)
    return [ends[partition] for partition in partitions]


def markers(settings: Settings, since: Sequence[Sequence[int]]) -> set[str]:
    """What was put back already, by the markers in the input topic.

    Args:
        settings: brokers and topics.
        since: the ``input`` of every partition whose run was interrupted; reading starts at the least of them.
    """
    if not since:
        return set()
    found: set[str] = set()
    with kafka.consumer(settings, fetch_max_bytes=kafka.MAX_RECORD_BYTES) as consumer:
        partitions = kafka.partitions(consumer, settings.input_topic)
        consumer.assign(partitions)
        ends, oldest = consumer.end_offsets(partitions), consumer.beginning_offsets(partitions)
        for number, partition in enumerate(partitions):
            start = min((ends_then[number] if number < len(ends_then) else 0) for ends_then in since)
            consumer.seek(partition, max(start, oldest[partition]))
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            for records in consumer.poll(timeout_ms=POLL_MS).values():
                found |= {
                    (value or b"").decode("utf-8", "replace") for record in records for name, value in record.headers if name == MARKER
                }
    return found
