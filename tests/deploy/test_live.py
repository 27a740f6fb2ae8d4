"""A real Prometheus scrapes a working worker under load and faults: every query returns data, an alert fires and resolves."""

import contextlib
import json
import re
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.mixed import MAX_ARTICLE_BYTES, cases
from tests.integration.workers import Topics, Worker
from worker.broker import EmbeddedBroker, free_port

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
RESULTS = ROOT / "build" / "dashboard-results.json"
LOAD_SECONDS = 25
VARIABLES = {"$__rate_interval": "15s", "$job": ".*", "$namespace": ".*", "$instance": ".*"}


@dataclass
class Stage:
    """What runs for these tests."""

    prometheus: str
    topics: Topics
    start: Callable[[], Worker]
    worker: Worker

    def ask(self, path: str, **parameters: str) -> Any:  # noqa: ANN401 - any JSON
        """An answer of Prometheus' API."""
        url = f"{self.prometheus}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own
            body = json.load(answer)
        assert body["status"] == "success"
        return body["data"]

    def firing(self) -> set[str]:
        """Names of the alerts that fire."""
        return {alert["labels"]["alertname"] for alert in self.ask("alerts")["alerts"] if alert["state"] == "firing"}


def configure(folder: Path, port: int) -> Path:
    """Prometheus' configuration: our rules, evaluated every second and without their waiting times, one worker."""
    rules = (DEPLOY / "prometheus" / "rules" / "khabar.yaml").read_text(encoding="utf-8")
    (folder / "khabar.yaml").write_text(re.sub(r"^( +for:) .*", r"\1 2s", rules, flags=re.MULTILINE), encoding="utf-8")
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(folder / "khabar.yaml")],
        "scrape_configs": [{"job_name": "khabar", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}],
    }
    path = folder / "prometheus.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def wait(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.25)


def feed(topics: Topics, seconds: float) -> None:
    """Mixed articles, good and bad, and now and then one that kills the process that enriches it."""
    end = time.monotonic() + seconds
    with contextlib.closing(topics.producer()) as producer:
        for number, case in enumerate(cases(3000)):
            if time.monotonic() > end:
                break
            value = b'{"body": "KHABAR-POISON-once-%d stands in here"}' % number if number == 40 else case.value
            producer.send(topics.raw, value=value, key=case.key or b"some", headers=case.headers)
            time.sleep(0.05)
        producer.flush()


@pytest.fixture(scope="module")
def stage(tool: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Broker, worker and Prometheus, after some seconds of load."""
    program = tool("prometheus")
    folder = tmp_path_factory.mktemp("live")
    with EmbeddedBroker() as broker:
        topics = Topics(broker.address, "live")
        port = free_port()
        settings = topics.environ() | {
            "KHABAR_PROCESSES": "1",
            "KHABAR_SESSION_TIMEOUT": "5",
            "KHABAR_REBALANCE_TIMEOUT": "8",
            "KHABAR_DRAIN_TIMEOUT": "7",
            "KHABAR_MAX_ARTICLE_BYTES": str(MAX_ARTICLE_BYTES),
            "RIG_POISON_FOLDER": str(folder),
        }

        def start() -> Worker:
            return Worker(settings, log=folder / "worker.log", factory="tests.faults.poison:enricher", port=port)

        listen = free_port()
        command = [program, f"--config.file={configure(folder, port)}", f"--storage.tsdb.path={folder / 'tsdb'}"]
        with (folder / "prometheus.log").open("wb") as log, start() as worker:
            prometheus = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{listen}"], stdout=log, stderr=log)
            try:
                worker.wait_ready()
                load = threading.Thread(target=feed, args=(topics, LOAD_SECONDS))
                load.start()
                load.join()
                yield Stage(f"http://127.0.0.1:{listen}", topics, start, worker)
            finally:
                prometheus.terminate()
                prometheus.wait(20)


def sampled(stage: Stage, query: str) -> list[Any]:
    """What a query says, once a scrape has given it a sample: on a busy machine one can be late."""
    found: list[Any] = []

    def there() -> bool:
        found[:] = stage.ask("query", query=query)["result"]
        return bool(found)

    wait(there, seconds=60, what=query)
    return found


def filled(expression: str) -> str:
    """A query with the dashboard's variables filled in, as Grafana would."""
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def panels() -> list[dict[str, Any]]:
    """The dashboard's panels that ask something."""
    dashboard = json.loads((DEPLOY / "grafana" / "dashboards" / "khabar.json").read_text(encoding="utf-8"))
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def test_every_query_of_every_panel_returns_data(stage: Stage) -> None:
    """No panel stays empty on a worker that works; what was seen is kept for the picture in the documentation."""
    now = time.time()
    empty, kept = [], []
    for panel in panels():
        for target in panel["targets"]:
            expression = filled(target["expr"])
            data = stage.ask("query_range", query=expression, start=str(now - LOAD_SECONDS - 5), end=str(now), step="1")["result"]
            numbers = [value for series in data for _, value in series["values"] if value != "NaN"]
            if not numbers:
                empty.append((panel["title"], expression))
            kept.append(
                {
                    "panel": panel["title"],
                    "legend": target.get("legendFormat", ""),
                    "unit": panel["fieldConfig"]["defaults"]["unit"],
                    "result": data,
                }
            )
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(kept), encoding="utf-8")
    assert empty == []


def test_the_annotations_and_variables_ask_what_prometheus_understands(stage: Stage) -> None:
    """Annotations parse; each variable finds values or, outside Kubernetes, none."""
    dashboard = json.loads((DEPLOY / "grafana" / "dashboards" / "khabar.json").read_text(encoding="utf-8"))
    for annotation in dashboard["annotations"]["list"]:
        stage.ask("query", query=filled(annotation["expr"]))
    assert stage.ask("label/job/values", **{"match[]": "khabar_build_info"}) == ["khabar"]
    assert len(stage.ask("label/instance/values", **{"match[]": "khabar_build_info"})) == 1


def test_every_rule_is_evaluated_and_every_recording_has_data(stage: Stage) -> None:
    """Prometheus reports every rule healthy; what is recorded is there."""
    rules = [rule for group in stage.ask("rules")["groups"] for rule in group["rules"]]
    written = yaml.safe_load((DEPLOY / "prometheus/rules/khabar.yaml").read_text(encoding="utf-8"))["groups"]
    assert len(rules) == sum(len(group["rules"]) for group in written)
    assert {rule["health"] for rule in rules} == {"ok"}
    for rule in rules:
        if rule["type"] == "recording":
            sampled(stage, rule["name"])


def test_what_was_sent_is_what_prometheus_counts(stage: Stage) -> None:
    """The load went through, with dead letters and a replaced process among it."""
    counts = {
        name: float(sampled(stage, f"sum({name})")[0]["value"][1])
        for name in ("khabar_articles_enriched_total", "khabar_articles_dead_lettered_total", "khabar_pool_restarts_total")
    }
    assert counts["khabar_articles_enriched_total"] > 100
    assert counts["khabar_articles_dead_lettered_total"] > 20
    assert counts["khabar_pool_restarts_total"] >= 1


def test_an_alert_fires_when_the_worker_stops_and_resolves_when_it_is_back(stage: Stage) -> None:
    """What the operations page has a newcomer do."""
    assert "KhabarNoWorker" not in stage.firing()
    assert stage.worker.terminate() == 0
    wait(lambda: "KhabarNoWorker" in stage.firing(), seconds=30, what="no alert though the worker is gone")
    with stage.start() as worker:
        worker.wait_ready()
        wait(lambda: "KhabarNoWorker" not in stage.firing(), seconds=30, what="the alert stays though the worker is back")
        worker.terminate()
