"""The last resort: end the process un-acked, so that it is started again and its articles are delivered again."""

import logging
import os
from typing import NoReturn

from worker import log

BUG_EXIT_CODE = 70
"""EX_SOFTWARE: our own bug."""
UNACKED_EXIT_CODE = 75
"""EX_TEMPFAIL: could not finish in time; what was in flight is delivered again."""


def end(what: str, error: BaseException | None = None, *, code: int = BUG_EXIT_CODE) -> NoReturn:
    """Log and leave at once, without acknowledging anything and without waiting for anybody."""
    log.get().critical(what, exit_code=code, exc_info=error)
    leave(code)


def leave(code: int) -> NoReturn:
    """Leave at once, waiting for no thread."""
    logging.shutdown()
    os._exit(code)
