"""Avro values in the Confluent wire format, the extra ``avro``: the only folder that imports fastavro.

A value is a zero byte, the four bytes of its schema's id in a registry (big-endian), and the record in Avro's binary
encoding. The worker's main process knows the registry and the ids; enricher processes know schemas and records.
"""

from importlib.util import find_spec

from worker.errors import SettingsError


def require() -> None:
    """See that the extra is installed.

    Raises:
        SettingsError: it is not.
    """
    if find_spec("fastavro") is None:
        message = "Avro needs the extra `avro`, which is not installed: pip install 'khabar[avro]'"
        raise SettingsError(message)
