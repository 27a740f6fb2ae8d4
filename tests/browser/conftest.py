"""A real Chromium that looks at a really served page."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Error, Page, Request, sync_playwright
from prometheus_client import CollectorRegistry

from worker.settings import Settings
from worker.status import Status
from worker.web import WebServer

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# As long as a module, not a session: Playwright keeps an event loop running, and tests elsewhere start their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (CHROMIUM names one)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def status() -> Status:
    """A worker's status: ready, nothing published."""
    status = Status(stall_timeout=300)
    for condition in ("models", "topics", "partitions"):
        status.met(condition)
    return status


@pytest.fixture
def served(status: Status) -> Iterator[WebServer]:
    """Its page, served on a free port."""
    server = WebServer(Settings(http_port=0), status, CollectorRegistry())
    server.start()
    yield server
    server.stop()


class Watched:
    """A page that remembers everything that went wrong on it."""

    def __init__(self, page: Page) -> None:
        """Listen to console, errors, dialogs and requests."""
        self.page = page
        self.problems: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", self._failed)
        page.on("dialog", self._asked)
        page.on("request", self._requested)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(message.text)

    def _failed(self, error: Error) -> None:
        self.problems.append(str(error))

    def _asked(self, dialog: Dialog) -> None:
        self.problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _requested(self, request: Request) -> None:
        self.requests.append(request.url)


@pytest.fixture
def watched(browser: Browser, served: WebServer) -> Iterator[Watched]:
    """The page, opened."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    watched = Watched(page)
    page.goto(served.url)
    yield watched
    page.close()
