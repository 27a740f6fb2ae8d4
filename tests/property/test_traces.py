"""Trace contexts from whatever bytes a sender writes."""

from hypothesis import given
from hypothesis import strategies as st

from worker.enrich.job import Headers
from worker.stream.traces import sent_with

names = st.sampled_from(["traceparent", "Traceparent", "tracestate", "other"])
identifiers = st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8)


@given(st.lists(st.tuples(names, st.none() | st.binary(max_size=80)), max_size=6))
def test_no_header_is_an_error(headers: Headers) -> None:
    """Whatever stands there, it is a context or none."""
    context = sent_with(headers)
    assert context is None or context.is_valid


@given(*identifiers, st.integers(0, 255), st.lists(st.tuples(st.just("tracestate"), st.none() | st.binary(max_size=40)), max_size=3))
def test_every_well_formed_context_is_read(trace: bytes, span: bytes, flags: int, more: Headers) -> None:
    """With any flags, and whatever the tracestate beside it; ids of zeros alone are none."""
    context = sent_with([*more, ("traceparent", f"00-{trace.hex()}-{span.hex()}-{flags:02x}".encode())])
    if not any(trace) or not any(span):
        assert context is None
    else:
        assert context is not None
        assert (context.trace_id, context.span_id) == (int.from_bytes(trace, "big"), int.from_bytes(span, "big"))
        assert int(context.trace_flags) == flags
        assert context.is_remote
