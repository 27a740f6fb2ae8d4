"""What the tests of the commands share: topics of their own, what is in them, and dead letters to put there."""

import base64
import os
from collections.abc import Callable
from typing import Any

import pytest

from worker import kafka
from worker.commands import topics
from worker.settings import Settings

PARTITIONS = 3
LETTERS = 60


def made(address: str, request: pytest.FixtureRequest) -> Settings:
    """Topics and group named after the test, made."""
    name = request.node.name.replace("[", "-").replace("]", "")[:60]
    settings = Settings(
        brokers=address,
        input_topic=f"{name}.raw",
        output_topic=f"{name}.enriched",
        dead_letter_topic=f"{name}.dead",
        group=name,
        max_article_bytes=20_000,
    )
    topics.create(settings, partitions=PARTITIONS, replication_factor=1)
    return settings


def everything(settings: Settings, topic: str) -> list[kafka.Record]:
    """Every record of a topic, by partition and offset."""
    found: list[kafka.Record] = []
    with kafka.consumer(settings) as consumer:
        partitions = kafka.partitions(consumer, topic)
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            for records in consumer.poll(timeout_ms=500).values():
                found += records
    return sorted(found, key=lambda record: (record.partition, record.offset))


def environ(settings: Settings) -> dict[str, str]:
    """The settings as a process gets them."""
    return os.environ | {
        "KHABAR_BROKERS": settings.brokers,
        "KHABAR_INPUT_TOPIC": settings.input_topic,
        "KHABAR_OUTPUT_TOPIC": settings.output_topic,
        "KHABAR_DEAD_LETTER_TOPIC": settings.dead_letter_topic,
        "KHABAR_GROUP": settings.group,
    }


def fill(settings: Settings, dead_letter: Callable[..., bytes], *, number: int = LETTERS, **options: Any) -> list[bytes]:  # noqa: ANN401 - members of several types
    """Put dead letters into their topic; the original values."""
    reasons = ("enrich_timeout", "worker_crashed", "invalid_json")
    values = [f"original {at}".encode() for at in range(number)]
    with kafka.producer(settings) as producer:
        for at, value in enumerate(values):
            members = {
                "value": base64.b64encode(value).decode(),
                "key": base64.b64encode(f"key {at % 7}".encode()).decode(),
                "headers": [("traceparent", base64.b64encode(b"00-1").decode()), ("empty", None)],
                "reason": reasons[at % 3],
                "source": {"topic": settings.input_topic, "partition": at % PARTITIONS, "offset": at, "timestamp": None},
            }
            letter = dead_letter(**(members | options))
            kafka.send(producer, settings.dead_letter_topic, letter, key=f"key {at % 7}".encode(), headers=[])
    return values
