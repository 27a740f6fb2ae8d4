"""Logs: one JSON line (or one readable line) an event, from our code and from every library alike.

Libraries repeat themselves when a broker is gone (aiokafka: 80 lines a second), so each place in their code may speak a
few times per window; what was held back is counted in its next line. So may our own event of an outage, which comes
from every article in flight; no other event of ours is ever held back. Article text is no log field above ``debug``.
"""

import logging
import sys
import time
from collections.abc import Callable
from typing import Any

import structlog

from worker.settings import LogFormat, LogLevel

WINDOW_SECONDS = 10.0
LINES_PER_WINDOW = 3
SELDOM = ("opentelemetry.", 600.0, 1)
"""Its exporter repeats itself for as long as a collector is away: prefix, window in seconds, lines in it."""
OWN = "khabar"
_REPEATED = frozenset({"publish_retry", "registry_retry"})
"""Events of ours that many articles cause at once."""
_CHATTY = ("faust", "mode", "worker", "aiokafka", "asyncio", "aiohttp", "stanza", "kafka", "opentelemetry", "urllib3")
"""Libraries; our subclasses of Faust's services log under ``worker``, in Faust's words."""


class RepeatFilter(logging.Filter):
    """Lets each place in a library's code, and each repeated event of ours, log ``LINES_PER_WINDOW`` times in ``WINDOW_SECONDS``."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Use ``clock`` (seconds, monotonic) as the time."""
        super().__init__()
        self._clock = clock
        self._places: dict[tuple[str, int | str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the record may pass; the first after a silence carries ``suppressed``."""
        place: tuple[str, int | str] = (record.pathname, record.lineno)
        if record.name == OWN or record.name.startswith(OWN + "."):
            event = record.msg.get("event") if isinstance(record.msg, dict) else None  # structlog's, before it is rendered
            if event not in _REPEATED:
                return True
            place = (OWN, event)
        prefix, *seldom = SELDOM
        window, most = seldom if record.name.startswith(prefix) else (WINDOW_SECONDS, LINES_PER_WINDOW)
        now = self._clock()
        start, count = self._places.get(place, (now, 0))
        if now - start >= window:
            if count > most:
                record.suppressed = count - most
            start, count = now, 0
        self._places[place] = (start, count + 1)
        return count < most


def configure(*, level: LogLevel, form: LogFormat) -> None:
    """Send the logs of this process to standard error.

    Libraries speak from ``warning`` up (``debug``: from ``info`` up: their own debug lines quote records).
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RepeatFilter())
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[_suppressed, *_render(form)]))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.getLevelName(level.upper()))
    libraries = logging.INFO if level == "debug" else max(logging.WARNING, root.level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(libraries)


def get() -> structlog.stdlib.BoundLogger:
    """Return the logger of our own events."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(OWN)
    return logger


def _suppressed(_logger: Any, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:  # noqa: ANN401 - structlog's signature
    held = getattr(event.get("_record"), "suppressed", 0)
    if held:
        event["suppressed"] = held
    event["event"] = " ".join(str(event["event"]).split())  # one line an event, tables of libraries included
    return event


def _render(form: LogFormat) -> list[Any]:
    clean = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if form == "json":
        return [clean, structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    plain = structlog.dev.plain_traceback  # the default shows local variables: articles
    return [clean, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
