"""What form a raw value has: what its headers say, what is expected, and a zero byte."""

import json

import msgspec
import pytest

from tests.unit.enrich.fakes import Capitals
from worker.avro.frame import frame
from worker.enrich.enricher import Enricher
from worker.enrich.forms import Form, form
from worker.enrich.job import Done, Failed, Job, run
from worker.settings import Settings, ValueFormat

PLAIN = ('{"type":"record","name":"A","fields":[{"name":"body","type":"string"}]}',)
BODY = b"Nadia Brand came."


@pytest.mark.parametrize(
    ("value", "kinds", "expected", "found"),
    [
        (b"{}", [], "json", "json"),
        (b"{}", [], "avro", "avro"),
        (b"{}", [b"application/json; charset=utf-8"], "avro", "json"),
        (b"x", [b"TEXT/PLAIN"], "json", "text"),
        (b"x", [b"text/plain;charset=utf-8"], "avro", "text"),
        (b"x", [b"text/plain", b"application/json"], "avro", "json"),
        (b"x", [b"application/json", None], "avro", "avro"),
        (b"x", [b"application/avro"], "json", "json"),
        (b"\0x", [], "json", "json"),
        (b"\0x", [b"application/json"], "avro", "avro"),
        (b"\0x", [b"text/plain"], "avro", "avro"),
        (b"\0x", [b"text/plain"], "json", "text"),
        (b"", [], "avro", "avro"),
    ],
)
def test_what_a_value_is_read_as(value: bytes, kinds: list[bytes | None], expected: ValueFormat, found: Form) -> None:
    """The last content type counts; a zero byte is Avro where Avro is expected, and only there."""
    assert form(value, [("Content-Type", kind) for kind in kinds], expected=expected) == found


@pytest.mark.parametrize("reading", ["json", "avro"])
@pytest.mark.parametrize("writing", ["json", "avro"])
def test_either_form_in_and_out(reading: ValueFormat, writing: ValueFormat) -> None:
    """The same article, the same event id but for what stands in the value; the content type says what came out."""
    settings = Settings(input_format=reading, output_format=writing, registry_url="http://registry")
    value = frame(7) + bytes([2 * len(BODY)]) + BODY if reading == "avro" else json.dumps({"body": BODY.decode()}).encode()
    job = Job(value, b"k", [("content-type", b"application/json"), ("a", b"1")], "t", 0, 1, 0, schema=PLAIN, frame=frame(9))
    enricher = Enricher(Capitals(), summary_sentences=3, summary_characters=400)
    [result] = run([job], enricher=enricher, settings=settings)
    assert isinstance(result, Done)
    assert dict(result.headers)["content-type"] == f"application/{writing}".encode()
    assert dict(result.headers)["a"] == b"1"
    if writing == "json":
        assert msgspec.json.decode(result.value)["article"] == {"body": BODY.decode()}
    else:
        assert result.value.startswith(frame(9))
    other = [Settings(input_format=reading, registry_url="http://registry"), settings]
    assert len({done.ce_id for one in other for done in run([job], enricher=enricher, settings=one) if isinstance(done, Done)}) == 1


def test_a_bad_avro_value_fails_alone() -> None:
    """Its batch mates come out."""
    settings = Settings(input_format="avro", registry_url="http://registry")
    good, bad = frame(7) + bytes([2 * len(BODY)]) + BODY, frame(7) + b"\x7f"
    jobs = [Job(value, b"k", [], "t", 0, number, 0, schema=PLAIN) for number, value in enumerate([good, bad, good])]
    results = run(jobs, enricher=Enricher(Capitals(), summary_sentences=3, summary_characters=400), settings=settings)
    assert [type(result) for result in results] == [Done, Failed, Done]
    assert isinstance(results[1], Failed)
    assert (results[1].reason, results[1].stage) == ("invalid_avro", "decode")
