"""Publish and wait for the broker: enriched articles, dead letters, tombstones.

What the broker does not acknowledge is sent again, for ever, with growing pauses; only a record it refuses for its size
is given up, and becomes a dead letter. Knows neither faust nor aiokafka: it is given a ``send``.
"""

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from worker import log, metrics
from worker.backoff import pause
from worker.enrich.job import WORKER, Done, Failed, Headers, Job, carried, timestamp
from worker.errors import KhabarError, OutputTooLargeError
from worker.records import DEAD_LETTER_SCHEMA, DeadLetter, Source
from worker.settings import Settings
from worker.status import Status
from worker.stream.about import about
from worker.stream.work import Outcome

if TYPE_CHECKING:
    from worker.stream.lane import Record

Send = Callable[[str, bytes | None, bytes | None, Headers], Awaitable[object]]
"""Topic, key, value, headers; returns when the broker has acknowledged. Raises `TooLargeError`, or anything else to be retried."""

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0
"""A broker that is back should not be waited for longer than it takes to recover; a worker asks no more than twice a second."""

logger = log.get()


class TooLargeError(KhabarError):
    """The broker, or the client before it, refuses a record for its size."""


class _Output(NamedTuple):
    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers


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

    async def deliver(self, job: Job, outcome: Outcome) -> Done | Failed:
        """Publish what became of an article; returns when the broker has it, with what it was published as."""
        if isinstance(outcome.result, Failed):
            await self._dead_letter(job, outcome.result, attempts=outcome.attempts)
            return outcome.result
        try:
            await self._publish(job, outcome.result)
        except OutputTooLargeError as error:
            failed = Failed(reason=error.reason, stage=error.stage, error=str(error), article_id=outcome.result.article_id)
            await self._dead_letter(job, failed, attempts=outcome.attempts)
            return failed
        return outcome.result

    async def tombstone(self, record: "Record") -> Failed | None:
        """Pass a null value on under the same key; without one, under the id its article would have had.

        Returns:
            What it was dead-lettered for; None: it was passed on.
        """
        key = f"{record.topic}/{record.partition}/{record.offset}".encode() if record.key is None else record.key
        try:
            await self._acknowledged(record, _Output(self._settings.output_topic, key, None, carried(record.headers)))
        except TooLargeError as error:
            job = Job(b"", record.key, record.headers, record.topic, record.partition, record.offset, record.timestamp_ms)
            failed = Failed(reason="output_too_large", stage="publish", error=f"a null value whose key and headers are refused: {error}")
            await self._dead_letter(job, failed, attempts=1, whole=False)
            return failed
        metrics.TOMBSTONES.inc()
        return None

    async def _publish(self, job: Job, done: Done) -> None:
        if len(done.value) > self._settings.max_output_bytes:
            message = f"enriched article of {len(done.value)} bytes: above KHABAR_MAX_OUTPUT_BYTES={self._settings.max_output_bytes}"
            raise OutputTooLargeError(message)
        try:
            output = _Output(self._settings.output_topic, done.key, done.value, done.headers)
            await self._acknowledged(job, output, article_id=done.article_id)
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

    async def _dead_letter(self, job: Job, failed: Failed, *, attempts: int, whole: bool = True) -> None:
        source = f"{job.topic}/{job.partition}/{job.offset}"
        headers: Headers = [
            ("content-type", b"application/json"),
            ("khabar.error.reason", failed.reason.encode()),
            ("khabar.error.stage", failed.stage.encode()),
            ("khabar.error.source", source.encode()),
        ]
        named = about(job, failed.article_id)
        letter = _Output(
            self._settings.dead_letter_topic, job.key, encode_dead_letter(job, failed, attempts=attempts, whole=whole), headers
        )
        try:
            await self._acknowledged(job, letter, article_id=failed.article_id)
        except TooLargeError:
            logger.warning("dead_letter_without_value", **named, stage=failed.stage, reason=failed.reason, bytes=len(job.value))
            await self._insist(job, failed, letter, attempts=attempts)
        metrics.ARTICLES_DEAD_LETTERED.labels(reason=failed.reason).inc()
        self._status.dead_lettered()
        logger.warning("dead_lettered", **named, stage=failed.stage, reason=failed.reason, attempts=attempts)

    async def _insist(self, job: Job, failed: Failed, letter: _Output, *, attempts: int) -> None:
        """Send a dead letter without the value; if key and headers alone are too large for the broker, without those too."""
        try:
            value = encode_dead_letter(job, failed, attempts=attempts, whole=False)
            await self._acknowledged(job, letter._replace(value=value), article_id=failed.article_id)
        except TooLargeError:
            bare = msgspec.structs.replace(job, key=None, headers=[])
            value = encode_dead_letter(bare, failed, attempts=attempts, whole=False)
            await self._acknowledged(job, letter._replace(key=None, value=value), article_id=failed.article_id)

    async def _acknowledged(self, source: "Job | Record", output: _Output, *, article_id: str | None = None) -> None:
        """Send what became of ``source`` until the broker acknowledges.

        Raises:
            TooLargeError: it never will.
        """
        attempt = 0
        while True:
            await self._permit()
            try:
                await self._send(*output)
            except TooLargeError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever the client raises, the article must not be lost
                seconds = pause(attempt, first=FIRST_PAUSE_SECONDS, longest=LONGEST_PAUSE_SECONDS)
                attempt += 1
                metrics.PUBLISH_RETRIES.inc()
                if attempt & (attempt - 1) == 0:  # 1, 2, 4, 8 …: an outage is no reason to flood the log
                    why = {"stage": "publish", "reason": "unacknowledged", "error": _line(error)}
                    logger.warning("publish_retry", **about(source, article_id), **why, to=output.topic, attempt=attempt)
                await self._sleep(seconds)
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
