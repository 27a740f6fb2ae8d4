"""Write what the deployment derives from other files: the rules as a Kubernetes resource, the dashboard's JSON.

python deploy/generate.py
"""

from pathlib import Path

import yaml
from grafana import dashboard

DEPLOY = Path(__file__).parent
RULES = DEPLOY / "prometheus" / "rules" / "khabar.yaml"
RESOURCE = DEPLOY / "kubernetes" / "base" / "prometheusrule.yaml"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "khabar.json"


def prometheus_rule() -> str:
    """The rules as the Prometheus operator takes them."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    resource = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "khabar"},
        "spec": {"groups": groups},
    }
    text = yaml.safe_dump(resource, sort_keys=False, allow_unicode=True, width=140)
    return "# Made from deploy/prometheus/rules/khabar.yaml (make dashboard); do not edit.\n" + text


def files() -> dict[Path, str]:
    """Path and text of every derived file."""
    return {RESOURCE: prometheus_rule(), DASHBOARD: dashboard.render()}


def main() -> None:
    """Write the files that have changed."""
    for path, text in files().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(path.relative_to(DEPLOY.parent))  # noqa: T201 - a tool for people


if __name__ == "__main__":
    main()
