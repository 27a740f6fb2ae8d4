"""The enricher on every core: articles wait in one queue, free processes take micro-batches of them.

Each process has one batch at a time, so one that dies or hangs concerns only that batch, which then runs again in the
replaced process, one article at a time and shared with nobody (quarantine). An article that kills or hangs a process
twice while alone in it has failed; its batch mates have not.

A reload puts processes with fresh models in the place of those at work, one after the other and between batches.
"""

import asyncio
import math
import multiprocessing
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from worker import log, metrics
from worker.enrich.job import Done, Failed, Job
from worker.settings import Settings
from worker.stream.about import about
from worker.stream.child import DEFAULT_FACTORY, Served
from worker.stream.process import EnricherProcess, ProcessLostError
from worker.stream.slot import Slot
from worker.stream.work import Outcome

if TYPE_CHECKING:
    from worker.errors import Reason

ATTEMPTS_ALONE = 2
BATCH_BYTES = 64 * 1024
"""A micro-batch takes no further article above this: a full one is a second's work or two, which is what a stop, a rebalance and
every article in it wait for. The bundled models are no faster with more (``docs/performance.md``)."""
BYTES_PER_TIMEOUT = 64 * 1024
"""So many bytes of articles earn the article timeout once more …"""
ARTICLES_PER_TIMEOUT = 16
"""… and so many further articles of the batch: on a busy machine a full batch is slow, not stuck."""
MEMORY_CHECK_SECONDS = 1.0
MEMORY_KILL_FACTOR = 1.5
"""Above the limit a process is replaced between batches; above this much of it, at once."""

logger = log.get()


class _Item:
    """An article on its way through the pool."""

    def __init__(self, job: Job, future: "asyncio.Future[Outcome]") -> None:
        self.job = job
        self.future = future
        self.tries = 0
        self.lost_alone = 0

    def settle(self, result: Done | Failed) -> None:
        if not self.future.done():
            self.future.set_result(Outcome(result, max(1, self.tries)))


class Pool:
    """Enricher processes and the queue before them."""

    def __init__(self, settings: Settings, *, factory: str = DEFAULT_FACTORY) -> None:
        """Prepare; `start` starts.

        Args:
            settings: how many processes, batch and time limits; handed to the factory too.
            factory: ``module:function`` that makes what a process runs.
        """
        self._settings = settings
        self._waiting: deque[_Item] = deque()
        self._idle: list[Slot] = []
        self._threads = ThreadPoolExecutor(settings.processes + 1, thread_name_prefix="pool")  # one for the process a reload starts
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["__main__", "worker.stream.preload", factory.partition(":")[0]])

        def make() -> EnricherProcess:
            return EnricherProcess(context, settings, factory=factory, threads=self._threads)

        self._slots = [Slot(make) for _ in range(settings.processes)]
        self._tasks: list[asyncio.Task[None]] = []
        self._until: dict[EnricherProcess, float] = {}

    @property
    def models(self) -> list[Served]:
        """The models at work; those of before and after stand side by side while a reload goes on."""
        return list(dict.fromkeys(model for slot in self._slots for model in slot.process.models))

    async def start(self) -> None:
        """Start every process, and wait until the models are loaded.

        Raises:
            ModelError: the models cannot be loaded.
            ProcessLostError: a process died while loading.
        """
        await asyncio.gather(*(slot.process.start() for slot in self._slots))
        metrics.show_models(self.models)
        self._tasks = [asyncio.create_task(self._serve(slot)) for slot in self._slots]
        self._tasks.append(asyncio.create_task(self._watch_memory()))
        for task in self._tasks:
            task.add_done_callback(_report)

    async def reload(self) -> None:
        """Load what the models' directory holds now: a fresh process beside each, one after the other.

        No batch waits for it: a process at work goes on until its successor has loaded, and finishes its batch. There is never more
        than one process above their number.

        Raises:
            ModelError: the models cannot be loaded; processes not reached yet stay as they are.
            ProcessLostError: a process died while loading; the same.
        """
        for slot in self._slots:
            await slot.renew()

    def submit(self, job: Job, *, future: "asyncio.Future[Outcome] | None" = None) -> "asyncio.Future[Outcome]":
        """Queue an article. The future never fails; cancelled, the article is not started any more.

        Args:
            job: the article.
            future: what to settle, where it was promised before; a new one otherwise.
        """
        future = future or asyncio.get_running_loop().create_future()
        self._waiting.append(_Item(job, future))
        for slot in self._idle:
            if not slot.woken.is_set():
                slot.woken.set()
                break
        return future

    async def run(self, job: Job) -> Outcome:
        """Enrich one article."""
        return await self.submit(job)

    def waiting(self) -> set["asyncio.Future[Outcome]"]:
        """Return the articles that no process has been given yet."""
        return {item.future for item in self._waiting}

    def in_time(self) -> bool:
        """Whether a process works on articles and has not had too long."""
        now = time.monotonic()
        return any(until > now for until in self._until.values())

    async def stop(self) -> None:
        """Stop; articles that still wait are dropped, their futures cancelled."""
        for task in self._tasks:
            task.cancel()
        self.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for item in self._waiting:
            item.future.cancel()
        self._waiting.clear()

    def close(self) -> None:
        """End the processes at once, without an event loop; they hold nothing that could be lost."""
        for slot in self._slots:
            slot.kill()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _serve(self, slot: Slot) -> None:
        while True:
            if slot.settle():
                metrics.show_models(self.models)
            batch = await self._take(slot)
            if batch:
                await self._work(slot, batch)
            elif not slot.has_successor:
                await self._replace(slot, "died while idle")

    async def _take(self, slot: Slot) -> list[_Item]:
        """Wait for articles and take this slot's share of them; none when its process died or a successor is there."""
        process = slot.process
        died = False

        def on_death() -> None:
            nonlocal died
            died = True
            process.off_death()
            slot.woken.set()

        self._idle.append(slot)
        process.on_death(on_death)
        try:
            while not died and not slot.has_successor:
                batch = self._share()
                if batch:
                    return batch
                slot.woken.clear()
                await slot.woken.wait()
            return []
        finally:
            process.off_death()
            self._idle.remove(slot)

    def _share(self) -> list[_Item]:
        """Leave as much for each other idle process, and no more than one batch may hold."""
        batch: list[_Item] = []
        size = 0
        limit = min(self._settings.batch_articles, math.ceil(len(self._waiting) / len(self._idle)))
        while self._waiting and len(batch) < limit:
            item = self._waiting[0]
            if batch and size + len(item.job.value) > BATCH_BYTES:
                break
            self._waiting.popleft()
            if not item.future.done():
                batch.append(item)
                size += len(item.job.value)
        return batch

    async def _work(self, slot: Slot, batch: Sequence[_Item]) -> None:
        """Enrich a batch; after a loss, each of its articles alone."""
        if await self._attempt(slot, batch):
            return
        for item in batch:
            while not item.future.done():
                if not await self._attempt(slot, [item]) and item.lost_alone >= ATTEMPTS_ALONE:
                    break

    async def _attempt(self, slot: Slot, batch: Sequence[_Item]) -> bool:
        """Tell whether the process survived the batch; every article of it is settled then."""
        jobs = [item.job for item in batch]
        metrics.BATCH_ARTICLES.observe(len(batch))
        for item in batch:
            item.tries += 1
        process = slot.process
        seconds = time_limit(jobs, article_timeout=self._settings.article_timeout)
        self._until[process] = time.monotonic() + seconds
        try:
            results = await process.run(jobs, seconds=seconds)
        except ProcessLostError as error:
            self._note_loss(batch, error)
            await self._replace(slot, str(error))
            return False
        finally:
            self._until.pop(process, None)
        for item, result in zip(batch, results, strict=True):
            item.settle(result)
        if slot.process.resident_bytes() > self._settings.process_memory_mb * 2**20:
            await self._replace(slot, f"above {self._settings.process_memory_mb} MiB")
        return True

    def _note_loss(self, batch: Sequence[_Item], error: ProcessLostError) -> None:
        if len(batch) > 1:
            logger.warning("batch_lost", stage="enrich", articles=len(batch), reason=error.reason)
            return
        item = batch[0]
        item.lost_alone += 1
        logger.warning("article_broke_process", **about(item.job), stage="enrich", reason=error.reason, times=item.lost_alone)
        if item.lost_alone >= ATTEMPTS_ALONE:
            reason: Reason = "enrich_timeout" if error.reason == "timeout" else "worker_crashed"
            what = {"timeout": "took too long", "memory": "took too much memory", "crashed": "ended its process"}[error.reason]
            item.settle(Failed(reason=reason, stage="enrich", error=f"the article {what}, alone, {item.lost_alone} times"))

    async def _replace(self, slot: Slot, why: str) -> None:
        """Have a living process in the slot again; it loads what the models' directory holds by then."""
        await slot.replace(why)
        metrics.show_models(self.models)

    async def _watch_memory(self) -> None:
        """Kill a process that outgrows its limit within one batch."""
        limit = self._settings.process_memory_mb * 2**20 * MEMORY_KILL_FACTOR
        while True:
            await asyncio.sleep(MEMORY_CHECK_SECONDS)
            for slot in self._slots:
                if slot.process.resident_bytes() > limit:
                    slot.process.kill("memory")


def time_limit(jobs: Sequence[Job], *, article_timeout: float) -> float:
    """Seconds a micro-batch may take: the article timeout, and more in proportion to its bytes and further articles."""
    size = sum(len(job.value) for job in jobs)
    return article_timeout * (1 + size / BYTES_PER_TIMEOUT + (len(jobs) - 1) / ARTICLES_PER_TIMEOUT)


def _report(task: "asyncio.Task[None]") -> None:
    """A task of the pool never ends by itself: an error in it is a bug, and without the task articles would hang."""
    if not task.cancelled() and task.exception() is not None:
        from worker.stream.fatal import end

        end("pool", task.exception())
