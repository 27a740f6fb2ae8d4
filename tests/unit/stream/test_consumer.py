"""What our Kafka driver does differently from Faust's, and what is taken out of a message."""

import asyncio
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import Fetcher
from faust.types import TP, ConsumerMessage

from worker.settings import Settings
from worker.status import Status
from worker.stream.agent import record
from worker.stream.parts import Parts, make_app
from worker.stream.pool import Pool

TOPIC = "articles.raw"


@pytest.fixture
def parts() -> Iterator[Parts]:
    """A worker that is wired together and not started."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    pool = Pool(Settings(processes=1))
    made = Parts(Settings(), Status(stall_timeout=300), pool)
    yield made
    pool.close()
    consumer: Any = made.app.consumer
    consumer._thread.thread_loop.close()  # noqa: SLF001 - never started, so Faust does not
    asyncio.set_event_loop(None)
    loop.close()


def message(offset: int, generation: int) -> ConsumerMessage:
    """A message of a generation."""
    return ConsumerMessage(TOPIC, 0, offset, 1.0, 0, [], b"k", b"v", None, tp=TP(TOPIC, 0), generation_id=generation)


def test_an_acknowledgement_of_an_older_generation_is_refused(parts: Parts) -> None:
    """The partition may be somebody else's by now; committing would pass articles it has not done."""
    app = parts.app
    topics: Any = app.topics
    topics._acking_topics.add(TOPIC)  # noqa: SLF001 - what subscribing does
    app.consumer_generation_id = 2
    old, new = message(5, 1), message(6, 2)
    consumer: Any = app.consumer
    consumer.unacked.update({old, new})
    assert consumer.ack(old) is False
    assert consumer.ack(new) is True
    assert list(consumer.unacked) == []


def record_of(offset: int) -> SimpleNamespace:
    """A record as aiokafka gives it."""
    return SimpleNamespace(
        topic=TOPIC,
        partition=0,
        offset=offset,
        timestamp=1000,
        timestamp_type=0,
        headers=(),
        key=b"k",
        value=b"v",
        checksum=None,
        serialized_key_size=1,
        serialized_value_size=1,
    )


def test_only_what_is_finished_is_committed(parts: Parts) -> None:
    """Whatever lies in Faust's buffers or was acknowledged because Faust skipped it; gaps are no obstacle."""
    app = parts.app
    topics: Any = app.topics
    topics._acking_topics.add(TOPIC)  # noqa: SLF001 - what subscribing does
    app.consumer_generation_id = 2
    consumer: Any = app.consumer
    tp = TP(TOPIC, 0)
    first, second, third = (consumer._to_message(tp, record_of(offset)) for offset in (0, 70, 10**9))  # noqa: SLF001
    assert consumer._new_offset(tp) == 0  # noqa: SLF001
    consumer.ack(first)
    assert consumer._new_offset(tp) == 0, "acknowledged and not finished"  # noqa: SLF001
    consumer.finished(first)
    assert consumer._new_offset(tp) == 70  # noqa: SLF001
    consumer.finished(third)
    assert consumer._new_offset(tp) == 70  # noqa: SLF001
    app.consumer_generation_id = 3
    consumer.finished(second)
    assert consumer._new_offset(tp) == 70, "of an older generation"  # noqa: SLF001


def test_a_record_that_comes_again_in_one_generation_stops_nothing(parts: Parts) -> None:
    """Faust drops what lies below the offset it has read; it is not waited for."""
    consumer: Any = parts.app.consumer
    parts.app.consumer_generation_id = 2
    tp = TP(TOPIC, 0)
    message = consumer._to_message(tp, record_of(7))  # noqa: SLF001
    consumer._read_offset[tp] = 7  # noqa: SLF001 - what Faust notes
    consumer._to_message(tp, record_of(5))  # noqa: SLF001
    consumer.finished(message)
    assert consumer.reached(tp) == 8


def test_a_partition_made_anew_is_taken_from_its_beginning(parts: Parts) -> None:
    """Its lower offsets are read and may be committed."""
    consumer: Any = parts.app.consumer
    parts.app.consumer_generation_id = 2
    tp = TP(TOPIC, 0)
    consumer._read_offset[tp] = consumer._committed_offset[tp] = 500  # noqa: SLF001
    consumer._settled[tp] = 500  # noqa: SLF001
    consumer.rewind(tp)
    assert consumer._read_offset[tp] is None  # noqa: SLF001
    consumer.finished(consumer._to_message(tp, record_of(0)))  # noqa: SLF001
    assert consumer._new_offset(tp) == 1  # noqa: SLF001
    assert consumer._should_commit(tp, 1)  # noqa: SLF001


def test_a_commit_that_failed_is_made_again(parts: Parts) -> None:
    """Faust takes it for done."""
    consumer: Any = parts.app.consumer
    tp = TP(TOPIC, 0)
    answers = [False, True]

    async def commit(_offsets: object) -> bool:
        return answers.pop(0)

    consumer._thread.commit = commit  # noqa: SLF001

    async def scenario() -> None:
        for again in (True, False):
            await consumer._commit({tp: 9})  # noqa: SLF001
            consumer._committed_offset[tp] = 9  # noqa: SLF001 - what Faust does in both cases
            assert consumer._should_commit(tp, 9) is again  # noqa: SLF001

    asyncio.run(scenario())


def test_a_full_lane_keeps_its_partition_paused(parts: Parts) -> None:
    """Faust resumes a partition when its own buffer drains; the lane has the last word."""
    consumer: Any = parts.app.consumer
    tp = TP(TOPIC, 0)
    consumer._set_active_tps({tp})  # noqa: SLF001 - what an assignment does
    consumer.on_buffer_full(tp)
    parts.lanes._paused.add((TOPIC, 0))  # noqa: SLF001
    consumer.on_buffer_drop(tp)
    assert consumer._get_active_partitions() == set()  # noqa: SLF001
    parts.lanes._paused.clear()  # noqa: SLF001
    consumer.on_buffer_drop(tp)
    assert consumer._get_active_partitions() == {tp}  # noqa: SLF001


def test_a_rebalance_of_a_stopping_worker_closes_nothing(parts: Parts) -> None:
    """Faust closes the client here, which can then neither commit nor leave the group."""
    closed: list[bool] = []
    parts.app.consumer.close = lambda: closed.append(True)  # type: ignore[method-assign]
    parts.app._on_rebalance_when_stopped()  # noqa: SLF001
    assert closed == []


def test_settings_reach_faust() -> None:
    """The settings that lose nothing under load."""
    settings = Settings(
        brokers="a:1,b:2", group="g", session_timeout=30, rebalance_timeout=70, group_instance="pod-1", max_output_bytes=5_000_000
    )
    conf = make_app(settings).conf
    assert [str(url) for url in conf.broker] == ["kafka://a:1", "kafka://b:2"]
    assert conf.id == "g"
    assert (conf.broker_session_timeout, conf.broker_rebalance_timeout) == (30, 70)
    assert conf.broker_request_timeout >= conf.broker_session_timeout
    assert conf.broker_heartbeat_interval <= 3
    assert conf.consumer_group_instance_id == "pod-1"
    assert conf.producer_max_request_size > 5_000_000
    assert conf.producer_acks == -1
    assert conf.stream_wait_empty
    assert not conf.topic_allow_declare
    assert conf.topic_disable_leader


@pytest.mark.parametrize(("seconds", "expected"), [(1_700_000_000.123, 1_700_000_000_123), (-0.001, None), (None, None), (0.0, 0)])
def test_a_record_is_taken_as_it_is(seconds: float | None, expected: int | None) -> None:
    """Raw key and value, repeated headers in order, the timestamp in milliseconds or none."""
    taken = record(
        SimpleNamespace(topic="t", partition=1, offset=2, key=b"", value=None, headers=(("a", b"1"), ("a", None)), timestamp=seconds)
    )
    assert taken == ("t", 1, 2, b"", None, [("a", b"1"), ("a", None)], expected)


def test_a_client_that_cannot_be_stopped_holds_up_no_stop(parts: Parts) -> None:
    """Aiokafka's own close, and a fetch that pauses between two tries: its cancellation must not end the thread half-way."""
    consumer: Any = parts.app.consumer
    thread = consumer._thread  # noqa: SLF001 - its client is replaced
    closed: list[str] = []

    async def scenario() -> None:
        pausing, fetching = (asyncio.ensure_future(asyncio.sleep(60)) for _ in range(2))
        await asyncio.sleep(0)
        fetcher: Any = SimpleNamespace(_fetch_task=fetching, _fetch_waiters=[], _pending_tasks=[pausing])

        async def stop() -> None:
            await Fetcher.close(fetcher)
            closed.append("stopped")

        async def close() -> None:
            closed.append("connections")

        thread._consumer = SimpleNamespace(stop=stop, _client=SimpleNamespace(close=close))  # noqa: SLF001
        await thread.on_thread_stop()

    thread.thread_loop.run_until_complete(scenario())
    assert closed == ["connections"]


def test_a_commit_that_takes_too_long_is_not_waited_for(parts: Parts) -> None:
    """Nor cancelled: Faust answers a cancellation with a commit anew, and then there is no limit at all."""
    consumer: Any = parts.app.consumer
    ended: list[bool] = []

    async def scenario() -> None:
        async def commit() -> None:
            try:
                await asyncio.sleep(0.5)
            except asyncio.CancelledError:
                ended.append(False)
            else:
                ended.append(True)

        consumer.commit = commit
        began = time.monotonic()
        await consumer._commit_within(0.05)  # noqa: SLF001 - what a rebalance waits for
        assert time.monotonic() - began < 0.4
        assert ended == []
        await asyncio.sleep(1.2)
        assert ended == [True, True]

    asyncio.get_event_loop_policy().get_event_loop().run_until_complete(scenario())


def test_no_commit_waits_for_what_other_lanes_send(parts: Parts) -> None:
    """Faust flushes the producer before each commit; here every lane has waited for its own already."""
    producer: Any = parts.app.producer

    async def never() -> None:
        message = "the client was asked to flush"
        raise AssertionError(message)

    producer._producer = SimpleNamespace(flush=never)  # noqa: SLF001
    asyncio.get_event_loop_policy().get_event_loop().run_until_complete(producer.flush())
