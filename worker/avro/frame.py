"""The five bytes before an Avro record: a zero and the id of the schema it was written with.

Source: https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
"""

import struct

MAGIC = 0
LENGTH = 5
_HEAD = struct.Struct(">BI")


def frame(schema_id: int) -> bytes:
    """The bytes that stand before a record of this schema."""
    return _HEAD.pack(MAGIC, schema_id)


def schema_id(value: bytes) -> int | None:
    """The id in a value's frame; None where the value has no frame."""
    if len(value) < LENGTH or value[0] != MAGIC:
        return None
    _, number = _HEAD.unpack_from(value)
    return int(number)
