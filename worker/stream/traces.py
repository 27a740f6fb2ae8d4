"""Traces: OpenTelemetry spans of every article, which continue the trace its sender began.

``process <input topic>`` (consumer) lasts from the queue of the enricher processes to the broker's acknowledgement; the
sender's ``traceparent`` is its parent and its link. Below it stands a span a stage, drawn from the seconds which the
enricher process reports, and a ``send <topic>`` a try to publish. Names, kinds and attributes are those of
OpenTelemetry's conventions for messaging (https://opentelemetry.io/docs/specs/semconv/messaging/, schema 1.44); what
they have no name for is ``khabar.…``. No text of an article is in a span.

A ``traceparent`` the raw record has goes out as it came, so that records are the same with and without traces, and the
spans of others hang on nothing that a dead collector loses. A record without one, and a dead letter, whose headers are
our own, get that of their ``send``.

Only imported where ``KHABAR_TRACES`` is on: it needs the extra ``otel``.
"""

import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    Tracer,
    format_trace_id,
    get_current_span,
    set_span_in_context,
    use_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.contextvars import bound_contextvars

from worker import __version__, log
from worker.enrich.job import Done, Failed, Headers, key_text
from worker.stream.about import shown

if TYPE_CHECKING:
    import asyncio

    from worker.stream.lane import Record
    from worker.stream.work import Outcome

SCHEMA = "https://opentelemetry.io/schemas/1.44.0"
_PROPAGATOR = TraceContextTextMapPropagator()
_NOWHERE = Context()

logger = log.get()


class Sent(Protocol):
    """Where the broker put a record."""

    @property
    def partition(self) -> int:
        """Its partition."""

    @property
    def offset(self) -> int:
        """Its offset."""


Send = Callable[[str, bytes | None, bytes | None, Headers], Awaitable[Sent]]
"""Topic, key, value, headers; returns when the broker has acknowledged."""


class Traces:
    """Makes the spans of articles."""

    def __init__(self, provider: TracerProvider, *, group: str) -> None:
        """Make spans with ``provider``.

        Args:
            provider: samples and exports; shut down by `close`.
            group: the consumer group.
        """
        self._provider = provider
        self._tracer = provider.get_tracer("khabar", __version__, SCHEMA)
        self._group = group

    def begin(self, record: "Record") -> "ArticleTrace":
        """Begin the span of a record that has been taken in."""
        sender = sent_with(record.headers)
        span = self._tracer.start_span(
            f"process {record.topic}",
            context=_NOWHERE if sender is None else set_span_in_context(NonRecordingSpan(sender), _NOWHERE),
            kind=SpanKind.CONSUMER,
            attributes={
                **_message("process", record.topic, record.key, record.value),
                "messaging.destination.partition.id": str(record.partition),
                "messaging.kafka.offset": record.offset,
                "messaging.consumer.group.name": self._group,
            },
            links=[Link(sender)] if sender else None,
        )
        return ArticleTrace(self._tracer, span)

    def sending(self, send: Send) -> Send:
        """Let ``send`` make a span of each try, below the span that is current."""

        async def traced(topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> Sent:
            carried = any(name.lower() == "traceparent" for name, _ in headers)
            sender = sent_with(headers)
            span = self._tracer.start_span(
                f"send {topic}",
                kind=SpanKind.CLIENT if carried else SpanKind.PRODUCER,  # a producer's context is the one its message has
                attributes=_message("send", topic, key, value),
                links=[Link(sender)] if sender else None,
            )
            try:
                sent = await send(topic, key, value, headers if carried else headers + _propagated(span))
            except BaseException as error:  # a cancelled send too
                _fail(span, type(error).__qualname__)
                raise
            else:
                span.set_attribute("messaging.destination.partition.id", str(sent.partition))
                span.set_attribute("messaging.kafka.offset", sent.offset)
                return sent
            finally:
                span.end()

        return traced

    def close(self, seconds: float) -> None:
        """Export what has ended, for ``seconds`` at most; whatever is left is lost."""
        thread = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        thread.start()
        thread.join(max(0.0, seconds))
        if thread.is_alive():
            logger.warning("traces_left", hint="the collector did not take the last spans in time")


class ArticleTrace:
    """The span of one article, and those of its stages."""

    def __init__(self, tracer: Tracer, span: Span) -> None:
        """Keep the span that has begun."""
        self._tracer = tracer
        self._span = span
        self._answered = self._began = time.time_ns()
        self._answer: Done | Failed | None = None

    def answered(self, outcome: "asyncio.Future[Outcome]") -> None:
        """Note when an enricher process answered, and what; called back by the article's future."""
        if not outcome.cancelled():
            self._answered, self._answer = time.time_ns(), outcome.result().result

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make it the parent of the spans that begin meanwhile, and name its trace in the log."""
        trace_id = format_trace_id(self._span.get_span_context().trace_id)
        with use_span(self._span, record_exception=False, set_status_on_exception=False), bound_contextvars(trace_id=trace_id):
            yield

    def enriched(self, result: Done | Failed) -> None:
        """Draw the stages: one behind the other, each as long as the process reports, up to its answer."""
        if isinstance(result, Failed) or not self._span.is_recording():
            return
        if result is not self._answer:  # tried again while the brake was on: the answer is just there
            self._answered = time.time_ns()
        below = set_span_in_context(self._span, _NOWHERE)
        lengths = {stage: round(seconds * 1e9) for stage, seconds in result.seconds.items()}
        start = max(self._began, self._answered - sum(lengths.values()))
        for stage, length in lengths.items():
            span = self._tracer.start_span(stage, context=below, start_time=start, attributes={"khabar.language": result.language})
            start += length
            span.end(start)

    def delivered(self, result: Done | Failed | None) -> None:
        """End it: the broker has what became of the article (None: a tombstone)."""
        if not self._span.is_recording():  # not sampled; or released while a library swallowed the cancellation
            return
        if isinstance(result, Failed):
            _fail(self._span, result.reason)
            self._span.set_attribute("khabar.stage", result.stage)
        elif result is not None:
            self._span.set_attribute("khabar.language", result.language)
        if result is not None and result.article_id:
            self._span.set_attribute("khabar.article.id", shown(result.article_id))
        self._span.end()

    def released(self) -> None:
        """End it: the article was given up un-acked, and whoever owns its partition next begins anew."""
        if self._span.is_recording():
            self._span.set_attribute("khabar.released", True)  # noqa: FBT003 - an attribute's value
            self._span.end()


def sent_with(headers: Headers) -> SpanContext | None:
    """The trace context a record was sent with (W3C); the last of a name counts, and a malformed one is none."""
    carrier = {name.lower(): (value or b"").decode("ascii", "replace") for name, value in headers if name.lower() in _PROPAGATOR.fields}
    if "traceparent" not in carrier:
        return None
    context = get_current_span(_PROPAGATOR.extract(carrier, _NOWHERE)).get_span_context()
    return context if context.is_valid else None


def _message(operation: str, topic: str, key: bytes | None, value: bytes | None) -> dict[str, str | int]:
    """Attributes of a span about one message; the key only where it is text that can be shown as it is."""
    attributes: dict[str, str | int] = {
        "messaging.system": "kafka",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": topic,
    }
    text = key_text(key)
    if text is not None and shown(text) == text:
        attributes["messaging.kafka.message.key"] = text
    if value is None:
        attributes["messaging.kafka.message.tombstone"] = True
    else:
        attributes["messaging.message.body.size"] = len(value)
    return attributes


def _propagated(span: Span) -> Headers:
    """The headers that say to the next reader which span sent the message."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, set_span_in_context(span, _NOWHERE))
    return [(name, text.encode()) for name, text in carrier.items()]


def _fail(span: Span, kind: str) -> None:
    span.set_attribute("error.type", kind)
    span.set_status(StatusCode.ERROR)
