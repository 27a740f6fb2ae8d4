"""`khabar topics create` and `khabar topics check`: the three topics, and whether the worker can use them."""

from dataclasses import dataclass
from typing import Any

from worker import kafka
from worker.errors import BrokerError
from worker.settings import Settings

MIB = 1024 * 1024
INPUT_BYTES = 16 * MIB
OUTPUT_BYTES = 24 * MIB
DEAD_LETTER_BYTES = 32 * MIB
"""Largest record per topic. A raw record of 16 MiB may arrive; what enrichment adds fits in half as much again; a dead
letter holds its record in base64, which grows by a third, and its headers."""


@dataclass(frozen=True)
class Wanted:
    """A topic the worker needs."""

    name: str
    max_message_bytes: int


def wanted(settings: Settings) -> list[Wanted]:
    """The three topics of these settings, input first."""
    return [
        Wanted(settings.input_topic, INPUT_BYTES),
        Wanted(settings.output_topic, OUTPUT_BYTES),
        Wanted(settings.dead_letter_topic, DEAD_LETTER_BYTES),
    ]


def create(settings: Settings, *, partitions: int, replication_factor: int) -> list[str]:
    """Make the topics that are missing; what is there already stays as it is.

    Args:
        settings: names of the topics, brokers.
        partitions: of each topic.
        replication_factor: of each topic; -1 is the broker's default.

    Returns:
        One line a topic: what was done.

    Raises:
        BrokerError: a topic is there with another number of partitions, or the broker refuses.
    """
    with kafka.admin(settings) as admin:
        counts = _counts(admin)
        differing = [
            f"{topic.name} has {counts[topic.name]}" for topic in wanted(settings) if counts.get(topic.name, partitions) != partitions
        ]
        if differing:
            message = f"{partitions} partitions wanted, but {', '.join(differing)}; nothing was changed (say --partitions to match)"
            raise BrokerError(message)
        missing = [topic for topic in wanted(settings) if topic.name not in counts]
        if missing:
            admin.create_topics({topic.name: _order(topic, partitions, replication_factor) for topic in missing}, wait_for_metadata=True)
    made = {topic.name for topic in missing}
    return [
        f"{topic.name}: {'created' if topic.name in made else 'is there'}, {partitions} partition{'s' if partitions != 1 else ''}"
        for topic in wanted(settings)
    ]


def _order(topic: Wanted, partitions: int, replication_factor: int) -> dict[str, Any]:
    return {
        "num_partitions": partitions,
        "replication_factor": replication_factor,
        "configs": {"max.message.bytes": str(topic.max_message_bytes)},
    }


def _counts(admin: Any) -> dict[str, int]:  # noqa: ANN401 - kafka-python has no types
    """Partitions of every topic there is."""
    return {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics() if not topic["error_code"]}


def check(settings: Settings) -> tuple[list[str], list[str]]:
    """See whether the worker can use the topics.

    Returns:
        Lines that tell what is there, and lines that tell what is wrong (empty: all well). A topic that takes smaller
        records than the worker may send is wrong: such an article would be dead-lettered, or its dead letter emptied.

    Raises:
        BrokerError: the broker cannot be reached or refuses.
    """
    facts, faults = [], []
    with kafka.admin(settings) as admin:
        counts = _counts(admin)
        for topic in wanted(settings):
            if topic.name not in counts:
                faults.append(f"{topic.name}: missing; `khabar topics create` makes it")
                continue
            limit = kafka.largest_record(admin, topic.name)
            facts.append(f"{topic.name}: {counts[topic.name]} partitions, records up to {_size(limit)}")
            need = _need(topic.name, settings)
            if limit is not None and limit < need:
                faults.append(f"{topic.name}: takes records up to {_size(limit)}, the settings want {_size(need)} (max.message.bytes)")
    return facts, faults


def _need(name: str, settings: Settings) -> int:
    """Bytes a record of this topic may need: the article, twice it enriched, four thirds of it as a dead letter."""
    raw = settings.max_article_bytes
    return {settings.input_topic: raw, settings.output_topic: 2 * raw, settings.dead_letter_topic: raw * 4 // 3 + 4096}[name]


def _size(number: int | None) -> str:
    if number is None:
        return "an unknown size"
    return f"{number / MIB:.1f} MiB" if number >= MIB else f"{number:,} bytes"
