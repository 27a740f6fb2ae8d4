"""What goes over the wire: the one source of ``schemas/``.

Three topics, three records. Field order is the order on the wire; every field is described, because the descriptions
become the JSON Schemas and the AsyncAPI document. Offsets are Unicode code points into the named field as received:
``article[field][start:end] == text``.
"""

import base64
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from worker.errors import Reason

EntityType = Literal["PER", "ORG", "LOC", "FAC", "EVENT", "PRODUCT", "MISC"]
"""One set of entity types for every language."""

FieldName = Literal["title", "body"]
StageName = Literal["language", "entities", "summary"]
StageStatus = Literal["ok", "unsupported_language"]

ENRICHED_SCHEMA: Final = "enriched-article/1"
DEAD_LETTER_SCHEMA: Final = "dead-letter/1"

Text = Annotated[str, Meta(pattern=r"^[^\u0000]*$")]
Offset = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=0)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class RawArticle(Struct, frozen=True, omit_defaults=True):
    """An article as it arrives on ``articles.raw``.

    Any other member is the sender's own and is carried on untouched. Where a member is given twice, the last one counts
    (RFC 8259 leaves it open). A record with the header ``content-type: text/plain`` is a bare body, its key the id.
    """

    body: Annotated[
        Text,
        Meta(description="The article's running text: not blank, without NUL.", min_length=1),
    ]
    id: Annotated[
        Text | None,
        Meta(description="The sender's id. Without one the record's key, else topic/partition/offset."),
    ] = None
    title: Annotated[Text | None, Meta(description="The headline.")] = None
    url: Annotated[Text | None, Meta(description="Where the article was published.")] = None
    source: Annotated[Text | None, Meta(description="Who published it.")] = None
    published_at: Annotated[Text | None, Meta(description="When it was published, RFC 3339. Carried on, not parsed.")] = None
    language: Annotated[
        Text | None,
        Meta(description="A hint, BCP 47: breaks ties between languages, never overrides clear text."),
    ] = None


class Language(Struct, frozen=True):
    """The language of the article's text."""

    code: Annotated[str, Meta(description="ISO 639 code in lower case, or `und` when there is nothing to tell.", pattern="^[a-z]{2,3}$")]
    confidence: Annotated[Fraction, Meta(description="How sure the detector is, 0 to 1; 0 for `und`.")]
    script: Annotated[
        str, Meta(description="ISO 15924 code of the prevailing script; `Zyyy` when there are no letters.", pattern="^[A-Z][a-z]{3}$")
    ]
    direction: Annotated[Literal["ltr", "rtl"], Meta(description="Writing direction of that script.")]


class Mention(Struct, frozen=True):
    """One place where an entity is named, clitics left out."""

    field: Annotated[FieldName, Meta(description="The member of the article the offsets point into.")]
    start: Annotated[Offset, Meta(description="First code point of the mention.")]
    end: Annotated[Offset, Meta(description="One past its last code point.")]
    text: Annotated[str, Meta(description="The mention as it stands there: article[field][start:end].", min_length=1)]


class Entity(Struct, frozen=True):
    """Somebody or something the article names, once, with all its mentions."""

    id: Annotated[str, Meta(description="Id within this article: e1 is the most salient.", pattern="^e[1-9][0-9]*$")]
    name: Annotated[str, Meta(description="Its fullest mention, in the article's own spelling.", min_length=1)]
    type: Annotated[EntityType, Meta(description="What it is: one set of types for every language.")]
    salience: Annotated[Fraction, Meta(description="Share of the article's attention; the entities of an article sum to 1.")]
    mentions: Annotated[list[Mention], Meta(description="Every mention, in the order title, body, then by start.", min_length=1)]


class SummarySentence(Struct, frozen=True):
    """A sentence the summary takes, whole."""

    field: Annotated[FieldName, Meta(description="The member of the article the offsets point into.")]
    start: Annotated[Offset, Meta(description="First code point of the sentence.")]
    end: Annotated[Offset, Meta(description="One past its last code point.")]


class Summary(Struct, frozen=True):
    """An extractive summary: whole sentences in the article's own words and order."""

    text: Annotated[str, Meta(description="The sentences, one space between; empty when the article has none.")]
    method: Annotated[str, Meta(description="How the sentences were chosen, with its version.")]
    sentences: Annotated[list[SummarySentence], Meta(description="Where they stand.")]


class Source(Struct, frozen=True):
    """The record an article came from."""

    topic: Annotated[str, Meta(description="Kafka topic.")]
    partition: Annotated[int, Meta(description="Partition of that topic.", ge=0)]
    offset: Annotated[int, Meta(description="Offset in that partition.", ge=0)]
    timestamp: Annotated[str | None, Meta(description="The record's timestamp, RFC 3339 in UTC; null where it has none.")]


class Model(Struct, frozen=True):
    """A model that took part."""

    stage: Annotated[str, Meta(description="The stage it served.")]
    name: Annotated[str, Meta(description="Its name.")]
    version: Annotated[str, Meta(description="Its version.")]
    sha256: Annotated[Sha256, Meta(description="SHA-256 over its files.")]


class Stage(Struct, frozen=True):
    """How one stage went."""

    status: Annotated[StageStatus, Meta(description="`unsupported_language`: no entity model for it, no error.")]
    seconds: Annotated[Seconds, Meta(description="Wall-clock time; a share of its batch where many articles ran at once.")]


class Provenance(Struct, frozen=True):
    """Who enriched the article, when, from what and with what."""

    worker: Annotated[str, Meta(description="Program and version.")]
    enriched_at: Annotated[str, Meta(description="RFC 3339 in UTC.")]
    source: Annotated[Source, Meta(description="The record it came from.")]
    models: Annotated[list[Model], Meta(description="The models that took part.")]
    stages: Annotated[dict[StageName, Stage], Meta(description="How each stage went.")]


class EnrichedArticle(Struct, frozen=True):
    """An article with language, entities and summary, as published on ``articles.enriched``.

    The key is the raw record's key, byte for byte; without one the article's id.
    """

    schema: Annotated[Literal["enriched-article/1"], Meta(description="Name and version of this record.")]
    id: Annotated[str, Meta(description="The article's id.", min_length=1)]
    article: Annotated[msgspec.Raw, Meta(description="The raw object, member for member, unknown ones included.")]
    language: Annotated[Language, Meta(description="The language of the text.")]
    entities: Annotated[list[Entity], Meta(description="One row an entity, most salient first.")]
    summary: Annotated[Summary, Meta(description="The extractive summary.")]
    provenance: Annotated[Provenance, Meta(description="Who, when, from what, with what.")]


class DeadLetter(Struct, frozen=True):
    """A record that can never succeed, as published on ``articles.dead-letter``, key: the raw key.

    ``khabar replay`` puts the original bytes, key and headers back.
    """

    schema: Annotated[Literal["dead-letter/1"], Meta(description="Name and version of this record.")]
    reason: Annotated[Reason, Meta(description="Why it can never succeed.")]
    stage: Annotated[str, Meta(description="Where it failed.")]
    error: Annotated[str, Meta(description="One line for people.")]
    value: Annotated[
        str | None,
        Meta(
            description="The original bytes, base64. Null only where the broker takes no dead letter of that size: read them at `source`."
        ),
    ]
    key: Annotated[str | None, Meta(description="The original key, base64; null where it had none.")]
    headers: Annotated[
        list[tuple[str, str | None]],
        Meta(description="The original headers in order: name and base64 value (null where it had none); a name may stand more than once."),
    ]
    source: Annotated[Source, Meta(description="The record it came from.")]
    worker: Annotated[str, Meta(description="Program and version.")]
    failed_at: Annotated[str, Meta(description="RFC 3339 in UTC.")]
    attempts: Annotated[int, Meta(description="How often it was tried.", ge=1)]


def read_dead_letter(value: bytes | None) -> DeadLetter:
    """Read a dead letter that anybody may have written.

    Raises:
        ValueError: it is none, or what stands there as base64 is none.
    """
    try:
        letter = msgspec.json.decode(value or b"", type=DeadLetter)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from error
    for text in (letter.value, letter.key, *(content for _, content in letter.headers)):
        base64.b64decode(text or "", validate=True)
    return letter
