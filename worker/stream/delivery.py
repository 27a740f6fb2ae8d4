"""Publish and wait for the broker: enriched articles, dead letters, tombstones.

What the broker does not acknowledge is sent again, for ever, with growing pauses; only a record it refuses for its size
is given up, and becomes a dead letter. Knows neither faust nor aiokafka: it is given a ``send``.
"""

import asyncio
import base64
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import msgspec

from worker import log, metrics
from worker.enrich.job import WORKER, Done, Failed, Headers, Job, timestamp
from worker.errors import KhabarError, OutputTooLargeError
from worker.records import DEAD_LETTER_SCHEMA, DeadLetter, Source
from worker.settings import Settings
from worker.status import Status
from worker.stream.pool import Outcome

Send = Callable[[str, bytes | None, bytes | None, Headers], Awaitable[object]]
"""Topic, key, value, headers; returns when the broker has acknowledged. Raises `TooLargeError`, or anything else to be retried."""

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0
"""A broker that is back should not be waited for longer than it takes to recover; a worker asks no more than twice a second."""

logger = log.get()


class TooLargeError(KhabarError):
    """The broker, or the client before it, refuses a record for its size."""


class Delivery:
    """Where finished articles leave."""

    def __init__(
        self,
        settings: Settings,
        *,
        send: Send,
        status: Status,
        permit: Callable[[], Awaitable[None]],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Prepare.

        Args:
            settings: the topics.
            send: see `Send`.
            status: told of everything acknowledged.
            permit: awaited before each send; returns when publishing is allowed.
            sleep: pauses between tries.
        """
        self._settings = settings
        self._send = send
        self._status = status
        self._permit = permit
        self._sleep = sleep

    async def deliver(self, job: Job, outcome: Outcome) -> None:
        """Publish what became of an article; returns when the broker has it."""
        if isinstance(outcome.result, Failed):
            await self._dead_letter(job, outcome.result, attempts=outcome.attempts)
            return
        try:
            await self._publish(job, outcome.result)
        except OutputTooLargeError as error:
            await self._dead_letter(job, Failed(reason=error.reason, stage=error.stage, error=str(error)), attempts=outcome.attempts)

    async def tombstone(self, key: bytes | None, headers: Headers, *, topic: str, partition: int, offset: int) -> None:
        """Pass a null value on under the same key; without one, under the id its article would have had."""
        await self._acknowledged(
            self._settings.output_topic, f"{topic}/{partition}/{offset}".encode() if key is None else key, None, headers
        )
        metrics.TOMBSTONES.inc()
        self._status.progressed()

    async def _publish(self, job: Job, done: Done) -> None:
        if len(done.value) > self._settings.max_output_bytes:
            message = f"enriched article of {len(done.value)} bytes: above KHABAR_MAX_OUTPUT_BYTES={self._settings.max_output_bytes}"
            raise OutputTooLargeError(message)
        try:
            await self._acknowledged(self._settings.output_topic, done.key, done.value, done.headers)
        except TooLargeError as error:
            message = f"enriched article of {len(done.value)} bytes refused: {error}"
            raise OutputTooLargeError(message) from error
        metrics.ARTICLES_ENRICHED.labels(language=done.language).inc()
        for stage, seconds in done.seconds.items():
            metrics.STAGE_SECONDS.labels(stage=stage, language=done.language).observe(seconds)
        for kind, count in done.entities.items():
            metrics.ENTITIES.labels(type=kind).inc(count)
        if job.timestamp_ms is not None:
            metrics.END_TO_END_SECONDS.observe(max(0.0, time.time() - job.timestamp_ms / 1000))
        self._status.published(done.value)

    async def _dead_letter(self, job: Job, failed: Failed, *, attempts: int) -> None:
        source = f"{job.topic}/{job.partition}/{job.offset}"
        headers: Headers = [
            ("content-type", b"application/json"),
            ("khabar.error.reason", failed.reason.encode()),
            ("khabar.error.stage", failed.stage.encode()),
            ("khabar.error.source", source.encode()),
        ]
        topic = self._settings.dead_letter_topic
        try:
            await self._acknowledged(topic, job.key, encode_dead_letter(job, failed, attempts=attempts), headers)
        except TooLargeError:
            logger.warning("dead_letter_without_value", stage=failed.stage, reason=failed.reason, source=source, bytes=len(job.value))
            await self._insist(topic, job, failed, headers, attempts=attempts)
        metrics.ARTICLES_DEAD_LETTERED.labels(reason=failed.reason).inc()
        self._status.dead_lettered()
        where = {"topic": job.topic, "partition": job.partition, "offset": job.offset}
        logger.warning("dead_lettered", stage=failed.stage, reason=failed.reason, attempts=attempts, **where)

    async def _insist(self, topic: str, job: Job, failed: Failed, headers: Headers, *, attempts: int) -> None:
        """Send a dead letter without the value; if key and headers alone are too large for the broker, without those too."""
        try:
            await self._acknowledged(topic, job.key, encode_dead_letter(job, failed, attempts=attempts, whole=False), headers)
        except TooLargeError:
            bare = msgspec.structs.replace(job, key=None, headers=[])
            await self._acknowledged(topic, None, encode_dead_letter(bare, failed, attempts=attempts, whole=False), headers)

    async def _acknowledged(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """Send until the broker acknowledges.

        Raises:
            TooLargeError: it never will.
        """
        attempt = 0
        while True:
            await self._permit()
            try:
                await self._send(topic, key, value, headers)
            except TooLargeError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever the client raises, the article must not be lost
                pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(attempt, 20)) * random.uniform(0.5, 1)  # noqa: S311 - jitter
                attempt += 1
                metrics.PUBLISH_RETRIES.inc()
                if attempt & (attempt - 1) == 0:  # 1, 2, 4, 8 …: an outage is no reason to flood the log
                    logger.warning("publish_retry", topic=topic, attempt=attempt, error=_line(error), stage="publish")
                await self._sleep(pause)
            else:
                return


def encode_dead_letter(job: Job, failed: Failed, *, attempts: int, whole: bool = True) -> bytes:
    """Make the dead letter's JSON; ``whole=False`` leaves the value out."""
    return msgspec.json.encode(
        DeadLetter(
            schema=DEAD_LETTER_SCHEMA,
            reason=failed.reason,
            stage=failed.stage,
            error=failed.error,
            value=_base64(job.value) if whole else None,
            key=_base64(job.key),
            headers=[(name, _base64(value)) for name, value in job.headers],
            source=Source(topic=job.topic, partition=job.partition, offset=job.offset, timestamp=timestamp(job.timestamp_ms)),
            worker=WORKER,
            failed_at=datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            attempts=attempts,
        )
    )


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
