"""The documentation says what the code does: tables, links, commands, metrics."""

import importlib.util
import re
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from worker import metrics

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
PROMISED = {
    "khabar_articles_consumed_total",
    "khabar_articles_enriched_total",
    "khabar_articles_dead_lettered_total",
    "khabar_stage_seconds",
    "khabar_end_to_end_seconds",
    "khabar_batch_articles",
    "khabar_articles_in_flight",
    "khabar_entities_total",
    "khabar_publish_retries_total",
    "khabar_pool_restarts_total",
    "khabar_consumer_lag",
    "khabar_model_info",
    "khabar_build_info",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
}


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    """The generator of the tables, which is a script beside the documents."""
    spec = importlib.util.spec_from_file_location("tables", ROOT / "docs" / "tables.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_those_of_the_code(tables: ModuleType) -> None:
    """Settings and metrics changed: `make docs`."""
    for path in tables.FILES:
        text = path.read_text(encoding="utf-8")
        assert "<!-- table: " in text
        assert tables.updated(text) == text, f"{path.name}: run `make docs`"


def test_every_setting_and_metric_is_documented(tables: ModuleType) -> None:
    """The tables stand in the documents that people read, whole."""
    readme, operations = (path.read_text(encoding="utf-8") for path in tables.FILES)
    assert tables.settings_table() in readme
    assert tables.metrics_table() in operations
    assert len(list(tables.metric_rows())) == len(list(metrics.REGISTRY.collect()))


def test_the_promised_metrics_are_there(tables: ModuleType) -> None:
    """Dashboards and alerts of others rely on these names; each metric says what it is."""
    rows = {name: meaning for name, _, _, meaning in tables.metric_rows()}
    assert set(rows) >= PROMISED
    assert all(meaning.endswith(".") for meaning in rows.values())


def heading_anchors(path: Path) -> set[str]:
    """Anchors that a Markdown page offers, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_within_the_project_lead_somewhere(path: Path) -> None:
    """Files exist and anchors are headings."""
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), target
        if anchor:
            assert anchor in heading_anchors(there), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_make_targets_that_are_named_exist(path: Path) -> None:
    """No document sends a person to a target that is not there."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert named <= targets


def test_make_help_lists_every_target() -> None:
    """Whoever types `make` alone learns what there is."""
    done = subprocess.run(["make", "--silent", "help"], cwd=ROOT, check=True, capture_output=True, text=True)
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert phony
    assert {line.split()[0] for line in done.stdout.splitlines()} == set(phony[1].split())


def test_the_locks_name_no_index_and_hash_every_file() -> None:
    """Packages come from where pip is configured to look, and only the files that were locked."""
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^--|://", text, flags=re.MULTILINE), path.name
        blocks = re.split(r"\n(?=[A-Za-z0-9])", text.strip())[1:]
        assert blocks
        assert all("==" in block and "--hash=sha256:" in block for block in blocks), path.name
