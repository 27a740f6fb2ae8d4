"""deploy/prometheus: rules that load, fire, stay quiet, and lead to an entry of the runbook."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from worker import metrics

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
GROUPS: list[dict[str, Any]] = yaml.safe_load((PROMETHEUS / "rules" / "khabar.yaml").read_text(encoding="utf-8"))["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
TESTS: list[dict[str, Any]] = yaml.safe_load((PROMETHEUS / "tests" / "khabar.yaml").read_text(encoding="utf-8"))["tests"]


def promtool(tool: Callable[[str], str], *arguments: str) -> str:
    """Run promtool; its output."""
    done = subprocess.run([tool("promtool"), *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_configuration_and_rules_load(tool: Callable[[str], str]) -> None:
    """Prometheus itself reads both files."""
    assert "SUCCESS" in promtool(tool, "check", "config", str(PROMETHEUS / "prometheus.yaml"))
    assert f"SUCCESS: {len(RULES)} rules found" in promtool(tool, "check", "rules", str(PROMETHEUS / "rules" / "khabar.yaml"))


def test_the_unit_tests_of_the_rules_pass(tool: Callable[[str], str]) -> None:
    """Every alert fires when it should, with the words it should, and stays quiet when it should."""
    assert "SUCCESS" in promtool(tool, "test", "rules", str(PROMETHEUS / "tests" / "khabar.yaml"))


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_is_seen_to_fire_and_to_stay_quiet(alert: str) -> None:
    """The unit tests hold both for each alert."""
    expected = [check["exp_alerts"] for test in TESTS for check in test["alert_rule_test"] if check["alertname"] == alert]
    assert any(expected), "nothing shows that it fires"
    assert not all(expected), "nothing shows that it stays quiet"


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_leads_to_the_runbook(alert: str) -> None:
    """Severity, a summary, a description and an entry of its own that says what it means, what to look at and what to do."""
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["annotations"]["description"].endswith(".")
    page, anchor = rule["annotations"]["runbook_url"].rsplit("/", 1)[1].split("#")
    assert anchor == alert.lower()
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    entry = re.search(rf"^## {alert}\n(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL)
    assert entry, f"no entry for {alert}"
    assert all(part in entry[1] for part in ("**Means**", "**Look**", "**Do**"))


def test_the_runbook_has_no_entry_without_an_alert() -> None:
    """An alert that went away takes its entry with it."""
    entries = re.findall(r"^## (Khabar\w+)$", (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert entries == list(ALERTS)


def test_the_rules_use_metrics_that_the_worker_has() -> None:
    """A renamed metric would silence an alert without a word."""
    families = {f"{family.name}_total" if family.type == "counter" else family.name for family in metrics.REGISTRY.collect()}
    histograms = {
        f"{family.name}{suffix}"
        for family in metrics.REGISTRY.collect()
        if family.type == "histogram"
        for suffix in ("_bucket", "_count", "_sum")
    }
    used = {name for rule in RULES for name in re.findall(r"\b(?:khabar|process)_[a-z_]+", rule["expr"])}
    assert used
    assert used <= families | histograms


def test_the_latency_objective_is_a_bucket_of_the_histogram() -> None:
    """Without a bucket at the objective the rules would see nothing."""
    bounds = {bound for rule in RULES for bound in re.findall(r'le="([^"]+)"', rule["expr"])}
    assert bounds == {"30.0"}
    metrics.END_TO_END_SECONDS.observe(1)
    (family,) = metrics.END_TO_END_SECONDS.collect()
    assert bounds <= {sample.labels.get("le") for sample in family.samples}


def test_recorded_names_follow_the_convention_and_are_used() -> None:
    """level:metric:operations; every recorded series serves an alert or the dashboard."""
    recorded = [rule["record"] for rule in RULES if "record" in rule]
    dashboard = (ROOT / "deploy" / "grafana" / "dashboards" / "khabar.json").read_text(encoding="utf-8")
    for name in recorded:
        assert re.fullmatch(r"[a-z_]+:[a-z_]+:[a-z_0-9]+", name)
        uses = [rule for rule in RULES if name in rule["expr"]]
        assert uses or name in dashboard, name
