"""deploy/compose.yaml: valid by the specification, and every path, port, variable and dependency in it right."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from worker.settings import Settings, reference

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_it_is_valid_by_the_specification(reference_json: Callable[[str], Any]) -> None:
    """The Compose specification's own schema takes it, and would notice a mistake."""
    validator = Draft7Validator(reference_json("compose-spec.json"))
    assert list(validator.iter_errors(COMPOSE)) == []
    assert list(validator.iter_errors(COMPOSE | {"services": {"kafka": {"ports": "9092"}}}))


def test_everything_to_operate_it_is_there() -> None:
    """Broker, topics, two workers, Prometheus, Grafana; a feeder only when asked for."""
    assert set(SERVICES) == {"kafka", "topics", "worker", "feeder", "prometheus", "grafana"}
    assert SERVICES["worker"]["deploy"]["replicas"] == 2
    assert SERVICES["feeder"]["profiles"] == ["feed"]
    assert [name for name, service in SERVICES.items() if "profiles" in service] == ["feeder"]


def test_dependencies_name_services_that_can_meet_them() -> None:
    """`service_healthy` needs a health check; `service_completed_successfully` a service that ends."""
    for name, service in SERVICES.items():
        for other, condition in service.get("depends_on", {}).items():
            needed = condition["condition"]
            assert other in SERVICES, name
            if needed == "service_healthy":
                assert SERVICES[other]["healthcheck"]["test"], f"{name} waits for {other}"
            else:
                assert needed == "service_completed_successfully"
                assert SERVICES[other]["restart"] == "no"
    assert SERVICES["worker"]["depends_on"] == {"topics": {"condition": "service_completed_successfully"}}


def test_ports_bind_to_loopback_and_do_not_clash() -> None:
    """Nothing is open to the network, and no two services want the same port."""
    taken: list[int] = []
    for service in SERVICES.values():
        for port in service.get("ports", []):
            host, published, _ = port.split(":")
            assert host == "127.0.0.1"
            first, _, last = published.partition("-")
            taken += range(int(first), int(last or first) + 1)
    assert len(taken) == len(set(taken))
    assert {8080, 8081, 9090, 3000, 29092} == set(taken), "a port for each worker"


def test_mounted_files_exist_and_named_volumes_are_declared() -> None:
    """A missing file would become an empty folder, silently."""
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).exists(), source
                assert volume.endswith(":ro")
            else:
                assert source in COMPOSE["volumes"]


@pytest.mark.parametrize("name", ["topics", "worker", "feeder"])
def test_the_worker_runs_with_as_few_rights_as_it_needs(name: str) -> None:
    """Read-only, no capabilities, no new privileges; only /tmp can be written."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["tmpfs"][0].startswith("/tmp:")  # noqa: S108 - inside the container
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()


@pytest.mark.parametrize("name", ["topics", "worker", "feeder"])
def test_its_variables_are_settings_with_good_values(name: str) -> None:
    """The environment, defaults filled in, makes settings that the worker accepts."""
    environment = {key: re.sub(r"\$\{\w+:-(.*)\}", r"\1", str(value)) for key, value in SERVICES[name]["environment"].items()}
    assert set(environment) <= {variable for variable, _, _ in reference()}
    settings = Settings.from_env(environment)
    assert settings.broker_list == ["kafka:9092"]


def test_the_stop_grace_period_is_above_the_drain_deadline() -> None:
    """The worker ends itself before it is killed."""
    assert float(SERVICES["worker"]["stop_grace_period"].removesuffix("s")) > Settings().drain_timeout


def test_kafka_advertises_what_the_others_use() -> None:
    """Inside the network `kafka:9092`, on the machine `localhost:29092`; topics are made by us alone."""
    environment = SERVICES["kafka"]["environment"]
    advertised = dict(part.split("://") for part in environment["KAFKA_ADVERTISED_LISTENERS"].split(","))
    assert advertised == {"PLAINTEXT": "kafka:9092", "HOST": "localhost:29092"}
    listening = {part.split("://")[0] for part in environment["KAFKA_LISTENERS"].split(",")}
    assert listening == set(dict(part.split(":") for part in environment["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")))
    assert environment["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_prometheus_scrapes_the_workers_and_reads_the_rules() -> None:
    """The scrape target is the worker's service and port, the rule files are where they are mounted."""
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text(encoding="utf-8"))
    target = config["scrape_configs"][0]["dns_sd_configs"][0]
    assert target["names"] == ["worker"]
    assert target["port"] == Settings().http_port
    assert "./prometheus/rules:/etc/prometheus/rules:ro" in SERVICES["prometheus"]["volumes"]
    assert config["rule_files"] == ["rules/*.yaml"]


def test_grafana_is_provisioned_from_the_mounted_folders() -> None:
    """Data source and dashboards stand where Grafana is told to look."""
    source = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text(encoding="utf-8"))["datasources"][0]
    assert source["url"] == "http://prometheus:9090"
    provider = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/khabar.yaml").read_text(encoding="utf-8"))["providers"][0]
    mounts = [volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]]
    assert provider["options"]["path"] in mounts
    assert "/etc/grafana/provisioning" in mounts
