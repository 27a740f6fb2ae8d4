"""The Dockerfile: linted, and saying what the deployment relies on."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy.rehearse import ignored, instructions
from worker import __version__
from worker.settings import reference

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
INSTRUCTIONS = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE)).splitlines()
FINAL = INSTRUCTIONS[max(index for index, line in enumerate(INSTRUCTIONS) if line.startswith("FROM ")) :]


def test_hadolint_has_nothing_to_say(tool: Callable[[str], str]) -> None:
    """The linter passes without a single ignore."""
    done = subprocess.run([tool("hadolint"), str(ROOT / "Dockerfile")], check=False, capture_output=True, text=True)
    assert done.stdout + done.stderr == ""
    assert "hadolint ignore" not in DOCKERFILE


def test_every_base_is_pinned_by_digest() -> None:
    """Each stage starts from the same base, which an argument pins by digest."""
    bases = [line.split()[1] for line in INSTRUCTIONS if line.startswith("FROM ")]
    assert set(bases) == {"${PYTHON_IMAGE}"}
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.11-\S+@sha256:[0-9a-f]{64}$", DOCKERFILE, flags=re.MULTILINE)


def test_it_runs_as_a_user_without_rights() -> None:
    """The last USER is a number, so that Kubernetes can see that it is not root, and nothing is installed after it."""
    last = max(index for index, line in enumerate(FINAL) if line.startswith("USER "))
    assert re.fullmatch(r"USER [1-9]\d*:[1-9]\d*", FINAL[last])
    assert not [line for line in FINAL[last:] if line.startswith(("RUN ", "COPY ", "ADD "))]


def test_signals_reach_the_worker() -> None:
    """No shell stands between the container's stop and the worker."""
    assert "STOPSIGNAL SIGTERM" in FINAL
    assert 'ENTRYPOINT ["khabar"]' in FINAL
    assert 'CMD ["worker"]' in FINAL


def test_the_health_check_asks_the_worker_itself() -> None:
    """/live on the port that is set, in exec form, within its own time limit."""
    health = next(line for line in FINAL if line.startswith("HEALTHCHECK "))
    assert "--start-period=" in health
    assert "/live" in health
    assert "KHABAR_HTTP_PORT" in health
    assert 'CMD ["python", "-c"' in health


def test_the_labels_tell_version_and_licence() -> None:
    """The version label's default is the program's own."""
    assert f"ARG VERSION={__version__}" in INSTRUCTIONS
    assert 'org.opencontainers.image.licenses="Apache-2.0"' in DOCKERFILE


def test_only_real_settings_are_set() -> None:
    """A variable that is no setting would be a mistake nobody notices."""
    used = set(re.findall(r"KHABAR_[A-Z_]+", DOCKERFILE))
    assert used <= {variable for variable, _, _ in reference()}


@pytest.mark.parametrize("source", ["requirements/", "pyproject.toml", "README.md", "LICENSE", "worker/"])
def test_what_is_copied_is_in_the_context(source: str) -> None:
    """`.dockerignore` lets through exactly what a COPY takes."""
    copied = {word for line in INSTRUCTIONS if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]}
    assert source in copied
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")}
    assert allowed == {word.rstrip("/") for word in copied}
    assert (ROOT / source).exists()


@pytest.mark.parametrize("path", ["worker/cli.py", "worker/bundled/samples/ar.jsonl", "requirements/install.sh", "pyproject.toml"])
def test_what_the_build_needs_gets_through(path: str) -> None:
    """The rehearsal (`make rehearse`) reads `.dockerignore` as an engine does."""
    assert (ROOT / path).exists()
    assert not ignored(Path(path))


@pytest.mark.parametrize(
    "path", [".git/config", "tests/conftest.py", ".venv/bin/python", "worker/__pycache__/cli.pyc", "worker/nlp/x.pyc", "Makefile"]
)
def test_what_the_build_does_not_need_stays_out(path: str) -> None:
    """No history, no environment, no leftovers in the image."""
    assert ignored(Path(path))


def test_the_rehearsal_knows_every_instruction() -> None:
    """A new kind of instruction would be passed over in silence."""
    known = {"FROM", "ARG", "ENV", "WORKDIR", "COPY", "RUN", "USER", "LABEL", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
    assert {name for name, _ in instructions(DOCKERFILE)} == known
