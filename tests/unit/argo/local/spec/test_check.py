"""Templates: ours and the recorded ones pass, everything this server does not do is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from argo.local.spec.check import TemplateInvalid, read_spec
from contract.names import QUEUE
from tests.support.argo_engine import template
from workflow_templates.environment import read_environments
from workflow_templates.parts import Toleration
from workflow_templates.template import workflow_template

pytestmark = pytest.mark.unit

Change = Callable[[dict[str, Any]], Any]


def part(spec: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in spec["templates"] if item["name"] == name)
    return found


def container(spec: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = part(spec, "algorithm")["container"]
    return found


def small_root(spec: dict[str, Any], limit: str) -> None:
    """A root that may be written, in a pod with an emptyDir of 1 GiB."""
    part(spec, "algorithm").update(volumes=[{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}])
    container(spec).update(
        securityContext={"readOnlyRootFilesystem": False}, resources={"limits": {"ephemeral-storage": limit}}
    )


def nest(name: str, *tasks: str, **others: list[str]) -> Change:
    """More DAGs, each of tasks that are made of these templates."""

    def change(spec: dict[str, Any]) -> None:
        for dag, parts in {name: list(tasks), **others}.items():
            spec["templates"].append(
                {"name": dag, "dag": {"tasks": [{"name": f"t{i}", "template": each} for i, each in enumerate(parts)]}}
            )

    return change


@pytest.mark.parametrize("name", ["rec-plain", "rec-filter", "rec-pending", "rec-collect"])
def test_recorded_templates_pass(name: str) -> None:
    assert read_spec(name, template(name)).entrypoint == "compute"


def test_a_writable_root_passes() -> None:
    environment = read_environments()[0].model_copy(update={"scratch_root": "64Mi"})
    read_spec(environment.id, workflow_template(environment)["spec"])


@pytest.mark.parametrize(
    ("changes", "named", "reason"),
    [
        (
            {"runtime_class": "gvisor"},
            "podSpecPatch.runtimeClassName is not supported by this server",
            "RuntimeClasses",
        ),
        ({"node_selector": {"disk": "fast"}}, "spec.nodeSelector is not supported by this server", "only node"),
        ({"tolerations": (Toleration(key="a"),)}, "spec.tolerations is not supported by this server", "no taints"),
        ({"priority_class": "a"}, "spec.podPriorityClassName is not supported by this server", "no priorities"),
        ({"image_pull_secrets": ("a",)}, "spec.imagePullSecrets is not supported by this server", "not pulled"),
        ({"image_user": True}, "securityContext without runAsUser is not supported", "a user for each volume"),
        ({"queue": "a"}, "metadata.labels.kueue.x-k8s.io/queue-name is not supported by this server", "no Kueue"),
    ],
)
def test_what_one_machine_does_not_have_is_refused_by_name(changes: dict[str, Any], named: str, reason: str) -> None:
    environment = read_environments()[0].model_copy(update=changes)
    with pytest.raises(TemplateInvalid) as refused:
        read_spec(environment.id, workflow_template(environment)["spec"])
    (problem,) = refused.value.problems
    assert (named in problem, reason in problem) == (True, True), problem


def test_our_own_templates_pass() -> None:
    environments = read_environments()
    assert environments
    for environment in environments:
        read_spec(environment.id, workflow_template(environment)["spec"])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda s: s.update(parallelism=3), "spec.parallelism"),
        (lambda s: s.update(hostNetwork=True), "spec.hostNetwork"),
        (lambda s: s.update(automountServiceAccountToken=True), "spec.automountServiceAccountToken"),
        (lambda s: s.update(onExit="nope"), "spec.onExit"),
        (lambda s: container(s).update(livenessProbe={}), "container.livenessProbe"),
        (lambda s: container(s).update(securityContext={"privileged": True}), "securityContext.privileged"),
        (lambda s: container(s).update(securityContext={"capabilities": {"add": ["A"]}}), "capabilities.add"),
        (lambda s: container(s).update(securityContext={"runAsUser": 0}), "runAsUser"),
        (lambda s: container(s).update(securityContext={"readOnlyRootFilesystem": False}), "ephemeral-storage"),
        (lambda s: small_root(s, "1Gi"), "larger than the sizes of the pod's emptyDirs"),
        (lambda s: small_root(s, "lots"), "not a quantity: lots"),
        (lambda s: container(s).pop("command"), "container.command"),
        (lambda s: container(s).update(resources={"limits": {"nvidia.com/gpu": 1}}), "nvidia.com/gpu"),
        (lambda s: container(s).update(resources={"limits": {"memory": "lots"}}), "memory"),
        (lambda s: container(s).update(env=[{"name": "A", "valueFrom": {}}]), "env[0].valueFrom"),
        (lambda s: container(s).update(args=["{{=1+1}}"]), "{{=1+1}}"),
        (lambda s: container(s).update(args=["{{workflow.parameters.nope}}"]), "workflow.parameters.nope"),
        (lambda s: container(s).update(args=["{{tasks.configuration.outputs.result}}"]), "tasks.configuration.outputs"),
        (
            lambda s: part(s, "compute")["dag"]["tasks"][1].update(
                arguments={"parameters": [{"name": "x", "value": "{{tasks.configuration.outputs.parameters.nope}}"}]}
            ),
            "outputs.parameters.nope",
        ),
        (lambda s: container(s)["volumeMounts"].append({"name": "x", "mountPath": "/x"}), "volume x"),
        (lambda s: container(s)["volumeMounts"][0].update(subPath="../x"), "volume data"),
        (lambda s: s.update(volumes=[{"name": "h", "hostPath": {"path": "/"}}]), "hostPath"),
        (lambda s: part(s, "algorithm").update(podSpecPatch='{"hostPID": true}'), "podSpecPatch.hostPID"),
        (lambda s: part(s, "algorithm").update(podSpecPatch="["), "podSpecPatch"),
        (lambda s: s.update(podMetadata={"labels": {QUEUE: "a"}}), f"spec.podMetadata.labels.{QUEUE}"),
        (
            lambda s: part(s, "algorithm").update(nodeSelector={"a": "b"}),
            "nodeSelector is not supported by this server: t",
        ),
        (lambda s: part(s, "algorithm").update(sidecars=[{}]), "templates[2].sidecars"),
        (lambda s: part(s, "algorithm").update(memoize={}), "memoize"),
        (
            lambda s: part(s, "algorithm").update(synchronization=part(s, "compute")["synchronization"]),
            "synchronization",
        ),
        (nest("twice", "compute", "compute"), "templates[5]: the DAG with synchronization"),
        (nest("outer", "inner", "inner", inner=["compute"]), "the DAG with synchronization"),
        (nest("around", "around"), "circle: around, around"),
        (nest("a", "b", b=["c"], c=["a"]), "contain each other in a circle"),
        (lambda s: (nest("end", "compute")(s), s.update(onExit="end")), "spec.onExit: synchronization"),
        (lambda s: part(s, "compute").update(failFast=False), "failFast"),
        (lambda s: part(s, "compute")["dag"]["tasks"][1].update(depends="nope"), "nope"),
        (lambda s: part(s, "compute")["dag"]["tasks"][1].update(depends="configuration.Fine"), "configuration.Fine"),
        (lambda s: part(s, "compute")["dag"]["tasks"][0].update(depends="algorithm"), "circle"),
        (lambda s: part(s, "compute")["dag"]["tasks"][0].update(template="nope"), "nope"),
        (lambda s: part(s, "compute")["dag"]["tasks"][0].update(withItems=[1]), "withItems"),
        (lambda s: part(s, "configuration")["retryStrategy"].update(expression="lastRetry.duration > 1"), "duration"),
        (lambda s: part(s, "configuration")["retryStrategy"].update(affinity={}), "affinity"),
        (lambda s: part(s, "algorithm").update(pendingTimeout="soon"), "pendingTimeout"),
        (lambda s: s["templates"].append(part(s, "algorithm")), "there twice"),
    ],
)
def test_refused_by_name(change: Change, named: str) -> None:
    with pytest.raises(TemplateInvalid) as refused:
        read_spec("t", template(change=change))
    assert named in str(refused.value)
