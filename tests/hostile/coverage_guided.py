"""Atheris: inputs chosen by the code they reach, for decode, text and enrich at once."""

import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.hostile.corpus import CASES

LONGEST = 4096


def main(*, seconds: int) -> int:
    """Fuzz for some seconds; libFuzzer ends the process itself, with an exit code other than 0 on an unexpected outcome."""
    atheris: Any = importlib.import_module("atheris")  # no types, and no dependency of the ordinary tests

    with atheris.instrument_imports(include=["worker.decode", "worker.enrich", "worker.records"]):
        from tests.hostile import targets

    def one(data: bytes) -> None:
        plain, value = bool(data[:1] > b"\x7f"), data[1:]
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
    return 0
