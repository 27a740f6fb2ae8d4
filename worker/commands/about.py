"""`khabar settings` and `khabar schemas`."""

import sys
from pathlib import Path

from worker.errors import UserError
from worker.settings import Settings, reference


def print_settings(settings: Settings) -> None:
    """One line a setting: variable, value now (secrets masked), meaning."""
    values = dict(settings.rows())
    widest = max(len(variable) for variable in values)
    for variable, _, meaning in reference():
        sys.stdout.write(f"{variable:<{widest}}  {values[variable]:<24}  {meaning}\n")


def write_schemas(out: Path) -> None:
    """Write the generated schemas to a folder, and say which."""
    from worker.schemas import write

    try:
        made = write(out)
    except OSError as error:
        message = f"{out}: {error.strerror}"
        raise UserError(message) from error
    for path in made:
        sys.stdout.write(f"{path}\n")
