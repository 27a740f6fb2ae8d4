"""The `khabar` command: one short function a verb; what a verb does stands in ``worker/commands``.

Errors of a person are one line on standard error and exit code 2, never a traceback; Ctrl-C is 130. Heavy modules are
imported inside the verbs, so that ``khabar --help`` answers at once.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from worker.errors import REASONS, UserError, one_line
from worker.settings import Settings, unknown

app = typer.Typer(
    name="khabar",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="""Khabar enriches news articles in a Kafka stream with language, named entities and a summary.

Every setting is a `KHABAR_*` variable; `khabar settings` lists them.

Begin with `khabar demo`: it needs no broker and shows everything.""",
)
topics_app = typer.Typer(no_args_is_help=True, help="The three topics: make them, check them.")
models_app = typer.Typer(no_args_is_help=True, help="Models: what is there, is it sound, fetch Stanza's own, train the bundled ones.")
app.add_typer(topics_app, name="topics")
app.add_typer(models_app, name="models")

MOST_PARTITIONS = 100_000
"""Far above what any broker carries, below what the protocol cannot say."""

Paths = Annotated[
    list[str], typer.Argument(metavar="PATH…", help="`.txt`, `.json` or `.jsonl` files, folders of them, or `-` for standard input.")
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: one JSON object a line.")]


def settings() -> Settings:
    """The settings of this process, with a warning line for every variable that looks like one but is none."""
    for name in unknown(os.environ):
        sys.stderr.write(f"khabar: warning: {name} is no setting; `khabar settings` lists them\n")
    return Settings.from_env(os.environ)


@app.command()
def worker() -> None:
    """Run the worker until SIGTERM or Ctrl-C: finish what is in flight, commit, exit 0.

    Serves the live page, `/metrics`, `/live` and `/ready` on `KHABAR_HTTP_PORT`; SIGHUP loads the models anew. Make the topics first:

    - `khabar topics create --partitions 6`
    - `KHABAR_BROKERS=kafka:9092 khabar worker`
    """
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # until the worker has its own: nothing has been begun
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the same: there are no models yet that could be reloaded
    from worker.stream.app import run

    run(settings())


@app.command()
def demo(
    paths: Annotated[list[str] | None, typer.Argument(metavar="[PATH…]", help="Articles to show instead of the samples.")] = None,
    *,
    once: Annotated[bool, typer.Option("--once", help="End when all are through: exit code 0, or 1 when one is lost.")] = False,
) -> None:
    """Watch the whole stream work, with a broker of its own: nothing to install, nothing to set.

    - `khabar demo`
    - `khabar demo --once article.txt`
    """
    from worker.commands.demo import run

    raise typer.Exit(run(settings(), paths=paths or [], once=once))


@app.command()
def enrich(paths: Paths, *, as_json: AsJson = False) -> None:
    """Enrich files without Kafka: the same enrichment, printed.

    A bad article is a line on standard error; the others go on, and the exit code is 1.

    - `khabar enrich article.txt`
    - `curl -s https://example.org/article.json | khabar enrich --json - | jq .entities`
    """
    from worker.commands.enrich import run

    raise typer.Exit(run(settings(), paths=paths, as_json=as_json))


@app.command()
def publish(paths: Paths) -> None:
    """Send articles to the input topic, and wait until the broker has them all.

    An article's id is its key, so that its versions keep their order.

    - `khabar publish today.jsonl`
    """
    from worker.commands.publish import run

    raise typer.Exit(run(settings(), paths=paths))


@app.command()
def tail(
    topic: Annotated[str | None, typer.Argument(help="Any topic. Default: the enriched articles.")] = None,
    *,
    as_json: AsJson = False,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="Begin with the oldest record, not the next one.")] = False,
    number: Annotated[int | None, typer.Option("-n", "--number", min=1, help="End after so many records.")] = None,
    end: Annotated[bool, typer.Option("-e", "--exit", help="End at the end of the topic.")] = False,
) -> None:
    """Print what arrives on a topic: enriched articles and dead letters readably, anything else as text.

    - `khabar tail`
    - `khabar tail articles.dead-letter --from-beginning --exit`
    - `khabar tail --json -n 100 | jq -r .language.code`
    """
    from worker.commands.tail import run

    run(settings(), topic=topic, as_json=as_json, from_beginning=from_beginning, number=number, end=end)


@app.command()
def replay(
    *,
    reason: Annotated[list[str] | None, typer.Option(help=f"Only these; may be given more than once: {', '.join(REASONS)}.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would be replayed; send nothing.")] = False,
) -> None:
    """Put dead letters back on the input topic: original bytes, key and headers.

    Each dead letter goes back once: the next run goes on where the last one ended, even if it was killed.

    - `khabar replay --dry-run`
    - `khabar replay --reason enrich_timeout --reason worker_crashed`
    """
    from worker.commands.replay import run

    raise typer.Exit(run(settings(), reasons=reason or [], dry_run=dry_run))


@app.command()
def evaluate(
    file: Annotated[Path, typer.Argument(metavar="FILE.bio", help="A word and its tag a line, a blank line between sentences.")],
    *,
    language: Annotated[str, typer.Option(help="Language of the sentences: `ar`, `fa`, `en` …")],
    document: Annotated[
        int, typer.Option(min=1, help="Neighbouring sentences tagged together, as in running text; `1` for sentences that are unrelated.")
    ] = 16,
    as_json: AsJson = False,
) -> None:
    """Measure the models that are set: exact-span precision, recall and F1 over people, places and organisations.

    Columns are parted by tabs or spaces, the tag is the last: `B-PER`, `I-LOC`, `O`. BIOES, BILOU and usual names of the types
    (`PERS`, `GPE`, `ORGANIZATION`) are understood; other types are not scored. A line `-DOCSTART-` or `# newdoc` begins a document.

    - `khabar evaluate --language ar test.bio`
    - `KHABAR_MODELS=fast khabar evaluate --language fa test.bio --json`
    """
    from worker.commands.evaluate import run

    run(settings(), file=file, language=language, as_json=as_json, document=document)


@app.command("settings")
def show_settings() -> None:
    """List every setting: variable, value now (secrets masked), meaning."""
    from worker.commands.about import print_settings

    print_settings(settings())


@app.command()
def schemas(
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("schemas"),
) -> None:
    """Write the JSON and Avro Schemas of the records and the AsyncAPI document."""
    from worker.commands.about import write_schemas

    write_schemas(out)


@app.command()
def version() -> None:
    """Print the version."""
    from worker import __version__

    sys.stdout.write(f"khabar {__version__}\n")


@topics_app.command("create")
def topics_create(
    *,
    partitions: Annotated[int, typer.Option(min=1, max=MOST_PARTITIONS, help="Of each topic: as many workers can share the load.")] = 6,
    replication_factor: Annotated[int, typer.Option(help="Of each topic; -1 takes the broker's default.")] = -1,
) -> None:
    """Make the three topics. What is there already is no error, other numbers of partitions are one.

    - `khabar topics create --partitions 12 --replication-factor 3`
    """
    from worker.commands.topics import create

    for line in create(settings(), partitions=partitions, replication_factor=replication_factor):
        sys.stdout.write(line + "\n")


@topics_app.command("check")
def topics_check() -> None:
    """See whether the three topics are there and take records of the size the settings want; exit code 1 if not."""
    from worker.commands.topics import check

    facts, faults = check(settings())
    sys.stdout.write("".join(line + "\n" for line in facts))
    sys.stderr.write("".join(f"khabar: {line}\n" for line in faults))
    raise typer.Exit(1 if faults else 0)


@models_app.command("list")
def models_list(*, as_json: AsJson = False) -> None:
    """What models there are: name, version, size, checksum, figures."""
    from worker.commands.models import list_models

    list_models(settings(), as_json=as_json)


@models_app.command("verify")
def models_verify() -> None:
    """Check every model file against its checksum; exit code 1 when one differs."""
    from worker.commands.models import verify

    raise typer.Exit(verify(settings()))


@models_app.command("pull")
def models_pull(languages: Annotated[list[str], typer.Argument(metavar="LANGUAGE…", help="`ar fa en` …")]) -> None:
    """Fetch Stanza's own packages into `KHABAR_MODEL_DIR`; `KHABAR_MODELS=official` uses them.

    - `khabar models pull ar fa de`
    - `KHABAR_MODELS=official khabar worker`
    """
    from worker.commands.models import pull

    pull(settings(), languages=languages)


@models_app.command("train")
def models_train(  # noqa: PLR0913 - an option an argument
    *,
    data: Annotated[Path, typer.Option(help="Folder of corpora and name lists.")],
    out: Annotated[Path, typer.Option(help="Where the finished model goes, in a folder named after its preset.")],
    preset: Annotated[str, typer.Option(help="`accurate` or `fast`.")] = "accurate",
    seed: Annotated[int, typer.Option(help="Of everything that is drawn by lot.")] = 1,
    start: Annotated[Path | None, typer.Option("--from", help="A model of ours to go on from, in place of the encoder.")] = None,
    epochs: Annotated[float, typer.Option(help="How long to go on from it; 0 only rounds it anew.")] = 0.0,
) -> None:
    """Train a bundled model anew: hours on two cores, the same files every time. Needs the extra `train`.

    - `khabar models train --data corpora --out models --preset accurate` makes `models/accurate`
    """
    from worker.commands.models import train

    train(data=data, out=out, preset=preset, seed=seed, start=start, epochs=epochs)


INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 and the number of SIGINT, as shells have it."""


def main() -> None:
    """Entry point: one line for what a person can put right."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]  # articles are Unicode whatever the locale
    try:
        code = app(prog_name="khabar", standalone_mode=False)  # else a wrong flag is a box of five lines
    except UserError as error:
        sys.stderr.write(f"khabar: {one_line(error)}\n")
        code = error.exit_code
    except typer.TyperException as error:  # a wrong flag, a missing argument; no verb at all has shown the help by now and says nothing
        if line := " ".join(error.format_message().split()).rstrip("."):
            path = getattr(getattr(error, "ctx", None), "command_path", "khabar")
            sys.stderr.write(f"khabar: {line} (see `{path} --help`)\n")
        code = error.exit_code
    except BrokenPipeError:  # `khabar tail | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    if code == INTERRUPTED:  # everything is closed by now, but kafka-python's loop would be torn down with a traceback
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(INTERRUPTED)
    sys.exit(code)


if __name__ == "__main__":
    main()
