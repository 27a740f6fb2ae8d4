"""What the live page is told, without a socket."""

import asyncio
import itertools
import json
from typing import Any

import msgspec
import pytest

from worker import feed
from worker.avro.enriched import write
from worker.avro.frame import frame
from worker.feed import Feed, shown
from worker.records import EnrichedArticle
from worker.status import Status


class Reader:
    """Takes events; ends the feed after so many writes."""

    def __init__(self, wanted: int) -> None:
        """End after ``wanted`` writes."""
        self.wanted = wanted
        self.pieces: list[bytes] = []
        self.feed: Feed | None = None

    async def __call__(self, piece: bytes) -> None:
        """Take one piece."""
        self.pieces.append(piece)
        if len(self.pieces) >= self.wanted and self.feed:
            self.feed.close()

    def events(self, name: str) -> list[dict[str, Any]]:
        """Data of every event of this name."""
        lines = b"".join(self.pieces).decode().split("\n")
        return [json.loads(data.removeprefix("data: ")) for event, data in itertools.pairwise(lines) if event == f"event: {name}"]


def follow(status: Status, *, writes: int, clock: Any = None) -> Reader:  # noqa: ANN401 - a clock or none
    """Follow a status for so many writes."""
    reader = Reader(writes)

    async def run() -> None:
        reader.feed = Feed(status, clock=clock) if clock else Feed(status)
        await reader.feed.follow(reader)

    asyncio.run(run())
    return reader


def test_long_bodies_are_cut_and_mentions_beyond_left_out(enriched: Any) -> None:  # noqa: ANN401 - a fixture
    """The page gets the beginning, says how much is missing, and no offset outside of it."""
    body = "Cairo " + "x" * feed.BODY_LENGTH + " Amman"
    row = shown(enriched({"body": body}, names={"Cairo": "LOC", "Amman": "LOC"}))
    assert len(row["body"]) == feed.BODY_LENGTH
    assert row["left_out"] == len(body) - feed.BODY_LENGTH
    assert [entity.mentions for entity in row["entities"]] == [[("body", 0, 5)], []]


def test_an_article_in_avro_is_shown_like_one_in_json(enriched: Any) -> None:  # noqa: ANN401 - a fixture
    """What was published is what the page is told of, in whichever form."""
    value = enriched({"title": "Cairo", "body": "In Cairo.", "source": "s", "n": 1}, names={"Cairo": "LOC"})
    assert shown(frame(7) + write(msgspec.json.decode(value, type=EnrichedArticle))) == shown(value)


def test_members_of_other_kinds_are_no_text(enriched: Any) -> None:  # noqa: ANN401 - a fixture
    """A `source` that is an object is the sender's own business."""
    row = shown(enriched({"body": "Text.", "source": {"name": "x"}}, status="unsupported_language", language="sv"))
    assert (row["source"], row["title"], row["unsupported"]) == ("", "", True)
    assert shown(enriched({"body": "Text.", "source": "Wire"}))["source"] == "Wire"


def test_rates_are_over_the_window() -> None:
    """Rates are differences over the window, not over all time."""
    now = 0.0
    status = Status(stall_timeout=5, clock=lambda: now)
    one = Feed(status, clock=lambda: now)
    assert one.stats()["published_rate"] == 0.0
    now = 2.0
    for _ in range(10):
        status.dead_lettered()
    status.published(b"{}")
    assert one.stats()["dead_lettered_rate"] == 5.0
    assert one.stats()["published_rate"] == 0.5


def test_a_burst_sends_the_newest_only(enriched: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 - a fixture
    """Nobody reads fifty articles a second: the newest are sent, the counts tell the rest."""
    monkeypatch.setattr(feed, "TICK_SECONDS", 0.01)
    status = Status(stall_timeout=5)
    status.published(enriched({"id": "0", "body": "Text."}))

    class Burst(Reader):
        async def __call__(self, piece: bytes) -> None:
            await super().__call__(piece)
            if b'"id":"0"' in piece:
                for number in range(1, 31):
                    status.published(enriched({"id": str(number), "body": "Text."}))

    reader = Burst(3)

    async def run() -> None:
        reader.feed = Feed(status)
        await reader.feed.follow(reader)

    asyncio.run(run())
    assert [row["id"] for row in reader.events("article")] == ["0", *(str(number) for number in range(23, 31))]


def test_an_event_is_one_line_whatever_the_article_holds(enriched: Any) -> None:  # noqa: ANN401 - a fixture
    """Line ends in an article cannot end an event or forge another."""
    status = Status(stall_timeout=5)
    status.published(enriched({"id": "x\n\nevent: stats\ndata: {}", "body": "a\r\n\r\nevent: hello\ndata: 1\u2028b"}))
    reader = follow(status, writes=2)
    assert len(reader.events("article")) == 1
    assert len(reader.events("stats")) == 1
    assert b"\r" not in b"".join(reader.pieces)


def test_a_quiet_stream_still_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without news the stats come again, so that proxies and browsers keep the line open."""
    monkeypatch.setattr(feed, "TICK_SECONDS", 0.01)
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 4
        return now

    reader = follow(Status(stall_timeout=5), writes=4, clock=clock)
    assert len(reader.events("stats")) == 3


def test_a_reader_that_takes_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that hangs ends the feed of that reader."""
    monkeypatch.setattr(feed, "WRITE_SECONDS", 0.05)

    async def hang(_piece: bytes) -> None:
        await asyncio.sleep(10)

    async def run() -> None:
        await Feed(Status(stall_timeout=5)).follow(hang)

    with pytest.raises(TimeoutError):
        asyncio.run(run())


def test_events_are_forgotten_with_the_articles(enriched: Any) -> None:  # noqa: ANN401 - a fixture
    """What is kept for other pages is bounded."""
    status = Status(stall_timeout=5)
    one = Feed(status)
    for number in range(1, 200):
        one._article(number, enriched({"body": "Text."}))  # noqa: SLF001 - its memory is what is tested
    assert len(one._events) <= 51  # noqa: SLF001 - its memory is what is tested


def test_a_page_without_its_script_is_refused() -> None:
    """A page that was edited into two scripts would lose its policy; better it fails at start."""
    with pytest.raises(RuntimeError, match="2 <script> elements"):
        feed._inner("<script>a</script><script>b</script>", "script")  # noqa: SLF001 - a broken package cannot be made otherwise
