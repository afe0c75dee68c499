"""Everything that an object names is there: made by the chart, or named in values as made elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.helm_chart import (
    CASES,
    MINIMAL,
    Object,
    case,
    containers,
    merged,
    objects,
    of_kind,
    one,
    pods,
    rendered,
)

pytestmark = pytest.mark.unit


def references(pod: Object) -> Iterator[tuple[str, str]]:
    spec = pod["spec"]
    if "serviceAccountName" in spec:
        yield "ServiceAccount", spec["serviceAccountName"]
    for secret in spec.get("imagePullSecrets", []):
        yield "Secret", secret["name"]
    for container in containers(pod):
        for source in container.get("envFrom", []):
            for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if key in source:
                    yield kind, source[key]["name"]
        for each in container["env"]:
            if "valueFrom" in each:
                yield "Secret", each["valueFrom"]["secretKeyRef"]["name"]
    for volume in spec["volumes"]:
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]
        for source in volume.get("projected", {}).get("sources", []):
            if "configMap" in source:
                yield "ConfigMap", source["configMap"]["name"]


def declared(values: Object) -> set[tuple[str, str]]:
    """What values say is made elsewhere."""
    secrets = [each["name"] for each in values["secrets"].values()]
    secrets += [values["migrations"]["database"]["name"], *values["imagePullSecrets"]]
    found = {("Secret", name) for name in secrets}
    found |= {("ConfigMap", values["files"]["configMap"])}
    found |= {
        ("PersistentVolumeClaim", name) for name in (values["results"]["claim"], values["persistence"]["existingClaim"])
    }
    if not values["serviceAccount"]["create"]:
        found |= {("ServiceAccount", values["serviceAccount"]["name"])}
    return {(kind, name) for kind, name in found if name}


@pytest.mark.parametrize("name", CASES)
def test_what_a_pod_names_exists_or_is_declared(name: str) -> None:
    found = rendered(name)
    made = {(each["kind"], each["metadata"]["name"]) for each in found if each["metadata"]["namespace"] == "c2d"}
    external = declared(merged(case(name)))
    named = {reference for _, pod in pods(found) for reference in references(pod)}
    assert named - made - external == set()
    assert external - named == set(), "values name something that nobody uses"


@pytest.mark.parametrize("name", CASES)
def test_a_hook_before_the_installation_needs_nothing_that_the_release_makes(name: str) -> None:
    for job in of_kind(rendered(name), "Job"):
        assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
        named = set(references(job["spec"]["template"]))
        assert named <= declared(merged(case(name)))
        assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"


def test_migrations_run_where_there_is_a_database_to_migrate() -> None:
    assert {name for name in CASES if not of_kind(rendered(name), "Job")} == {"bare", "sqlite", "existing-volume"}
    (container,) = one(rendered("secrets"), "Job")["spec"]["template"]["spec"]["containers"]
    (source,) = [each["valueFrom"] for each in container["env"] if "valueFrom" in each]
    assert source["secretKeyRef"] == {"name": "vault-database-owner", "key": "address"}


@pytest.mark.parametrize("name", CASES)
def test_selectors_choose_the_pods_of_the_service_and_no_others(name: str) -> None:
    found = rendered(name)
    labels = {what: pod["metadata"]["labels"].items() for what, pod in pods(found)}
    api = {what for what in labels if what.startswith("Deployment")}
    selectors = [one(found, "Deployment")["spec"]["selector"]["matchLabels"]]
    selectors += [service["spec"]["selector"] for service in of_kind(found, "Service")]
    selectors += [budget["spec"]["selector"]["matchLabels"] for budget in of_kind(found, "PodDisruptionBudget")]
    for _, pod in pods(found):
        for constraint in pod["spec"].get("topologySpreadConstraints", []):
            selectors.append(constraint["labelSelector"]["matchLabels"])
    for selector in selectors:
        assert {what for what, have in labels.items() if selector.items() <= have} == api
        assert "app.kubernetes.io/version" not in selector, "a selector must survive an upgrade"


@pytest.mark.parametrize("name", CASES)
def test_ports_are_found_by_name_all_the_way(name: str) -> None:
    found, fullname = rendered(name), merged(case(name))["fullname"]
    container = one(found, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": 8030, "metrics": 9090}
    for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        assert container[probe]["httpGet"] == {"path": path, "port": "metrics"}
    settings = one(found, "ConfigMap", fullname)["data"]
    assert (settings["C2D_SERVER__PORT"], settings["C2D_METRICS__PORT"]) == ("8030", "9090")
    service = one(found, "Service", fullname)
    for ingress in of_kind(found, "Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                assert path["backend"]["service"] == {
                    "name": fullname,
                    "port": {"name": service["spec"]["ports"][0]["name"]},
                }
    for route in of_kind(found, "HTTPRoute"):
        for rule in route["spec"]["rules"]:
            assert rule["backendRefs"] == [{"name": fullname, "port": service["spec"]["ports"][0]["port"]}]
    for monitor in of_kind(found, "ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        (chosen,) = [each for each in of_kind(found, "Service") if wanted <= each["metadata"]["labels"].items()]
        assert [port["name"] for port in chosen["spec"]["ports"]] == [monitor["spec"]["endpoints"][0]["port"]]
    for scaler in of_kind(found, "HorizontalPodAutoscaler"):
        assert scaler["spec"]["scaleTargetRef"]["name"] == one(found, "Deployment")["metadata"]["name"]
        assert "replicas" not in one(found, "Deployment")["spec"], "an upgrade would undo what the autoscaler did"


def test_one_pod_has_no_budget_that_would_keep_its_node_for_ever() -> None:
    assert of_kind(rendered("minimal"), "PodDisruptionBudget")
    assert not of_kind(objects(MINIMAL | {"replicas": 1}), "PodDisruptionBudget")
    assert not of_kind(rendered("sqlite"), "PodDisruptionBudget")


def test_a_volume_with_sqlite_is_never_mounted_twice_and_outlives_the_release() -> None:
    assert one(rendered("sqlite"), "Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    claim = one(rendered("sqlite"), "PersistentVolumeClaim")
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert claim["spec"]["storageClassName"] == "standard"
    assert not of_kind(rendered("existing-volume"), "PersistentVolumeClaim")


def test_a_rolling_update_never_has_fewer_pods() -> None:
    strategy = one(rendered("minimal"), "Deployment")["spec"]["strategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}


def test_another_namespace() -> None:
    found = objects(MINIMAL, namespace="elsewhere")
    assert {each["metadata"]["namespace"] for each in found} == {"elsewhere"}
    egress = one(found, "NetworkPolicy", "c2d")["spec"]["egress"]
    (database,) = [rule for rule in egress if rule["ports"][0]["port"] == 5432]
    assert database["to"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "elsewhere"}}}]
