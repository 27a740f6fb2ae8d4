"""deploy/kubernetes: rendered by kubectl, valid by the schemas, and the parts agreeing with one another and with the worker."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator

from worker.commands.topics import wanted
from worker.settings import Settings, reference

KUBERNETES = Path(__file__).parents[2] / "deploy" / "kubernetes"
CRDS = {
    "ScaledObject": "crds/keda.sh_scaledobjects.yaml",
    "TriggerAuthentication": "crds/keda.sh_triggerauthentications.yaml",
    "PodMonitor": "crds/monitoring.coreos.com_podmonitors.yaml",
    "PrometheusRule": "crds/monitoring.coreos.com_prometheusrules.yaml",
    "KafkaTopic": "crds/strimzi_043-Crd-kafkatopic.yaml",
}
VERSIONS = ["1.31", "1.37"]
PASSWORD_FILE = "KHABAR_SASL_PASSWORD_FILE"  # noqa: S105 - the name of a variable

Resource = dict[str, Any]


@pytest.fixture(scope="session")
def render(tool: Callable[[str], str]) -> Callable[[str], list[Resource]]:
    """The resources of a folder, as `kubectl kustomize` renders them."""

    def of(folder: str) -> list[Resource]:
        done = subprocess.run([tool("kubectl"), "kustomize", str(KUBERNETES / folder)], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return list(yaml.safe_load_all(done.stdout))

    return of


@pytest.fixture(scope="session")
def production(render: Callable[[str], list[Resource]]) -> dict[str, Resource]:
    """The production overlay, by kind: there is one of each."""
    resources = render("overlays/production")
    kinds = {resource["kind"]: resource for resource in resources}
    assert len(kinds) == len(resources)
    return kinds


@pytest.fixture(scope="session")
def pod(production: dict[str, Resource]) -> Resource:
    """The pod's specification."""
    spec: Resource = production["Deployment"]["spec"]["template"]["spec"]
    return spec


@pytest.fixture(scope="session")
def container(pod: Resource) -> Resource:
    """The one container."""
    (only,) = pod["containers"]
    return dict(only)


def crd_schema(path: Path, version: str) -> Resource:
    """The schema of one version of a custom resource, as JSON Schema."""
    definition = yaml.safe_load(path.read_text(encoding="utf-8"))
    schemas = {entry["name"]: entry["schema"]["openAPIV3Schema"] for entry in definition["spec"]["versions"]}
    schema: Resource = strict(schemas[version])
    return schema


def strict(node: Any) -> Any:  # noqa: ANN401 - any JSON
    """OpenAPI's ways made JSON Schema's: numbers that may be text; and unknown fields refused, as the server prunes them."""
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: strict(value) for key, value in node.items()}
    if made.pop("x-kubernetes-int-or-string", False):
        made.pop("type", None)
        made["type"] = ["integer", "string"]
    if node.get("nullable") and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    if "properties" in node and "additionalProperties" not in node and not node.get("x-kubernetes-preserve-unknown-fields"):
        made["additionalProperties"] = False
    return made


@pytest.mark.parametrize("folder", ["base", "overlays/production", "topics"])
def test_every_resource_is_valid(folder: str, render: Callable[[str], list[Resource]], reference: Callable[[str], Path]) -> None:
    """Kubernetes' own schemas, strictly, of an older and the newest release; for the rest the definitions of their operators."""
    resources = render(folder)
    assert resources
    for resource in resources:
        kind = resource["kind"]
        if kind in CRDS:
            schema = crd_schema(reference(CRDS[kind]), resource["apiVersion"].split("/")[1])
            schema["properties"]["metadata"] = {"type": "object"}
            assert [error.message for error in Draft202012Validator(schema).iter_errors(resource)] == [], kind
        else:
            for version in VERSIONS:
                kubernetes_validate.validate(resource, version, strict=True)


def test_a_wrong_field_would_be_noticed(production: dict[str, Resource], reference: Callable[[str], Path]) -> None:
    """The validation above can fail: a misspelt field of our own and of an operator's resource."""
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(production["PodDisruptionBudget"] | {"spec": {"maxUnavailible": 1}}, VERSIONS[0], strict=True)
    schema = crd_schema(reference(CRDS["ScaledObject"]), "v1alpha1")
    wrong = production["ScaledObject"] | {"spec": production["ScaledObject"]["spec"] | {"maxReplicas": 6}}
    assert list(Draft202012Validator(schema).iter_errors(wrong))


def test_production_has_everything(production: dict[str, Resource]) -> None:
    """What a consumer of Kafka needs to be operated, all together."""
    assert set(production) == {
        "Namespace",
        "ServiceAccount",
        "ConfigMap",
        "Deployment",
        "PodDisruptionBudget",
        "NetworkPolicy",
        "ScaledObject",
        "TriggerAuthentication",
        "PodMonitor",
        "PrometheusRule",
    }
    assert all(resource["metadata"].get("namespace", "khabar") == "khabar" for resource in production.values())


def test_selectors_select_the_pods(production: dict[str, Resource]) -> None:
    """Deployment, budget, network policy, monitor and spread all mean the same pods."""
    labels = production["Deployment"]["spec"]["template"]["metadata"]["labels"]
    selectors = [
        production["Deployment"]["spec"]["selector"],
        production["PodDisruptionBudget"]["spec"]["selector"],
        production["NetworkPolicy"]["spec"]["podSelector"],
        production["PodMonitor"]["spec"]["selector"],
        *(spread["labelSelector"] for spread in production["Deployment"]["spec"]["template"]["spec"]["topologySpreadConstraints"]),
    ]
    assert len(selectors) == 6
    for selector in selectors:
        assert selector["matchLabels"].items() <= labels.items()


def test_the_settings_are_accepted_by_the_worker(production: dict[str, Resource], container: Resource, tmp_path: Path) -> None:
    """The ConfigMap's values, with the Secret's file in place, make settings; the container reads that very ConfigMap."""
    data = production["ConfigMap"]["data"]
    assert container["envFrom"] == [{"configMapRef": {"name": production["ConfigMap"]["metadata"]["name"]}}]
    secret = tmp_path / "password"
    secret.write_text("x", encoding="utf-8")
    settings = Settings.from_env(data | {PASSWORD_FILE: str(secret)})
    assert set(data) - {PASSWORD_FILE} <= {variable for variable, _, _ in reference()}
    assert settings.security_protocol == "SASL_SSL"
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert {str(Path(data[PASSWORD_FILE]).parent), str(Path(data["KHABAR_SSL_CAFILE"]).parent)} <= mounts


def test_no_secret_stands_in_a_manifest(production: dict[str, Resource]) -> None:
    """Secrets are referred to, never written down; what is mounted is the key that is asked for."""
    assert "Secret" not in production
    volumes = {volume["name"]: volume for volume in production["Deployment"]["spec"]["template"]["spec"]["volumes"]}
    assert volumes["credentials"]["secret"]["items"] == [{"key": "password", "path": "password"}]
    assert volumes["credentials"]["secret"]["defaultMode"] == 0o440


def test_the_pod_has_as_few_rights_as_it_needs(pod: Resource, container: Resource) -> None:
    """The `restricted` standard, a read-only root and no way to the cluster's API."""
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    context = container["securityContext"]
    assert context["readOnlyRootFilesystem"] is True
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]  # noqa: S108 - inside the container


def test_the_user_is_the_images(pod: Resource) -> None:
    """The pod runs as the user that the image was made for."""
    dockerfile = (KUBERNETES.parents[1] / "Dockerfile").read_text(encoding="utf-8")
    user = re.search(r"^USER (\d+):(\d+)$", dockerfile, flags=re.MULTILINE)
    assert user
    assert (pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]) == (int(user[1]), int(user[2]))


def test_the_grace_period_is_above_what_stopping_takes(pod: Resource, container: Resource, production: dict[str, Resource]) -> None:
    """The stop hook and the drain deadline fit into it with time to spare, so the worker is never killed while it drains."""
    drain = float(production["ConfigMap"]["data"]["KHABAR_DRAIN_TIMEOUT"])
    assert pod["terminationGracePeriodSeconds"] >= container["lifecycle"]["preStop"]["sleep"]["seconds"] + drain + 10


def test_probes_ask_what_they_should(container: Resource) -> None:
    """Liveness is /live, readiness /ready, on the declared port; nothing is killed for being slow to load models."""
    (port,) = container["ports"]
    assert port == {"name": "http", "containerPort": Settings().http_port}
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert probes == {
        "startup": {"path": "/live", "port": "http"},
        "liveness": {"path": "/live", "port": "http"},
        "readiness": {"path": "/ready", "port": "http"},
    }


def mebibytes(quantity: str) -> int:
    """A quantity of memory."""
    return int(quantity.removesuffix("Mi"))


def test_resources_fit_the_settings(container: Resource, production: dict[str, Resource]) -> None:
    """A core a process, no CPU limit, memory bounded; the memory alert is below that bound."""
    assert container["resources"]["requests"]["cpu"] == production["ConfigMap"]["data"]["KHABAR_PROCESSES"]
    assert "cpu" not in container["resources"]["limits"]
    limit = mebibytes(container["resources"]["limits"]["memory"])
    assert mebibytes(container["resources"]["requests"]["memory"]) < limit
    rules = {rule.get("alert"): rule for group in production["PrometheusRule"]["spec"]["groups"] for rule in group["rules"]}
    assert rules["KhabarMemoryHigh"]["expr"].endswith(f"0.85 * {limit} * 1024 * 1024")


def test_scaling_never_goes_above_the_partitions(production: dict[str, Resource], render: Callable[[str], list[Resource]]) -> None:
    """A worker without a partition would have nothing to do; the lag that counts is that of the worker's own group and topic."""
    spec = production["ScaledObject"]["spec"]
    (trigger,) = spec["triggers"]
    topics = {topic["metadata"]["name"]: topic["spec"] for topic in render("topics")}
    settings = Settings()
    assert (trigger["metadata"]["topic"], trigger["metadata"]["consumerGroup"]) == (settings.input_topic, settings.group)
    assert spec["maxReplicaCount"] == topics[settings.input_topic]["partitions"]
    assert trigger["metadata"]["allowIdleConsumers"] == "false"
    assert 1 < spec["minReplicaCount"] < spec["maxReplicaCount"]
    assert "replicas" not in production["Deployment"]["spec"], "it would fight with KEDA at every apply"
    assert spec["scaleTargetRef"]["name"] == production["Deployment"]["metadata"]["name"]
    assert trigger["authenticationRef"]["name"] == production["TriggerAuthentication"]["metadata"]["name"]
    assert trigger["metadata"]["bootstrapServers"] == production["ConfigMap"]["data"]["KHABAR_BROKERS"]


def test_the_topics_are_those_the_command_would_make(render: Callable[[str], list[Resource]]) -> None:
    """Names and sizes are `khabar topics create`'s; copies and partitions the same for all three."""
    topics = {topic["metadata"]["name"]: topic["spec"] for topic in render("topics")}
    assert {name: spec["config"]["max.message.bytes"] for name, spec in topics.items()} == {
        topic.name: topic.max_message_bytes for topic in wanted(Settings())
    }
    for spec in topics.values():
        assert spec["partitions"] == 6
        assert spec["replicas"] > spec["config"]["min.insync.replicas"] > 1, "one broker may be gone"


def test_the_network_is_closed_but_for_what_is_needed(production: dict[str, Resource], container: Resource) -> None:
    """In: the metrics port from the monitoring namespace. Out: DNS and Kafka's ports, no more."""
    spec = production["NetworkPolicy"]["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    (ingress,) = spec["ingress"]
    assert [port["port"] for port in ingress["ports"]] == [container["ports"][0]["containerPort"]]
    ports = {port["port"] for rule in spec["egress"] for port in rule["ports"]}
    assert int(production["ConfigMap"]["data"]["KHABAR_BROKERS"].rpartition(":")[2]) in ports
    assert all(rule.get("to") for rule in spec["egress"])


def test_the_monitor_scrapes_the_metrics_under_the_rules_job(production: dict[str, Resource], container: Resource) -> None:
    """The rules select job khabar; the monitor must give that label."""
    (endpoint,) = production["PodMonitor"]["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] == container["ports"][0]["name"]
    assert endpoint["path"] == "/metrics"
    assert endpoint["relabelings"] == [{"targetLabel": "job", "replacement": "khabar"}]
