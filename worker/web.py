"""``/`` the live page, ``/events`` its feed, ``/metrics``, ``/live`` and ``/ready``: one port, a thread and a loop of its own.

Started before anything else, so that probes answer while models load. What it serves is meant for the machine it runs
on: bound to loopback (the default) it answers only requests whose Host is a loopback name, so that no web page can read
it by DNS rebinding; bound to anything else the operator has put it on a network, and any Host is answered, as probes
need. The page shows articles: on a network address it is there for those who know ``KHABAR_HTTP_TOKEN``, and without a
token for nobody; ``/?token=…`` puts it into a cookie and out of the address. There is no way to change anything here:
GET only.
"""

import asyncio
import hmac
import ipaddress
import socket
import threading
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from worker.errors import SettingsError
from worker.feed import Feed, Page, load_page
from worker.settings import Settings, page_url
from worker.status import Status

LARGEST_FEEDS = 16
"""Browsers served at once; one more is told to come later."""
START_SECONDS = 10.0
COOKIE = "khabar_token"
LOOPBACK_NAMES = {"localhost", "127.0.0.1", "::1"}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def is_loopback(host: str) -> bool:
    """Whether an address or name stands for this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class WebServer:
    """Serves one worker's status; ``start`` and ``stop`` may be called from any thread."""

    def __init__(self, settings: Settings, status: Status, registry: CollectorRegistry) -> None:
        """Nothing is bound yet; the page is read."""
        self._settings = settings
        self._status = status
        self._registry = registry
        self._page: Page = load_page()
        self._port = settings.http_port
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._feed = Feed(status)
        self._feeds = 0

    @property
    def url(self) -> str:
        """Where the page is, for people: ``http://host:port/``; the real port once started."""
        return page_url(self._settings.http_host, self._port)

    def start(self) -> None:
        """Bind and serve; returns when requests are answered.

        Raises:
            SettingsError: the address or the port cannot be had.
        """
        bound = self._bind()
        self._port = bound.getsockname()[1]
        started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(self._loop, bound, started), name="web", daemon=True)
        self._thread.start()
        started.wait(START_SECONDS)

    def stop(self) -> None:
        """Close every connection and end the thread; a second call does nothing."""
        if self._thread is None or self._loop is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(START_SECONDS)
        self._thread = None

    def _bind(self) -> socket.socket:
        host, port = self._settings.http_host, self._settings.http_port
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            bound = socket.create_server((host, port), family=family, backlog=64)
        except (OSError, OverflowError) as error:
            message = f"KHABAR_HTTP_HOST={host} KHABAR_HTTP_PORT={port}: {getattr(error, 'strerror', None) or error}"
            raise SettingsError(message) from error
        return bound

    def _run(self, loop: asyncio.AbstractEventLoop, bound: socket.socket, started: threading.Event) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(self._serve(bound, started))
        finally:
            loop.close()

    async def _serve(self, bound: socket.socket, started: threading.Event) -> None:
        application = web.Application(middlewares=[self._guard])
        for path, handler in (
            ("/", self._index),
            ("/events", self._events),
            ("/metrics", self._metrics),
            ("/live", self._live),
            ("/ready", self._ready),
        ):
            application.router.add_get(path, handler)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.SockSite(runner, bound).start()
        ticking = asyncio.create_task(self._feed.tick_forever())
        started.set()
        await self._stopping.wait()
        ticking.cancel()
        self._feed.close()
        await runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse names that are not this machine's while bound to it alone; add the headers every answer gets."""
        name = request.url.host or ""
        own = {self._settings.http_host, *LOOPBACK_NAMES}
        if is_loopback(self._settings.http_host) and name not in own:
            return web.Response(status=421, text="This server answers to localhost only.\n", headers=HEADERS)
        response = await handler(request)
        if not response.prepared:
            response.headers.update({name: value for name, value in HEADERS.items() if name not in response.headers})
        return response

    def _locked(self, request: web.Request) -> str:
        """Why the page's content is not for this request; empty when it is."""
        wanted = self._settings.http_token
        if not wanted:
            return "" if is_loopback(self._settings.http_host) else "On a network address the page needs KHABAR_HTTP_TOKEN to be set.\n"
        given = request.query.get("token") or request.cookies.get(COOKIE, "")
        if hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted.encode()):
            return ""
        return "Open this page as /?token=… with the worker's KHABAR_HTTP_TOKEN.\n"

    async def _index(self, request: web.Request) -> web.Response:
        if why := self._locked(request):
            return web.Response(status=403, text=why)
        if "token" in request.query:
            response = web.Response(status=303, headers={"Location": "/"})
            response.set_cookie(COOKIE, request.query["token"], httponly=True, samesite="Strict", path="/")
            return response
        return web.Response(
            body=self._page.html, content_type="text/html", charset="utf-8", headers={"Content-Security-Policy": self._page.policy}
        )

    async def _metrics(self, request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        body = await asyncio.to_thread(encode, self._registry)  # the process collectors read /proc
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _live(self, _request: web.Request) -> web.Response:
        stalled = self._status.stalled_for()
        if stalled:
            lag = self._status.counts()[2]
            return web.Response(status=503, text=f"no progress for {stalled:.0f} s with a lag of {lag} articles\n")
        return web.Response(text="live\n")

    async def _ready(self, _request: web.Request) -> web.Response:
        waiting = self._status.not_ready()
        if waiting:
            return web.Response(status=503, text=f"waiting for: {', '.join(waiting)}\n")
        return web.Response(text="ready\n")

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if why := self._locked(request):
            return web.Response(status=403, text=why)
        if self._feeds >= LARGEST_FEEDS:
            return web.Response(status=503, text="too many open pages\n", headers={"Retry-After": "10"})
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"})
        self._feeds += 1
        try:
            await response.prepare(request)
            await self._feed.follow(response.write, last_id=request.headers.get("Last-Event-ID", ""))
        except (ConnectionError, TimeoutError):
            pass  # the browser went away, or takes nothing any more
        finally:
            self._feeds -= 1
        return response
