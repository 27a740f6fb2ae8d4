"""Where spans go: what the environment says is checked at start, and the end waits for no collector."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from structlog.testing import capture_logs

from tests.unit.stream.fakes import record
from worker.errors import SettingsError
from worker.settings import Settings
from worker.stream import otlp
from worker.stream.traces import Traces

ON = Settings(traces="otlp")


@pytest.fixture(autouse=True)
def loud() -> Iterator[None]:
    """Leave the loggers as they were."""
    loggers = [logging.getLogger(name) for name in ("opentelemetry.trace", "opentelemetry.util")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def test_off_looks_at_nothing() -> None:
    """The variables of OpenTelemetry may stand there for others."""
    assert otlp.make(Settings(), {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}) is None
    assert otlp.make(ON, {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}) is None


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc: KHABAR_TRACES=otlp speaks http/protobuf only"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "speaks http/protobuf only"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "OTEL_EXPORTER_OTLP_ENDPOINT is no http:// or https:// address"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://[x", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is no http:// or https:// address"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:port", "is no http:// or https:// address"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://", "is no http:// or https:// address"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=b,Bearer hunter2", "OTEL_EXPORTER_OTLP_HEADERS is not name=value"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "-1", "max_queue_size must be a positive integer."),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "few", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT must be a non-negative integer"),
    ],
)
def test_a_variable_that_cannot_be_used_is_one_clear_line(name: str, value: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would only fail with each export is said at start, and never what may be a secret."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        otlp.make(ON, {name: value})
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


class Stuck(SpanExporter):
    """A collector that does not answer until it is let go."""

    def __init__(self) -> None:
        """Hold on."""
        self.let_go = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002 - an exporter's signature
        """Wait."""
        self.let_go.wait(30)
        return SpanExportResult.SUCCESS


@pytest.mark.parametrize("seconds", [0.1, -5.0])
def test_the_end_waits_no_longer_than_it_may(seconds: float) -> None:
    """However little time there is; what is lost is said."""
    exporter = Stuck()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    traces = Traces(provider, group="khabar")
    traces.begin(record(7)).delivered(None)
    start = time.monotonic()
    with capture_logs() as said:
        traces.close(seconds)
    assert time.monotonic() - start < 5
    assert [line["event"] for line in said] == ["traces_left"]
    exporter.let_go.set()
