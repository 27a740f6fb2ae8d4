"""One enricher process, seen from the worker: start it, hand it a micro-batch, kill it.

Pipes are used from threads (a write of many megabytes blocks), one at a time per process; whatever goes wrong ends in
the process's death, which closes the pipe and so frees the thread.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from multiprocessing.context import ForkServerContext
from typing import TYPE_CHECKING, Literal

import msgspec
import psutil

from worker.enrich.job import Done, Failed, Job
from worker.errors import KhabarError, ModelError
from worker.settings import Settings
from worker.stream import child

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

START_SECONDS = 180.0
"""A process that has not loaded its models by then is stuck."""

LossReason = Literal["crashed", "timeout", "memory"]
_READY = msgspec.msgpack.Decoder(child.Ready | child.NotReady)
_RESULTS = msgspec.msgpack.Decoder(list[Done | Failed])


class ProcessLostError(KhabarError):
    """The process died or had to be killed before it answered.

    Args:
        message: one line.
        reason: why it is gone.
    """

    def __init__(self, message: str, *, reason: LossReason) -> None:
        """Keep the reason."""
        super().__init__(message)
        self.reason: LossReason = reason


class EnricherProcess:
    """A running enricher process."""

    def __init__(self, context: ForkServerContext, settings: Settings, *, factory: str, threads: Executor) -> None:
        """Prepare; `start` starts.

        Args:
            context: multiprocessing's forkserver context.
            settings: handed to the factory.
            factory: ``module:function`` that makes a `child.Loaded` from the settings.
            threads: where blocking pipe calls run.
        """
        self._context = context
        self._settings = settings
        self._factory = factory
        self._threads = threads
        self._pipe: Connection | None = None
        self._process: psutil.Process | None = None
        self._killed_for: LossReason | None = None
        self.models: list[child.Served] = []
        """What it loaded when it started."""

    async def start(self) -> None:
        """Start the process and wait until its models are loaded.

        Raises:
            ModelError: it said why it cannot load, and a person can mend it.
            ProcessLostError: it died or took too long.
        """
        self._killed_for = None
        first = await self._guarded(self._spawn, seconds=START_SECONDS)
        answer = _READY.decode(first)
        if isinstance(answer, child.Ready):
            self.models = answer.models
            return
        self.kill()
        if answer.user:
            raise ModelError(answer.error)
        raise ProcessLostError(answer.error, reason="crashed")

    async def run(self, jobs: Sequence[Job], *, seconds: float) -> list[Done | Failed]:
        """Let the process enrich a micro-batch; as many results, in order.

        Raises:
            ProcessLostError: it died, or it took longer than ``seconds`` and was killed.
        """
        frame = msgspec.msgpack.encode(jobs)
        results = _RESULTS.decode(await self._guarded(lambda: self._exchange(frame), seconds=seconds))
        if len(results) != len(jobs):
            message = f"{len(results)} results for {len(jobs)} articles"
            raise ProcessLostError(message, reason="crashed")
        return results

    def resident_bytes(self) -> int:
        """Resident memory in bytes; 0 when the process is gone."""
        with contextlib.suppress(psutil.Error):
            if self._process is not None:
                return int(self._process.memory_info().rss)
        return 0

    def on_death(self, callback: Callable[[], None]) -> None:
        """Call back once when the idle process dies (its pipe closes)."""
        if self._pipe is not None:
            asyncio.get_running_loop().add_reader(self._pipe.fileno(), callback)

    def off_death(self) -> None:
        """Stop watching; needed before the next batch, whose answer is read by a thread."""
        if self._pipe is not None and not self._pipe.closed:
            asyncio.get_running_loop().remove_reader(self._pipe.fileno())

    def kill(self, reason: LossReason = "crashed") -> None:
        """End the process at once; harmless when it is gone. The pipe stays open until `close`."""
        self._killed_for = self._killed_for or reason
        with contextlib.suppress(psutil.NoSuchProcess):
            if self._process is not None:
                self._process.kill()

    def close(self) -> None:
        """Kill, and give the pipe back."""
        self.kill()
        if self._pipe is not None:
            self._pipe.close()
        self._pipe = self._process = None

    def _spawn(self) -> bytes:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=child.main, args=(theirs, self._settings, self._factory), name="khabar-enricher", daemon=True
        )
        process.start()
        theirs.close()
        self._pipe = ours
        self._process = psutil.Process(process.pid)
        if self._killed_for:  # while it was starting
            self.kill()
        return ours.recv_bytes()

    def _exchange(self, frame: bytes) -> bytes:
        if self._pipe is None:
            raise EOFError
        self._pipe.send_bytes(frame)
        return self._pipe.recv_bytes()

    async def _guarded(self, call: Callable[[], bytes], *, seconds: float) -> bytes:
        """Run a blocking call in a thread; kill the process when it takes too long, so that the thread comes back."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, call)
        try:
            await asyncio.wait({future}, timeout=seconds)
            if not future.done():
                self.kill("timeout")
            return await future
        except asyncio.CancelledError:
            self.kill()
            raise
        except (OSError, EOFError, psutil.Error) as error:
            reason = self._killed_for or "crashed"
            limit = f" after {seconds:.1f} s" if reason == "timeout" else ""
            message = f"enricher process: {reason}{limit}"
            raise ProcessLostError(message, reason=reason) from error
