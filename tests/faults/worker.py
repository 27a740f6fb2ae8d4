"""``python -m tests.faults.worker``: the worker as ``khabar worker`` runs it, with the rig's own enricher in its processes."""

import os
import sys

from worker import log, metrics
from worker.errors import UserError
from worker.settings import Settings
from worker.status import Status
from worker.stream.app import run_stream
from worker.stream.pool import Pool
from worker.web import WebServer

if os.environ.get("RIG_MODELS", "light") == "light":
    # This module is also what the fork server imports first: light models need none of these, and on a small machine
    # that is busy their import is the longest part of every start.
    sys.modules.update(dict.fromkeys(("stanza", "torch", "onnxruntime")))  # type: ignore[arg-type] # None: no such module

FACTORY = os.environ.get("RIG_FACTORY", "tests.faults.poison:enricher")


def main() -> None:
    """Wire the worker together as `worker.stream.app.run` does, but for the factory."""
    settings = Settings.from_env(os.environ)
    log.configure(level=settings.log_level, form=settings.log_format)
    status = Status(stall_timeout=settings.stall_timeout)
    web = WebServer(settings, status, metrics.REGISTRY)
    web.start()
    pool = Pool(settings, factory=FACTORY)
    try:
        run_stream(settings, status, pool)
    finally:
        pool.close()
        web.stop()


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        print(error, file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
