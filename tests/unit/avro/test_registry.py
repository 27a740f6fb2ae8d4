"""The registry's client against a server that answers as told, over real HTTP: each failure is told apart."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.security import certificates
from worker.avro import registry as module
from worker.avro.registry import Registry, UnreachableError
from worker.broker import free_port
from worker.errors import DecodeError, RegistryError
from worker.settings import Settings

Answer = tuple[int, Any]
SCHEMA = '{"type":"record","name":"A","fields":[]}'
GOOD = {"schema": SCHEMA}


def play(answers: dict[str, Answer | list[Answer]], ask: Callable[[Registry], Awaitable[Any]], **settings: str) -> tuple[Any, list[str]]:
    """Serve these answers by method and path, and ask; what came of it, and the calls that were made."""
    calls: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        call = f"{request.method} {request.path_qs}"
        calls.append(call)
        said = answers.get(call, (404, {"error_code": 40401, "message": "none"}))
        status, body = said.pop(0) if isinstance(said, list) else said
        headers = {"Location": "http://127.0.0.1:9/"} if 300 <= status < 400 else {}
        return web.Response(status=status, text=body, headers=headers) if isinstance(body, str) else web.json_response(body, status=status)

    async def scenario() -> Any:  # noqa: ANN401 - whatever is asked
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(application)
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            options = {"registry_url": f"http://127.0.0.1:{port}", **settings}
            return await ask(Registry(Settings(**options)))  # type: ignore[arg-type]  # strings all
        finally:
            await runner.cleanup()

    return asyncio.run(scenario()), calls


def refused(kind: type[Exception], answers: dict[str, Any], ask: Callable[[Registry], Awaitable[Any]], **settings: str) -> str:
    """The one line of the error that comes of it."""
    with pytest.raises(kind) as caught:
        play(answers, ask, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_schema_is_its_text() -> None:
    """Whether the registry names its type or, as for Avro it need not, does not."""
    for answer in (GOOD, {**GOOD, "schemaType": "AVRO", "references": []}):
        assert play({"GET /schemas/ids/7": (200, answer)}, lambda registry: registry.schema(7))[0] == (SCHEMA,)


def test_references_come_first_and_once() -> None:
    """Also where two refer to the same; a circle ends."""
    one, two = {"name": "o", "subject": "o n/e", "version": 1}, {"name": "t", "subject": "two", "version": 3}
    texts, calls = play(
        {
            "GET /schemas/ids/7": (200, {"schema": "main", "references": [one, two]}),
            "GET /subjects/o%20n%2Fe/versions/1": (200, {"schema": "one", "references": [two]}),
            "GET /subjects/two/versions/3": (200, {"schema": "two", "references": [one]}),
        },
        lambda registry: registry.schema(7),
    )
    assert texts == ("two", "one", "main")
    assert len(calls) == 3


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((404, {"error_code": 40403, "message": "Schema not found"}), "unknown_schema"),
        ((200, {**GOOD, "schemaType": "PROTOBUF"}), "invalid_avro"),
        ((200, {"schema": "x" * (module.MOST_SCHEMA_BYTES + 1)}), "invalid_avro"),
        ((200, {"schema": "x" * 20 * module.MOST_SCHEMA_BYTES}), "invalid_avro"),
        ((200, {**GOOD, "references": [{"name": "r", "subject": "r", "version": 1}]}), "unknown_schema"),
        ((200, {**GOOD, "references": [{"name": "r", "subject": "same", "version": number} for number in range(60)]}), "invalid_avro"),
    ],
)
def test_what_will_never_be_read_is_the_articles_own_failure(answer: Answer, reason: str) -> None:
    """No such id, no Avro, too large, with a reference that leads nowhere or too many of them."""
    answers: dict[str, Any] = {f"GET /subjects/same/versions/{number}": (200, GOOD) for number in range(60)}
    with pytest.raises(DecodeError) as caught:
        play({**answers, "GET /schemas/ids/7": answer}, lambda registry: registry.schema(7))
    assert caught.value.reason == reason


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_registry_that_is_not_well_may_be_asked_again(status: int) -> None:
    """Its own errors, a proxy's before it, too many questions."""
    assert f"HTTP {status}" in refused(UnreachableError, {"GET /schemas/ids/7": (status, {"error_code": status * 100})}, ask_for_7)


async def ask_for_7(registry: Registry) -> object:
    """Ask for schema 7."""
    return await registry.schema(7)


def test_nobody_there_may_be_asked_again() -> None:
    """A refused connection, and one that is silent for too long."""
    url = f"http://127.0.0.1:{free_port()}"
    assert "does not answer" in refused(UnreachableError, {}, ask_for_7, registry_url=url)


def test_silence_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes the question and says nothing."""
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.2)

    async def scenario() -> None:
        heard = asyncio.Event()

        async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await heard.wait()
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_server(silent, "127.0.0.1", port := free_port())
        with pytest.raises(UnreachableError, match="does not answer"):
            await Registry(Settings(registry_url=f"http://127.0.0.1:{port}")).schema(7)
        heard.set()
        server.close()
        await asyncio.sleep(0.1)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((401, {"error_code": 40101, "message": "Unauthorized"}), "refuses GET /schemas/ids/7: HTTP 401"),
        ((403, "forbidden"), "refuses GET"),
        ((302, "elsewhere"), "HTTP 302"),
        ((404, "<h1>Not Found</h1>"), "is the path right?"),
        ((404, {"detail": "no such path"}), "is the path right?"),
        ((200, "<html>log in</html>"), "is the path right?"),
        ((200, {"hello": "world"}), "answers without a schema"),
        ((200, {"schema": 5}), "is the path right?"),
        ((200, "[" * 5000), "is the path right?"),
    ],
)
def test_what_refuses_or_is_no_registry_is_a_persons_business(answer: Answer, said: str) -> None:
    """Wrong credentials, a redirect (not followed), another program at that address."""
    assert said in refused(RegistryError, {"GET /schemas/ids/7": answer}, ask_for_7)


def test_credentials_are_sent_and_never_shown() -> None:
    """Basic authentication; the password is in no error."""
    seen: list[str] = []

    async def scenario() -> None:
        async def answer(request: web.Request) -> web.Response:
            seen.append(request.headers.get("Authorization", ""))
            return web.json_response({"error_code": 40301}, status=403)

        application = web.Application()
        application.router.add_get("/{path:.*}", answer)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port := free_port()).start()
        settings = Settings(registry_url=f"http://127.0.0.1:{port}/", registry_username="me", registry_password="hunter-two")  # noqa: S106
        with pytest.raises(RegistryError) as caught:
            await Registry(settings).schema(1)
        assert "hunter-two" not in str(caught.value)
        await runner.cleanup()

    asyncio.run(scenario())
    assert seen == ["Basic bWU6aHVudGVyLXR3bw=="]


REGISTER = "POST /subjects/s-value/versions"
JUDGE = "POST /compatibility/subjects/s-value/versions/latest?verbose=true"
LOOK = "POST /subjects/s-value"


async def register(registry: Registry) -> int:
    """Register a schema."""
    return await registry.register("s-value", SCHEMA)


def test_a_schema_that_is_there_is_not_registered_again() -> None:
    """Nor judged: reading is right enough for a worker whose schema somebody else registers."""
    number, calls = play({LOOK: (200, {"id": 5, "version": 2, "subject": "s-value"})}, register)
    assert (number, calls) == (5, [LOOK])


@pytest.mark.parametrize(
    "judged",
    [(404, {"error_code": 40401}), (404, {"error_code": 40402}), (200, {"is_compatible": True})],
    ids=["new", "empty", "compatible"],
)
def test_a_new_schema_is_judged_and_registered(judged: Answer) -> None:
    """In that order."""
    number, calls = play({JUDGE: judged, REGISTER: (200, {"id": 9})}, register)
    assert (number, calls) == (9, [LOOK, JUDGE, REGISTER])


@pytest.mark.parametrize(
    "answers",
    [
        {JUDGE: (200, {"is_compatible": False, "messages": ["READER_FIELD_MISSING\nat /fields/2"]})},
        {JUDGE: (200, {"is_compatible": False})},
        {REGISTER: (409, {"error_code": 409, "message": "incompatible with an earlier schema"})},
    ],
)
def test_an_incompatible_schema_is_a_persons_business(answers: dict[str, Any]) -> None:
    """Said by the check, or by a registry whose check sees only the latest version."""
    assert "not compatible with the latest one of s-value" in refused(RegistryError, answers, register)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({REGISTER: (422, {"error_code": 42201, "message": "Invalid schema"})}, "Invalid schema"),
        ({REGISTER: (403, {"error_code": 40301})}, "refuses POST /subjects/s-value/versions"),
        ({REGISTER: (200, {})}, "without an id"),
    ],
)
def test_a_registry_that_does_not_take_it_says_why(answers: dict[str, Any], said: str) -> None:
    """Read-only, or of another opinion."""
    assert said in refused(RegistryError, answers, register)


def test_whether_a_subject_has_a_schema() -> None:
    """However large it is: whoever registers one for the input topic cannot keep the worker from starting."""

    async def has(registry: Registry) -> bool:
        return await registry.has("s-value")

    path = "GET /subjects/s-value/versions/latest"
    assert play({}, has)[0] is False
    assert play({path: (200, {"id": 4, "schema": SCHEMA})}, has)[0] is True
    assert play({path: (200, {"id": 4, "schema": "x" * 5_000_000})}, has)[0] is True


def test_an_id_that_no_registry_can_have_is_not_asked_about() -> None:
    """Confluent's registry answers it like a wrong path, and the article would wait for ever."""
    with pytest.raises(DecodeError) as caught:
        play({}, lambda registry: registry.schema(2**31), registry_url="http://127.0.0.1:9")
    assert caught.value.reason == "unknown_schema"


def test_the_certificate_is_checked(tmp_path: Path) -> None:
    """By the authorities that are set; a stranger's is refused, at once and in one line that says why."""
    made = certificates.make(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.path("broker.pem"), made.path("broker.key"))

    async def scenario() -> None:
        async def answer(_: web.Request) -> web.Response:
            return web.json_response(GOOD)

        application = web.Application()
        application.router.add_get("/{path:.*}", answer)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port := free_port(), ssl_context=context).start()
        url = f"https://localhost:{port}"
        assert await Registry(Settings(registry_url=url, registry_cafile=made.path("ca.pem"))).schema(1) == (SCHEMA,)
        for authority in (made.path("other-ca.pem"), ""):
            with pytest.raises(RegistryError, match="CERTIFICATE_VERIFY_FAILED"):
                await Registry(Settings(registry_url=url, registry_cafile=authority)).schema(1)
        await runner.cleanup()

    asyncio.run(scenario())


def test_a_file_of_authorities_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    """Missing, or no certificate."""
    (tmp_path / "bad.pem").write_text("no certificate")
    for name in ("bad.pem", "none.pem"):
        with pytest.raises(RegistryError, match="KHABAR_REGISTRY_CAFILE"):
            Registry(Settings(registry_url="https://localhost", registry_cafile=str(tmp_path / name)))
