"""``python -m tests.faults.worker``: the worker as ``khabar worker`` runs it, with the rig's own enricher in its processes."""

import os
import signal
import sys

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # as the command does
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

from worker.errors import UserError
from worker.settings import Settings
from worker.stream.app import run

if os.environ.get("RIG_MODELS", "light") == "light":
    # This module is also what the fork server imports first: light models need none of these, and on a small machine
    # that is busy their import is the longest part of every start.
    sys.modules.update(dict.fromkeys(("stanza", "torch", "onnxruntime")))  # type: ignore[arg-type] # None: no such module

FACTORY = os.environ.get("RIG_FACTORY", "tests.faults.poison:enricher")


if __name__ == "__main__":
    try:
        run(Settings.from_env(os.environ), factory=FACTORY)
    except UserError as error:
        print(error, file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
