"""`khabar models`: what models are there, whether they are sound, fetching Stanza's own, training the bundled ones."""

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.table import Table

from worker.commands.console import output, say
from worker.errors import UserError
from worker.settings import Settings

FAILED = 1
MB = 1_000_000


def list_models(settings: Settings, *, as_json: bool) -> None:
    """Print every model at hand, the one in use marked.

    Raises:
        ModelError: a directory that is there cannot be understood.
    """
    from worker.nlp.models import listing

    rows = listing(settings)
    if as_json:
        for row in rows:
            sys.stdout.write(msgspec.json.encode(row, enc_hook=str).decode() + "\n")
        return
    table = Table("", "name", "version", "languages", "MB", "sha256", "where", "figures", box=None, pad_edge=False)
    for row in rows:
        figures = "  ".join(f"{name} {value}" for name, value in row.figures.items())
        size = f"{row.bytes / MB:.1f}"
        table.add_row(
            "*" if row.used else "", row.name, row.version, " ".join(row.languages), size, row.sha256[:12], str(row.path), figures
        )
    output().print(table)
    if not any(row.used for row in rows):
        say(f"KHABAR_MODELS={settings.models} names none of these")


def verify(settings: Settings) -> int:
    """Check every file's checksum; a line each, and exit code 1 when one differs.

    Raises:
        ModelError: a directory that is there cannot be understood.
    """
    from worker.nlp.models import verify as checks

    code = 0
    for check in checks(settings):
        if check.problem:
            say(f"{check.path}: {check.problem}")
            code = FAILED
        else:
            sys.stdout.write(f"{check.path}: ok\n")
    return code


def pull(settings: Settings, *, languages: Sequence[str]) -> None:
    """Fetch Stanza's tokenizer and tagger of each language into ``KHABAR_MODEL_DIR``.

    Raises:
        ModelError: the network, the server, a checksum or the disk.
    """
    from worker.nlp.pull import pull as fetch

    for done in fetch(languages, directory=settings.model_dir, show_progress=sys.stderr.isatty()):
        packages = ", ".join(f"{processor} {package}" for processor, package in done.packages.items())
        sys.stdout.write(f"{done.language}: {packages}, {done.bytes / MB:.1f} MB in {done.seconds:.0f} s, sha256 {done.sha256}\n")
        sys.stdout.flush()


def train(  # noqa: PLR0913 - the command has this many options
    *, data: Path, out: Path, preset: str, seed: int, start: Path | None = None, epochs: float = 0.0
) -> None:
    """Train a bundled model anew.

    Args:
        data: the folder of corpora and name lists.
        out: where the finished model goes, in a folder named after its preset.
        preset: ``accurate`` or ``fast``.
        seed: of everything that is drawn by lot.
        start: a bundled model, or one made by this command, to go on from in place of the encoder.
        epochs: how long to go on from it.

    Raises:
        UserError: the extra ``train`` is not installed, or there is no such folder.
        ModelError: the model to go on from is not sound.
    """
    if start is not None:
        from worker.nlp.models import verify_bundle

        verify_bundle(start)
    if not data.is_dir():
        message = f"{data}: there is no such folder of corpora"
        raise UserError(message)
    try:
        from worker.nlp.train.run import train as run
    except ModuleNotFoundError as error:
        message = f"training needs the extra `train` ({error.name} is missing): pip install 'khabar[train]'"
        raise UserError(message) from error
    run(data=data, out=out, preset=preset, seed=seed, start=start, epochs=epochs)
