"""The pool for records in Avro: each article is given the schema it was written with before a process gets it.

Schemas are asked from the registry once and kept. While the registry is away, articles whose schema is not known yet are held
in their lanes, un-acked, and asked for again for ever; those whose schema is known go on. None of it counts as an
article's failure: only what the registry says does not exist becomes a dead letter.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable

import msgspec

from worker import log, metrics
from worker.avro import require
from worker.avro import schema as ours
from worker.avro.frame import frame, schema_id
from worker.avro.registry import Registry, UnreachableError
from worker.backoff import pause
from worker.enrich.forms import form
from worker.enrich.job import Failed, Job
from worker.errors import DecodeError, RegistryError
from worker.settings import Settings
from worker.status import Status
from worker.stream.fatal import end
from worker.stream.pool import Pool
from worker.stream.work import Outcome

CONDITION = "registry"
START_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 6.0)
"""Seconds between the tries at start, which give up where the later ones never do."""
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
ASKED_AGAIN = 2
"""An id the registry does not know is asked so often again: a replica of it may lag behind the sender."""
ASKED_AGAIN_SECONDS = 0.5
UNKNOWN_SECONDS = 30.0
"""An id that it does not know is not asked about for so long."""
SCHEMAS_KEPT = 256
ASKED_AT_ONCE = 8

logger = log.get()

Known = tuple[str, ...] | Failed
"""A schema (see `Job`), or why there is none."""


def before(pool: Pool, settings: Settings, status: Status) -> "AvroPool | None":
    """What has to stand before the pool; None where no topic holds Avro.

    Raises:
        SettingsError: the extra ``avro`` is not installed.
        RegistryError: the file of authorities cannot be used.
    """
    if not settings.uses_avro:
        return None
    require()
    return AvroPool(pool, settings, status=status, registry=Registry(settings))


class AvroPool:
    """Stands before the pool and is used like it."""

    def __init__(
        self,
        pool: Pool,
        settings: Settings,
        *,
        status: Status,
        registry: Registry,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Prepare; `connect` has to come first.

        Args:
            pool: enriches.
            settings: the topics and what is Avro on them.
            status: not ready while schemas cannot be had.
            registry: has them.
            sleep: pauses between tries.
        """
        self._pool = pool
        self._settings = settings
        self._status = status
        self._registry = registry
        self._sleep = sleep
        self._frame = b""
        self._known: dict[int, Known] = {}
        self._held: dict[int, list[tuple[Job, asyncio.Future[Outcome]]]] = defaultdict(list)
        self._failing: set[int] = set()
        self._asking = asyncio.Semaphore(ASKED_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    async def connect(self) -> None:
        """Register the schema of the output topic and see that the registry answers for the input topic.

        Raises:
            RegistryError: the registry refuses, our schema is not compatible, or nothing answers.
        """
        pauses = list(START_PAUSES)
        while True:
            try:
                await self._introduce()
            except UnreachableError as error:
                if not pauses:
                    raise RegistryError(str(error)) from error
                logger.warning("registry_unreachable", error=str(error), retry_in_seconds=pauses[0])
                await self._sleep(pauses.pop(0))
            else:
                return

    async def _introduce(self) -> None:
        if self._settings.input_format == "avro":
            subject = f"{self._settings.input_topic}-value"
            logger.info("input_schema", subject=subject, registered=await self._registry.has(subject))
        if self._settings.output_format == "avro":
            subject = f"{self._settings.output_topic}-value"
            number = await self._registry.register(subject, ours.enriched_text())
            self._frame = frame(number)
            logger.info("output_schema", subject=subject, id=number)

    def submit(self, job: Job) -> "asyncio.Future[Outcome]":
        """Queue an article, as soon as its schema is known. The future never fails."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        job = msgspec.structs.replace(job, frame=self._frame)
        number = self._needed(job)
        if number is None:
            self._give(job, future, ())
        elif number in self._known:
            self._give(job, future, self._known[number])
        else:
            self._hold(job, future, number)
        return future

    async def run(self, job: Job) -> Outcome:
        """Enrich one article."""
        return await self.submit(job)

    def waiting(self) -> set["asyncio.Future[Outcome]"]:
        """Return the articles that no process has been given yet."""
        return self._pool.waiting() | {future for held in self._held.values() for _, future in held}

    def in_time(self) -> bool:
        """Whether a process works on articles and has not had too long."""
        return self._pool.in_time()

    async def stop(self) -> None:
        """Ask no more, and stop the pool; articles that still wait are dropped, their futures cancelled."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for held in self._held.values():
            for _, future in held:
                future.cancel()
        self._held.clear()
        await self._pool.stop()

    def _needed(self, job: Job) -> int | None:
        """Id of the schema an article needs; None where it needs none, or is too large to be read at all."""
        if (
            len(job.value) > self._settings.max_article_bytes
            or form(job.value, job.headers, expected=self._settings.input_format) != "avro"
        ):
            return None
        return schema_id(job.value)

    def _hold(self, job: Job, future: "asyncio.Future[Outcome]", number: int) -> None:
        """Keep an article until its schema is known; the first one asks."""
        self._held[number].append((job, future))
        if len(self._held[number]) == 1:
            task = asyncio.create_task(self._ask_for(number))
            task.add_done_callback(self._report)
            self._tasks.add(task)

    def _give(self, job: Job, future: "asyncio.Future[Outcome]", known: Known) -> None:
        if isinstance(known, Failed):
            future.set_result(Outcome(known, 1))
        else:
            self._pool.submit(msgspec.structs.replace(job, schema=known), future=future)

    async def _ask_for(self, number: int) -> None:
        """Ask until there is an answer, or nobody waits for it any more; then let the articles go on."""
        attempt = 0
        known: Known | None = None
        while known is None and any(not future.done() for _, future in self._held[number]):
            try:
                known = await self._answer(number)
            except (UnreachableError, RegistryError) as error:  # refused while running: the credentials may be mended
                attempt += 1
                self._note_failure(number, attempt, str(error))
                await self._sleep(pause(attempt - 1, first=FIRST_PAUSE_SECONDS, longest=LONGEST_PAUSE_SECONDS))
        self._failing.discard(number)
        if not self._failing:
            self._status.met(CONDITION)
        for job, future in self._held.pop(number):
            if not future.done() and known is not None:
                self._give(job, future, known)

    async def _answer(self, number: int) -> Known:
        """The schema, or the failure of every article that needs it; kept for the next one."""
        again = 0
        while True:
            try:
                async with self._asking:
                    known: Known = await self._registry.schema(number)
            except DecodeError as error:
                if error.reason == "unknown_schema" and again < ASKED_AGAIN:
                    again += 1
                    await self._sleep(ASKED_AGAIN_SECONDS)
                    continue
                known = Failed(reason=error.reason, stage=error.stage, error=str(error))
                asyncio.get_running_loop().call_later(UNKNOWN_SECONDS, self._known.pop, number, None)
            if len(self._known) >= SCHEMAS_KEPT:
                del self._known[next(iter(self._known))]
            self._known[number] = known
            return known

    def _note_failure(self, number: int, attempt: int, error: str) -> None:
        self._failing.add(number)
        self._status.unmet(CONDITION)
        self._status.holding()  # on purpose: a restart would not help
        metrics.REGISTRY_RETRIES.inc()
        if attempt & (attempt - 1) == 0:  # 1, 2, 4, 8 …: an outage is no reason to flood the log
            logger.warning("registry_retry", schema=number, attempt=attempt, held=len(self._held[number]), error=error, stage="decode")

    def _report(self, task: "asyncio.Task[None]") -> None:
        """An error in a task is a bug: without it articles would hang."""
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            end("registry", task.exception())
