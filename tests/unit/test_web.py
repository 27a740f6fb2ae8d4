"""The web server as a client sees it: real sockets, real requests."""

import http.client
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter

from worker import web
from worker.errors import SettingsError
from worker.settings import Settings
from worker.status import Status
from worker.web import WebServer


class Served:
    """A started server, its status, and a client."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - any setting
        """Start it with these settings."""
        self.clock = 1000.0
        self.status = Status(stall_timeout=5, clock=lambda: self.clock)
        self.registry = CollectorRegistry()
        self.server = WebServer(Settings(http_port=0, **settings), self.status, self.registry)
        self.server.start()

    def get(self, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
        """Status, body and headers of one GET."""
        request = urllib.request.Request(self.server.url + path, headers={name.replace("_", "-"): text for name, text in headers.items()})  # noqa: S310 - our own server
        try:
            with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310 - our own server
                return response.status, response.read().decode(), dict(response.headers)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode(), dict(error.headers)

    def feed(self, **headers: str) -> "Events":
        """Open ``/events``."""
        return Events(self.server.url, {name.replace("_", "-"): text for name, text in headers.items()})


class Events:
    """A reader of server-sent events."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        """Connect and ask for the feed."""
        host, port = url.removeprefix("http://").rstrip("/").rsplit(":", 1)
        self.connection = http.client.HTTPConnection(host, int(port), timeout=5)
        self.connection.request("GET", "/events", headers=headers)
        self.response = self.connection.getresponse()

    def next(self, name: str) -> tuple[str, dict[str, Any]]:
        """Id and data of the next event of this name."""
        event, event_id = "", ""
        while line := self.response.readline().decode():
            kind, _, text = line.rstrip("\n").partition(": ")
            event = text if kind == "event" else event
            event_id = text if kind == "id" else event_id
            if kind == "data" and event == name:
                return event_id, json.loads(text)
            event_id = "" if not kind else event_id
        message = f"the stream ended before {name}"
        raise AssertionError(message)

    def close(self) -> None:
        """Go away like a browser tab."""
        self.response.close()
        self.connection.close()


@pytest.fixture
def served() -> Iterator[Served]:
    """A server on a free loopback port."""
    one = Served()
    yield one
    one.server.stop()


def test_probes_say_why_not(served: Served) -> None:
    """`/ready` names what it waits for; `/live` is well from the start."""
    status, body, _ = served.get("ready")
    assert (status, body) == (503, "waiting for: models, partitions, topics\n")
    assert served.get("live")[:2] == (200, "live\n")
    for condition in ("models", "topics", "partitions"):
        served.status.met(condition)
    assert served.get("ready")[:2] == (200, "ready\n")
    served.status.unmet("brake")
    assert served.get("ready")[:2] == (503, "waiting for: brake\n")


def test_live_fails_on_lag_without_progress(served: Served) -> None:
    """With lag and nothing published for longer than allowed, `/live` fails and says so."""
    served.status.lag({("articles.raw", 0): 7})
    served.clock += 6
    status, body, _ = served.get("live")
    assert (status, body) == (503, "no progress for 6 s with a lag of 7 articles\n")


def test_metrics_are_the_registry_given(served: Served) -> None:
    """`/metrics` shows the registry, in the format the scraper asks for."""
    Counter("seen", "Seen.", registry=served.registry).inc(3)
    status, body, headers = served.get("metrics")
    assert status == 200
    assert "seen_total 3.0" in body
    assert headers["Content-Type"].startswith("text/plain")
    _, body, headers = served.get("metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert headers["Content-Type"].startswith("application/openmetrics-text")
    assert body.endswith("# EOF\n")


def test_page_allows_only_its_own_script(served: Served) -> None:
    """The page comes with a policy of hashes, nothing inline beside them, nothing from elsewhere."""
    status, body, headers = served.get("")
    policy = headers["Content-Security-Policy"]
    assert status == 200
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "innerHTML" not in body
    assert "http://" not in body.replace("http://www.w3.org", "")
    assert "https://" not in body
    assert " style=" not in body
    assert " onclick=" not in body


@pytest.mark.parametrize("path", ["nothing", "events/../secrets", "%00"])
def test_unknown_paths_are_404(served: Served, path: str) -> None:
    """Nothing else is served, and what is answered carries the same guards."""
    status, _, _ = served.get(path)
    assert status == 404


def test_other_methods_are_refused(served: Served) -> None:
    """There is nothing to change here."""
    request = urllib.request.Request(served.server.url, data=b"x", method="POST")  # noqa: S310 - our own server
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=5)  # noqa: S310 - our own server
    with caught.value as error:
        assert error.code == 405


@pytest.mark.parametrize(
    ("host", "status"), [("localhost:1", 200), ("127.0.0.1", 200), ("[::1]:8080", 200), ("evil.example", 421), ("evil.example:80", 421)]
)
def test_loopback_answers_loopback_names_only(served: Served, host: str, status: int) -> None:
    """A page elsewhere whose name was rebound to this machine gets nothing."""
    assert served.get("live", Host=host)[0] == status


def test_any_name_is_answered_on_a_network_address() -> None:
    """Bound to all addresses on purpose, probes may use whatever name they know."""
    served = Served(http_host="0.0.0.0")  # noqa: S104 - that is the case under test
    try:
        assert served.server.url.startswith("http://localhost:")
        assert served.get("live", Host="khabar.news.svc")[0] == 200
    finally:
        served.server.stop()


def test_on_a_network_address_the_page_is_for_nobody_without_a_token() -> None:
    """Articles are not shown to a network by accident; probes and metrics still answer."""
    served = Served(http_host="0.0.0.0")  # noqa: S104 - that is the case under test
    try:
        for path in ("", "events"):
            status, body, _ = served.get(path)
            assert (status, body) == (403, "On a network address the page needs KHABAR_HTTP_TOKEN to be set.\n")
        assert served.get("live")[0] == 200
        assert served.get("metrics")[0] == 200
    finally:
        served.server.stop()


def test_the_token_opens_the_page_and_leaves_the_address() -> None:
    """A wrong one opens nothing; the right one becomes a cookie that scripts cannot read and other sites do not send."""
    served = Served(http_host="0.0.0.0", http_token="s3cret-ü")  # noqa: S104, S106 - that is the case under test
    host, port = "127.0.0.1", int(served.server.url.rstrip("/").rsplit(":", 1)[1])
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        for path in ("/", "/events", "/?token=wrong", "/?token="):
            connection.request("GET", path)
            with connection.getresponse() as response:
                assert response.status == 403
                assert b"s3cret" not in response.read()
        connection.request("GET", "/", headers={"Cookie": b"khabar_token=\xff\xfe"})  # no text at all
        with connection.getresponse() as response:
            assert response.status == 403
            response.read()
        connection.request("GET", "/?token=s3cret-%C3%BC")
        with connection.getresponse() as response:
            response.read()
            assert (response.status, response.headers["Location"]) == (303, "/")
            cookie = response.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        connection.request("GET", "/", headers={"Cookie": cookie.split(";")[0]})
        with connection.getresponse() as response:
            assert response.status == 200
            assert b"<title>Khabar" in response.read()
        events = served.feed(Cookie=cookie.split(";")[0])
        assert events.next("hello")[1]["version"]
        events.close()
    finally:
        connection.close()
        served.server.stop()


def test_port_in_use_is_one_line(served: Served) -> None:
    """A second worker on the same port says which setting to change."""
    port = int(served.server.url.rstrip("/").rsplit(":", 1)[1])
    with pytest.raises(SettingsError, match=f"KHABAR_HTTP_PORT={port}: Address already in use"):
        WebServer(Settings(http_port=port), served.status, served.registry).start()
    with pytest.raises(SettingsError, match=r"KHABAR_HTTP_HOST=no\.such\.host\.invalid"):
        WebServer(Settings(http_host="no.such.host.invalid"), served.status, served.registry).start()


def test_events_bring_what_was_published_and_what_comes(served: Served, enriched: Any) -> None:  # noqa: ANN401 - a fixture
    """A new page gets the remembered articles, then each new one, with counts and rates."""
    served.status.published(enriched({"id": "first", "title": "T", "body": "In Cairo."}, names={"Cairo": "LOC"}))
    events = served.feed()
    assert events.response.headers["Content-Type"].startswith("text/event-stream")
    assert events.next("hello")[1]["version"]
    first_id, first = events.next("article")
    assert first["entities"] == [{"name": "Cairo", "type": "LOC", "salience": 0.5, "mentions": [["body", 3, 8]]}]
    assert events.next("stats")[1]["published"] == 1
    served.status.published(enriched({"id": "second", "body": "Next."}))
    second_id, second = events.next("article")
    assert (first["id"], second["id"]) == ("first", "second")
    assert first_id != second_id
    events.close()


def test_events_resume_where_the_browser_was(served: Served, enriched: Any) -> None:  # noqa: ANN401 - a fixture
    """With `Last-Event-ID` only what was missed is sent; an id of another run counts as none."""
    for number in range(3):
        served.status.published(enriched({"id": f"a-{number}", "body": "Text."}))
    events = served.feed()
    ids = [events.next("article")[0] for _ in range(3)]
    events.close()
    again = served.feed(Last_Event_ID=ids[1])
    assert again.next("article")[1]["id"] == "a-2"
    again.close()
    other = served.feed(Last_Event_ID="ffffffff-2")
    assert other.next("article")[1]["id"] == "a-0"
    other.close()
    strange = served.feed(Last_Event_ID="²")
    assert strange.next("article")[1]["id"] == "a-0"
    strange.close()


def test_too_many_pages_are_told_to_wait(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of open feeds is bounded; one that closes makes room."""
    monkeypatch.setattr(web, "LARGEST_FEEDS", 1)
    first = served.feed()
    first.next("stats")
    status, _, headers = served.get("events")
    assert status == 503
    assert headers["Retry-After"] == "10"
    first.close()
    served.status.dead_lettered()  # something to write: that is when the server sees that nobody reads
    for _ in range(40):
        served.status.dead_lettered()
        time.sleep(0.1)
        second = served.feed()
        if second.response.status == 200:
            break
        second.close()
    assert second.next("stats")[1]["dead_lettered"] > 0
    second.close()


def test_stop_ends_open_feeds_at_once(served: Served) -> None:
    """Stopping does not wait for browsers, and may be called twice."""
    events = served.feed()
    events.next("stats")
    began = time.monotonic()
    served.server.stop()
    served.server.stop()
    assert time.monotonic() - began < 3
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", int(served.server.url.rstrip("/").rsplit(":", 1)[1])), timeout=1)
    events.close()


def test_ipv6_address_is_served_and_named() -> None:
    """A colon in the host is put into brackets."""
    try:
        served = Served(http_host="::1")
    except SettingsError:
        pytest.skip("no IPv6 loopback on this machine")
    try:
        assert served.server.url.startswith("http://[::1]:")
        assert served.get("live")[0] == 200
    finally:
        served.server.stop()


def test_stop_before_start_does_nothing() -> None:
    """A worker that fails early may stop what it never started."""
    WebServer(Settings(http_port=0), Status(stall_timeout=1), CollectorRegistry()).stop()
