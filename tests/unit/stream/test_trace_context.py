"""Where a trace comes from and where it goes on: contexts of records, log lines, and nothing where traces are off."""

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from opentelemetry.trace import SpanKind, StatusCode, format_span_id, format_trace_id
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from tests.unit.stream.fakes import done, failed
from tests.unit.stream.traced import ENRICHED, SENDER, SENT, TEXT, TRACE, TRACEPARENT, attributes, enriched, one, own, parent
from worker.stream.traces import sent_with

if TYPE_CHECKING:
    from worker.enrich.job import Headers


def test_an_article_continues_its_senders_trace() -> None:
    """A consumer's span below the sender's and linked to it; stages and send below that; all in the sender's trace."""
    spans = one(done(7), headers=SENT, value=TEXT).spans()
    assert spans.keys() == {"process in", "language", "entities", f"send {ENRICHED}"}
    assert {format_trace_id(span.context.trace_id) for span in spans.values()} == {TRACE}
    assert {(span.context.trace_state or {}).get("vendor") for span in spans.values()} == {"1"}
    process = spans["process in"]
    assert (process.kind, parent(process)) == (SpanKind.CONSUMER, SENDER)
    assert [format_span_id(link.context.span_id) for link in process.links] == [SENDER]
    assert {parent(span) for name, span in spans.items() if name != "process in"} == {own(process)}
    assert process.status.status_code == StatusCode.UNSET
    assert attributes(process) == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "in",
        "messaging.destination.partition.id": "0",
        "messaging.kafka.offset": 7,
        "messaging.kafka.message.key": "k",
        "messaging.message.body.size": len(TEXT),
        "messaging.consumer.group.name": "khabar",
        "khabar.article.id": "7",
        "khabar.language": "en",
    }


def test_the_senders_context_goes_out_as_it_came() -> None:
    """Byte for byte; so the send is no producer's span but links to what its message carries."""
    world = one(enriched(headers=[*SENT, ("ce_id", b"1")]), headers=SENT)
    [(_, _, _, headers)] = world.broker.sent
    assert headers == [*SENT, ("ce_id", b"1")]
    send = world.spans()[f"send {ENRICHED}"]
    assert send.kind == SpanKind.CLIENT
    assert [format_span_id(link.context.span_id) for link in send.links] == [SENDER]
    assert attributes(send) == {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": ENRICHED,
        "messaging.destination.partition.id": "1",
        "messaging.kafka.offset": 0,
        "messaging.kafka.message.key": "k",
        "messaging.message.body.size": 7,
    }


def test_a_record_without_a_context_gets_that_of_its_send() -> None:
    """A trace of its own, which the next reader can continue."""
    world = one(done(7))
    [(_, _, _, headers)] = world.broker.sent
    send, process = world.spans()[f"send {ENRICHED}"], world.spans()["process in"]
    assert (send.kind, send.links, parent(process), process.links) == (SpanKind.PRODUCER, (), None, ())
    assert headers[:-1] == [("ce_id", b"1")]
    assert headers[-1][0] == "traceparent"
    context = sent_with(headers)
    assert context is not None
    assert (context.trace_id, format_span_id(context.span_id)) == (send.context.trace_id, own(send))
    assert context.trace_flags.sampled


def test_what_the_sender_does_not_sample_is_not_recorded() -> None:
    """The flag is the sender's; its context goes out all the same."""
    headers: Headers = [("traceparent", TRACEPARENT[:-1] + b"0")]
    world = one(enriched(headers=headers), headers=headers)
    assert world.spans() == {}
    assert world.broker.sent[0][3] == headers


def test_log_lines_name_the_trace() -> None:
    """From a line about an article to its trace."""
    with capture_logs(processors=[merge_contextvars]) as said:
        one(failed(), headers=SENT)
    assert [(line["event"], line["trace_id"]) for line in said] == [("dead_lettered", TRACE)]


@pytest.mark.parametrize(
    "traceparent",
    [
        b"",
        b"nonsense",
        b"\xff\xfe",
        TRACEPARENT.upper(),
        TRACEPARENT[:-1],
        TRACEPARENT + b"-more",
        TRACEPARENT.replace(b"00-", b"ff-", 1),
        f"00-{'0' * 32}-{SENDER}-01".encode(),
        f"00-{TRACE}-{'0' * 16}-01".encode(),
        TRACEPARENT * 1000,
        None,
    ],
)
def test_a_malformed_context_is_none(traceparent: bytes | None) -> None:
    """The article begins a trace of its own; what the sender wrote goes out as it came."""
    headers: Headers = [("traceparent", traceparent)]
    assert sent_with(headers) is None
    world = one(enriched(headers=headers), headers=headers)
    assert world.spans()["process in"].parent is None
    assert world.broker.sent[0][3] == headers


def test_the_last_context_of_a_record_counts() -> None:
    """Whatever the case of its name; a later version of the format is read as far as it is known."""
    first = TRACEPARENT.replace(SENDER.encode(), b"1" * 16)
    context = sent_with([("traceparent", first), ("TraceParent", TRACEPARENT.replace(b"00-", b"cc-", 1) + b"-more")])
    assert context is not None
    assert (format_trace_id(context.trace_id), format_span_id(context.span_id)) == (TRACE, SENDER)
    assert sent_with([("traceparent", TRACEPARENT), ("traceparent", b"nonsense")]) is None
    assert sent_with([("tracestate", b"vendor=1")]) is None


@pytest.mark.parametrize("tracestate", [b"no pair", b"\xff=1", b"a=" + b"x" * 100_000, b"a=1,a=2"])
def test_a_malformed_tracestate_costs_nothing_else(tracestate: bytes) -> None:
    """The trace is continued without it."""
    context = sent_with([("traceparent", TRACEPARENT), ("tracestate", tracestate)])
    assert context is not None
    assert not context.trace_state


def test_without_traces_nothing_of_opentelemetry_is_imported() -> None:
    """The worker's modules, and the lanes' and the delivery's work, do without the extra."""
    program = """
import sys
import worker.stream.app
from worker.settings import Settings
from worker.stream import otlp
assert otlp.make(Settings(), {"OTEL_EXPORTER_OTLP_ENDPOINT": "nonsense"}) is None
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
