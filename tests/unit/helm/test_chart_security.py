"""Rules that hold for every pod and every object that any variant of the chart makes."""

from __future__ import annotations

import re

import pytest
import yaml

from ocean.outgoing.public import public_blocks
from provider_api.deploy.chart_files import settings_schema
from tests.support.helm_chart import (
    CASES,
    MINIMAL,
    below,
    case,
    containers,
    merged,
    objects,
    of_kind,
    one,
    pods,
    rendered,
    texts,
)
from tests.support.kustomize import build
from workflow_templates.render import GITOPS

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", CASES)
def test_every_pod_is_locked_down(name: str) -> None:
    found = list(pods(rendered(name)))
    assert found
    for what, pod in found:
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False, what
        for forbidden in ("hostNetwork", "hostPID", "hostIPC", "hostAliases", "shareProcessNamespace"):
            assert forbidden not in spec, what
        around = spec["securityContext"]
        assert around["runAsNonRoot"] is True
        assert {around["runAsUser"], around["runAsGroup"], around["fsGroup"]} == {1000}
        assert around["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "privileged": False,
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
            }
            amounts = container["resources"]
            assert {"cpu", "memory"} <= set(amounts["requests"])
            assert "memory" in amounts["limits"]
            assert not any("hostPort" in port for port in container.get("ports", []))


@pytest.mark.parametrize("name", CASES)
def test_volumes_are_of_harmless_kinds_and_those_that_grow_have_an_end(name: str) -> None:
    for what, pod in pods(rendered(name)):
        for volume in pod["spec"]["volumes"]:
            (kind,) = set(volume) - {"name"}
            assert kind in ("emptyDir", "secret", "projected", "persistentVolumeClaim"), what
            if kind == "emptyDir":
                assert re.fullmatch(r"[1-9][0-9]*[MG]i", volume["emptyDir"]["sizeLimit"])
        mounted = {mount["name"] for container in containers(pod) for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["spec"]["volumes"]}
        writable = [m for c in containers(pod) for m in c["volumeMounts"] if not m.get("readOnly")]
        assert {m["mountPath"] for m in writable} <= {"/data", "/tmp", "/results"}


@pytest.mark.parametrize("name", CASES)
def test_the_only_token_is_the_one_for_argo(name: str) -> None:
    found = rendered(name)
    for account in of_kind(found, "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False
    for what, pod in pods(found):
        tokens = [
            source["serviceAccountToken"]
            for volume in pod["spec"]["volumes"]
            for source in volume.get("projected", {}).get("sources", [])
            if "serviceAccountToken" in source
        ]
        assert len(tokens) == (1 if what.startswith("Deployment") else 0)
        for token in tokens:
            assert token["expirationSeconds"] <= 86_400
            settings = one(found, "ConfigMap", merged(case(name))["fullname"])["data"]
            (mount,) = [m for m in containers(pod)[0]["volumeMounts"] if m["name"] == "argo-token"]
            assert settings["C2D_ARGO__TOKEN_FILE"] == f"{mount['mountPath']}/{token['path']}"
            assert mount["readOnly"] is True
            assert "subPath" not in mount, "a file mounted by subPath is never renewed"


def test_a_token_has_the_audience_that_values_say() -> None:
    def audience(name: str) -> str | None:
        pod = one(rendered(name), "Deployment")["spec"]["template"]["spec"]
        (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "argo-token"]
        found: str | None = volume["projected"]["sources"][0]["serviceAccountToken"].get("audience")
        return found

    assert audience("minimal") is None, "the API server's own, to which Argo Server hands the token on"
    assert audience("identity") == "argo-gate"


@pytest.mark.parametrize("name", CASES)
def test_no_object_is_a_secret_or_has_rights(name: str) -> None:
    kinds = {each["kind"] for each in rendered(name)}
    assert not kinds & {"Secret", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}
    pattern = re.compile(r"(?i)0x[0-9a-f]{64}\b|-----BEGIN|password|://[^/\s\"]*:[^/\s\"@]*@|secret_access_key|bearer ")
    for template, text in texts(case(name)).items():
        assert not pattern.search(text), template


def test_secrets_reach_pods_by_reference_only() -> None:
    """Values of the environment that hold a secret come from a Secret, for every setting that is one."""
    everything = {name for name in CASES}
    named = set()
    for name in everything:
        for _, pod in pods(rendered(name)):
            for container in containers(pod):
                for each in container["env"]:
                    if "valueFrom" in each:
                        assert set(each["valueFrom"]) == {"secretKeyRef"}
                        named.add(each["name"])
    assert named == {"C2D_STORAGE__URL", "C2D_CHAINS", "C2D_OPERATOR__ADMINS"}
    offered = settings_schema()["properties"]
    assert "storage" not in offered
    assert "admins" not in offered["operator"]["properties"]


# --- Network ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in CASES if name != "bare"])
def test_every_pod_has_one_policy_for_both_directions(name: str) -> None:
    policies = of_kind(rendered(name), "NetworkPolicy")
    for what, pod in pods(rendered(name)):
        chosen = [
            p for p in policies if p["spec"]["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
        ]
        assert len(chosen) == 1, what
        assert chosen[0]["spec"]["policyTypes"] == ["Ingress", "Egress"]
        for rule in chosen[0]["spec"]["egress"]:
            assert rule["to"], "an empty list of peers would allow every one"
            assert rule["ports"]
            assert {} not in rule["to"]
            assert {"namespaceSelector": {}} not in rule["to"]


@pytest.mark.parametrize("name", CASES)
def test_no_policy_opens_the_cluster_or_the_addresses_of_clouds(name: str) -> None:
    for policy in of_kind(rendered(name), "NetworkPolicy"):
        for _, peer in below(policy):
            if peer.get("cidr") == "0.0.0.0/0":
                assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10"} <= set(
                    peer["except"]
                )
            assert peer.get("cidr") != "::/0"


def test_public_addresses_are_those_of_the_guard_and_of_jobs() -> None:
    """The service, the pods of jobs, and the programs themselves call the same addresses public."""
    wanted = [{"ipBlock": {"cidr": cidr, "except": list(but)}} for cidr, but in public_blocks()]
    rules = one(rendered("minimal"), "NetworkPolicy", "c2d")["spec"]["egress"]
    assert [rule["to"] for rule in rules if any("0.0.0.0/0" in str(peer) for peer in rule["to"])] == [wanted]
    jobs = next(each for each in build(GITOPS / "cluster") if each["metadata"]["name"] == "public-addresses")
    assert jobs["spec"]["egress"][0]["to"] == wanted


def test_metrics_are_closed_unless_somebody_is_named() -> None:
    for name in CASES:
        for policy in of_kind(rendered(name), "NetworkPolicy"):
            for rule in policy["spec"].get("ingress", ()):
                if any(port["port"] == 9090 for port in rule["ports"]):
                    assert rule["from"]
                    assert all(peer["namespaceSelector"].get("matchLabels") for peer in rule["from"]), name
    for name, opened in (("minimal", False), ("monitoring", True), ("network", True)):
        rules = one(rendered(name), "NetworkPolicy", "c2d")["spec"]["ingress"]
        assert any(port["port"] == 9090 for rule in rules for port in rule["ports"]) is opened


def test_where_a_policy_leads() -> None:
    def ways(name: str) -> str:
        return yaml.safe_dump(one(rendered(name), "NetworkPolicy", "c2d")["spec"])

    closed = ways("network")
    assert "0.0.0.0/0" not in closed
    for part in ("10.9.8.7/32", "5433", "minio", "9000", "10.1.2.0/24", "8546", "argo-workflows", "443", "gateways"):
        assert part in closed
    assert "5432" not in ways("sqlite"), "SQLite needs no way to a database"
    assert "5432" in ways("minimal")
    job = one(rendered("network"), "NetworkPolicy", "c2d-migrations")["spec"]
    assert "ingress" not in job
    assert [port["port"] for rule in job["egress"] for port in rule["ports"]] == [53, 53, 5433]


def test_metrics_are_on_no_service_that_the_world_may_reach() -> None:
    for name in CASES:
        for service in of_kind(rendered(name), "Service"):
            ports = [port["targetPort"] for port in service["spec"]["ports"]]
            assert ports == (["metrics"] if service["metadata"]["name"].endswith("-metrics") else ["http"])
            if ports == ["metrics"]:
                assert service["spec"]["clusterIP"] == "None"


def test_a_database_address_in_values_would_be_found() -> None:
    """The search for secrets above finds one."""
    files = {"files": {"inline": {"a": "postgresql://name:word@host/database"}}}
    text = yaml.safe_dump_all(objects(MINIMAL | files))
    assert re.search(r"://[^/\s\"]*:[^/\s\"@]*@", text)
