"""Where spans go: a collector, over OTLP/HTTP, as the standard ``OTEL_*`` variables say.

A thread of its own exports them; its queue is bounded, and what does not fit or is not taken in time is lost, so that a
collector that is away costs spans and nothing else. OpenTelemetry is imported only where spans are wanted: it is an extra.
"""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from worker import __version__
from worker.errors import SettingsError
from worker.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

    from worker.stream.traces import Traces

PROTOCOL = "http/protobuf"
_FOR_TRACES = ("OTEL_EXPORTER_OTLP_{}", "OTEL_EXPORTER_OTLP_TRACES_{}")
"""Each variable stands for all signals, or for traces alone."""
_QUIET = ("opentelemetry.trace", "opentelemetry.util")
"""They warn of what senders write into ``tracestate``, and quote headers that may hold a token."""


def make(settings: Settings, environ: Mapping[str, str]) -> "Traces | None":
    """What makes and exports the spans of articles; None where there are to be none.

    Args:
        settings: whether, and the consumer group.
        environ: where the ``OTEL_*`` variables stand that OpenTelemetry reads by itself: what would only fail with each
            export is refused.

    Raises:
        SettingsError: the extra is not installed, or a variable cannot be used.
    """
    if settings.traces == "off" or environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    try:
        from worker.stream.traces import Traces

        for name in _QUIET:
            logging.getLogger(name).setLevel(logging.ERROR)
        _check(environ)
        return Traces(_provider(), group=settings.group)
    except ModuleNotFoundError as error:
        message = "KHABAR_TRACES=otlp needs the extra `otel`: pip install 'khabar[otel]'"
        raise SettingsError(message) from error
    except (ValueError, OSError) as error:
        message = f"KHABAR_TRACES=otlp: an OTEL_* variable cannot be used: {error}"
        raise SettingsError(message) from error


def _provider() -> "TracerProvider":
    """Samples, queues and exports, all as the ``OTEL_*`` variables say."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    own = {"service.name": "khabar", "service.version": __version__}
    resource = Resource.create({**own, **OTELResourceDetector().detect().attributes})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _check(environ: Mapping[str, str]) -> None:
    from opentelemetry.util.re import parse_env_headers

    for pattern in _FOR_TRACES:
        protocol, endpoint, headers = (pattern.format(name) for name in ("PROTOCOL", "ENDPOINT", "HEADERS"))
        if environ.get(protocol, PROTOCOL) not in {"", PROTOCOL}:
            message = f"{protocol}={environ[protocol]}: KHABAR_TRACES=otlp speaks {PROTOCOL} only"
            raise SettingsError(message)
        if environ.get(endpoint) and not _is_address(environ[endpoint]):
            message = f"{endpoint} is no http:// or https:// address"
            raise SettingsError(message)
        if not all(parse_env_headers(pair, liberal=True) for pair in environ.get(headers, "").split(",") if pair.strip()):
            message = f"{headers} is not name=value, comma between, values URL-encoded"
            raise SettingsError(message)


def _is_address(text: str) -> bool:
    try:
        address = urlsplit(text)
        return address.scheme in {"http", "https"} and bool(address.hostname) and address.port != 0
    except ValueError:
        return False
