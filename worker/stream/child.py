"""An enricher process: reads micro-batches from its pipe, answers each with the finished records.

Frames are msgpack, never pickle. The process ends when its pipe or its parent does.
"""

import gc
import importlib
import os
import signal
import threading
from collections.abc import Callable, Sequence
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from typing import NamedTuple

import msgspec

from worker import log
from worker.enrich.job import Done, Failed, Job
from worker.errors import UserError
from worker.records import Model
from worker.settings import Settings

Run = Callable[[Sequence[Job]], Sequence[Done | Failed]]
"""Enriches a micro-batch: as many results, in the same order; raises nothing an article can cause."""

DEFAULT_FACTORY = "worker.stream.child:enricher"


Served = tuple[str, Model]
"""A model at work and the language it serves; an empty one is every language it knows."""


class Loaded(NamedTuple):
    """What a factory returns: the function, and the models behind it."""

    run: Run
    models: Sequence[Served]


class Ready(msgspec.Struct, tag=True, frozen=True):
    """First frame of a process that can work."""

    models: list[Served]


class NotReady(msgspec.Struct, tag=True, frozen=True):
    """First frame of a process that cannot: one line, and whether a person's input is to blame."""

    error: str
    user: bool


def enricher(settings: Settings) -> Loaded:
    """Load the models and the enricher.

    Raises:
        ModelError: the models are absent, incomplete or fail their checksums.
    """
    from worker.enrich import job, language
    from worker.enrich.enricher import Enricher
    from worker.nlp import pipeline

    if settings.uses_avro:
        importlib.import_module("worker.avro.enriched")  # not while the first article waits
    analyser = pipeline.load(settings)
    made = Enricher(analyser, summary_sentences=settings.summary_sentences, summary_characters=settings.summary_characters)
    return Loaded(
        run=lambda jobs: job.run(jobs, enricher=made, settings=settings), models=[("", language.model()), *analyser.by_language.items()]
    )


def main(connection: Connection, settings: Settings, factory: str) -> None:
    """Run until the pipe closes. Signals are the parent's business: a process group's SIGTERM must not end a batch."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    log.configure(level=settings.log_level, form=settings.log_format)
    run = _load(connection, settings, factory)
    if run is None:
        return
    decoder = msgspec.msgpack.Decoder(list[Job])
    while True:
        try:
            frame = connection.recv_bytes()
        except (EOFError, OSError):
            os._exit(0)
        connection.send_bytes(msgspec.msgpack.encode(list(run(decoder.decode(frame)))))


def _load(connection: Connection, settings: Settings, factory: str) -> Run | None:
    module, _, name = factory.partition(":")
    try:
        loaded: Loaded = getattr(importlib.import_module(module), name)(settings)
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent has to hear it
        line = " ".join(f"{'' if isinstance(error, UserError) else type(error).__name__ + ': '}{error}".split())
        connection.send_bytes(msgspec.msgpack.encode(NotReady(error=line, user=isinstance(error, UserError))))
        return None
    gc.collect()
    gc.freeze()  # the models never become garbage: the collector need not walk them again
    connection.send_bytes(msgspec.msgpack.encode(Ready(models=list(loaded.models))))
    return loaded.run


def _end_with_parent() -> None:
    """End this process with its parent, also in the middle of a batch or of an endless loop that lets threads run."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(0)
