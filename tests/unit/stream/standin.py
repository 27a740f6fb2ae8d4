"""An enricher that does what the article's bytes say: the pool's real processes, pipes and signals without any model."""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from worker.enrich.job import Done, Failed, Job
from worker.errors import ModelError
from worker.records import Model
from worker.settings import Settings
from worker.stream.child import Loaded

MODEL = Model(stage="entities", name="standin", version="1", sha256="0" * 64)


def load(settings: Settings) -> Loaded:  # noqa: ARG001 - a factory's signature
    """Make the stand-in."""
    return Loaded(run=_run, models=[("", MODEL)])


def load_named(settings: Settings) -> Loaded:
    """Make the stand-in with the model that the file ``settings.models`` names; an empty file is a broken model."""
    name, _, seconds = Path(settings.models).read_text(encoding="utf-8").partition(" ")
    if not name:
        message = f"{settings.models}: sha256 differs"
        raise ModelError(message)
    time.sleep(float(seconds or 0))
    return Loaded(run=lambda jobs: [_answer(job, mates=len(jobs), model=name) for job in jobs], models=[("", replace(MODEL, name=name))])


def refuse(settings: Settings) -> Loaded:  # noqa: ARG001 - a factory's signature
    """Fail as a missing model does."""
    message = "no model here"
    raise ModelError(message)


def break_down(settings: Settings) -> Loaded:  # noqa: ARG001 - a factory's signature
    """Fail as a bug does."""
    message = "bug"
    raise RuntimeError(message)


def _run(jobs: Sequence[Job]) -> list[Done | Failed]:
    return [_answer(job, mates=len(jobs)) for job in jobs]


def _padding(command: bytes, argument: bytes) -> bytes:
    """Make an output large: ``BIG`` packs well, ``NOISE`` does not."""
    if command == b"NOISE":
        return os.urandom(int(argument)).hex().encode()
    return b"." * int(argument) if command == b"BIG" else b""


def _answer(job: Job, *, mates: int, model: str = MODEL.name) -> Done | Failed:
    command, _, argument = job.value.partition(b" ")
    if command == b"CRASH":
        os.kill(os.getpid(), signal.SIGKILL)
    elif command == b"HANG":
        time.sleep(1000)
    elif command == b"LEAK":
        hoard = [bytearray(2**20) for _ in range(int(argument))]
        time.sleep(1000 if hoard else 0)
    elif command == b"CRASH-ONCE" and not os.path.exists(argument):  # noqa: PTH110 - bytes
        open(argument, "wb").close()  # noqa: PTH123 - bytes
        os.kill(os.getpid(), signal.SIGKILL)
    elif command == b"SLEEP":
        time.sleep(float(argument.split()[0]))
    elif command == b"FAIL" or (command == b"FAIL-WHILE" and os.path.exists(argument)):  # noqa: PTH110 - bytes
        return Failed(reason="enrich_failed", stage="entities", error="as told")
    return Done(
        value=b'{"n":%d,"mates":%d,"pid":%d,"model":"%s","text":"%s"}'
        % (job.offset, mates, os.getpid(), model.encode(), _padding(command, argument)),
        key=job.key or b"k",
        headers=[],
        ce_id="0",
        article_id=str(job.offset),
        language="en",
        seconds={"language": 0.001},
        entities={"PER": 1},
    )
