"""The schema registry: the few calls of Confluent's REST API that are needed, each on a connection of its own.

Three ways to fail are told apart: it refuses, or is none (`RegistryError`, a person's business); it cannot be reached or is
not well (`UnreachableError`, asking again may help); what was asked for does not exist (`DecodeError`, it never will).

Source: https://docs.confluent.io/platform/current/schema-registry/develop/api.html
"""

import base64
import ssl
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec
from msgspec import Struct

from worker import log
from worker.errors import DecodeError, KhabarError, RegistryError
from worker.settings import Settings

ANSWER_SECONDS = 10.0
MOST_SCHEMA_BYTES = 256 * 1024
"""Characters of a schema with all it refers to."""
MOST_REFERENCES = 50
LARGEST_ID = 2**31 - 1
"""Ids are signed where registries are written in Java, which answer a larger one as if they had no such path."""
_MOST_ANSWER_BYTES = 4 * MOST_SCHEMA_BYTES
_MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
_ABSENT = frozenset((40401, 40402, 40403))
"""No such subject, version, schema: `error_code` of an answer with status 404, any other such answer is no registry's."""
_OK, _NOT_FOUND, _CONFLICT, _UNPROCESSABLE, _SERVER_ERROR = 200, 404, 409, 422, 500
_REFUSED = frozenset((401, 403, 407))
_PASSING = frozenset((408, 425, 429))

T = TypeVar("T")

logger = log.get()


class UnreachableError(KhabarError):
    """The registry does not answer, or says that it is not well."""


class _Reference(Struct, frozen=True):
    subject: str
    version: int


class _Answer(Struct, rename={"schema_type": "schemaType"}):
    """The members that are looked at, of whichever call."""

    status: int = 0
    schema: str | None = None
    schema_type: str = "AVRO"
    references: list[_Reference] | None = None
    id: int | None = None
    is_compatible: bool | None = None
    messages: list[Any] | None = None
    message: str | None = None
    error_code: int = 0
    too_large: bool = False

    @property
    def is_absent(self) -> bool:
        """Whether the registry does not have what was asked for."""
        return self.status == _NOT_FOUND and self.error_code in _ABSENT


_NONE = _Answer(status=_NOT_FOUND, error_code=40403)


class Registry:
    """A registry at one address."""

    def __init__(self, settings: Settings) -> None:
        """Prepare; nothing is asked yet.

        Raises:
            RegistryError: the file of authorities cannot be used.
        """
        self._url = settings.registry_url.rstrip("/")
        self._headers = {"Accept": f"{_MEDIA_TYPE}, application/json", "Content-Type": _MEDIA_TYPE, "Accept-Encoding": "identity"}
        if settings.registry_username:
            pair = f"{settings.registry_username}:{settings.registry_password}".encode()
            self._headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        try:
            self._tls = ssl.create_default_context(cafile=settings.registry_cafile or None)
        except OSError as error:  # ssl.SSLError is one
            message = f"KHABAR_REGISTRY_CAFILE cannot be used: {error}"
            raise RegistryError(message) from error

    async def schema(self, number: int) -> tuple[str, ...]:
        """Text of a schema, before it those it refers to.

        Raises:
            DecodeError: ``unknown_schema``: there is none of this id; ``invalid_avro``: it is not Avro, or too large.
            RegistryError, UnreachableError: see the module.
        """
        answer = await self._ask("GET", f"/schemas/ids/{number}") if number <= LARGEST_ID else _NONE
        if answer.is_absent:
            message = f"the registry has no schema {number}"
            raise DecodeError(message, reason="unknown_schema")
        texts: list[str] = []
        await self._gather(answer, number, set(), texts)
        return tuple(texts)

    async def _gather(self, answer: _Answer, number: int, seen: set[_Reference], texts: list[str]) -> None:
        """Add a schema to ``texts``, behind those it refers to."""
        if answer.schema_type != "AVRO":
            message = f"schema {number} is {answer.schema_type[:20]}, not Avro"
            raise DecodeError(message, reason="invalid_avro")
        for reference in answer.references or ():
            if reference in seen:
                continue
            seen.add(reference)
            referred = await self._ask("GET", f"/subjects/{quote(reference.subject, safe='')}/versions/{reference.version}")
            if referred.is_absent:
                message = f"the registry lacks version {reference.version} of {reference.subject[:100]}, to which schema {number} refers"
                raise DecodeError(message, reason="unknown_schema")
            await self._gather(referred, number, seen, texts)
        texts.append("" if answer.too_large else self._said(answer.schema, "a schema"))
        if answer.too_large or sum(map(len, texts)) > MOST_SCHEMA_BYTES or len(seen) > MOST_REFERENCES:
            message = f"schema {number} is too large: above {MOST_SCHEMA_BYTES} characters or {MOST_REFERENCES} references"
            raise DecodeError(message, reason="invalid_avro")

    async def has(self, subject: str) -> bool:
        """Whether there is a schema under a subject.

        Raises:
            RegistryError, UnreachableError: see the module.
        """
        return not (await self._ask("GET", f"/subjects/{quote(subject, safe='')}/versions/latest")).is_absent

    async def register(self, subject: str, schema: str) -> int:
        """Id of a schema under a subject; registered there if it is not yet, and if it is compatible.

        Raises:
            RegistryError: it is incompatible by the subject's own rule, or the registry refuses to take it.
            UnreachableError: see the module.
        """
        body, place = {"schema": schema}, quote(subject, safe="")
        known = await self._ask("POST", f"/subjects/{place}", body)
        if known.status == _OK:
            return self._said(known.id, "an id")
        judged = await self._ask("POST", f"/compatibility/subjects/{place}/versions/latest?verbose=true", body)
        if judged.is_compatible is False:
            raise RegistryError(_incompatible(subject, "; ".join(map(str, judged.messages or ()))))
        made = await self._ask("POST", f"/subjects/{place}/versions", body)
        if made.status == _CONFLICT:
            raise RegistryError(_incompatible(subject, made.message))
        if made.status != _OK:
            message = f"the schema registry does not take our schema for {subject} (HTTP {made.status}): {_short(made.message)}"
            raise RegistryError(message)
        logger.info("schema_registered", subject=subject, id=made.id)
        return self._said(made.id, "an id")

    def _said(self, part: T | None, name: str) -> T:
        if part is None:
            message = f"KHABAR_REGISTRY_URL={self._url} answers without {name}: is it a schema registry's?"
            raise RegistryError(message)
        return part

    async def _ask(self, method: str, path: str, body: dict[str, str] | None = None) -> _Answer:
        """One call: 200, or one of the answers that mean something (404 with a registry's code, 409, 422)."""
        try:
            status, content = await self._exchange(method, path, body)
        except (aiohttp.ClientSSLError, aiohttp.InvalidURL, aiohttp.ServerFingerprintMismatch) as error:
            message = f"the schema registry at {self._url} cannot be used: {_short(str(error))}"
            raise RegistryError(message) from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            message = f"the schema registry at {self._url} does not answer: {_short(str(error)) or type(error).__name__}"
            raise UnreachableError(message) from error
        if status >= _SERVER_ERROR or status in _PASSING:
            message = f"the schema registry at {self._url} is not well: HTTP {status}"
            raise UnreachableError(message)
        if status in _REFUSED:
            message = f"the schema registry at {self._url} refuses {method} {path}: HTTP {status} (KHABAR_REGISTRY_USERNAME, its password)"
            raise RegistryError(message)
        answer = _read(status, content)
        if answer is not None and (status in {_OK, _CONFLICT, _UNPROCESSABLE} or answer.is_absent):
            return answer
        message = f"KHABAR_REGISTRY_URL={self._url} answers HTTP {status} and no schema registry's: is the path right?"
        raise RegistryError(message)

    async def _exchange(self, method: str, path: str, body: dict[str, str] | None) -> tuple[int, bytes]:
        """Status and content; no redirect is followed, so that credentials go nowhere else."""
        data = None if body is None else msgspec.json.encode(body)
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._tls),
                timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
                auto_decompress=False,
            ) as session,
            session.request(method, self._url + path, data=data, headers=self._headers, allow_redirects=False) as response,
        ):
            content = bytearray()
            async for chunk in response.content.iter_chunked(64 * 1024):
                content += chunk
                if len(content) > _MOST_ANSWER_BYTES:
                    break
            return response.status, bytes(content)


def _read(status: int, content: bytes) -> _Answer | None:
    """A registry's answer; None where it is another program's."""
    if len(content) > _MOST_ANSWER_BYTES:
        return _Answer(status=status, too_large=True)
    try:
        answer = msgspec.json.decode(content, type=_Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    answer.status = status
    return answer


def _incompatible(subject: str, why: str | None) -> str:
    said = f": {_short(why)}" if why else ""
    return f"our schema is not compatible with the latest one of {subject}, by the registry's rule for it{said}"


def _short(text: str | None) -> str:
    return " ".join((text or "").split())[:300]
