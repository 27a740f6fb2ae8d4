"""What the rig's enricher processes run: the real decoding and enrichment, and an analyser that some articles break.

A text with ``KHABAR-POISON-kill-17`` in it kills the process that analyses it; ``hang``, ``raise``, ``leak``, ``burst`` and
``once`` do what their names say. The worker knows nothing of this: the factory is an ordinary ``module:function``.
"""

import os
import re
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from tests.faults.light import LightAnalyser
from worker.enrich.analysis import Analysis
from worker.settings import Settings
from worker.stream.child import Loaded

MARKER = "KHABAR-POISON"
FOLDER_VARIABLE = "RIG_POISON_FOLDER"
MODELS_VARIABLE = "RIG_MODELS"
LEAK_MIB = 60
BURST_MIB = 900
_POISON = re.compile(rf"{MARKER}-(kill|hang|raise|leak|burst|once)-(\d+)")
_leaked: list[bytearray] = []


class PoisonedError(RuntimeError):
    """The bug that a poisoned article uncovers."""


class PoisonAnalyser(LightAnalyser):
    """Light models that some articles break."""

    def analyse(self, texts: Sequence[tuple[str, str]]) -> list[Analysis]:
        """Break at the first poisoned text; else what the light models say."""
        for _, text in texts:
            for kind, number in _POISON.findall(text):
                _break(kind, number)
        return super().analyse(texts)


def enricher(settings: Settings) -> Loaded:
    """The factory: like the worker's own, with these models, or behind the worker's own when ``RIG_MODELS`` says ``real``."""
    from worker.enrich import job
    from worker.enrich.enricher import Enricher

    analyser = PoisonAnalyser()
    if os.environ.get(MODELS_VARIABLE) == "real":
        from worker.nlp import pipeline

        real = pipeline.load(settings)
        analyser = _behind(real.analyse)
        analyser.models = tuple(real.by_language.values())
    made = Enricher(analyser, summary_sentences=settings.summary_sentences, summary_characters=settings.summary_characters)
    return Loaded(run=lambda jobs: job.run(jobs, enricher=made, settings=settings), models=[("", model) for model in analyser.models])


def _behind(analyse: object) -> PoisonAnalyser:
    class Behind(PoisonAnalyser):
        """The real models behind the poison."""

        def analyse(self, texts: Sequence[tuple[str, str]]) -> list[Analysis]:
            """Break at the first poisoned text; else what the real models say."""
            super().analyse(texts)
            return analyse(texts)  # type: ignore[operator, no-any-return]

    return Behind()


def _break(kind: str, number: str) -> None:
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif kind == "hang":
        while True:
            time.sleep(60)
    elif kind == "raise":
        raise PoisonedError(number)
    elif kind == "leak":
        _leaked.append(bytearray(os.urandom(1)) * (LEAK_MIB * 2**20))
    elif kind == "burst":
        _leaked.append(bytearray(os.urandom(1)) * (BURST_MIB * 2**20))
        time.sleep(60)
    elif kind == "once":
        mark = Path(os.environ[FOLDER_VARIABLE]) / f"once-{number}"
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
