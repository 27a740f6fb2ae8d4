"""`khabar replay`: dead letters back to the input topic, each once.

A dead letter goes back with its original value, key and headers, to the partition it came from, and with one header
more, ``khabar.replay.of``. (A header whose value was null comes back empty: the client library cannot write null.)
Progress is committed only after the broker has acknowledged what was sent; see ``replay_progress`` for what happens
when a run is cut off in between. Runs are members of one consumer group, so that two
at a time share the work instead of doubling it. Only dead letters that were there when the run began are looked at:
one that fails again waits for the next run.
"""

import base64
import math
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from rich.table import Table

from worker import kafka
from worker.commands import replay_progress
from worker.commands.console import counted, output, progress, say, working
from worker.commands.replay_progress import MARKER, Progress
from worker.errors import REASONS, UserError
from worker.records import DeadLetter, read_dead_letter
from worker.settings import Settings

FAILED = 1
UNREADABLE = "unreadable"
BATCH = 200
"""Dead letters sent between two commits: what an interrupted run leaves to be looked up."""
POLL_MS = 1000
SESSION_MS = 10_000
WAIT_SECONDS = 20.0
"""Without a partition for so long, another run has them all: a killed one has lost its membership by then."""


def run(settings: Settings, *, reasons: Sequence[str], dry_run: bool) -> int:
    """Put dead letters of these reasons (none named: all that hold an article) back, or with ``dry_run`` count them.

    Returns:
        Exit code: 0, or 1 when a dead letter could not be put back (a line each; it stays in its topic).

    Raises:
        UserError: a reason that does not exist or cannot be replayed.
        BrokerError: topics are missing, or the broker refuses.
    """
    strange = [reason for reason in reasons if reason not in REASONS]
    if strange:
        message = f"{strange[0]!r} is no reason; choose from {', '.join(REASONS)}"
        raise UserError(message)
    if UNREADABLE in reasons:
        message = f"{UNREADABLE!r} dead letters hold a broken record batch, not an article: they cannot be replayed"
        raise UserError(message)
    wanted = list(dict.fromkeys(reasons)) or [reason for reason in REASONS if reason != UNREADABLE]
    if dry_run:
        return _count(settings, wanted)
    return _Replay(settings, wanted).run()


def _count(settings: Settings, wanted: Sequence[str]) -> int:
    """Print how many dead letters of each reason would go back; joins no group, commits nothing."""
    counts: Counter[str] = Counter()
    with _consumer(settings) as consumer, working("reading dead letters"):
        partitions = kafka.partitions(consumer, settings.dead_letter_topic)
        consumer.assign(partitions)
        state = {partition: replay_progress.load(consumer, partition, reasons=REASONS) for partition in partitions}
        already = replay_progress.markers(settings, [one.input for one in state.values() if one.input is not None])
        ends = _seek(consumer, state, wanted)
        while _unfinished(consumer, ends):
            for record in _polled(consumer, ends):
                letter = _read(record)
                if letter and letter.reason in wanted and not _is_back(record, letter, state, already):
                    counts[letter.reason] += 1
    table = Table("reason", "dead letters", box=None, pad_edge=False)
    for reason, count in counts.most_common():
        table.add_row(reason, str(count))
    if counts:
        output().print(table)
    sys.stdout.write(f"{counted(counts.total(), 'dead letter')} would be replayed to {settings.input_topic}; nothing was sent\n")
    return 0


class _Replay:
    """One run."""

    def __init__(self, settings: Settings, wanted: Sequence[str]) -> None:
        self._settings = settings
        self._wanted = wanted
        self._state: dict[kafka.TopicPartition, Progress] = {}
        self._already: set[str] = set()
        self._stuck: dict[tuple[kafka.TopicPartition, str], int] = {}
        self._replayed: Counter[str] = Counter()
        self._passed_over = 0
        self._faults = 0

    def run(self) -> int:
        """Until every dead letter of the partitions this member has is looked at."""
        settings = self._settings
        with _consumer(settings, session_timeout_ms=SESSION_MS, max_poll_records=BATCH) as consumer, kafka.producer(settings) as producer:
            ends = consumer.end_offsets(kafka.partitions(consumer, settings.dead_letter_topic))
            self._count_of_input = kafka.require(producer, settings.input_topic)
            consumer.subscribe([settings.dead_letter_topic])
            with progress() as display:
                task = display.add_task("replaying", total=None)
                waiting_since = time.monotonic()
                while not self._state or _unfinished(consumer, self._mine(ends)):
                    records = list(_polled(consumer, ends))
                    if not self._state and time.monotonic() - waiting_since > WAIT_SECONDS:
                        say("another replay is at work; this one takes over what it leaves")
                        waiting_since = math.inf
                    if self._take_over(consumer):
                        continue  # what was polled comes again, from where this run has to begin
                    self._batch(consumer, producer, records)
                    display.update(task, completed=self._replayed.total())
            for partition, one in self._state.items():
                if not self._is_stuck(partition):
                    one.input = None
            replay_progress.commit(consumer, self._state, reasons=REASONS)
        self._report()
        return FAILED if self._faults else 0

    def _mine(self, ends: dict[kafka.TopicPartition, int]) -> dict[kafka.TopicPartition, int]:
        return {partition: end for partition, end in ends.items() if partition in self._state}

    def _take_over(self, consumer: Any) -> bool:  # noqa: ANN401 - kafka-python has no types
        """Begin with newly assigned partitions where their last run ended; whether there were any."""
        mine = consumer.assignment()
        self._state = {partition: one for partition, one in self._state.items() if partition in mine}
        new = {partition: replay_progress.load(consumer, partition, reasons=REASONS) for partition in mine - self._state.keys()}
        if not new:
            return False
        interrupted = [one.input for one in new.values() if one.input is not None]
        self._already |= replay_progress.markers(self._settings, interrupted)
        _seek(consumer, new, self._wanted)
        for partition in self._state:
            consumer.seek(partition, self._state[partition].start(self._wanted))
        self._state |= new
        return True

    def _batch(self, consumer: Any, producer: Any, records: Sequence[kafka.Record]) -> None:  # noqa: ANN401 - kafka-python has no types
        """Note where the input topic ends, send, wait for the broker, commit: in this order."""
        if not records:
            return
        partitions = {kafka.TopicPartition(record.topic, record.partition) for record in records}
        touched = {partition: self._state[partition] for partition in partitions}
        ends = replay_progress.input_ends(consumer, self._settings)
        for partition, one in touched.items():
            one.input = one.input if one.input is not None and (self._already or self._is_stuck(partition)) else ends
        replay_progress.commit(consumer, touched, reasons=REASONS)
        sent = [(record, letter, self._send(producer, record, letter)) for record, letter in self._to_send(records)]
        for record, letter, future in sent:
            problem = future.refused()
            if problem:
                self._fault(record, problem)
                place = kafka.TopicPartition(record.topic, record.partition), letter.reason
                self._stuck[place] = min(self._stuck.get(place, record.offset), record.offset)
            else:
                self._replayed[letter.reason] += 1
        for record in records:
            partition = kafka.TopicPartition(record.topic, record.partition)
            one = touched[partition]
            for reason in self._wanted:
                reached = min(record.offset + 1, self._stuck.get((partition, reason), math.inf))
                one.done[reason] = max(one.done.get(reason, 0), int(reached))
        replay_progress.commit(consumer, touched, reasons=REASONS)

    def _is_stuck(self, partition: kafka.TopicPartition) -> bool:
        """Whether the input topic refused a dead letter of it: the next run tries again, and knows by the markers what went back."""
        return any(place == partition for place, _ in self._stuck)

    def _to_send(self, records: Sequence[kafka.Record]) -> Iterator[tuple[kafka.Record, DeadLetter]]:
        for record in records:
            letter = _read(record)
            if letter is None:
                self._fault(record, "no dead letter of this format")
            elif letter.reason in self._wanted:
                if _is_back(record, letter, self._state, self._already):
                    self._passed_over += _name(record) in self._already
                elif (full := self._whole(record, letter)) is not None:
                    yield record, full

    def _whole(self, record: kafka.Record, letter: DeadLetter) -> DeadLetter | None:
        """The dead letter with its original value, fetched from the source where it was too large to be carried."""
        if letter.value is not None:
            return letter
        value = _original(self._settings, letter)
        if value is None:
            self._fault(record, f"its original at {letter.source.topic}/{letter.source.partition}/{letter.source.offset} is gone")
            return None
        return msgspec.structs.replace(letter, value=base64.b64encode(value).decode())

    def _send(self, producer: Any, record: kafka.Record, letter: DeadLetter) -> kafka.Sent:  # noqa: ANN401 - kafka-python has no types
        headers = [(name, base64.b64decode(value or "")) for name, value in letter.headers if name != MARKER]
        source = letter.source
        home = source.topic == self._settings.input_topic and source.partition < self._count_of_input
        return kafka.send(
            producer,
            self._settings.input_topic,
            base64.b64decode(letter.value or ""),
            key=None if letter.key is None else base64.b64decode(letter.key),
            headers=[*headers, (MARKER, _name(record).encode())],
            partition=source.partition if home else None,
        )

    def _fault(self, record: kafka.Record, problem: str) -> None:
        say(f"{_name(record)}: not replayed: {problem}")
        self._faults += 1

    def _report(self) -> None:
        by_reason = ", ".join(f"{count} {reason}" for reason, count in self._replayed.most_common())
        detail = f": {by_reason}" if by_reason else ""
        sys.stdout.write(f"{counted(self._replayed.total(), 'dead letter')} replayed to {self._settings.input_topic}{detail}\n")
        if self._passed_over:
            sys.stdout.write(f"{self._passed_over} more were there already, from a run that was interrupted\n")


def _consumer(settings: Settings, **options: Any) -> Any:  # noqa: ANN401 - kafka-python's own options
    return kafka.consumer(settings, group_id=replay_progress.group(settings), fetch_max_bytes=kafka.MAX_RECORD_BYTES, **options)


def _seek(consumer: Any, state: dict[kafka.TopicPartition, Progress], wanted: Sequence[str]) -> dict[kafka.TopicPartition, int]:  # noqa: ANN401 - kafka-python has no types
    """Go where each partition has to begin; returns the partitions' ends."""
    oldest = consumer.beginning_offsets(list(state))
    for partition, one in state.items():
        consumer.seek(partition, max(one.start(wanted), oldest[partition]))
    ends: dict[kafka.TopicPartition, int] = consumer.end_offsets(list(state))
    return ends


def _unfinished(consumer: Any, ends: dict[kafka.TopicPartition, int]) -> bool:  # noqa: ANN401 - kafka-python has no types
    return any(consumer.position(partition) < end for partition, end in ends.items())


def _polled(consumer: Any, ends: dict[kafka.TopicPartition, int]) -> Iterator[kafka.Record]:  # noqa: ANN401 - kafka-python has no types
    """What one poll brings, up to the ends."""
    for partition, records in consumer.poll(timeout_ms=POLL_MS).items():
        yield from (record for record in records if record.offset < ends.get(partition, 0))


def _read(record: kafka.Record) -> DeadLetter | None:
    try:
        return read_dead_letter(record.value)
    except ValueError:
        return None


def _name(record: kafka.Record) -> str:
    return f"{record.topic}/{record.partition}/{record.offset}"


def _is_back(record: kafka.Record, letter: DeadLetter, state: dict[kafka.TopicPartition, Progress], already: set[str]) -> bool:
    one = state[kafka.TopicPartition(record.topic, record.partition)]
    return one.is_done(letter.reason, record.offset) or _name(record) in already


def _original(settings: Settings, letter: DeadLetter) -> bytes | None:
    """The value of the record a dead letter came from; None when it is no longer there.

    Raises:
        BrokerError: that cannot be told now; the next run begins where this one ends.
    """
    source = letter.source
    partition = kafka.TopicPartition(source.topic, source.partition)
    with kafka.consumer(settings, fetch_max_bytes=kafka.MAX_RECORD_BYTES) as consumer:
        if source.partition not in (consumer.partitions_for_topic(source.topic) or ()):
            return None
        consumer.assign([partition])
        if consumer.beginning_offsets([partition])[partition] > source.offset:
            return None
        consumer.seek(partition, source.offset)
        while consumer.position(partition) <= source.offset < consumer.end_offsets([partition])[partition]:
            for record in consumer.poll(timeout_ms=POLL_MS, max_records=1).get(partition, ()):
                return record.value if record.offset == source.offset else None
    return None
