"""Who may reach whom, and who may do what: the policies and roles evaluated, not read."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Any

import pytest

from contract import names
from ocean.outgoing.public import is_public
from provider_api.doctor.judging.rights import forbidden, needed
from tests.support.kustomize import build
from workflow_templates.environment import read_environments
from workflow_templates.quota import SIDECAR_LIMITS, SIDECAR_REQUESTS
from workflow_templates.render import GITOPS
from workflow_templates.template import EXECUTOR_ACCOUNT, RUNNER_ACCOUNT

pytestmark = pytest.mark.unit

CLUSTER = build(GITOPS / "cluster")
BASE = build(GITOPS / "base")
POLICIES = [each for each in CLUSTER if each["kind"] == "NetworkPolicy"]
DNS = ({"kubernetes.io/metadata.name": "kube-system"}, {"k8s-app": "kube-dns"})


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    assert selector.keys() <= {"matchLabels", "matchExpressions"}
    for rule in selector.get("matchExpressions", []):
        value = labels.get(rule["key"])
        if rule["operator"] == "Exists":
            fits = value is not None
        else:
            assert rule["operator"] == "In"
            fits = value in rule["values"]
        if not fits:
            return False
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def may_reach(labels: dict[str, str], target: Any, port: int, protocol: str = "TCP") -> bool:
    """Whether a pod in `jobs` may connect: `target` is an address, or the labels of (namespace, pod)."""
    chosen = [each["spec"] for each in POLICIES if selects(each["spec"]["podSelector"], labels)]
    assert any("Egress" in each["policyTypes"] for each in chosen), "no policy holds: everything is open"
    return any(
        _to(peer, target) and _ports(rule, port, protocol)
        for each in chosen
        for rule in each.get("egress", [])
        for peer in rule["to"]
    )


def _to(peer: dict[str, Any], target: Any) -> bool:
    if block := peer.get("ipBlock"):
        if not isinstance(target, str):
            return False
        address = ipaddress.ip_address(target)
        inside = address in ipaddress.ip_network(block["cidr"])
        return inside and not any(address in ipaddress.ip_network(each) for each in block.get("except", []))
    return (
        not isinstance(target, str)
        and selects(peer["namespaceSelector"], target[0])
        and selects(peer["podSelector"], target[1])
    )


def _ports(rule: dict[str, Any], port: int, protocol: str) -> bool:
    return "ports" not in rule or any((each["port"], each["protocol"]) == (port, protocol) for each in rule["ports"])


def pod(step: str, network: str) -> dict[str, str]:
    return {names.STEP: step, names.NETWORK: network, names.ENVIRONMENT: "ocean-compute"}


PODS = {
    "configuration": pod(names.CONFIGURATION, "outgoing"),
    "algorithm": pod(names.ALGORITHM, "none"),
    "algorithm with network": pod(names.ALGORITHM, "public"),
    "filtering": pod(names.FILTERING, "none"),
    "publishing": pod(names.PUBLISHING, "store"),
    "publishing of assets": pod(names.PUBLISHING, "chain"),
}
OPEN = {"configuration", "algorithm with network", "publishing", "publishing of assets"}
API_SERVER = "10.96.0.1"
NEVER = [
    "10.96.0.10", "10.1.2.3", "172.18.0.2", "192.168.1.1", "169.254.169.254", "100.100.100.200", "168.63.129.16",
    "127.0.0.1", "0.0.0.1", "224.0.0.1", "255.255.255.255", "fd00::1", "fe80::1", "::1", "::ffff:10.0.0.1",
    "64:ff9b::a00:1", "2002:a00:1::", "fd00:ec2::254",
]  # fmt: skip


@pytest.mark.parametrize("name", PODS)
def test_who_reaches_what(name: str) -> None:
    labels = PODS[name]
    for address in ("93.184.215.14", "2606:4700::1111"):
        assert may_reach(labels, address, 443) == may_reach(labels, address, 8080) == (name in OPEN)
    assert may_reach(labels, DNS, 53, "UDP") == may_reach(labels, DNS, 53) == (name in OPEN)
    assert not may_reach(labels, DNS, 443)
    assert not may_reach(labels, (DNS[0], {"k8s-app": "metrics-server"}), 443)
    assert not may_reach(labels, ({"kubernetes.io/metadata.name": "c2d"}, {}), 8030)
    assert may_reach(labels, API_SERVER, 443)
    assert not may_reach(labels, API_SERVER, 80)
    for address in NEVER:
        assert not may_reach(labels, address, 443), address
        assert not may_reach(labels, address, 80), address


def test_a_pod_without_our_labels_reaches_nothing() -> None:
    for target, port in (("93.184.215.14", 443), (API_SERVER, 443), (DNS, 53)):
        assert not may_reach({}, target, port)


def test_nobody_connects_to_a_pod_of_a_job() -> None:
    nothing = next(each["spec"] for each in POLICIES if each["metadata"]["name"] == "nothing")
    assert nothing == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert not [each for each in POLICIES if "ingress" in each["spec"]]


def test_public_addresses_are_those_of_the_guard() -> None:
    """The cluster's rule and the service's own agree, at the edges of every range."""
    policy = next(each["spec"] for each in POLICIES if each["metadata"]["name"] == "public-addresses")
    blocks = [peer["ipBlock"] for peer in policy["egress"][0]["to"]]
    edges = set()
    for block in blocks:
        for text in (block["cidr"], *block["except"]):
            network = ipaddress.ip_network(text)
            for number in (int(network[0]) - 1, int(network[0]), int(network[-1]), int(network[-1]) + 1):
                if 0 <= number < 2**network.max_prefixlen:
                    edges.add(type(network[0])(number))
    assert len(edges) > 50
    for address in edges:
        assert may_reach(PODS["configuration"], str(address), 443) == (
            is_public(address) or (str(address) == API_SERVER)
        ), address


def test_every_step_of_every_environment_has_labels_that_a_policy_knows() -> None:
    for template in (each for each in BASE if each["kind"] == "WorkflowTemplate"):
        for step in (each for each in template["spec"]["templates"] if "container" in each):
            labels = step["metadata"]["labels"]
            assert labels[names.STEP] == step["name"]
            assert labels[names.NETWORK] in {"none", "outgoing", "store", "{{workflow.parameters.network}}"}


# --- rights ----------------------------------------------------------------------------------------------------------


def rules(name: str) -> dict[tuple[str, str], set[str]]:
    (role,) = (each for each in CLUSTER if (each["kind"], each["metadata"]["name"]) == ("Role", name))
    return {
        (group, resource): set(rule["verbs"])
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def test_rights_are_exactly_these() -> None:
    assert rules("job-executor") == {("argoproj.io", "workflowtaskresults"): {"create", "patch"}}
    assert rules("provider-api") == {
        ("argoproj.io", "workflows"): {"create", "get", "list", "watch", "update", "patch", "delete"},
        ("argoproj.io", "workflowtemplates"): {"get", "list"},
        ("", "pods"): {"list", "watch"},
        ("", "pods/log"): {"get"},
    }
    bound = {
        (each["roleRef"]["name"], subject["name"], subject["namespace"])
        for each in CLUSTER
        if each["kind"] == "RoleBinding"
        for subject in each["subjects"]
    }
    assert bound == {("job-executor", EXECUTOR_ACCOUNT, "jobs"), ("provider-api", "provider-api", "c2d")}
    accounts = {each["metadata"]["name"]: each for each in CLUSTER if each["kind"] == "ServiceAccount"}
    assert set(accounts) == {RUNNER_ACCOUNT, EXECUTOR_ACCOUNT}
    assert not any(each["automountServiceAccountToken"] for each in accounts.values())


def test_the_doctor_asks_for_these_rights_and_no_others() -> None:
    """What it needs is granted; what it forbids is not."""
    account = "provider-api"
    roles = {account: rules(account), EXECUTOR_ACCOUNT: rules("job-executor"), RUNNER_ACCOUNT: {}}
    for name, wanted in needed("jobs", account).items():
        for right in wanted:
            assert right.verb in roles[name].get((right.group, right.resource), set()), (name, right)
    for name, refused in forbidden("jobs", account, "c2d", "argo").items():
        for right in refused:
            if right.namespace == "jobs":
                assert right.verb not in roles[name].get((right.group, right.resource), set()), (name, right)


# What each call of the client is to Kubernetes, in the hands of Argo Server in client mode.
CALLS = {
    "create_workflow": "workflows create",
    "get_workflow": "workflows get",
    "list_workflows": "workflows list",
    "stop_workflow": "workflows patch",
    "resume_workflow": "workflows update",
    "terminate_workflow": "workflows patch",
    "delete_workflow": "workflows delete",
    "delete_archived_workflow": "workflows delete",
    "list_workflow_templates": "workflowtemplates list",
    "get_version": "",
}


def test_the_client_calls_nothing_that_has_no_right() -> None:
    source = "".join(path.read_text() for path in (Path(GITOPS).parent / "client").glob("*.py"))
    called = set(re.findall(r"self\._(?:workflows|archived|templates|info|service)\.(\w+)", source))
    assert called == set(CALLS)
    have = rules("provider-api")
    for right in filter(None, CALLS.values()):
        resource, verb = right.split()
        assert verb in have["argoproj.io", resource]


# --- amounts ---------------------------------------------------------------------------------------------------------


def test_the_quota_holds_all_jobs_at_once_with_argos_sidecar() -> None:
    import yaml

    hard = next(each for each in BASE if each["kind"] == "ResourceQuota")["spec"]["hard"]
    at_once = sum(each.max_jobs for each in read_environments())
    assert int(hard["pods"]) == 2 * at_once
    cpu = sum(1000 * each.cpu_number * each.max_jobs for each in read_environments())
    assert int(hard["limits.cpu"].rstrip("m")) >= cpu + at_once * SIDECAR_LIMITS["cpu"]
    volumes = sum(each.disk_gb * (each.max_jobs + each.max_queued_jobs) for each in read_environments())
    assert int(hard["requests.storage"].rstrip("Gi")) >= volumes
    settings = yaml.safe_load((GITOPS / "components/argo-settings/controller-settings.yaml").read_text())
    resources = yaml.safe_load(settings["data"]["executor"])["resources"]
    for amounts, given in ((SIDECAR_REQUESTS, resources["requests"]), (SIDECAR_LIMITS, resources["limits"])):
        assert given == {"cpu": f"{amounts['cpu']}m", "memory": f"{amounts['memory']}Mi"}


def test_argos_own_containers_get_a_limit_of_the_nodes_disk() -> None:
    """Their writable layers and logs count for the pod, whose limit is the sum of its containers."""
    (limits,) = (each for each in CLUSTER if each["kind"] == "LimitRange")
    (given,) = limits["spec"]["limits"]
    assert given["type"] == "Container"
    assert {"cpu", "memory", "ephemeral-storage"} == set(given["default"]) == set(given["defaultRequest"])
