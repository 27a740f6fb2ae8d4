"""Avro as JSON for people: with a registry that answers, one that does not, and none."""

import json
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from worker.avro import registry as module
from worker.avro.enriched import write
from worker.avro.frame import frame
from worker.avro.registry import UnreachableError
from worker.avro.schema import enriched_text
from worker.commands.avro_values import AvroValues
from worker.errors import DecodeError, RegistryError, SettingsError
from worker.records import EnrichedArticle
from worker.settings import Settings

SETTINGS = Settings(registry_url="http://registry")
PLAIN = '{"type":"record","name":"A","fields":[{"name":"body","type":"string"},{"name":"picture","type":"bytes"}]}'


def record(value: bytes | None, *, topic: str = "articles.raw") -> Any:  # noqa: ANN401 - what is needed of kafka-python's record
    """A consumed record."""
    return SimpleNamespace(topic=topic, partition=0, offset=3, value=value)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ids that were asked for; 1 is the plain schema, 2 the enriched article's, 3 unknown, 4 and 5 trouble."""
    numbers: list[int] = []
    answers: dict[int, str | Exception] = {
        1: PLAIN,
        2: enriched_text(),
        3: DecodeError("the registry has no schema 3", reason="unknown_schema"),
        4: UnreachableError("does not answer"),
        5: RegistryError("refuses"),
    }

    async def schema(_: object, number: int) -> tuple[str, ...]:
        numbers.append(number)
        answer = answers[number]
        if isinstance(answer, Exception):
            raise answer
        return (answer,)

    monkeypatch.setattr(module.Registry, "schema", schema)
    return numbers


def test_avro_becomes_json_and_each_schema_is_asked_for_once(asked: list[int]) -> None:
    """Whatever the record is."""
    values = AvroValues(SETTINGS)
    for _ in range(3):
        assert json.loads(values.as_json(record(frame(1) + b"\x02b\x02\xff")) or b"") == {"body": "b", "picture": "/w=="}
    assert asked == [1]


def test_an_enriched_article_has_the_form_it_has_as_json(asked: list[int], enriched: Any) -> None:  # noqa: ANN401 - a fixture
    """So that one filter serves both formats."""
    value = enriched({"body": "In Cairo.", "n": 1.50}, names={"Cairo": "LOC"})
    avro = frame(2) + write(msgspec.json.decode(value, type=EnrichedArticle))
    assert json.loads(AvroValues(SETTINGS).as_json(record(avro, topic="articles.enriched")) or b"") == json.loads(value)
    assert asked == [2]


@pytest.mark.parametrize("value", [None, b"", b"{}", b"text", b"\x00\x01"])
def test_what_is_no_avro_stays_what_it_is(asked: list[int], value: bytes | None) -> None:
    """JSON, text, tombstones, too little for a frame."""
    assert AvroValues(SETTINGS).as_json(record(value)) == value
    assert asked == []


@pytest.mark.parametrize(
    ("value", "topic", "said"),
    [
        (frame(3), "articles.raw", "has no schema 3"),
        (frame(4), "articles.raw", "does not answer"),
        (frame(5), "articles.raw", "refuses"),
        (frame(1) + b"\x04b", "articles.raw", "do not fit"),
        (frame(1) + b"\x02b\x00", "articles.enriched", "article"),
    ],
)
@pytest.mark.usefixtures("asked")
def test_what_cannot_be_read_is_a_line_and_stays_what_it_is(
    value: bytes, topic: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Watching goes on."""
    assert AvroValues(SETTINGS).as_json(record(value, topic=topic)) == value
    err = capsys.readouterr().err
    assert said in err
    assert f"{topic}/0/3" in err


def test_without_a_registry_nothing_is_asked(asked: list[int]) -> None:
    """A zero byte may be anything."""
    assert AvroValues(Settings()).as_json(record(frame(1))) == frame(1)
    assert asked == []


def test_without_the_extra_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install."""
    monkeypatch.setattr("worker.avro.find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"khabar\[avro\]"):
        AvroValues(SETTINGS).as_json(record(frame(1)))
