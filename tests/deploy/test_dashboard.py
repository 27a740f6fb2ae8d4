"""The Grafana dashboard: made from code, whole, and true to the worker's metrics and the rules."""

import itertools
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from worker import metrics

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "dashboards" / "khabar.json").read_text(encoding="utf-8"))
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
RULES = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus/rules/khabar.yaml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]


@pytest.fixture(scope="module")
def generate() -> Iterator[ModuleType]:
    """The generator, which stands in deploy/."""
    sys.path.insert(0, str(DEPLOY))
    try:
        import generate  # type: ignore[import-not-found]

        yield generate
    finally:
        sys.path.remove(str(DEPLOY))


def test_the_committed_files_are_what_the_code_makes(generate: ModuleType) -> None:
    """The dashboard or the rules changed: `make dashboard`."""
    for path, text in generate.files().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `make dashboard`"


def test_the_rows_are_those_of_the_stream() -> None:
    """Flow, latency, quality, faults, capacity, each with panels below it."""
    titles = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    assert titles == ["Flow", "Latency", "Quality of the stream", "Faults", "Capacity"]
    kinds = [panel["type"] for panel in DASHBOARD["panels"]]
    assert all(following != "row" for kind, following in itertools.pairwise(kinds) if kind == "row")


def test_panels_do_not_overlap() -> None:
    """No panel lies on another, and none leaves the grid."""
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, panel["title"]
        assert all(x < 24 for x, _ in cells)
        taken |= cells


@pytest.mark.parametrize("panel", PANELS, ids=[panel["title"] for panel in PANELS])
def test_every_panel_explains_itself(panel: dict[str, Any]) -> None:
    """A description, a unit, the data source of the variable; a threshold has a colour for all that is well."""
    assert panel["description"].endswith((".", ")."))
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"]["uid"] == "${datasource}"
    steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
    assert not steps or (len(steps) > 1 and steps[0]["value"] is None)


def test_rates_use_the_rate_interval() -> None:
    """A fixed window would lie at one zoom or be empty at another."""
    windows = {window for query in QUERIES for window in re.findall(r"\[([^\]]+)\]", query)}
    assert windows == {"$__rate_interval"}


def test_latency_is_shown_by_quantiles_of_histograms() -> None:
    """Means hide the slow articles."""
    assert any("histogram_quantile(0.99" in query and "khabar_end_to_end_seconds_bucket" in query for query in QUERIES)
    assert any("histogram_quantile(" in query and "khabar_stage_seconds_bucket" in query for query in QUERIES)


def test_every_metric_is_shown_or_said_not_to_be(generate: ModuleType) -> None:
    """A new metric has to find its place, and one that went away its end."""
    from grafana import panels  # type: ignore[import-not-found]

    assert generate
    families = list(metrics.REGISTRY.collect())
    names = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for query in QUERIES for name in re.findall(r"\b(?:khabar|process)_[a-z_]+", query)}
    recorded = {rule["record"] for rule in RULES if "record" in rule}
    used_recordings = {name for query in QUERIES for name in re.findall(r"\bkhabar:[a-z_0-9:]+", query)}
    assert shown <= names
    assert used_recordings <= recorded
    assert names - shown <= set(panels.NOT_SHOWN)
    assert set(panels.NOT_SHOWN) <= names
    assert all(panels.NOT_SHOWN.values())


def test_variables_let_a_person_choose() -> None:
    """Data source, job, namespace and worker; all at first, and a missing label is no obstacle."""
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert list(variables) == ["datasource", "job", "namespace", "instance"]
    for name in ("job", "namespace", "instance"):
        assert variables[name]["includeAll"]
        assert variables[name]["allValue"] == ".*"
        assert any(f"${name}" in query for query in QUERIES)


def test_restarts_and_deploys_are_annotated() -> None:
    """A bend in a curve is seen beside what happened at that moment."""
    annotations = {annotation["name"]: annotation["expr"] for annotation in DASHBOARD["annotations"]["list"]}
    assert "process_start_time_seconds" in annotations["Worker started"]
    assert "khabar_build_info" in annotations["New version"]


def test_links_lead_to_entries_of_the_runbook() -> None:
    """The dashboard links to the runbook, panels to the entry of their alert, and every alert that has a panel is real."""
    alerts = {rule["alert"].lower(): rule["annotations"]["runbook_url"] for rule in RULES if "alert" in rule}
    assert [link["url"] for link in DASHBOARD["links"]] == [next(iter(alerts.values())).split("#")[0]]
    linked = [link["url"] for panel in PANELS for link in panel.get("links", [])]
    assert len(linked) > 8
    assert set(linked) <= set(alerts.values())
