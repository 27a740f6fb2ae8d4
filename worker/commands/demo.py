"""`khabar demo`: the whole stream on one machine, with a broker of its own and nothing set up.

A broker process, a real `khabar worker` process, kafka-python in between: what is shown is what the worker published,
read back from its topics.
"""

import contextlib
import dataclasses
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import msgspec

from worker import kafka
from worker.commands import topics
from worker.commands.articles import Item, read
from worker.commands.console import counted, output, say, working
from worker.commands.tail import show
from worker.commands.worker_process import WorkerProcess
from worker.display import Printer
from worker.records import DeadLetter, EnrichedArticle, Source
from worker.settings import Settings

LOST = 1
PARTITIONS = 3
PAUSE_SECONDS = 0.4
"""Between two articles while a person watches."""
PATIENCE_SECONDS = 60.0
"""Without any answer for so long, what is still out counts as lost."""
POLL_MS = 200
Position = tuple[int, int]


def run(settings: Settings, *, paths: Sequence[str], once: bool) -> int:
    """Show articles come out enriched; with ``once`` end when all are through, else at Ctrl-C.

    Returns:
        Exit code: 0, or 1 when an article could not be sent, or came out neither enriched nor as a dead letter.

    Raises:
        UserError: a path cannot be used, the broker or the worker does not start.
    """
    from worker.broker import EmbeddedBroker

    # a closed terminal too: broker and worker have sessions of their own and would stay behind
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        with contextlib.ExitStack() as stack:
            items = list(read(paths)) if paths else _samples(stack.enter_context(as_file(files("worker") / "bundled" / "samples")))
            folder = Path(tempfile.mkdtemp(prefix="khabar-demo-"))
            with working("starting a broker"):
                broker = stack.enter_context(EmbeddedBroker())
                here = _settings(settings, broker.address)
                topics.create(here, partitions=PARTITIONS, replication_factor=1)
            process = stack.enter_context(WorkerProcess(here, log=folder / "worker.log"))
            with working("starting the worker and loading its models"):
                process.wait_until_ready()
            sys.stdout.write(f"live page  {process.url}\nmetrics    {process.url}metrics\nworker log {process.log}\n\n")
            sys.stdout.flush()
            return _Demo(here, process, items, once=once).run()
    except KeyboardInterrupt:
        if once:
            raise
        say("stopped")
        return 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _samples(folder: Path) -> list[Item]:
    """The bundled articles, languages in turn."""
    return sorted(read([str(folder)]), key=lambda item: (item.number, item.path))


def _settings(settings: Settings, address: str) -> Settings:
    """The person's settings on the demo's broker, which knows neither TLS nor passwords, and with no schema registry beside it."""
    return dataclasses.replace(
        settings,
        brokers=address,
        security_protocol="PLAINTEXT",
        sasl_username="",
        sasl_password="",
        ssl_cafile="",
        ssl_certfile="",
        ssl_keyfile="",
        input_format="json",
        output_format="json",
        registry_url="",
        registry_username="",
        registry_password="",
    )


class _Demo:
    """Sends the articles, and holds what comes back against what was sent."""

    def __init__(self, settings: Settings, process: WorkerProcess, items: Sequence[Item], *, once: bool) -> None:
        self._settings = settings
        self._process = process
        self._items = items
        self._once = once
        self._printer = Printer(output())
        self._out: dict[Position, Item] = {}
        self._sent_at: dict[Position, float] = {}
        self._languages: Counter[str] = Counter()
        self._dead = 0
        self._unsent = 0
        self._heard = time.monotonic()

    def run(self) -> int:
        """Send and print until all are through (then on, until Ctrl-C, unless ``once``)."""
        began = time.monotonic()
        with kafka.producer(self._settings) as producer, kafka.consumer(self._settings) as consumer:
            _from_the_start(consumer, [self._settings.output_topic, self._settings.dead_letter_topic])
            for item in self._items:
                self._send(producer, item)
                self._listen(consumer, 0.0 if self._once else PAUSE_SECONDS)
            while self._out and time.monotonic() - self._heard < PATIENCE_SECONDS and self._process.running():
                self._listen(consumer, POLL_MS / 1000)
            self._tell(time.monotonic() - began)
            if not self._once:
                self._go_on(consumer)
        return LOST if self._out or self._unsent else 0

    def _send(self, producer: Any, item: Item) -> None:  # noqa: ANN401 - kafka-python has no types
        sent = kafka.send(producer, self._settings.input_topic, item.value, key=item.key, headers=item.headers)
        if problem := sent.refused():
            say(f"{item.place}: {problem}")
            self._unsent += 1
            return
        position = sent.position()
        self._out[position] = item
        self._sent_at[position] = self._heard = time.monotonic()

    def _listen(self, consumer: Any, seconds: float) -> None:  # noqa: ANN401 - kafka-python has no types
        """Print what arrives for so long; at least one look."""
        until = time.monotonic() + seconds
        while True:
            left = max(0.0, until - time.monotonic())
            for records in consumer.poll(timeout_ms=int(min(left * 1000, POLL_MS))).values():
                for record in records:
                    self._arrived(record)
            if time.monotonic() >= until:
                return

    def _arrived(self, record: kafka.Record) -> None:
        is_dead = record.topic == self._settings.dead_letter_topic
        position = _origin(record, is_dead=is_dead)
        item = self._out.pop(position, None) if position else None
        sent_at = self._sent_at.pop(position, None) if position else None
        self._heard = time.monotonic()
        took = f"{item.place} · {self._heard - sent_at:.2f} s" if item and sent_at else ""
        show(record, record.value, printer=self._printer, settings=self._settings, note=took)
        sys.stdout.flush()
        if item and is_dead:
            self._dead += 1
        elif item and record.value:
            self._languages[msgspec.json.decode(record.value, type=EnrichedArticle).language.code] += 1

    def _tell(self, seconds: float) -> None:
        languages = ", ".join(f"{count} {code}" for code, count in self._languages.most_common())
        sys.stdout.write(
            f"{counted(len(self._items) - self._unsent, 'article')} sent: {self._languages.total()} enriched ({languages or 'none'}), "
            f"{self._dead} dead-lettered, {len(self._out)} lost, in {seconds:.1f} s\n"
        )
        for (partition, offset), item in self._out.items():
            say(f"lost: {item.place} at {self._settings.input_topic}/{partition}/{offset}; see {self._process.log}")
        sys.stdout.flush()

    def _go_on(self, consumer: Any) -> None:  # noqa: ANN401 - kafka-python has no types
        sys.stdout.write(
            f"\nThe worker goes on. Send your own article from another terminal:\n\n"
            f"  KHABAR_BROKERS={self._settings.brokers} khabar publish article.txt\n\n"
            f"and watch it here or at {self._process.url}. Ctrl-C ends.\n\n"
        )
        sys.stdout.flush()
        while self._process.running():
            self._listen(consumer, 1.0)
        self._process.check()


def _from_the_start(consumer: Any, names: Sequence[str]) -> None:  # noqa: ANN401 - kafka-python has no types
    partitions = [partition for name in names for partition in kafka.partitions(consumer, name)]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)


def _origin(record: kafka.Record, *, is_dead: bool) -> Position | None:
    """Which input record this came from; a tombstone does not say."""
    if record.value is None:
        return None
    source: Source
    if is_dead:
        source = msgspec.json.decode(record.value, type=DeadLetter).source
    else:
        source = msgspec.json.decode(record.value, type=EnrichedArticle).provenance.source
    return source.partition, source.offset
