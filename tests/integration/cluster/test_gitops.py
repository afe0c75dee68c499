"""argo/gitops on a real control plane: what it takes, who may do what there, what the admission policy refuses."""

from __future__ import annotations

import contextlib
import copy
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from contract import names
from provider_api.doctor.judging.attempts import CHANGES, attempts
from provider_api.doctor.judging.rights import forbidden, needed
from tests.support.admission import (
    ANNOTATIONS,
    ENVIRONMENT,
    EVIL,
    JOB,
    OWNERS,
    REFUSED,
    STATUS,
    STOP,
    STOP_LABELS,
    job,
    parameters,
)
from tests.support.argo_recordings import recording
from tests.support.doctor import run_doctor
from tests.support.kubernetes_cluster import ControlPlane
from workflow_templates.environment import read_environments
from workflow_templates.template import EXECUTOR_ACCOUNT, RUNNER_ACCOUNT

pytestmark = pytest.mark.integration

WORKFLOWS = "/apis/argoproj.io/v1alpha1/namespaces/jobs/workflows"


@pytest.fixture(scope="module")
def service(cluster: ControlPlane) -> Iterator[httpx.Client]:
    """The API server, with the token of the service's account."""
    cluster.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "provider-api", "namespace": "c2d"}}
    )
    with cluster.http(cluster.token_of("c2d", "provider-api")) as http:
        deadline = time.monotonic() + 30
        while http.post(WORKFLOWS, json=job({"name": "x"}), params={"dryRun": "All"}).status_code == 201:
            assert time.monotonic() < deadline, "the policy does not hold"  # it is read within seconds
            time.sleep(0.2)
        yield http
    cluster.kubectl("delete", "serviceaccount", "provider-api", "--namespace", "c2d")


@contextlib.contextmanager
def made(http: httpx.Client, workflow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    answer = http.post(WORKFLOWS, json=workflow)
    assert answer.status_code == 201, answer.text
    try:
        yield answer.json()
    finally:
        assert http.delete(f"{WORKFLOWS}/{workflow['metadata']['name']}").status_code == 200


def test_everything_is_there_and_applied_again_changes_nothing(cluster: ControlPlane, gitops: Path) -> None:
    environments = {each.id for each in read_environments()}
    found = cluster.kubectl("get", "workflowtemplates", "--namespace", "jobs", "--output", "name").split()
    assert {each.rpartition("/")[2] for each in found} == environments
    assert cluster.kubectl("diff", "--server-side", "--kustomize", str(gitops / "overlays" / "kind")) == ""
    token = cluster.get("secret", f"{EXECUTOR_ACCOUNT}.service-account-token", "jobs")
    assert token is not None
    assert token["data"]["token"]  # made by the cluster, as Argo's sidecar needs it


@pytest.mark.parametrize("overlay", ["cluster", "base", "overlays/production"])
def test_the_others_are_accepted(cluster: ControlPlane, gitops: Path, overlay: str) -> None:
    words = ("--server-side", "--force-conflicts", "--validate=strict", "--dry-run=server")
    cluster.kubectl("apply", *words, "--kustomize", str(gitops / overlay))


def test_a_job_is_made_stopped_and_deleted(service: httpx.Client) -> None:
    with made(service, job()):
        place = f"{WORKFLOWS}/{JOB}"
        merge = {"Content-Type": "application/merge-patch+json"}
        for shutdown in ("Stop", "Terminate"):
            stopped = service.patch(place, json={"spec": {"shutdown": shutdown}}, headers=merge)
            assert (stopped.status_code, stopped.json()["spec"]["shutdown"]) == (200, shutdown)
        for change in (
            {"workflowTemplateRef": {"name": "ocean-compute-paid"}},
            {"arguments": parameters(seconds="61")},
            {"shutdown": None},
        ):
            refused = service.patch(place, json={"spec": change}, headers=merge)
            assert (refused.status_code, STOP in refused.json()["message"]) == (422, True)


def test_a_job_is_made_to_wait_and_resumed_once(service: httpx.Client, cluster: ControlPlane) -> None:
    """Argo Server reads the workflow, and puts the whole of it back."""
    with made(service, job(entrypoint="queued")):
        place = f"{WORKFLOWS}/{JOB}"
        turn = {"id": "j-1", "name": "j.turn", "displayName": "turn", "type": "Suspend", "templateName": "turn"}
        status = {
            "phase": "Running",
            "nodes": {"j-1": turn | {"phase": "Running", "startedAt": "2026-01-01T00:00:00Z"}},
        }
        change = json.dumps({"status": status})
        cluster.kubectl("patch", "workflow", JOB, "--namespace", "jobs", "--type", "merge", "--patch", change)
        found = service.get(place).json()
        found["metadata"]["labels"] |= {"workflows.argoproj.io/action": "Resume"}
        for end in ({"phase": "Failed"}, {"phase": "Succeeded", "type": "Pod"}, {"phase": "Succeeded", "outputs": {}}):
            other = copy.deepcopy(found)
            other["status"]["nodes"]["j-1"] |= end
            assert (refused := service.put(place, json=other)).status_code == 422
            assert STATUS in refused.json()["message"]
        resumed = copy.deepcopy(found)
        resumed["status"]["nodes"]["j-1"] |= {"phase": "Succeeded", "finishedAt": "2026-01-01T00:00:09Z"}
        answer = service.put(place, json=resumed)
        assert answer.status_code == 200, answer.text
        again = answer.json()
        again["status"]["nodes"]["j-1"]["phase"] = "Running"
        refused = service.put(place, json=again)
        assert (refused.status_code, STATUS in refused.json()["message"]) == (422, True)


STATES = [
    snapshot["workflow"]["status"]
    for name in ("stop-while-queued", "stop-while-running", "success")
    for snapshot in (recording(name)["snapshots"][0], recording(name)["snapshots"][-1])
]


@pytest.mark.parametrize("number", range(len(STATES)))
def test_a_stop_changes_nothing_that_argo_wrote(cluster: ControlPlane, service: httpx.Client, number: int) -> None:
    """Argo, which is not the service, writes status and labels; a stop as Argo Server sends it is admitted then, with
    the service's token, and neither status nor labels can be changed with it."""
    with made(service, job()), cluster.http() as argo:
        place, merge = f"{WORKFLOWS}/{JOB}", {"Content-Type": "application/merge-patch+json"}
        phase = {"metadata": {"labels": {"workflows.argoproj.io/phase": "Running"}}, "status": STATES[number]}
        assert argo.patch(place, json=phase, headers=merge).status_code == 200
        for change, message in (
            ({"status": {"storedWorkflowTemplateSpec": EVIL}}, STATUS),
            ({"status": {"message": "another"}}, STATUS),
            ({"status": None}, STATUS),
            ({"status": {"nodes": {JOB: {"phase": "Succeeded"}}}}, STATUS),
            ({"metadata": {"labels": {"workflows.argoproj.io/completed": "true"}}}, STOP_LABELS),
            ({"metadata": {"labels": {"workflows.argoproj.io/phase": None}}}, STOP_LABELS),
            ({"metadata": {"labels": {names.OWNER: "0x" + "0" * 40}}}, STOP_LABELS),
            ({"metadata": {"annotations": {names.OWNER_TEXT: "x"}}}, ANNOTATIONS),
            ({"metadata": {"finalizers": ["example.org/x"]}}, OWNERS),
        ):
            refused = service.patch(place, json=change, headers=merge)
            assert (refused.status_code, message in refused.json()["message"]) == (422, True), refused.text
            with_a_stop = service.patch(place, json=change | {"spec": {"shutdown": "Stop"}}, headers=merge)
            assert with_a_stop.status_code == 422, with_a_stop.text
        asked = {"workflows.argoproj.io/action": "Stop", "workflows.argoproj.io/actor": "system-serviceaccount-c2d"}
        stop = {"metadata": {"labels": asked}, "spec": {"shutdown": "Stop"}}
        stopped = service.patch(place, json=stop, headers=merge)
        assert (stopped.status_code, stopped.json()["status"]) == (200, argo.get(place).json()["status"]), stopped.text


def test_the_doctor_tries_it(cluster: ControlPlane, service: httpx.Client, tmp_path: Path) -> None:
    """As administrator for the service's account, and with the service's own token; also with a job under way."""
    token = cluster.token_of("c2d", "provider-api")
    for kubeconfig in (cluster.kubeconfig, cluster.kubeconfig_of(token, "service")):
        (line,) = run_doctor(tmp_path, kubeconfig=kubeconfig).of("admission-tried")
        assert (line["level"], f"{len(attempts(ENVIRONMENT))} others" in line["found"]) == ("ok", True), line
    with made(service, job()):
        (line,) = run_doctor(tmp_path, kubeconfig=cluster.kubeconfig).of("admission-tried")
        tried = len(attempts(ENVIRONMENT)) + len(CHANGES)
        assert (line["level"], f"{tried} others" in line["found"]) == ("ok", True), line


@pytest.mark.parametrize(("workflow", "message"), REFUSED.values(), ids=REFUSED)
def test_what_the_service_may_not_make(service: httpx.Client, workflow: dict[str, Any], message: str) -> None:
    answer = service.post(WORKFLOWS, json=workflow, params={"dryRun": "All"})
    assert answer.status_code == 422, answer.text
    assert message in answer.json()["message"]


def test_an_environment_without_a_limit_is_none(cluster: ControlPlane, service: httpx.Client) -> None:
    limits = cluster.get("configmap", "c2d-limits", "jobs")
    assert limits is not None
    assert ENVIRONMENT in limits["data"]
    unknown = copy.deepcopy(job(workflowTemplateRef={"name": "tomorrow"}))
    assert service.post(WORKFLOWS, json=unknown, params={"dryRun": "All"}).status_code == 422


def test_rights(cluster: ControlPlane) -> None:
    """Each account may do what the doctor says it needs, and nothing of what the doctor says it must not."""
    places = {"provider-api": "c2d", EXECUTOR_ACCOUNT: "jobs", RUNNER_ACCOUNT: "jobs"}
    reviews = [
        (account, right, wanted)
        for wanted, rights in (
            (True, needed("jobs", "provider-api")),
            (False, forbidden("jobs", "provider-api", "c2d", "argo")),
        )
        for account, asked in rights.items()
        for right in asked
    ]
    assert len(reviews) > 20
    with cluster.http() as http:
        for account, right, wanted in reviews:
            resource, _, sub = right.resource.partition("/")
            attributes = {"namespace": right.namespace, "verb": right.verb, "group": right.group}
            body = {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SubjectAccessReview",
                "spec": {
                    "user": f"system:serviceaccount:{places[account]}:{account}",
                    "groups": ["system:serviceaccounts", "system:authenticated"],
                    "resourceAttributes": attributes | {"resource": resource, "subresource": sub},
                },
            }
            answer = http.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", json=body).json()
            assert answer["status"]["allowed"] is wanted, (account, right)


def pod(**security: Any) -> dict[str, Any]:
    locked = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {"name": "main", "image": "x", "securityContext": locked | security}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "x-", "namespace": "jobs"},
        "spec": {"containers": [container]},
    }


def test_only_pods_that_are_locked_down(cluster: ControlPlane) -> None:
    with cluster.http() as http:
        place = "/api/v1/namespaces/jobs/pods"
        good = http.post(place, json=pod(), params={"dryRun": "All"})
        assert good.status_code == 201, good.text
        assert good.json()["spec"]["containers"][0]["resources"]["limits"]  # by the LimitRange
        for bad in ({"privileged": True}, {"runAsUser": 0}, {"allowPrivilegeEscalation": True}, {"capabilities": {}}):
            refused = http.post(place, json=pod(**bad), params={"dryRun": "All"})
            assert (refused.status_code, "PodSecurity" in refused.text) in {(403, True), (422, False)}, refused.text
