"""JSON, Avro or a bare body: what form a record's value has, and the readers and writers of each."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from worker.decode import Decoded, decode
from worker.records import EnrichedArticle
from worker.settings import Settings, ValueFormat

Form = Literal["text", "json", "avro"]


def form(value: bytes, headers: Sequence[tuple[str, bytes | None]], *, expected: ValueFormat) -> Form:
    """What a raw value is read as.

    The ``content-type`` says it: text/plain is a bare body, application/json JSON; without either of them it is as
    expected. Where Avro is expected, a value that begins with Avro's zero byte is Avro whatever a header says that the
    sender's change to Avro forgot: no JSON begins so.
    """
    if expected == "avro" and value.startswith(b"\0"):
        return "avro"
    kinds = [content or b"" for name, content in headers if name.lower() == "content-type"]  # the last one counts
    kind = kinds[-1].lower().split(b";")[0].strip() if kinds else b""
    if kind == b"text/plain":
        return "text"
    return "json" if kind == b"application/json" else expected


def read(value: bytes, headers: Sequence[tuple[str, bytes | None]], schema: tuple[str, ...], *, settings: Settings) -> Decoded:
    """Read a raw value; ``schema`` is what an Avro one was written with.

    Raises:
        DecodeError: and nothing else.
    """
    kind = form(value, headers, expected=settings.input_format)
    if kind == "avro":
        from worker.avro.reading import read_article

        return read_article(value, schema=schema, max_bytes=settings.max_article_bytes)
    return decode(value, plain_text=kind == "text", max_bytes=settings.max_article_bytes)


def write(article: EnrichedArticle, frame: bytes, *, settings: Settings) -> tuple[bytes, bytes]:
    """Value and content type of an enriched article; ``frame`` goes before an Avro one."""
    if settings.output_format == "json":
        return msgspec.json.encode(article), b"application/json"
    from worker.avro import enriched

    return frame + enriched.write(article), enriched.CONTENT_TYPE
