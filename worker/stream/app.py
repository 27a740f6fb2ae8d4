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
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, NoReturn

import faust

from worker import __version__, log, metrics
from worker.settings import Settings
from worker.status import Status
from worker.stream import avro, connect, otlp
from worker.stream.child import DEFAULT_FACTORY
from worker.stream.consumer import StreamApp
from worker.stream.fatal import leave
from worker.stream.health import start_deadline, watch_lag, watch_membership
from worker.stream.parts import Parts
from worker.stream.pool import Pool
from worker.stream.reload import Reload

if TYPE_CHECKING:  # needs the extra `otel`
    from worker.stream.traces import Traces

logger = log.get()

FLUSH_SECONDS = 3.0
"""For the last spans, when all else has been done …"""
MARGIN_SECONDS = 2.0
"""… and so much before the deadline, for the rest of the way out."""


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
    metrics.READY.set_function(lambda: not status.not_ready())
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
