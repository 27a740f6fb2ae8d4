"""The `khabar` command as a person meets it: help, errors, exit codes. Real processes where the process matters."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from worker import __version__, cli
from worker.errors import UserError

VERBS = ["worker", "demo", "enrich", "publish", "tail", "replay", "evaluate", "settings", "schemas", "version"]
GROUPS = [["topics", "create"], ["topics", "check"], ["models", "list"], ["models", "verify"], ["models", "pull"]]
HEAVY = ("kafka", "stanza", "torch", "onnxruntime", "faust", "aiohttp", "numpy")


def khabar(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KHABAR_")}
    return subprocess.run(
        [sys.executable, "-m", "worker.cli", *arguments], env=clean | environ, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("verb", [[], *([verb] for verb in VERBS), *GROUPS])
def test_every_verb_has_help(verb: list[str]) -> None:
    """`--help` works everywhere and says something."""
    result = CliRunner().invoke(cli.app, [*verb, "--help"])
    assert result.exit_code == 0
    assert len(result.stdout.split()) > 15


def test_help_needs_nothing_heavy() -> None:
    """Asking for help imports no model, no broker client, no web server: it answers at once."""
    code = f"import sys, worker.cli; print([name for name in {HEAVY!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip() == "[]"


def test_version() -> None:
    """One line for scripts."""
    assert khabar("version").stdout == f"khabar {__version__}\n"


def test_settings_are_listed_with_secrets_masked() -> None:
    """Every variable with its value now; a password is never shown."""
    result = khabar("settings", KHABAR_GROUP="mine", KHABAR_SASL_PASSWORD="hunter2")  # noqa: S106 - the point of the test
    assert result.returncode == 0
    lines = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert lines["KHABAR_GROUP"].split()[1] == "mine"
    assert "*****" in lines["KHABAR_SASL_PASSWORD"]
    assert "hunter2" not in result.stdout + result.stderr


def test_a_bad_setting_is_one_line() -> None:
    """No traceback, exit code 2, the variable named."""
    result = khabar("settings", KHABAR_PROCESSES="many")
    assert result.returncode == 2
    assert result.stderr == "khabar: KHABAR_PROCESSES='many' is not a whole number\n"


def test_an_unknown_setting_is_a_warning() -> None:
    """A typing error in a variable does not pass in silence, and stops nothing."""
    result = khabar("settings", KHABAR_BROKER="b:9092")
    assert result.returncode == 0
    assert result.stderr == "khabar: warning: KHABAR_BROKER is no setting; `khabar settings` lists them\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["tail", "--sideways"], "No such option: --sideways (see `khabar tail --help`)"),
        (["fly"], "No such command 'fly' (see `khabar --help`)"),
        (
            ["topics", "create", "--partitions", "0"],
            "Invalid value for '--partitions': Input should be greater than or equal to 1 (see `khabar topics create --help`)",
        ),
        (["evaluate", "x.bio"], "Missing option '--language' (see `khabar evaluate --help`)"),
        (["worker", "extra"], "Got unexpected extra argument(s) (extra) (see `khabar worker --help`)"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], line: str) -> None:
    """What is wrong, where the help is, exit code 2; no box, no usage text, no traceback."""
    result = khabar(*arguments)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", f"khabar: {line}\n")


def test_no_verb_shows_the_help() -> None:
    """Nothing to complain about: the verbs, and exit code 2 for scripts."""
    result = khabar()
    assert (result.returncode, result.stderr) == (2, "")
    assert "enrich" in result.stdout


def test_no_broker_is_one_line_that_says_why() -> None:
    """A closed port is named with the reason; nothing else is printed."""
    result = khabar("topics", "check", KHABAR_BROKERS="127.0.0.1:1")
    assert result.returncode == 2
    assert result.stderr.startswith("khabar: no broker can be used at 127.0.0.1:1 over PLAINTEXT: ")
    assert "REFUSED" in result.stderr
    assert result.stderr.count("\n") == 1


def test_an_unknown_reason_is_one_line() -> None:
    """`replay` names the reasons there are before it asks any broker."""
    result = khabar("replay", "--reason", "bored", KHABAR_BROKERS="127.0.0.1:1")
    assert result.returncode == 2
    assert "'bored' is no reason; choose from invalid_utf8" in result.stderr


def test_schemas_are_written(tmp_path: Path) -> None:
    """The folder is made, and every file named."""
    result = CliRunner().invoke(cli.app, ["schemas", "--out", str(tmp_path / "new")])
    assert result.exit_code == 0
    assert sorted(Path(line).name for line in result.stdout.split()) == sorted(path.name for path in (tmp_path / "new").iterdir())
    assert (tmp_path / "new" / "raw-article.v1.json").exists()


def test_ctrl_c_is_130() -> None:
    """Ctrl-C while it waits (for a broker that does not answer) ends it without a traceback."""
    code = "import sys; from worker import cli; sys.argv = ['khabar', 'publish', '-']; cli.main()"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KHABAR_")}
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection, says nothing
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=clean | {"KHABAR_BROKERS": f"127.0.0.1:{silent.getsockname()[1]}"},
        )
        time.sleep(2.5)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in errors


def test_output_is_utf8_whatever_the_streams_say() -> None:
    """Where the environment asks for ASCII output, Arabic is still Arabic."""
    result = subprocess.run(
        [sys.executable, "-m", "worker.cli", "settings"],
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "ascii", "KHABAR_GROUP": "أخبار"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0
    assert "أخبار".encode() in result.stdout


def test_a_closed_pipe_is_no_traceback() -> None:
    """`khabar … | head` ends quietly."""
    command = f"{sys.executable} -m worker.cli settings | true"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in result.stderr


def test_user_errors_fold_into_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a message holds, it is one line."""

    def fail(**_: object) -> None:
        message = "first\n  second"
        raise UserError(message)

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    assert capsys.readouterr().err == "khabar: first second\n"
