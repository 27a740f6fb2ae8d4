"""`khabar tail`: what arrives on a topic, readably or as JSON lines."""

import sys
from collections.abc import Iterator
from typing import Any

import msgspec

from worker import kafka
from worker.commands.avro_values import AvroValues
from worker.commands.console import output, say
from worker.display import Printer, names, one_line, printable
from worker.settings import Settings

POLL_MS = 500


def run(  # noqa: PLR0913 - one argument an option of the command
    settings: Settings, *, topic: str | None, as_json: bool, from_beginning: bool, number: int | None, end: bool
) -> None:
    """Print records as they arrive, until ``number`` of them, the end of the topic (``end``), or Ctrl-C.

    Raises:
        BrokerError: there is no such topic, or the broker cannot be reached.
    """
    name = topic or settings.output_topic
    printer, values = Printer(output()), AvroValues(settings)
    with kafka.consumer(settings, fetch_max_bytes=kafka.MAX_RECORD_BYTES) as consumer:
        for record in _records(consumer, name, from_beginning=from_beginning, number=number, end=end):
            value = values.as_json(record)
            if as_json:
                sys.stdout.write(one_line(value) + "\n")
            else:
                show(record, value, printer=printer, settings=settings)
            sys.stdout.flush()


def _records(consumer: Any, topic: str, *, from_beginning: bool, number: int | None, end: bool) -> Iterator[kafka.Record]:  # noqa: ANN401 - kafka-python has no types
    """Records in the order they come; each partition's in offset order."""
    partitions = kafka.partitions(consumer, topic)
    consumer.assign(partitions)
    ends = consumer.end_offsets(partitions)
    starts = consumer.beginning_offsets(partitions) if from_beginning else ends
    for partition in partitions:
        consumer.seek(partition, starts[partition])
    if not from_beginning and not end:
        say(f"waiting for records on {topic}; Ctrl-C ends")
    given = 0
    while not (end and all(consumer.position(partition) >= ends[partition] for partition in partitions)):
        for records in consumer.poll(timeout_ms=POLL_MS).values():
            for record in records:
                yield record
                given += 1
                if given == number:
                    return


def show(record: kafka.Record, value: bytes | None, *, printer: Printer, settings: Settings, note: str = "") -> None:
    """Print one record, whose value may have been made readable, as what its topic holds; what is no such record as text."""
    place = f"{record.topic}/{record.partition}/{record.offset}"
    full = f"{place} · {note}" if note else place
    if value is not None:
        try:
            if record.topic == settings.output_topic:
                return printer.enriched(value, note=full)
            if record.topic == settings.dead_letter_topic:
                return printer.dead_letter(value, note=full)
        except (msgspec.MsgspecError, ValueError, KeyError, RecursionError):
            say(f"{place}: not what this topic should hold; shown as text")
    key = "" if record.key is None else f" · key {printable(record.key.decode('utf-8', 'backslashreplace'))}"
    headers = "".join(f" · {printable(name)}: {content}" for name, content in names(record.headers).items())
    return printer.other(value, note=f"{place}{key}{headers}")
