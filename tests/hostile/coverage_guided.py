"""Atheris: inputs chosen by the code they reach, for decode, text and enrich at once.

``python -m tests.hostile.coverage_guided [SECONDS]``; needs ``pip install atheris``. libFuzzer ends the process itself: exit code 0 when
nothing was unexpected, else another, and the input is in the folder it names.
"""

import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.hostile.corpus import CASES

LONGEST = 4096
SECONDS = 600


def main(*, seconds: int) -> None:
    """Fuzz for so long; does not return."""
    atheris: Any = importlib.import_module("atheris")  # no types, and no dependency of the ordinary tests
    with atheris.instrument_imports(include=["worker.decode", "worker.enrich", "worker.records"]):
        targets: Any = importlib.import_module("tests.hostile.targets")

    def one(data: bytes) -> None:
        plain, value = data[:1] > b"\x7f", data[1:]
        wrong = list(targets.decode(value, plain_text=plain)) + list(targets.split(value.decode("utf-8", "replace")))
        wrong += targets.enrich([(value, plain)])[0]
        if wrong:
            raise AssertionError(wrong)

    folder = Path(tempfile.mkdtemp(prefix="khabar-fuzz-"))
    for number, case in enumerate(CASES):
        if case.value is not None and len(case.value) < LONGEST:
            (folder / str(number)).write_bytes(b"\x00" + case.value)
    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-artifact_prefix={folder}/", str(folder)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(seconds=int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS)
