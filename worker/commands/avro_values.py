"""Avro values as JSON, for people: what `khabar tail` shows where a schema registry is set."""

import asyncio

import msgspec

from worker import kafka
from worker.commands.console import say
from worker.errors import DecodeError, RegistryError
from worker.settings import Settings


class AvroValues:
    """Reads Avro values with the schemas of the registry, each asked for once."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is asked before the first Avro value."""
        self._settings = settings
        self._schemas: dict[int, tuple[str, ...]] = {}

    def as_json(self, record: kafka.Record) -> bytes | None:
        """A record's value: Avro as JSON, an enriched article in the form it has as JSON; anything else as it is.

        What cannot be read is a line on standard error, and stays as it is.

        Raises:
            SettingsError: the extra ``avro`` is not installed.
        """
        value = record.value
        if not self._settings.registry_url or not value or not value.startswith(b"\0"):
            return value
        from worker.avro import require
        from worker.avro.registry import UnreachableError

        require()
        try:
            return self._read(value, is_enriched=record.topic == self._settings.output_topic)
        except (DecodeError, RegistryError, UnreachableError, LookupError, TypeError, ValueError) as error:
            say(f"{record.topic}/{record.partition}/{record.offset}: {error}; shown as text")
            return value

    def _read(self, value: bytes, *, is_enriched: bool) -> bytes:
        from worker.avro.enriched import as_json
        from worker.avro.frame import schema_id
        from worker.avro.reading import read
        from worker.avro.registry import Registry

        number = schema_id(value)
        if number is None:
            return value
        if number not in self._schemas:
            self._schemas[number] = asyncio.run(Registry(self._settings).schema(number))
        schema = self._schemas[number]
        return as_json(value, schema) if is_enriched else msgspec.json.encode(read(value, schema=schema))
