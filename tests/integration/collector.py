"""A collector of spans for tests: takes OTLP over HTTP as OpenTelemetry's own does, and keeps what it got."""

import gzip
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

KINDS = {Span.SPAN_KIND_CONSUMER: "consumer", Span.SPAN_KIND_PRODUCER: "producer", Span.SPAN_KIND_CLIENT: "client"}


class Got(NamedTuple):
    """A span as it arrived; ids in hexadecimal, times in nanoseconds since 1970."""

    name: str
    kind: str
    trace: str
    id: str
    parent: str
    links: list[str]
    start: int
    end: int
    failed: bool
    attributes: dict[str, Any]


class Collector:
    """An OTLP/HTTP receiver on loopback for as long as the ``with`` block lasts."""

    def __init__(self) -> None:
        """Take a free port."""
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                right = self.path == "/v1/traces" and self.headers["Content-Type"] == "application/x-protobuf"
                if right:
                    packed = self.headers.get("Content-Encoding") == "gzip"
                    collector.headers.append({name.lower(): value for name, value in self.headers.items()})
                    collector.bodies.append(gzip.decompress(body) if packed else body)
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200 if right else 400)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        """Serve."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def spans(self) -> list[Got]:
        """Every span that has come, in the order of their beginnings."""
        got = [
            _got(span)
            for request in map(ExportTraceServiceRequest.FromString, self.bodies)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        return sorted(got, key=lambda span: span.start)

    def resource(self) -> dict[str, Any]:
        """What the sender says of itself."""
        [resource] = {
            repr(sorted((pair.key, _plain(pair.value)) for pair in resource.resource.attributes)): resource.resource.attributes
            for request in map(ExportTraceServiceRequest.FromString, self.bodies)
            for resource in request.resource_spans
        }.values()
        return {pair.key: _plain(pair.value) for pair in resource}

    def wait(self, count: int, seconds: float = 30.0) -> None:
        """Wait until so many spans have come."""
        deadline = time.monotonic() + seconds
        while len(self.spans()) < count:
            assert time.monotonic() < deadline, f"{len(self.spans())} of {count} spans"
            time.sleep(0.05)


def _got(span: Span) -> Got:
    return Got(
        name=span.name,
        kind=KINDS.get(span.kind, "internal"),
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        links=[link.span_id.hex() for link in span.links],
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        failed=span.status.code == span.status.STATUS_CODE_ERROR,
        attributes={pair.key: _plain(pair.value) for pair in span.attributes},
    )


def _plain(value: AnyValue) -> Any:  # noqa: ANN401 - a string, a number, a truth value
    return getattr(value, value.WhichOneof("value") or "string_value")
