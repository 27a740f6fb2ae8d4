"""`worker.enrich.job`: bytes of a record in, finished bytes or a reason out."""

import json
from dataclasses import replace

import msgspec
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event

from tests.unit.enrich.fakes import MODEL, Capitals
from worker.enrich.enricher import Enricher
from worker.enrich.job import Done, Failed, Headers, Job, run, timestamp
from worker.records import EnrichedArticle, Model
from worker.settings import Settings

SETTINGS = Settings(processes=1)
BODY = "Nadia Brand opened the old market hall on Monday. The hall had been closed for two years."


def job(
    value: bytes | str = BODY, *, key: bytes | None = b"k", headers: Headers | None = None, offset: int = 17, time: int | None = 0
) -> Job:
    """A record; a text becomes an article with that body."""
    data = value if isinstance(value, bytes) else json.dumps({"body": value}).encode()
    return Job(value=data, key=key, headers=headers or [], topic="articles.raw", partition=2, offset=offset, timestamp_ms=time)


def enrich(*jobs: Job, fails_on: str = "\0", settings: Settings = SETTINGS) -> list[Done | Failed]:
    """Run jobs with models that need no training."""
    return run(jobs, enricher=Enricher(Capitals(fails_on=fails_on), summary_sentences=3, summary_characters=400), settings=settings)


def done(one: Job) -> tuple[Done, EnrichedArticle]:
    """The one result, which must be an article that reads back."""
    [result] = enrich(one)
    assert isinstance(result, Done)
    return result, msgspec.json.decode(result.value, type=EnrichedArticle)


def test_an_article_comes_out_enriched() -> None:
    """Everything the wire format asks for is there, the raw object as it was."""
    value = b'{"id":"a-1","body":"' + BODY.encode() + b'","score":1.50}'
    result, article = done(job(value, time=1_700_000_000_123))
    assert bytes(article.article) == value
    assert (article.id, article.language.code, article.summary.text) == ("a-1", "en", BODY)
    assert article.entities[0].name == "Nadia Brand"
    assert article.provenance.source == msgspec.convert(
        {"topic": "articles.raw", "partition": 2, "offset": 17, "timestamp": "2023-11-14T22:13:20.123Z"},
        type=type(article.provenance.source),
    )
    assert [model.stage for model in article.provenance.models] == ["language", "entities"]
    assert article.provenance.enriched_at.endswith("Z")
    assert (result.key, result.article_id, result.language) == (b"k", "a-1", "en")
    assert result.entities == {"PER": len(article.entities)}
    assert set(result.seconds) == {"decode", "language", "entities", "summary"}


def test_models_that_took_no_part_are_not_named() -> None:
    """Without an entity model for the language only the detector stands in the provenance."""
    _, article = done(job("افتتحت البلدية السوق القديم صباح الاثنين."))
    assert [model.stage for model in article.provenance.models] == ["language"]


def test_models_of_other_languages_are_not_named() -> None:
    """Where each language has a model of its own the article names the one that read it, and its id is of that one."""

    class Own(Capitals):
        """A second model beside the one that reads English."""

        def models_for(self, language: str) -> tuple[Model, ...]:
            """One for English, one for all others."""
            return (MODEL if language == "en" else msgspec.structs.replace(MODEL, name="other", sha256="cd" * 32),)

    [result] = run([job()], enricher=Enricher(Own(), summary_sentences=3, summary_characters=400), settings=SETTINGS)
    assert isinstance(result, Done)
    article = msgspec.json.decode(result.value, type=EnrichedArticle)
    assert [model.name for model in article.provenance.models] == ["lid.176", MODEL.name]
    assert result.ce_id == done(job())[0].ce_id


@pytest.mark.parametrize(
    ("members", "key", "identity", "out"),
    [
        ({"id": "7"}, b"k", "7", b"k"),
        ({}, b"k", "k", b"k"),
        ({"id": " "}, "مفتاح".encode(), "مفتاح", "مفتاح".encode()),
        ({}, b"\xff\x00", "articles.raw/2/17", b"\xff\x00"),
        ({}, b"", "articles.raw/2/17", b""),
        ({}, b" ", "articles.raw/2/17", b" "),
        ({}, None, "articles.raw/2/17", b"articles.raw/2/17"),
        ({"id": "ع"}, None, "ع", "ع".encode()),
    ],
)
def test_id_and_key(members: dict[str, str], key: bytes | None, identity: str, out: bytes) -> None:
    """The id is the sender's, else the key's text, else the position; the key goes on byte for byte, else it is the id."""
    result, article = done(job(json.dumps({**members, "body": BODY}).encode(), key=key))
    assert (article.id, result.article_id, result.key) == (identity, identity, out)


def test_plain_text_record() -> None:
    """The header makes the value a bare body; its last value counts, whatever its case and parameters."""
    headers: Headers = [("content-type", b"application/json"), ("Content-Type", b"Text/Plain; charset=utf-8")]
    result, article = done(job(BODY.encode(), headers=headers, key=b"doc-1"))
    assert json.loads(bytes(article.article)) == {"body": BODY}
    assert result.article_id == "doc-1"
    [failed] = enrich(job(BODY.encode(), headers=[("content-type", None)]))
    assert isinstance(failed, Failed)
    assert failed.reason == "invalid_json"


def test_headers() -> None:
    """CloudEvents in binary mode; other headers are carried on in order, also doubled, empty and null ones."""
    carried: Headers = [("traceparent", b"00-ab"), ("x", b"1"), ("x", None), ("x", b""), ("content-typed", b"y"), ("ce_tenant", b"z")]
    result, _ = done(
        job(headers=[("CE_id", b"old"), *carried, ("Content-Type", b"application/json"), ("ce_dataschema", b"s")], time=1_700_000_000_000)
    )
    assert result.headers[: len(carried)] == carried
    own = dict(result.headers[len(carried) :])
    assert own == {
        "ce_specversion": b"1.0",
        "ce_id": result.ce_id.encode(),
        "ce_source": b"/khabar/articles.raw",
        "ce_type": b"khabar.article.enriched.v1",
        "ce_subject": b"k",
        "ce_time": b"2023-11-14T22:13:20.000Z",
        "content-type": b"application/json",
    }


def test_official_cloudevents_sdk_reads_it() -> None:
    """What is not ours says that it is a CloudEvent."""
    result, article = done(job(time=1_700_000_000_000))
    headers = {name: value for name, value in result.headers if value is not None}
    event = from_binary_event(KafkaMessage(headers=headers, key=result.key, value=result.value))
    assert (event.get_id(), event.get_type(), event.get_subject()) == (result.ce_id, "khabar.article.enriched.v1", article.id)
    data = event.get_data()
    assert isinstance(data, dict)
    assert data["id"] == article.id


def test_control_characters_stay_out_of_the_subject() -> None:
    """CloudEvents allows none in a string; the id itself keeps them."""
    result, article = done(job(b'{"id":"a\\u0007b","body":"' + BODY.encode() + b'"}'))
    assert article.id == "a\u0007b"
    assert "ce_subject" not in dict(result.headers)


def test_ce_id_is_of_the_record_and_the_models() -> None:
    """The same record has the same id; any other value, key, position, timestamp or model has another."""
    first = done(job())[0].ce_id
    assert done(job())[0].ce_id == first
    others = [job("Other text of the same kind."), job(key=None), job(key=b""), job(offset=18), job(time=None), job(time=1)]
    ids = [done(other)[0].ce_id for other in others]
    models = Capitals()
    models.models = (msgspec.structs.replace(MODEL, sha256="cd" * 32),)
    [result] = run([job()], enricher=Enricher(models, summary_sentences=3, summary_characters=400), settings=SETTINGS)
    assert isinstance(result, Done)
    assert len({first, result.ce_id, *ids}) == len(ids) + 2
    assert len(first) == 64


def test_order_is_kept_among_failures() -> None:
    """Each result stands where its record stood."""
    results = enrich(job(b"{"), job("One here."), job(b"\xff"), job("Two here."), job(b'{"body":" "}'))
    assert [result.reason if isinstance(result, Failed) else "done" for result in results] == [
        "invalid_json", "done", "invalid_utf8", "done", "empty_body",
    ]  # fmt: skip
    assert isinstance(results[0], Failed)
    assert results[0].stage == "decode"
    assert enrich() == []


def test_size_limit_is_the_settings() -> None:
    """`KHABAR_MAX_ARTICLE_BYTES` counts the record's value."""
    [result] = enrich(job(), settings=replace(SETTINGS, max_article_bytes=10))
    assert isinstance(result, Failed)
    assert result.reason == "too_large"


def test_only_the_culprit_fails() -> None:
    """Where a batch fails each article runs alone, and the one that fails alone says why, in one line."""
    poisoned = job(b'{"id": "a-2", "body": "Poison is in this one."}')
    results = enrich(job("One is fine here."), poisoned, job("Two is fine here."), fails_on="Poison")
    assert [type(result) for result in results] == [Done, Failed, Done]
    culprit = results[1]
    assert isinstance(culprit, Failed)
    assert (culprit.reason, culprit.stage, culprit.error) == ("enrich_failed", "enrich", "ValueError: cannot read Poison")
    assert culprit.article_id == "a-2"


def test_results_travel_as_msgpack() -> None:
    """What goes through the pipe comes out the same, and tells done from failed."""
    jobs = [job(headers=[("x", None)]), job(b"{")]
    results = enrich(*jobs)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(jobs), type=list[Job]) == jobs
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(results), type=list[Done | Failed]) == results


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (None, None),
        (-1, None),
        (0, "1970-01-01T00:00:00.000Z"),
        (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
        (2**62, None),
        (10**15, None),
    ],
)
def test_timestamps(milliseconds: int | None, text: str | None) -> None:
    """RFC 3339 in UTC, or none where there is none or no calendar reaches."""
    assert timestamp(milliseconds) == text
