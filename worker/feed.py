"""The live page and its feed of server-sent events (WHATWG HTML, section 9.2).

Three kinds of event: ``hello`` (the worker's version), ``stats`` (counts, rates a second, lag, what is waited for) twice a second at
most and every `HEARTBEAT_SECONDS` at least, and ``article`` with what the page shows of one enriched article. An event's
id is ``run-number``: a browser that comes back says the last one it saw (``Last-Event-ID``) and gets what it missed; ids
of an earlier run of the worker count as none.
"""

import asyncio
import base64
import hashlib
import re
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import msgspec

from worker import __version__
from worker.records import EnrichedArticle, FieldName
from worker.status import RECENT_ARTICLES, Status

TICK_SECONDS = 0.5
HEARTBEAT_SECONDS = 10.0
WRITE_SECONDS = 20.0
"""A browser that takes nothing for so long is let go."""
RATE_SECONDS = 10.0
"""Rates are over this window."""
ARTICLES_A_TICK = 8
"""Articles sent a tick at most, the newest: nobody reads faster, and the counts tell the rest."""
BODY_LENGTH = 12_000
"""Code points of a body the page gets; it says where it was cut."""
ENTITIES = 150

Write = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True)
class Page:
    """The page and the content security policy that allows its own script and style, by hash, and nothing else."""

    html: bytes
    policy: str


def load_page() -> Page:
    """Read ``page.html`` from the package."""
    html = files("worker").joinpath("page.html").read_text(encoding="utf-8")
    style, script = (_hash(_inner(html, tag)) for tag in ("style", "script"))
    policy = "; ".join(
        [
            "default-src 'none'",
            f"style-src '{style}'",
            f"script-src '{script}'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ]
    )
    return Page(html=html.encode(), policy=policy)


def _inner(html: str, tag: str) -> str:
    found = re.findall(rf"<{tag}>(.*?)</{tag}>", html, flags=re.DOTALL)
    if len(found) != 1:
        message = f"page.html has {len(found)} <{tag}> elements instead of one"
        raise RuntimeError(message)
    return str(found[0])


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


class _Row(msgspec.Struct):
    """What the page shows of an entity; mentions are [field, start, end]."""

    name: str
    type: str
    salience: float
    mentions: list[tuple[FieldName, int, int]]


def shown(value: bytes) -> dict[str, Any]:
    """What the page gets of an enriched article: texts cut to `BODY_LENGTH` code points, mentions that lie in them."""
    if value.startswith(b"\0"):
        from worker.avro.enriched import as_json

        value = as_json(value)
    article = msgspec.json.decode(value, type=EnrichedArticle)
    raw = msgspec.json.decode(article.article)
    texts = {name: text for name in ("title", "body") if isinstance(text := raw.get(name), str)}
    cut = {name: text[:BODY_LENGTH] for name, text in texts.items()}
    rows = []
    for entity in article.entities[:ENTITIES]:
        inside = [(m.field, m.start, m.end) for m in entity.mentions if m.end <= len(cut.get(m.field, ""))]
        rows.append(_Row(name=entity.name, type=entity.type, salience=entity.salience, mentions=inside))
    source = article.provenance.source
    return {
        "id": article.id[:200],
        "title": cut.get("title", ""),
        "body": cut.get("body", ""),
        "left_out": len(texts.get("body", "")) - len(cut.get("body", "")),
        "source": text[:100] if isinstance(text := raw.get("source"), str) else "",
        "language": article.language,
        "entities": rows,
        "summary": article.summary.text[:BODY_LENGTH],
        "unsupported": article.provenance.stages["entities"].status != "ok",
        "position": f"{source.topic}/{source.partition}/{source.offset}",
        "enriched_at": article.provenance.enriched_at,
        "seconds": sum(stage.seconds for stage in article.provenance.stages.values()),
        "models": [f"{model.name} {model.version}" for model in article.provenance.models if model.stage == "entities"],
    }


class Feed:
    """Turns a `Status` into events for any number of browsers; what is costly is done once for all of them."""

    def __init__(self, status: Status, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Follow ``status``; ``clock`` gives seconds."""
        self._status = status
        self._clock = clock
        self._run = secrets.token_hex(4)
        self._closed = asyncio.Event()
        self._counts: deque[tuple[float, int, int]] = deque(maxlen=int(RATE_SECONDS / TICK_SECONDS) + 1)
        self._events: dict[int, bytes] = {}
        self._sample()

    def close(self) -> None:
        """End every `follow`."""
        self._closed.set()

    async def tick_forever(self) -> None:
        """Sample the counts, for the rates."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._sample()

    def _sample(self) -> None:
        published, dead_lettered, _ = self._status.counts()
        self._counts.append((self._clock(), published, dead_lettered))

    def stats(self) -> dict[str, Any]:
        """Counts since start, rates a second over the last `RATE_SECONDS`, lag in articles, and what is not well."""
        published, dead_lettered, lag = self._status.counts()
        then, published_then, dead_then = self._counts[0]
        elapsed = self._clock() - then
        return {
            "published": published,
            "dead_lettered": dead_lettered,
            "lag": lag,
            "published_rate": round((published - published_then) / elapsed, 2) if elapsed > 0 else 0.0,
            "dead_lettered_rate": round((dead_lettered - dead_then) / elapsed, 2) if elapsed > 0 else 0.0,
            "waiting_for": self._status.not_ready(),
            "stalled": round(self._status.stalled_for()),
        }

    async def follow(self, write: Write, *, last_id: str = "") -> None:
        """Write events until closed, or until ``write`` raises or takes longer than `WRITE_SECONDS` (TimeoutError)."""
        seen = self._number(last_id)
        await asyncio.wait_for(write(_event("hello", {"version": __version__, "run": self._run}) + b"retry: 2000\n\n"), WRITE_SECONDS)
        sent, sent_at = b"", 0.0
        while not self._closed.is_set():
            recent = self._status.recent(seen)
            pieces = [self._article(number, value) for number, value in recent[-ARTICLES_A_TICK:]] if seen else self._backlog(recent)
            seen = recent[-1][0] if recent else seen
            stats = _event("stats", self.stats())
            if stats != sent or self._clock() - sent_at >= HEARTBEAT_SECONDS:
                pieces.append(stats)
                sent, sent_at = stats, self._clock()
            if pieces:
                await asyncio.wait_for(write(b"".join(pieces)), WRITE_SECONDS)
            await self._pause()

    def _backlog(self, recent: list[tuple[int, bytes]]) -> list[bytes]:
        """A page that was just opened gets every article that is remembered."""
        return [self._article(number, value) for number, value in recent]

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._closed.wait(), TICK_SECONDS)
        except TimeoutError:
            return

    def _number(self, last_id: str) -> int:
        run, _, number = last_id.partition("-")
        return int(number) if run == self._run and number.isdecimal() and number.isascii() else 0

    def _article(self, number: int, value: bytes) -> bytes:
        """The event of one article, made once; as many are kept as the status keeps articles."""
        if number not in self._events:
            self._events[number] = _event("article", shown(value), event_id=f"{self._run}-{number}")
            oldest = number - RECENT_ARTICLES
            for old in [key for key in self._events if key < oldest]:
                del self._events[old]
        return self._events[number]


def _event(name: str, data: object, *, event_id: str = "") -> bytes:
    """One event; its data is one line, since JSON escapes line ends."""
    head = f"id: {event_id}\n" if event_id else ""
    return f"{head}event: {name}\ndata: ".encode() + msgspec.json.encode(data) + b"\n\n"
