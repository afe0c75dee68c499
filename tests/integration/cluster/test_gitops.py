"""argo/gitops on a real control plane: what it takes, who may do what there, what the admission policy refuses."""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from provider_api.doctor.judging.rights import forbidden, needed
from tests.support.admission import ENVIRONMENT, JOB, REFUSED, STOP, job, parameters
from tests.support.kubernetes_cluster import ControlPlane
from workflow_templates.environment import read_environments
from workflow_templates.template import EXECUTOR_ACCOUNT, RUNNER_ACCOUNT

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

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
    with made(service, job(arguments=parameters(job_spec="a", image="b:1", seconds="60", network="none"))):
        place = f"{WORKFLOWS}/{JOB}"
        merge = {"Content-Type": "application/merge-patch+json"}
        for shutdown in ("Stop", "Terminate"):
            stopped = service.patch(place, json={"spec": {"shutdown": shutdown}}, headers=merge)
            assert (stopped.status_code, stopped.json()["spec"]["shutdown"]) == (200, shutdown)
        for change in (
            {"workflowTemplateRef": {"name": "ocean-compute-paid"}},
            {"arguments": parameters(image="other:1")},
        ):
            refused = service.patch(place, json={"spec": change}, headers=merge)
            assert (refused.status_code, STOP in refused.json()["message"]) == (422, True)


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
