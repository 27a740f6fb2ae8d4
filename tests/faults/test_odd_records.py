"""What may lie in a topic of real Kafka besides plain records: a real worker reads on, loses nothing and commits to the end."""

import asyncio
import json
import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cramjam
import pytest
from aiokafka import AIOKafkaProducer
from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition

from tests.faults.cluster import UNCLOSED, Cluster, available
from tests.faults.craft import CODECS, HEADER_BYTES, batch, repack, seal, send
from tests.faults.topics import read
from tests.faults.verify import Kept
from tests.faults.workers import Worker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300), pytest.mark.filterwarnings(UNCLOSED)]

SECONDS = 60.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One broker for all tests."""
    if not available():
        pytest.skip("needs Apache Kafka (KAFKA_HOME) and Java")
    made = Cluster(tmp_path_factory.mktemp("odd"), extra={"transaction.state.log.num.partitions": "2"})
    try:
        made.start()
        yield made
    finally:
        made.stop()


class Bench:
    """Three topics of one partition each and a worker of its own group."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        """Make the topics; `start` starts the worker."""
        self.cluster = cluster
        self.raw, self.out, self.dead = (f"{folder.name}.{kind}" for kind in ("raw", "out", "dead"))
        self.make(self.raw, self.out, self.dead)
        environ = {
            "KHABAR_BROKERS": cluster.direct,
            "KHABAR_GROUP": folder.name,
            "KHABAR_INPUT_TOPIC": self.raw,
            "KHABAR_OUTPUT_TOPIC": self.out,
            "KHABAR_DEAD_LETTER_TOPIC": self.dead,
            "KHABAR_PROCESSES": "1",
            "KHABAR_PROCESS_MEMORY_MB": "512",
            "RIG_MODELS": "light",
            "RIG_POISON_FOLDER": str(folder),
        }
        self.worker = Worker("worker", folder=folder, environ=environ)

    def make(self, *topics: str) -> None:
        """Make topics of one partition that take records of 8 MiB."""
        with self.cluster.admin() as admin:
            wanted = {name: {"num_partitions": 1, "configs": {"max.message.bytes": str(2**23), "retention.ms": "-1"}} for name in topics}
            admin.create_topics(wanted, wait_for_metadata=True)

    def send(self, made: bytes | bytearray) -> int:
        """Give a batch to the input topic; its first offset."""
        return asyncio.run(send(self.cluster.direct, self.raw, made))

    def outputs(self) -> list[Kept]:
        """What came out enriched."""
        return read(self.cluster.direct, self.out)

    def bodies(self) -> list[str]:
        """The bodies of what came out enriched, in order."""
        return [json.loads(record.value or b"")["article"]["body"] for record in self.outputs()]

    def dead_letters(self) -> list[dict[str, Any]]:
        """What came out as a dead letter."""
        return [json.loads(record.value or b"") for record in read(self.cluster.direct, self.dead)]

    def committed(self) -> int:
        """The group's committed offset; 0 without one."""
        with self.cluster.admin() as admin:
            offsets = admin.list_group_offsets({self.worker._environ["KHABAR_GROUP"]: None})  # noqa: SLF001
        parts = next(iter(offsets.values()))
        found = parts.get(TopicPartition(self.raw, 0))
        return found.offset if found else 0

    def commit(self, offset: int) -> None:
        """Set the group's committed offset; the group must be empty."""
        group = self.worker._environ["KHABAR_GROUP"]  # noqa: SLF001
        with self.cluster.admin() as admin:
            admin.alter_group_offsets(group, {TopicPartition(self.raw, 0): OffsetAndMetadata(offset, "", -1)})

    def end(self) -> int:
        """The end of the input topic."""
        consumer = KafkaConsumer(bootstrap_servers=self.cluster.direct)
        try:
            part = TopicPartition(self.raw, 0)
            return int(consumer.end_offsets([part])[part])
        finally:
            consumer.close()


@pytest.fixture
def bench(cluster: Cluster, tmp_path: Path) -> Iterator[Bench]:
    """Topics and a worker; the worker must not have ended by itself."""
    made = Bench(cluster, tmp_path)
    made.worker.start()
    assert made.worker.wait_for("partitions_assigned", seconds=SECONDS)
    yield made
    ended = list(made.worker.ended)
    end = made.worker.close(seconds=40)
    assert [one for one in ended if not one.wanted] == []
    assert end is not None
    assert end.code == 0


def until(what: Callable[[], bool], *, seconds: float = SECONDS) -> None:
    """Wait for it."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.3)


def value(text: str) -> bytes:
    """An article."""
    return json.dumps({"body": text}).encode()


def test_a_header_name_that_is_no_text(bench: Bench) -> None:
    """The article comes out with the header, and so do those around it."""
    odd = batch(0, [value("Odd."), value("Second.")], headers=[("na-me", b"v"), ("plain", b"w")])
    bench.send(batch(0, [value("Before.")]))
    bench.send(seal(bytearray(bytes(odd).replace(b"na-me", b"na\xffme", 1))))
    bench.send(batch(0, [value("After.")]))
    until(lambda: len(bench.outputs()) == 4)
    assert bench.bodies() == ["Before.", "Odd.", "Second.", "After."]
    assert ("na\\xffme", b"v") in bench.outputs()[1].headers
    assert ("plain", b"w") in bench.outputs()[1].headers
    until(lambda: bench.committed() == 4)


def test_every_compression(bench: Bench) -> None:
    """Also in one batch with an article that packs a thousandfold."""
    for name, codec in CODECS.items():
        bench.send(batch(0, [value(f"{name}."), value(name + " " + "word " * 100_000)], codec=codec))
    until(lambda: len(bench.outputs()) == 2 * len(CODECS))
    until(lambda: bench.committed() == bench.end())


def test_a_bomb_is_a_dead_letter(bench: Bench) -> None:
    """A few kilobytes that unpack to 400 MB: the worker stays small, and the article behind it comes out."""
    body = batch(0, [value("x")])[HEADER_BYTES:]
    bomb = repack(batch(0, [value("x")]), bytes(cramjam.zstd.compress(bytes(body) + bytes(400 * 2**20))), attributes=4)
    try:
        bench.send(bomb)
    except ValueError:  # this broker looks inside: then a batch that is what it says
        bench.send(batch(0, [bytes(300 * 2**20)], codec=4))
    bench.send(batch(0, [value("After.")]))
    until(lambda: bench.bodies() == ["After."])
    (letter,) = bench.dead_letters()
    assert letter["reason"] == "unreadable"
    assert "unpacks to more than" in letter["error"]
    assert bench.worker.resident_mib() < 1500
    until(lambda: bench.committed() == bench.end())


def test_transactions(bench: Bench) -> None:
    """What was aborted never comes out; the gaps and the markers stop no commit, and none is left behind the end."""

    async def produce() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=bench.cluster.direct, transactional_id=bench.raw, transaction_timeout_ms=30_000)
        await producer.start()
        try:
            for number in range(30):
                await producer.begin_transaction()
                for part in range(1 if number == 0 else 5):
                    await producer.send_and_wait(bench.raw, value(f"{number}/{part}."), key=b"k", partition=0)
                if number % 3 == 1:
                    await producer.abort_transaction()
                else:
                    await producer.commit_transaction()
        finally:
            await producer.stop()

    asyncio.run(produce())
    expected = [f"{number}/{part}." for number in range(30) if number % 3 != 1 for part in range(1 if number == 0 else 5)]
    until(lambda: len(bench.outputs()) >= len(expected))
    assert bench.bodies() == expected
    assert bench.dead_letters() == []
    until(lambda: bench.committed() == bench.end())


def test_an_open_transaction_is_waited_for(bench: Bench) -> None:
    """Nothing behind its first record comes out until it ends; the worker takes it for no stall."""

    async def produce() -> None:
        opened = AIOKafkaProducer(bootstrap_servers=bench.cluster.direct, transactional_id=bench.raw, transaction_timeout_ms=60_000)
        plain = AIOKafkaProducer(bootstrap_servers=bench.cluster.direct)
        await opened.start()
        await plain.start()
        try:
            await plain.send_and_wait(bench.raw, value("Before."), partition=0)
            await opened.begin_transaction()
            await opened.send_and_wait(bench.raw, value("Open."), partition=0)
            await plain.send_and_wait(bench.raw, value("Behind."), partition=0)
            await asyncio.to_thread(until, lambda: bench.bodies() == ["Before."])
            await asyncio.sleep(3)
            assert await asyncio.to_thread(bench.bodies) == ["Before."]
            await opened.commit_transaction()
        finally:
            await opened.stop()
            await plain.stop()

    asyncio.run(produce())
    until(lambda: bench.bodies() == ["Before.", "Open.", "Behind."])
    until(lambda: bench.committed() == bench.end())


def test_records_deleted_while_nobody_read(bench: Bench) -> None:
    """The committed offset lies before the log's start: the worker reads on from there."""
    bench.send(batch(0, [value("First.")]))
    until(lambda: bench.committed() == 1)
    bench.worker.kill()
    for number in range(10):
        bench.send(batch(0, [value(f"{number}.")]))
    with bench.cluster.admin() as admin:
        _delete_before(admin, bench.raw, 6)
    again = Worker("again", folder=bench.worker.log.parent, environ=bench.worker._environ)  # noqa: SLF001
    bench.worker = again
    again.start()
    until(lambda: len(bench.outputs()) == 6)
    assert bench.bodies() == ["First.", "5.", "6.", "7.", "8.", "9."]
    until(lambda: bench.committed() == bench.end())


def test_a_committed_offset_beyond_the_end(bench: Bench) -> None:
    """The log was cut off, or made anew and the offset kept: everything it holds comes out, and the commit goes back."""
    bench.send(batch(0, [value("First.")]))
    until(lambda: bench.committed() == 1)
    bench.worker.close(seconds=40)
    bench.commit(500)
    for number in range(5):
        bench.send(batch(0, [value(f"{number}.")]))
    again = Worker("again", folder=bench.worker.log.parent, environ=bench.worker._environ)  # noqa: SLF001
    bench.worker = again
    again.start()
    until(lambda: len(bench.outputs()) == 7)
    assert bench.bodies() == ["First.", "First.", "0.", "1.", "2.", "3.", "4."]
    until(lambda: bench.committed() == bench.end() == 6)


def _delete_before(admin: Any, topic: str, offset: int) -> None:  # noqa: ANN401 - kafka-python has no types
    admin.delete_records({TopicPartition(topic, 0): offset})


def test_a_topic_made_anew_under_the_worker(bench: Bench) -> None:
    """Offsets begin at 0 again: everything in the new topic comes out."""
    for number in range(20):
        bench.send(batch(0, [value(f"old {number}.")]))
    until(lambda: len(bench.outputs()) == 20)
    for pause in (0.0, 15.0):
        with bench.cluster.admin() as admin:
            admin.delete_topics([bench.raw])
            until(lambda: bench.raw not in admin.list_topics())
        time.sleep(pause)
        bench.make(bench.raw)
        for number in range(10):
            bench.send(batch(0, [value(f"new {pause} {number}.")]))
        until(partial(_holds, bench, {f"new {pause} {number}." for number in range(10)}), seconds=90)
    until(lambda: bench.committed() == bench.end() == 10)


def _holds(bench: Bench, bodies: set[str]) -> bool:
    return bodies <= set(bench.bodies())


def test_a_batch_that_rotted_on_disk(bench: Bench) -> None:
    """The broker hands out what it holds; after a few tries it is a dead letter with the bytes, and the rest is read."""
    bench.worker.signal(19)  # type: ignore[arg-type] # SIGSTOP: it reads when the bytes are changed
    bench.send(batch(0, [value("Before.")]))
    bench.send(batch(0, [value("Rotten one."), value("Rotten two.")]))
    bench.send(batch(0, [value("After.")]))
    (segment,) = (bench.cluster.brokers[0].folder / "data" / f"{bench.raw}-0").glob("*.log")
    held = segment.read_bytes()
    with segment.open("r+b") as file:
        file.seek(held.index(b"Rotten one"))
        file.write(b"r")
    bench.worker.signal(18)  # type: ignore[arg-type] # SIGCONT
    until(lambda: bench.bodies() == ["Before.", "After."])
    (letter,) = bench.dead_letters()
    assert (letter["reason"], letter["source"]["offset"]) == ("unreadable", 2)
    until(lambda: bench.committed() == 4)


def test_the_output_topic_is_missing_for_a_while(bench: Bench) -> None:
    """The worker waits for it, and nothing is dead-lettered."""
    bench.send(batch(0, [value("First.")]))
    until(lambda: bench.committed() == 1)
    with bench.cluster.admin() as admin:
        admin.delete_topics([bench.out])
        until(lambda: bench.out not in admin.list_topics())
    for number in range(10):
        bench.send(batch(0, [value(f"{number}.")]))
    time.sleep(12)
    bench.make(bench.out)
    until(lambda: len(bench.outputs()) == 10)
    assert bench.dead_letters() == []
    until(lambda: bench.committed() == bench.end())


def test_limits_of_the_topics_are_lowered(bench: Bench) -> None:
    """An article that no longer fits becomes a dead letter; one that fits there neither is a dead letter without its value."""
    noise = [random.Random(seed).randbytes(20_000).hex() for seed in range(2)]  # noqa: S311 - what does not pack well
    with bench.cluster.admin() as admin:
        admin.alter_configs([_limit(bench.out, 2_000), _limit(bench.dead, 4_000)])
    bench.send(batch(0, [value("Small."), value(noise[0]), b"no JSON " + noise[1].encode()]))
    until(lambda: len(bench.dead_letters()) == 2)
    assert bench.bodies() == ["Small."]
    assert [letter["reason"] for letter in bench.dead_letters()] == ["output_too_large", "invalid_json"]
    assert [letter["value"] for letter in bench.dead_letters()] == [None, None]
    until(lambda: bench.committed() == 3)


def _limit(topic: str, size: int) -> Any:  # noqa: ANN401 - kafka-python has no types
    from kafka.admin import ConfigResource, ConfigResourceType

    return ConfigResource(ConfigResourceType.TOPIC, topic, configs={"max.message.bytes": str(size)})
