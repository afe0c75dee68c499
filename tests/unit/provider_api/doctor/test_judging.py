"""Facts to lines, as tables: what is fine, what is a warning, what is a failure."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from argo.client.errors import ArgoRefused, ArgoUnavailable
from contract import names
from provider_api.doctor.cluster import Right
from provider_api.doctor.judging import (
    admission,
    attempts,
    chains,
    controller,
    environments,
    machine,
    namespaces,
    networks,
    rights,
    service,
    versions,
)
from provider_api.doctor.lines import Level, Line, exit_code, listed
from provider_api.settings import PolicySettings
from tests.support.admission import REFERENCE, job, refusals
from tests.support.kube_api import merged

pytestmark = pytest.mark.unit

OK, WARNING, FAILURE, NOT_CHECKED = Level.OK, Level.WARNING, Level.FAILURE, Level.NOT_CHECKED


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ("v1.29.14", FAILURE),
        ("v1.30.0", WARNING),
        ("v1.33.9-gke.1", WARNING),
        ("v1.34.0", OK),
        ("v1.36.2+k3s1", OK),
        ("v1.37.0", WARNING),
        ("v2.0.0", WARNING),
        ("", WARNING),
        ("latest", WARNING),
    ],
)
def test_kubernetes(version: str, level: Level) -> None:
    assert versions.judge_kubernetes(version).level is level


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ("v3.7.18", FAILURE),
        ("v4.0.9", WARNING),
        ("v3.7.9", FAILURE),
        ("v4.1.0", OK),
        ("v4.1.2+local", OK),
        ("v4.2.0", WARNING),
        ("untagged", WARNING),
    ],
)
def test_argo(version: str, level: Level) -> None:
    assert versions.judge_argo(version).level is level


@pytest.mark.parametrize(
    ("image", "level"),
    [
        ("quay.io/argoproj/workflow-controller:v4.1.2", OK),
        ("registry:5000/argo/controller:v4.0.0@sha256:00", WARNING),
        ("workflow-controller:v4.2.1", WARNING),
        ("registry:5000/argo/controller@sha256:00", NOT_CHECKED),
        ("", NOT_CHECKED),
        (None, FAILURE),
    ],
)
def test_controller(image: str | None, level: Level) -> None:
    assert versions.judge_controller(image).level is level


@pytest.mark.parametrize(
    ("resources", "level"),
    [
        (None, FAILURE),
        (set(), FAILURE),
        (versions.KINDS, OK),
        (versions.KINDS | {"workflowtasksets/status"}, OK),
        (versions.KINDS - {"workflowtaskresults"}, FAILURE),
        (versions.KINDS - {"cronworkflows"}, WARNING),
    ],
)
def test_kinds(resources: set[str] | None, level: Level) -> None:
    assert versions.judge_kinds(resources).level is level


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"config": "a: 1", "executor": "b: 2"}, "both"),
        ({"executor": "{"}, "not YAML"),
        ({"config": "- a"}, "not a mapping"),
    ],
)
def test_config_maps_that_the_controller_would_not_read(data: dict[str, str], problem: str) -> None:
    with pytest.raises(controller.ConfigBroken, match=problem):
        controller.read_config({"data": data})


@pytest.mark.parametrize("data", [{"config": "executor: {a: 1}"}, {"executor": "a: 1"}])
def test_both_forms_of_the_config_map(data: dict[str, str]) -> None:
    assert controller.read_config({"data": data}) == {"executor": {"a": 1}}


def test_an_empty_config_map_is_one() -> None:
    assert controller.read_config({}) == {}
    with pytest.raises(controller.ConfigBroken, match="there is none"):
        controller.read_config(None)


@pytest.mark.parametrize(
    ("value", "level"), [("Strict", OK), ("Secure", WARNING), ("strict", FAILURE), (None, FAILURE), (["x"], FAILURE)]
)
def test_referencing(value: Any, level: Level) -> None:
    assert controller.judge_referencing({"workflowRestrictions": {"templateReferencing": value}}).level is level


RESTRICTED: dict[str, Any] = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


@pytest.mark.parametrize(
    ("context", "missing"),
    [
        (RESTRICTED, ""),
        ({**RESTRICTED, "runAsNonRoot": None}, "runAsNonRoot: true"),
        ({**RESTRICTED, "allowPrivilegeEscalation": True}, "allowPrivilegeEscalation: false"),
        ({**RESTRICTED, "capabilities": {"drop": ["NET_RAW"]}}, "capabilities.drop: [ALL]"),
        ({**RESTRICTED, "seccompProfile": {"type": "Unconfined"}}, "seccompProfile.type: RuntimeDefault"),
        ({}, "not set"),
        ("text", "not set"),
    ],
)
def test_executor_context(context: Any, missing: str) -> None:
    line = controller.judge_context({"executor": {"securityContext": context}})
    assert line.level is (FAILURE if missing else OK)
    assert missing in line.found


@pytest.mark.parametrize(
    ("resources", "quota", "level"),
    [
        ({"requests": {"cpu": 1, "memory": 1}, "limits": {"cpu": 1, "memory": 1}}, True, OK),
        ({"requests": {"cpu": 1, "memory": 1}}, True, FAILURE),
        ({"requests": {"cpu": 1, "memory": 1}, "limits": {"cpu": 1}}, False, WARNING),
        (None, False, WARNING),
    ],
)
def test_executor_resources(resources: Any, quota: bool, level: Level) -> None:
    assert controller.judge_resources({"executor": {"resources": resources}}, quota=quota).level is level


@pytest.mark.parametrize(("value", "level"), [(True, FAILURE), (False, OK), (None, OK)])
def test_archive_logs(value: bool | None, level: Level) -> None:
    assert controller.judge_archive_logs({"artifactRepository": {"archiveLogs": value}}).level is level


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1.0), ("500ms", 0.5), ("1m30s", 90.0), ("0.5s", 0.5), ("10", None), ("", None), ("1s ", None), ("s", None)],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert controller.duration_seconds(text) == seconds


@pytest.mark.parametrize(
    ("value", "level"), [("1s", OK), ("2s", OK), ("10s", WARNING), ("1", FAILURE), (None, WARNING)]
)
def test_requeue_time(value: str | None, level: Level) -> None:
    env = [] if value is None else [{"name": "DEFAULT_REQUEUE_TIME", "value": value}]
    containers = [{"name": "main"}, {"name": "controller", "env": env}]
    assert controller.judge_requeue({"spec": {"template": {"spec": {"containers": containers}}}}).level is level


@pytest.mark.parametrize(
    ("account", "name"),
    [
        ({"metadata": {"name": "a"}}, "a.service-account-token"),
        ({"metadata": {"name": "a"}, "secrets": [{"name": "first"}, {"name": "second"}]}, "first"),
        (
            {"metadata": {"name": "a", "annotations": {"workflows.argoproj.io/service-account-token.name": "named"}}},
            "named",
        ),
    ],
)
def test_the_name_of_the_executors_token(account: dict[str, Any], name: str) -> None:
    assert namespaces.executor_token_name(account) == name


def test_rights() -> None:
    read, write = Right("get", "secrets", "jobs"), Right("create", "pods", "jobs")
    assert rights.judge_needed("a", {}).level is OK
    assert rights.judge_needed("a", {read: True, write: True}).level is OK
    assert rights.judge_needed("a", {read: True, write: False}).found == "not allowed: create pods in jobs"
    assert rights.judge_needed("a", {read: True, write: None}).level is NOT_CHECKED
    assert rights.judge_forbidden("a", {read: False, write: False}).level is OK
    assert rights.judge_forbidden("a", {read: True, write: None}).found == "allowed: get secrets in jobs"
    assert rights.judge_forbidden("a", {read: None, write: False}).level is NOT_CHECKED


def test_no_account_needs_what_it_must_not_have() -> None:
    needed = rights.needed("jobs", "provider-api")
    forbidden = rights.forbidden("jobs", "provider-api", "c2d", "argo")
    assert needed.keys() == forbidden.keys() == {"provider-api", "job-runner", "job-executor"}
    assert all(not set(needed[account]) & set(forbidden[account]) for account in needed)
    assert needed["job-runner"] == ()
    assert {str(right) for right in needed["job-executor"]} == {
        "create workflowtaskresults in jobs",
        "patch workflowtaskresults in jobs",
    }


def policy(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": spec}


DENY = policy("deny", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})
STEP, NETWORK = names.STEP, names.NETWORK
NOT_NONE = {"key": NETWORK, "operator": "NotIn", "values": ["none"]}
ANYWHERE: dict[str, Any] = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}


@pytest.mark.parametrize(
    ("policies", "level"),
    [
        ([], FAILURE),
        ([DENY], OK),
        ([policy("in", {"podSelector": {}}), policy("out", {"podSelector": {}, "policyTypes": ["Egress"]})], OK),
        ([policy("in", {"podSelector": {}})], FAILURE),
        ([policy("some", {"podSelector": {"matchLabels": {"a": "b"}}, "policyTypes": ["Ingress", "Egress"]})], FAILURE),
        ([policy("open", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": [{}]})], FAILURE),
        ([DENY, policy("all", {"podSelector": {}, "egress": [ANYWHERE]})], FAILURE),
        ([DENY, policy("ports", {"podSelector": {}, "egress": [{"ports": [{"port": 53}]}]})], FAILURE),
        ([DENY, policy("api", {"podSelector": {}, "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.1/32"}}]}]})], OK),
        ([DENY, policy("public", {"podSelector": {"matchLabels": {NETWORK: "public"}}, "egress": [ANYWHERE]})], OK),
        (
            [
                DENY,
                policy(
                    "not-none",
                    {
                        "podSelector": {"matchExpressions": [NOT_NONE]},
                        "egress": [ANYWHERE],
                    },
                ),
            ],
            OK,
        ),
        (
            [
                DENY,
                policy(
                    "steps",
                    {"podSelector": {"matchExpressions": [{"key": STEP, "operator": "Exists"}]}, "egress": [ANYWHERE]},
                ),
            ],
            FAILURE,
        ),
    ],
)
def test_network_policies(policies: list[dict[str, Any]], level: Level) -> None:
    assert networks.judge_policies(policies).level is level


def _open(*blocks: Any, ports: list[Any] | None = None, select: Any = None) -> dict[str, Any]:
    """A policy that lets pods of every step reach these blocks of addresses."""
    rule = {"to": [{"ipBlock": block if isinstance(block, dict) else {"cidr": block}} for block in blocks]}
    if ports is not None:
        rule["ports"] = ports
    selector = {"matchExpressions": [{"key": names.STEP, "operator": "Exists"}]} if select is None else select
    return policy("open", {"podSelector": selector, "policyTypes": ["Egress"], "egress": [rule]})


TCP = {"protocol": "TCP", "port": 6443}


@pytest.mark.parametrize(
    ("policies", "level"),
    [
        ([], OK),
        ([policy("deny", {"podSelector": {}, "policyTypes": ["Egress"]})], FAILURE),
        ([policy("deny", {"podSelector": {}, "policyTypes": ["Ingress"]})], OK),
        ([_open("172.18.0.2/32")], OK),
        ([_open("172.16.0.0/12", ports=[TCP])], OK),
        ([_open("10.96.0.1/32", "172.18.0.2/32", ports=[{"port": 443}, TCP])], OK),
        ([_open("10.96.0.1/32")], FAILURE),
        ([_open("172.18.0.3/32")], FAILURE),
        ([_open("172.18.0.2/32", ports=[{"protocol": "TCP", "port": 443}])], FAILURE),
        ([_open("172.18.0.2/32", ports=[{"protocol": "UDP", "port": 6443}])], FAILURE),
        ([_open("172.18.0.2/32", ports=[{"port": 6000, "endPort": 7000}])], OK),
        ([_open("172.18.0.2/32", ports=[{"port": 6000, "endPort": 6400}])], FAILURE),
        ([_open("172.18.0.2/32", ports=[{"port": "https"}])], OK),
        ([_open({"cidr": "0.0.0.0/0", "except": ["172.16.0.0/12"]})], FAILURE),
        ([_open({"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]})], OK),
        ([_open("::/0")], FAILURE),
        (
            [
                _open("172.18.0.2/32", select={"matchLabels": {"app": "other"}}),
                policy("d", {"podSelector": {}, "policyTypes": ["Egress"]}),
            ],
            FAILURE,
        ),
        ([_open("10.96.0.1/32"), _open("172.18.0.0/16")], OK),
    ],
)
def test_the_way_to_the_api_server(policies: list[dict[str, Any]], level: Level) -> None:
    assert networks.judge_api_server(policies, [("172.18.0.2", 6443)]).level is level


def test_every_api_server_counts() -> None:
    line = networks.judge_api_server([_open("10.0.0.1/32")], [("10.0.0.1", 6443), ("10.0.0.2", 6443)])
    assert (line.level, line.found) == (FAILURE, "no policy opens 10.0.0.2:6443")
    assert networks.judge_api_server([], []).level is NOT_CHECKED


IN, OUT = networks.Reached(False, False), networks.Reached(True, True)


@pytest.mark.parametrize(
    ("algorithm", "control", "level"),
    [
        (IN, OUT, OK),
        (IN, networks.Reached(False, True), OK),
        (networks.Reached(True, False), OUT, FAILURE),
        (networks.Reached(False, True), OUT, FAILURE),
        (IN, IN, WARNING),
        (IN, None, WARNING),
        (None, OUT, FAILURE),
    ],
)
def test_enforcement(algorithm: networks.Reached | None, control: networks.Reached | None, level: Level) -> None:
    assert networks.judge_enforcement(algorithm, control, "Pending").level is level


RULE = {"apiGroups": ["argoproj.io"], "resources": ["workflows"], "operations": ["CREATE", "UPDATE"]}


@pytest.mark.parametrize(
    ("rule", "actions", "level"),
    [
        (RULE, ["Deny"], OK),
        (RULE, ["Warn", "Audit"], WARNING),
        ({**RULE, "operations": ["UPDATE"]}, ["Deny"], WARNING),
        ({**RULE, "resources": ["pods"]}, ["Deny"], WARNING),
        ({**RULE, "apiGroups": ["*"], "resources": ["*"], "operations": ["*"]}, ["Deny"], OK),
    ],
)
def test_admission(rule: dict[str, Any], actions: list[str], level: Level) -> None:
    policies = [policy("p", {"matchConstraints": {"resourceRules": [rule]}})]
    bindings = [policy("b", {"policyName": "p", "validationActions": actions})]
    assert admission.judge_policies(policies, bindings).level is level
    assert admission.judge_policies(policies, []).level is WARNING


def test_sandboxes() -> None:
    assert machine.judge_sandboxes("").level is OK
    line = machine.judge_sandboxes("bwrap was not found")
    assert (line.level, "bubblewrap" in line.mend) == (FAILURE, True)


@pytest.mark.parametrize(
    ("most", "everybody", "apparmor", "root", "level"),
    [
        (10000, None, None, False, OK),
        (10000, 1, 0, False, OK),
        (0, 1, 0, True, FAILURE),
        (10000, 0, None, False, FAILURE),
        (10000, 0, 1, True, OK),
        (10000, 1, 1, False, WARNING),
        (None, None, None, False, OK),
    ],
)
def test_user_namespaces(
    most: int | None, everybody: int | None, apparmor: int | None, root: bool, level: Level
) -> None:
    assert machine.judge_namespaces(machine.Namespaces(most, everybody, apparmor), root=root).level is level


@pytest.mark.parametrize(
    ("version", "real", "level"), [((3, 11), True, OK), ((3, 10), True, FAILURE), ((3, 14), False, FAILURE)]
)
def test_interpreter(version: tuple[int, int], real: bool, level: Level) -> None:
    assert machine.judge_interpreter(version, "/usr/bin/python3", real=real).level is level


@pytest.mark.parametrize(
    ("api", "chain", "running", "level"),
    [
        (True, True, False, OK),
        (False, True, False, FAILURE),
        (True, False, False, WARNING),
        (False, False, False, FAILURE),
        (False, False, True, OK),
    ],
)
def test_ports(api: bool, chain: bool, running: bool, level: Level) -> None:
    ports = [machine.Port("Provider API", 8030, api, True), machine.Port("chain", 8545, chain, False)]
    line = machine.judge_ports(ports, running=running)
    assert line.level is level
    assert running or all(str(port.number) in line.found for port in ports if not port.free)


@pytest.mark.parametrize(("gigabytes", "level"), [(1.9, FAILURE), (2, WARNING), (19, WARNING), (20, OK)])
def test_disk(gigabytes: float, level: Level) -> None:
    assert machine.judge_disk(int(gigabytes * 10**9)).level is level


@pytest.mark.parametrize(("mode", "level"), [(0o700, OK), (0o750, WARNING), (0o701, WARNING), (0o1777, WARNING)])
def test_data_folder(mode: int, level: Level) -> None:
    assert machine.judge_folder(mode).level is level


TRIED = attempts.attempts("ocean-compute")


def test_attempts_are_judged_by_what_the_cluster_said() -> None:
    refused: dict[str, str | None] = dict.fromkeys(TRIED, "no")
    good = attempts.judge_attempts(None, refused)
    assert (good.level, good.found) == (OK, f"a job is admitted, {len(TRIED)} others are refused")
    for name in TRIED:
        line = attempts.judge_attempts(None, refused | {name: None})
        assert (line.level, line.found) == (FAILURE, f"admitted: {name}")
    line = attempts.judge_attempts("quota", refused)
    assert (line.level, "quota" in line.found, "c2d-limits" in line.mend) == (FAILURE, True, True)
    assert attempts.judge_attempts("quota", refused | {"nodes": None}).found == "admitted: nodes"


def test_attempts_are_each_wrong_in_one_way() -> None:
    """Our policy refuses each with one message, and the job that they are made of with none."""
    assert refusals(attempts.job("ocean-compute")) == []
    for name, workflow in TRIED.items():
        found = refusals(workflow)
        assert len(found) == 1 or found[0] == REFERENCE, name
    running = job()
    for name, patch in attempts.CHANGES.items():
        assert len(refusals(merged(running, patch), running)) == 1, name


@pytest.mark.parametrize(
    ("files", "level"),
    [
        (None, FAILURE),
        ({"environment.key", "service.pub", "ethereum.key"}, OK),
        ({"environment.key", "service.pub"}, WARNING),
        ({"environment.key", "ethereum.key"}, FAILURE),
        ({"environment.pem"}, FAILURE),
    ],
)
def test_secrets_of_environments(files: set[str] | None, level: Level) -> None:
    wanted = {"environment.key": True, "service.pub": True, "ethereum.key": False}
    assert environments.judge_secret("s", files, wanted).level is level


@pytest.mark.parametrize(
    ("changes", "level"),
    [
        ({}, OK),
        ({"service": None}, OK),
        ({"address": None}, OK),
        ({"box": "another"}, FAILURE),
        ({"box": None}, FAILURE),
        ({"address": "0xBB"}, FAILURE),
        ({"accepted": ["another"]}, FAILURE),
    ],
)
def test_keys_of_environments(changes: dict[str, Any], level: Level) -> None:
    facts: dict[str, Any] = {
        "announced_box": "box",
        "announced_address": "0xAA",
        "box": "box",
        "address": "0xaa",
        "accepted": ["older", "service"],
        "service": "service",
    }
    assert environments.judge_keys("e", **(facts | changes)).level is level


def template(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "annotations": {names.MAX_JOBS: "4"}}, "spec": spec}


@pytest.mark.parametrize(("data", "level"), [({"e": "4"}, OK), ({"e": "3"}, FAILURE), ({}, FAILURE), (None, FAILURE)])
def test_semaphores(data: dict[str, str] | None, level: Level) -> None:
    (line,) = environments.judge_semaphores([template("e")], {"data": data} if data is not None else None)
    assert line.level is level


def storage(name: str, mode: str, *, default: bool = False) -> dict[str, Any]:
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"} if default else {}
    return {"metadata": {"name": name, "annotations": annotations}, "volumeBindingMode": mode}


LATE, EARLY = storage("late", "WaitForFirstConsumer", default=True), storage("early", "Immediate")


@pytest.mark.parametrize(
    ("named", "classes", "level"),
    [
        (None, [LATE, EARLY], OK),
        (None, [EARLY], FAILURE),
        ("early", [LATE, EARLY], WARNING),
        ("other", [LATE], FAILURE),
    ],
)
def test_storage(named: str | None, classes: list[dict[str, Any]], level: Level) -> None:
    claim = {"spec": {"storageClassName": named} if named else {}}
    (line,) = environments.judge_storage([template("e", volumeClaimTemplates=[claim])], classes)
    assert line.level is level


@pytest.mark.parametrize(
    ("modes", "phase", "level"),
    [
        (["ReadWriteMany"], "Bound", OK),
        (["ReadWriteOnce"], "Bound", WARNING),
        (["ReadWriteMany"], "Pending", WARNING),
        (["ReadWriteMany"], "Lost", FAILURE),
    ],
)
def test_claims(modes: list[str], phase: str, level: Level) -> None:
    assert environments.judge_claim("c", {"spec": {"accessModes": modes}, "status": {"phase": phase}}).level is level


def chain(**changes: Any) -> chains.ChainFacts:
    facts: dict[str, Any] = {
        "subject": "s",
        "chain_id": 137,
        "expected_id": 137,
        "contracts": "",
        "block": 1,
        "block_time": 1000.0,
        "asked_at": 1005.0,
    }
    return chains.ChainFacts(**(facts | changes))


@pytest.mark.parametrize(
    ("facts", "levels"),
    [
        (chain(), (OK, OK, OK)),
        (chain(expected_id=1), (FAILURE, OK, OK)),
        (chain(expected_id=None), (WARNING, OK, OK)),
        (chain(contracts="no entry"), (FAILURE, OK, OK)),
        (chain(asked_at=1400.0), (OK, FAILURE, OK)),
        (chain(asked_at=970.0), (OK, OK, FAILURE)),
        (chain(chain_id=8996, expected_id=8996, asked_at=9000.0), (OK, OK, OK)),
        (chain(chain_id=8996, expected_id=8996, asked_at=900.0), (OK, OK, WARNING)),
    ],
)
def test_chains(facts: chains.ChainFacts, levels: tuple[Level, Level, Level]) -> None:
    lines = chains.judge_chain(facts), chains.judge_head(facts, 300), chains.judge_chain_clock(facts, 10)
    assert tuple(line.level for line in lines) == levels


@pytest.mark.parametrize(("difference", "level"), [(0.0, OK), (-9.9, OK), (10.1, FAILURE), (-3600.0, FAILURE)])
def test_clocks(difference: float, level: Level) -> None:
    assert chains.judge_cluster_clock(difference, 10).level is level


@pytest.mark.parametrize(("current", "level"), [("0003", OK), ("0001", FAILURE), (None, FAILURE), ("0099", WARNING)])
def test_migrations(current: str | None, level: Level) -> None:
    assert service.judge_migrations(current, "0003", {"0001", "0002", "0003"}).level is level


def test_refusals_of_argo_are_told_by_their_status_alone() -> None:
    assert (
        service.judge_argo_error("", ArgoRefused(403, "a message with a name")).found == "its token lacks a right (403)"
    )
    assert service.judge_argo_error("", ArgoRefused(401, "x")).found == "its token is not accepted (401)"
    assert [service.judge_archive(jobs, "").level for jobs in (0, 1)] == [OK, FAILURE]
    away = service.judge_argo_error("", ArgoUnavailable("no answer in time", definite=True))
    assert (away.level, away.found) == (FAILURE, "Argo is unavailable: no answer in time")


def test_the_exit_code() -> None:
    fine, odd, bad = (Line("n", "w", "", level, "", "", "") for level in (OK, WARNING, FAILURE))
    assert (exit_code([]), exit_code([fine, odd]), exit_code([fine, bad, odd])) == (0, 0, 1)


def test_long_lists_are_cut() -> None:
    assert listed("edcba", most=3) == "a, b, c and 2 more"
    assert listed({"b", "a"}) == "a, b"


@pytest.mark.parametrize(
    ("policy", "who"), [("allow", "every published algorithm"), ("deny", "no published algorithm")]
)
def test_what_empty_lists_of_trust_mean_is_told(policy: Literal["allow", "deny"], who: str) -> None:
    line = service.tell_trust(PolicySettings(trusted_lists_empty=policy))
    assert (line.level, line.found) == (
        Level.OK, f"{who} may run on such a dataset (C2D_POLICY__TRUSTED_LISTS_EMPTY={policy})",
    )  # fmt: skip


def unfinished(environment: str, message: str | None = None, node: str | None = None) -> dict[str, Any]:
    status = {"message": message, "nodes": {"n": {"message": node}}}
    return {"metadata": {"labels": {names.ENVIRONMENT: environment}}, "status": status}


@pytest.mark.parametrize(
    ("jobs", "found"),
    [
        ([], ["none of 0 unfinished jobs"]),
        ([unfinished("a"), {"metadata": {"labels": {names.ENVIRONMENT: "b"}}}], ["none of 2 unfinished jobs"]),
        ([unfinished("a", "Waiting for x lock: poisoned")], ["their lock is poisoned"]),
        ([unfinished("b", node="lock is poisoned")], ["their lock is poisoned"]),
        ([unfinished("c")], ["its key is missing"]),
        ([unfinished("c", "poisoned"), unfinished("c")], ["its key is missing; their lock is poisoned"]),
        ([unfinished("c"), unfinished("a", "poisoned")], ["their lock is poisoned", "its key is missing"]),
    ],
)
def test_jobs_that_never_move_again(jobs: list[dict[str, Any]], found: list[str]) -> None:
    lines = environments.judge_locks(jobs, {"data": {"a": "1", "b": "1"}})
    assert [line.found for line in lines] == found
    assert {line.level for line in lines} == ({FAILURE} if "unfinished" not in found[0] else {OK})
