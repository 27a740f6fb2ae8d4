"""SIGHUP: take up what the models' directory holds now, without losing an article.

One reload at a time; asked again meanwhile, one more follows, for the directory may have changed behind its back. A
directory that cannot be loaded costs one log line: the models at work go on. A stopping worker reloads nothing.
"""

import asyncio
import time
from collections.abc import Iterable

from worker import log, metrics
from worker.errors import one_line
from worker.stream.child import Served
from worker.stream.pool import Pool

logger = log.get()


class Reload:
    """Runs reloads when asked."""

    def __init__(self, pool: Pool) -> None:
        """Nothing is asked yet."""
        self._pool = pool
        self._asked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def ask(self) -> None:
        """Ask for a reload; a signal handler on the event loop may call. Before `run` it is remembered."""
        if self._closed:
            logger.info("reload_ignored", why="the worker is stopping")
            return
        self._asked.set()

    def close(self) -> None:
        """Start no more, and give up one that is under way: what is in flight needs the cores now."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()

    async def run(self) -> None:
        """Reload whenever asked, until `close`."""
        while not self._closed:
            await self._asked.wait()
            self._asked.clear()
            self._task = asyncio.create_task(self._reload())
            await asyncio.wait({self._task})

    async def _reload(self) -> None:
        started = time.monotonic()
        logger.info("models_reloading", models=_names(self._pool.models))
        try:
            await self._pool.reload()
        except Exception as error:  # noqa: BLE001 - whatever breaks here, the models at work go on
            metrics.MODEL_RELOADS.labels(outcome="failed").inc()
            logger.error("models_reload_failed", error=one_line(error), at_work=_names(self._pool.models))  # noqa: TRY400 - one line
        else:
            metrics.MODEL_RELOADS.labels(outcome="done").inc()
            logger.info("models_reloaded", models=_names(self._pool.models), seconds=round(time.monotonic() - started, 1))


def _names(models: Iterable[Served]) -> list[str]:
    return [f"{model.name} {model.version} {model.sha256[:12]}" for _, model in models]
