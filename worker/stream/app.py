"""The worker: start in order, run until a signal, drain, exit.

Start: web server (probes answer at once) → broker, models and schema registry, side by side → topics → Faust. SIGTERM or SIGINT: no new
articles, finish and commit what is in flight, leave the group, exit 0; not done within the drain timeout: exit 75, and
what was in flight is delivered again. SIGHUP: reload the models.
"""

import asyncio
import math
import os
import signal
import time
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, cast

import faust
from faust.types import TP, RecordMetadata

from worker import __version__, log, metrics
from worker.enrich.job import Headers
from worker.settings import Settings
from worker.status import Status
from worker.stream import avro, connect, otlp
from worker.stream.agent import add_agent
from worker.stream.brake import Brake
from worker.stream.child import DEFAULT_FACTORY
from worker.stream.consumer import Consumer, Producer, StreamApp
from worker.stream.delivery import Delivery
from worker.stream.fatal import leave
from worker.stream.fence import Fence
from worker.stream.health import start_deadline, watch_lag, watch_membership
from worker.stream.lane import Flow, Lanes, Partition
from worker.stream.pool import Pool
from worker.stream.reload import Reload
from worker.stream.resume import Tables

if TYPE_CHECKING:  # needs the extra `otel`
    from worker.stream.traces import Traces

logger = log.get()

MAX_POLL_INTERVAL_SECONDS = 604800.0
"""Out of the way: with all buffers full for that long the client would leave the group, alive and silent."""
MOST_FETCHED_BYTES = 2**20
"""Of a partition at a time; a single larger record is fetched all the same (KIP-74)."""
REBALANCE_SPARE_SECONDS = 10.0
"""Joining the group is answered when its slowest member has handed over."""
FLUSH_SECONDS = 3.0
"""For the last spans, when all else has been done …"""
MARGIN_SECONDS = 2.0
"""… and so much before the deadline, for the rest of the way out."""
REQUEST_OVERHEAD_BYTES = 2**20
"""Room for headers, keys and framing beside the largest value."""


class Parts:
    """Everything the stream is made of, wired together."""

    def __init__(self, settings: Settings, status: Status, pool: Pool | avro.AvroPool, traces: "Traces | None" = None) -> None:
        """Make the parts that need no running app."""
        self.settings = settings
        self.status = status
        self.pool = pool
        self.fence = Fence(session_timeout=settings.session_timeout)
        self.brake = Brake(share=settings.brake_share, articles=settings.brake_articles, status=status)
        self.app = make_app(settings)
        self.app.parts = self
        send = self._send if traces is None else traces.sending(self._send)
        self.delivery = Delivery(settings, send=send, status=status, permit=self.fence.opened)
        self.lanes = Lanes(
            pool=pool,
            delivery=self.delivery,
            brake=self.brake,
            full_at=settings.lane_articles,
            flow=Flow(
                pause=lambda partition: self.app.consumer.on_buffer_full(TP(*partition)),
                resume=lambda partition: self.app.consumer.on_buffer_drop(TP(*partition)),
            ),
            traces=traces,
        )
        add_agent(self.app, topic=settings.input_topic)

    async def _send(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> RecordMetadata:
        producer = cast("Producer", self.app.producer)
        return await producer.send_acknowledged(topic, key, value, headers)

    def moving(self) -> None:
        """Tell the status how far each partition is. One whose first article a process has in hand, in good time, moves."""
        consumer = cast("Consumer", self.app.consumer)
        reached = {(tp.topic, tp.partition): consumer.reached(tp) or 0 for tp in consumer.assignment()}
        self.status.moving(reached, busy=self.lanes.computing() if self.pool.in_time() else ())

    async def lag(self) -> Mapping[Partition, int]:
        """Articles of each assigned partition that are not acknowledged yet."""
        consumer = cast("Consumer", self.app.consumer)
        assigned = consumer.assignment()
        ends = await consumer.highwaters(*assigned) if assigned else {}
        lag: dict[Partition, int] = {}
        for tp, last in ends.items():
            reached = consumer.reached(tp)
            if reached is None:  # nothing handed out in this generation
                reached = await consumer.position(tp) or 0
            lag[tp.topic, tp.partition] = max(0, last - reached)
        return lag


def make_app(settings: Settings) -> StreamApp:
    """Faust's app with the settings that lose nothing under load (``docs/reliability.md`` tells why each)."""
    session = settings.session_timeout
    heaviest = settings.max_output_bytes + REQUEST_OVERHEAD_BYTES
    return StreamApp(
        id=settings.group,
        broker=[f"kafka://{broker}" for broker in settings.broker_list],
        broker_credentials=connect.credentials(settings),
        broker_request_timeout=settings.rebalance_timeout + REBALANCE_SPARE_SECONDS,  # for the longest; see `worker.stream.client`
        broker_session_timeout=session,
        broker_heartbeat_interval=max(0.3, min(3.0, session / 5)),
        broker_rebalance_timeout=settings.rebalance_timeout,
        broker_max_poll_interval=MAX_POLL_INTERVAL_SECONDS,
        broker_max_poll_records=100,
        broker_commit_interval=1.0,
        consumer_group_instance_id=settings.group_instance or None,
        consumer_metadata_max_age_ms=10_000,  # new partitions are seen within seconds
        consumer_max_fetch_size=MOST_FETCHED_BYTES,
        consumer_auto_offset_reset="earliest",
        producer_acks=-1,
        producer_request_timeout=30.0,  # the default is 20 minutes; a hung broker is noticed earlier
        producer_metadata_max_age_ms=10_000,
        producer_max_request_size=heaviest,
        producer_compression_type="gzip",  # every consumer can read it
        stream_buffer_maxsize=32,  # less to do again after a crash
        stream_wait_empty=True,  # False loses articles at SIGTERM
        topic_disable_leader=True,
        topic_allow_declare=False,  # topics belong to operations
        table_standby_replicas=0,
        TableManager=Tables,  # resumes after a rebalance however slow the coordinator is
        web_enabled=False,
        autodiscover=False,
        store="memory://",
    )


class Worker(faust.Worker):
    """Faust's worker: quiet, our logs, and with a deadline for its stop."""

    def __init__(self, app: StreamApp, *, reload: Reload, drain_timeout: float, loop: asyncio.AbstractEventLoop) -> None:
        """Prepare to run ``app``."""
        super().__init__(app, quiet=True, redirect_stdouts=False, override_logging=False, loop=loop)
        self.spinner = None
        self._reload = reload
        self._drain_timeout = drain_timeout
        self._ends_by = math.inf

    def seconds_left(self) -> float:
        """Until the deadline of the stop; infinite while nobody has asked for one."""
        return self._ends_by - time.monotonic()

    def _schedule_shutdown(self, signal: signal.Signals) -> None:
        if not self._signal_stop_time:
            logger.info("stopping", signal=signal.name, drain_timeout=self._drain_timeout)
            self._ends_by = time.monotonic() + self._drain_timeout
            start_deadline(self._drain_timeout)
            self._reload.close()
        super()._schedule_shutdown(signal)


def run(settings: Settings, *, factory: str = DEFAULT_FACTORY) -> NoReturn:
    """Run the worker; returns by ``SystemExit``: 0 after a drained stop.

    Args:
        settings: everything it runs with.
        factory: ``module:function`` that makes what an enricher process runs.

    Raises:
        UserError: models, credentials, certificates: one line, before anything is consumed.
    """
    from worker.web import WebServer

    log.configure(level=settings.log_level, form=settings.log_format)
    logger.info("starting", version=__version__, **dict(settings.rows()))
    traces = otlp.make(settings, os.environ)
    status = Status(stall_timeout=settings.stall_timeout)
    web = WebServer(settings, status, metrics.REGISTRY)
    web.start()
    logger.info("listening", url=web.url)
    pool = Pool(settings, factory=factory)
    try:
        run_stream(settings, status, pool, traces)
    finally:
        pool.close()
        web.stop()


def run_stream(settings: Settings, status: Status, pool: Pool, traces: "Traces | None" = None) -> NoReturn:
    """Run everything but the web server; see `run`."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    reload = Reload(pool)
    loop.add_signal_handler(signal.SIGHUP, reload.ask)
    before = avro.before(pool, settings, status)
    if not _interruptible(loop, _prepare(settings, status, pool, before), drain_timeout=settings.drain_timeout):
        logger.info("stopped", while_doing="start")
        pool.close()
        leave(0)  # nothing is in flight, and a thread may still wait for the fork server's imports
    work = before or pool
    parts = Parts(settings, status, work, traces)

    async def watch() -> None:
        await watch_lag(parts.lag, parts.moving, status)

    async def watch_group() -> None:
        await watch_membership(parts.fence.is_open, status)

    async def on_drained(*_: Any, **__: Any) -> None:  # noqa: ANN401 - a Faust signal's arguments
        parts.lanes.release("stopped")
        await work.stop()

    async def reload_when_asked() -> None:
        await reload.run()

    parts.app.task(watch)
    parts.app.task(reload_when_asked)
    parts.app.task(watch_group)
    parts.app.on_before_shutdown.connect(on_drained)
    worker = Worker(parts.app, reload=reload, drain_timeout=settings.drain_timeout, loop=loop)
    try:
        worker.execute_from_commandline()
    finally:
        if traces is not None:  # the group has been left: nobody waits for these spans
            traces.close(min(FLUSH_SECONDS, worker.seconds_left() - MARGIN_SECONDS))
        logger.info("stopped")


async def _prepare(settings: Settings, status: Status, pool: Pool, before: avro.AvroPool | None) -> None:
    """Models, schema registry and broker side by side, then the topics."""
    connect.ssl_context(settings)  # a file that cannot be used shows before any process is started

    async def load() -> None:
        await pool.start()
        status.met("models")
        logger.info("models_loaded", processes=settings.processes)

    async def reach() -> None:
        await connect.wait_for_broker(settings)
        await connect.wait_for_topics(settings, status)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load())
        tasks.create_task(reach())
        if before:
            tasks.create_task(before.connect())
    await connect.wait_for_broker(settings)  # the models took their time: Faust gives up where this waits


def _interruptible(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None], *, drain_timeout: float) -> bool:
    """Run ``work``; False when SIGTERM or SIGINT ended it. The first error of a group is raised alone."""
    task = loop.create_task(work)

    def stop() -> None:
        if task.done():  # Faust, which has handlers of its own, has not begun: nothing is in flight
            logger.info("stopped", while_doing="start")
            leave(0)
        start_deadline(drain_timeout)
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        loop.run_until_complete(task)
    except asyncio.CancelledError:
        return False
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    return True
