"""Every verb hands its options on, as they were given, and its exit code back."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from worker import cli
from worker.commands import demo, enrich, evaluate, models, publish, replay, tail, topics

Asked = list[dict[str, Any]]
Stub = Callable[..., Asked]
NOTHING: dict[str, object] = {"topic": None, "as_json": False, "from_beginning": False, "number": None, "end": False}


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stub:
    """Replaces a command's function by one that notes what it was asked and returns what it is told to."""

    def replace(module: object, name: str, answer: object = None) -> Asked:
        asked: Asked = []

        def note(*_settings: object, **options: object) -> object:
            asked.append(options)
            return answer

        monkeypatch.setattr(module, name, note)
        return asked

    return replace


@pytest.mark.parametrize(
    ("module", "arguments", "options", "code"),
    [
        (demo, ["demo"], {"paths": [], "once": False}, 0),
        (demo, ["demo", "a.txt", "--once"], {"paths": ["a.txt"], "once": True}, 1),
        (enrich, ["enrich", "-", "b.json", "--json"], {"paths": ["-", "b.json"], "as_json": True}, 1),
        (publish, ["publish", "a.jsonl"], {"paths": ["a.jsonl"]}, 1),
        (replay, ["replay"], {"reasons": [], "dry_run": False}, 0),
        (
            replay,
            ["replay", "--reason", "too_large", "--reason", "too_deep", "--dry-run"],
            {"reasons": ["too_large", "too_deep"], "dry_run": True},
            1,
        ),
        (tail, ["tail"], NOTHING, 0),
        (
            tail,
            ["tail", "t", "--json", "--from-beginning", "-n", "3", "-e"],
            {"topic": "t", "as_json": True, "from_beginning": True, "number": 3, "end": True},
            0,
        ),
        (
            evaluate,
            ["evaluate", "--language", "ar", "a.bio", "--json"],
            {"file": Path("a.bio"), "language": "ar", "as_json": True, "document": 16},
            0,
        ),
        (
            evaluate,
            ["evaluate", "--language", "ar", "a.bio", "--document", "1"],
            {"file": Path("a.bio"), "language": "ar", "as_json": False, "document": 1},
            0,
        ),
    ],
)
def test_run(stub: Stub, module: object, arguments: list[str], options: dict[str, object], code: int) -> None:
    """Verbs with a module of their own."""
    asked = stub(module, "run", code)
    assert CliRunner().invoke(cli.app, arguments).exit_code == code
    assert asked == [options]


@pytest.mark.parametrize(
    ("name", "arguments", "options", "answer", "code"),
    [
        ("list_models", ["list", "--json"], {"as_json": True}, None, 0),
        ("verify", ["verify"], {}, 1, 1),
        ("pull", ["pull", "ar", "fa"], {"languages": ["ar", "fa"]}, None, 0),
        (
            "train",
            ["train", "--data", "d", "--out", "o", "--preset", "fast", "--seed", "3"],
            {"data": Path("d"), "out": Path("o"), "preset": "fast", "seed": 3, "start": None, "epochs": 0.0},
            None,
            0,
        ),
    ],
)
def test_models(stub: Stub, name: str, arguments: list[str], options: dict[str, object], answer: object, code: int) -> None:  # noqa: PLR0913, PLR0917 - a row of the table
    """`khabar models …`."""
    asked = stub(models, name, answer)
    assert CliRunner().invoke(cli.app, ["models", *arguments]).exit_code == code
    assert asked == [options]


def test_topics(stub: Stub) -> None:
    """Lines on standard output, faults on standard error with exit code 1."""
    asked = stub(topics, "create", ["a: created", "b: is there"])
    result = CliRunner().invoke(cli.app, ["topics", "create", "--partitions", "12", "--replication-factor", "3"])
    assert (result.exit_code, result.stdout) == (0, "a: created\nb: is there\n")
    assert asked == [{"partitions": 12, "replication_factor": 3}]
    stub(topics, "check", (["a: 3 partitions"], ["b: missing"]))
    result = CliRunner().invoke(cli.app, ["topics", "check"])
    assert (result.exit_code, result.stdout, result.stderr) == (1, "a: 3 partitions\n", "khabar: b: missing\n")
    stub(topics, "check", (["a: 3 partitions"], []))
    assert CliRunner().invoke(cli.app, ["topics", "check"]).exit_code == 0


def test_the_worker_runs_with_the_settings_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`khabar worker` is the stream, nothing in between."""
    from worker.stream import app

    seen: list[str] = []
    monkeypatch.setattr(app, "run", lambda settings: seen.append(settings.group))
    monkeypatch.setenv("KHABAR_GROUP", "from-the-environment")
    try:
        assert CliRunner().invoke(cli.app, ["worker"]).exit_code == 0
        assert callable(signal.getsignal(signal.SIGTERM)), "a stop while it imports ends with 0"
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN, "a reload while it imports is none"
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
    assert seen == ["from-the-environment"]


def test_a_closed_pipe_ends_quietly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What `| head` leaves unread is no error worth a traceback."""

    def broken(**_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(cli, "app", broken)
    with (tmp_path / "out").open("w") as out:
        monkeypatch.setattr(cli.sys, "stdout", out)  # type: ignore[attr-defined]  # the module's own sys
        with pytest.raises(SystemExit) as caught:
            cli.main()
    assert caught.value.code == 1
