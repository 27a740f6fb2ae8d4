"""The pool for Avro: schemas asked for once, held articles, a registry that is away or refuses, ids it does not know."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.unit.stream.fakes import FakePool, done, job
from worker import metrics
from worker.avro import schema as ours
from worker.avro.frame import frame
from worker.avro.registry import UnreachableError
from worker.enrich.job import Failed, Job
from worker.errors import DecodeError, Reason, RegistryError, SettingsError
from worker.settings import Settings
from worker.status import Status
from worker.stream import avro as module
from worker.stream.avro import AvroPool, before

SETTINGS = Settings(input_format="avro", output_format="avro", registry_url="http://registry")
AWAY = UnreachableError("the schema registry does not answer")
TEXT = ("schema",)


class FakeRegistry:
    """Answers with what the test prepared, in order; the last answer again and again."""

    def __init__(self, *answers: tuple[str, ...] | Exception) -> None:
        """Nothing asked yet."""
        self.answers = list(answers)
        self.asked: list[int | str] = []
        self.registered = ""

    def _next(self, question: int | str) -> tuple[str, ...]:
        self.asked.append(question)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def schema(self, number: int) -> tuple[str, ...]:
        """Text of a schema."""
        return self._next(number)

    async def has(self, subject: str) -> bool:
        """Not yet."""
        self._next(subject)
        return False

    async def register(self, subject: str, schema: str) -> int:
        """Take it as number 5."""
        self._next(subject)
        self.registered = schema
        return 5


class World:
    """An Avro pool with fakes around it; pauses take no time but a turn of the loop."""

    def __init__(self, *answers: tuple[str, ...] | Exception, settings: Settings = SETTINGS) -> None:
        """Wire it up."""
        self.pool, self.registry, self.status = FakePool(), FakeRegistry(*answers), Status(stall_timeout=300)
        self.pauses: list[float] = []
        for condition in ("models", "topics", "partitions"):
            self.status.met(condition)

        async def sleep(seconds: float) -> None:
            self.pauses.append(seconds)
            await asyncio.sleep(0)

        self.avro = AvroPool(self.pool, settings, status=self.status, registry=self.registry, sleep=sleep)  # type: ignore[arg-type]  # fakes


def play(scenario: Callable[[World], Awaitable[None]], *answers: tuple[str, ...] | Exception, settings: Settings = SETTINGS) -> World:
    """Run a scenario in a world of its own."""

    async def run() -> World:
        world = World(*answers, settings=settings)
        await scenario(world)
        await world.avro.stop()
        return world

    return asyncio.run(run())


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


def unknown(reason: Reason = "unknown_schema") -> DecodeError:
    """What the registry does not have."""
    return DecodeError("no such schema", reason=reason)


def article(offset: int = 0, *, schema: int = 7, **options: Any) -> Job:  # noqa: ANN401 - of a job
    """An Avro article."""
    return job(offset, value=frame(schema) + b"x", **options)


def test_articles_go_on_with_their_schema_which_is_asked_for_once() -> None:
    """Those that wait for it together, and those that come after."""

    async def scenario(world: World) -> None:
        first, second = world.avro.submit(article(0)), world.avro.submit(article(1))
        assert world.avro.waiting() == {first, second}
        await settle()
        world.avro.submit(article(2))
        assert [world.pool.jobs[offset].schema for offset in range(3)] == [TEXT] * 3
        assert world.registry.asked == [7]
        world.pool.answer(0, done(0))
        assert await first == done(0)

    play(scenario, TEXT)


def test_what_is_no_avro_needs_no_schema() -> None:
    """JSON that says so, a bare body, no frame, and what is too large to be read at all: the process tells what it is."""

    async def scenario(world: World) -> None:
        world.avro.submit(job(0, value=b"{}", headers=[("content-type", b"application/json")]))
        world.avro.submit(job(1, value=b"text", headers=[("Content-Type", b"text/plain; charset=utf-8")]))
        world.avro.submit(job(2, value=b"no frame"))
        world.avro.submit(job(3, value=frame(7) + b"x" * SETTINGS.max_article_bytes))
        assert [world.pool.jobs[offset].schema for offset in range(4)] == [()] * 4
        assert world.registry.asked == []
        world.avro.submit(article(4, headers=[("content-type", b"application/json")]))
        await settle()
        assert world.registry.asked == [7], "a zero byte is Avro whatever an old header says"

    play(scenario, TEXT)


def test_json_input_needs_no_schema_whatever_it_begins_with() -> None:
    """With Avro on the output alone every value is JSON."""
    settings = Settings(output_format="avro", registry_url="http://registry")

    async def scenario(world: World) -> None:
        world.avro.submit(article(0))
        assert world.pool.jobs[0].schema == ()

    assert play(scenario, TEXT, settings=settings).registry.asked == []


def test_a_registry_that_is_away_is_asked_for_ever() -> None:
    """Twenty failures: the article waits, un-acked; pauses grow up to a limit; the worker is not ready, and not stalled."""
    before = metrics.REGISTRY.get_sample_value("khabar_registry_retries_total") or 0

    async def scenario(world: World) -> None:
        future = world.avro.submit(article(0))
        await asyncio.sleep(0)
        assert world.status.not_ready() == ["registry"]
        while len(world.registry.asked) < 21:
            assert future in world.avro.waiting()
            await asyncio.sleep(0)
        await settle()
        assert world.pool.jobs[0].schema == TEXT
        assert world.status.not_ready() == []
        assert future not in world.avro.waiting() - world.pool.waiting()

    world = play(scenario, *[AWAY] * 19, RegistryError("refuses us"), TEXT)
    assert metrics.REGISTRY.get_sample_value("khabar_registry_retries_total") == before + 20
    assert world.pauses[0] <= 2 * module.FIRST_PAUSE_SECONDS
    assert module.LONGEST_PAUSE_SECONDS / 2 <= world.pauses[-1] <= module.LONGEST_PAUSE_SECONDS


def test_known_schemas_go_on_while_another_is_waited_for() -> None:
    """One sender's new schema does not stop the others."""

    async def scenario(world: World) -> None:
        world.avro.submit(article(0, schema=1))
        await settle()
        world.registry.answers = [AWAY]
        world.avro.submit(article(1, schema=2))
        await settle()
        world.avro.submit(article(2, schema=1))
        assert set(world.pool.jobs) == {0, 2}

    play(scenario, TEXT)


def test_a_released_article_is_not_asked_for_any_more() -> None:
    """A rebalance gives held articles up; the asking ends, and a later one of the same schema begins anew."""

    async def scenario(world: World) -> None:
        future = world.avro.submit(article(0))
        await settle()
        future.cancel()
        await settle()
        asked = len(world.registry.asked)
        await settle()
        assert len(world.registry.asked) == asked
        assert world.status.not_ready() == []
        assert world.avro.waiting() == set()
        world.registry.answers = [TEXT]
        world.avro.submit(article(1))
        await settle()
        assert set(world.pool.jobs) == {1}

    play(scenario, AWAY)


def test_a_stop_drops_what_is_held() -> None:
    """Nobody waits for an answer that will not come."""
    futures: list[asyncio.Future[Any]] = []

    async def scenario(world: World) -> None:
        futures.append(world.avro.submit(article(0)))
        await settle()

    world = play(scenario, AWAY)
    assert futures[0].cancelled()
    assert world.avro.waiting() == set()


@pytest.mark.parametrize(("reason", "times"), [("unknown_schema", 1 + module.ASKED_AGAIN), ("invalid_avro", 1)])
def test_what_the_registry_does_not_have_is_a_dead_letter(reason: Reason, times: int) -> None:
    """Asked for again shortly, in case a replica lags; then remembered for a while, and no process ever sees the article."""

    async def scenario(world: World) -> None:
        first = await world.avro.submit(article(0))
        assert first == (Failed(reason=reason, stage="decode", error="no such schema"), 1)
        assert len(world.registry.asked) == times
        assert await world.avro.run(article(1)) == first
        assert len(world.registry.asked) == times
        assert world.pool.jobs == {}

    play(scenario, unknown(reason))


def test_a_schema_that_comes_a_little_later_is_found() -> None:
    """The sender registered it with another replica of the registry."""

    async def scenario(world: World) -> None:
        world.avro.submit(article(0))
        await settle()
        assert world.pool.jobs[0].schema == TEXT

    play(scenario, unknown(), TEXT)


def test_an_unknown_id_is_forgotten_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be registered meanwhile; a replayed article then goes through."""
    monkeypatch.setattr(module, "UNKNOWN_SECONDS", 0.01)

    async def scenario(world: World) -> None:
        assert isinstance((await world.avro.submit(article(0))).result, Failed)
        await asyncio.sleep(0.05)
        world.registry.answers = [TEXT]
        world.avro.submit(article(1))
        await settle()
        assert world.pool.jobs[1].schema == TEXT

    play(scenario, unknown())


def test_so_many_schemas_are_kept_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes first."""
    monkeypatch.setattr(module, "SCHEMAS_KEPT", 3)

    async def scenario(world: World) -> None:
        for number in (*range(5), 4, 0):
            world.avro.submit(article(number, schema=number))
            await settle()
        assert world.registry.asked == [0, 1, 2, 3, 4, 0]

    play(scenario, TEXT)


def test_at_start_our_schema_is_registered_and_every_article_gets_its_frame() -> None:
    """Under the output topic's subject; the input topic's is looked at."""

    async def scenario(world: World) -> None:
        await world.avro.connect()
        world.avro.submit(article(0))
        await settle()
        assert world.pool.jobs[0].frame == frame(5)

    world = play(scenario, TEXT)
    assert world.registry.asked == ["articles.raw-value", "articles.enriched-value", 7]
    assert world.registry.registered == ours.enriched_text()


@pytest.mark.parametrize("form", ["input", "output"])
def test_only_what_is_avro_is_asked_about(form: str) -> None:
    """One side alone."""
    settings = Settings(**{f"{form}_format": "avro"}, registry_url="http://registry")  # type: ignore[arg-type]

    async def scenario(world: World) -> None:
        await world.avro.connect()

    topic = {"input": "articles.raw-value", "output": "articles.enriched-value"}[form]
    assert play(scenario, TEXT, settings=settings).registry.asked == [topic]


def test_a_registry_that_is_away_at_start_is_tried_for_a_while() -> None:
    """Then it is a person's business: one line, and the worker ends."""

    async def scenario(world: World) -> None:
        with pytest.raises(RegistryError, match="does not answer"):
            await world.avro.connect()
        assert world.pauses == list(module.START_PAUSES)
        world.pauses.clear()
        world.registry.answers = [AWAY, AWAY, TEXT]
        await world.avro.connect()
        assert len(world.pauses) == 2

    play(scenario, AWAY)


def test_a_refusal_at_start_is_not_waited_out() -> None:
    """Wrong credentials stay wrong."""

    async def scenario(world: World) -> None:
        with pytest.raises(RegistryError, match="refuses"):
            await world.avro.connect()
        assert world.pauses == []

    play(scenario, RegistryError("refuses us"))


def test_nothing_stands_before_the_pool_without_avro(monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON is the default and needs neither registry nor extra; Avro without the extra is one line."""
    pool: Any = FakePool()
    assert before(pool, Settings(), Status(stall_timeout=1)) is None
    assert isinstance(before(pool, SETTINGS, Status(stall_timeout=1)), AvroPool)
    monkeypatch.setattr("worker.avro.find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"khabar\[avro\]"):
        before(pool, SETTINGS, Status(stall_timeout=1))
