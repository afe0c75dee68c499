"""What templates name in a cluster, and which nodes fit them, as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from provider_api.doctor.checks.probe import _place
from provider_api.doctor.judging import placement as judging
from provider_api.doctor.lines import Level
from workflow_templates.environment import read_environments
from workflow_templates.parts import Filter, Toleration
from workflow_templates.template import workflow_template

pytestmark = pytest.mark.unit

OK, WARNING, FAILURE = Level.OK, Level.WARNING, Level.FAILURE

SPOT = {"key": "spot", "value": "yes", "effect": "NoSchedule"}


def template(**options: Any) -> dict[str, Any]:
    """Of an environment: 1 processor and 1 GiB of memory for its algorithm, 1280 MiB of the node's disk."""
    found = workflow_template(read_environments()[0].model_copy(update=options))
    return {**found, "metadata": {**found["metadata"], "name": "e"}}


def node(name: str = "n", taints: Iterable[dict[str, Any]] = (), labels: Any = None, **offered: str) -> dict[str, Any]:
    amounts = {"cpu": "4", "memory": "8388608Ki", "ephemeral-storage": "50Gi", "pods": "110"}
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name} | (labels or {})},
        "spec": {"taints": list(taints)},
        "status": {"allocatable": amounts | {key.replace("__", "/"): value for key, value in offered.items()}},
    }


@pytest.mark.parametrize(
    ("named", "options", "found"),
    [
        (judging.runtime_classes, {"runtime_class": "gvisor"}, ["gvisor"]),
        (judging.priority_classes, {"priority_class": "batch"}, ["batch"]),
        (judging.pull_secrets, {"image_pull_secrets": ("one", "two")}, ["one", "two"]),
        (judging.queues, {"queue": "gpus"}, ["gpus"]),
    ],
)
def test_what_a_template_names_is_found(
    named: Callable[[Any], Iterable[str]], options: dict[str, Any], found: list[str]
) -> None:
    templates = [template(), template(**options), template(filter=Filter(image="i", command=("c",)), **options)]
    assert judging.users(templates, named) == {name: ["e", "e"] for name in found}


@pytest.mark.parametrize("patch", ["runtimeClassName: kata", '{"runtimeClassName": "kata"}'])
def test_templates_by_other_hands_are_read_too(patch: str) -> None:
    step = {"podSpecPatch": "[", "priorityClassName": "low"}
    spec = {"podSpecPatch": patch, "templates": [step], "podMetadata": {"labels": {"kueue.x-k8s.io/queue-name": "q"}}}
    other = {"metadata": {"name": "o"}, "spec": spec}
    names = (judging.runtime_classes, judging.priority_classes, judging.pull_secrets, judging.queues)
    assert [list(named(other)) for named in names] == [["kata"], ["low"], [], ["q"]]


@pytest.mark.parametrize(("exists", "level"), [(True, OK), (False, FAILURE)])
def test_classes(exists: bool, level: Level) -> None:
    for item in (judging.RUNTIME_CLASS, judging.PRIORITY_CLASS):
        line = judging.judge_class(item, "c", ["one", "two"], exists=exists)
        assert (line.level, line.subject) == (level, "c (one, two)")


@pytest.mark.parametrize(
    ("kind", "level"),
    [
        ("kubernetes.io/dockerconfigjson", OK),
        ("kubernetes.io/dockercfg", OK),
        ("Opaque", FAILURE),
        ("", FAILURE),
        (None, FAILURE),
    ],
)
def test_pull_secrets(kind: str | None, level: Level) -> None:
    assert judging.judge_pull_secret("s", ["e"], kind).level is level


@pytest.mark.parametrize(
    ("queue", "installed", "level", "found"),
    [
        ({"status": {"conditions": [{"type": "Active", "status": "True"}]}}, True, OK, "there"),
        ({}, True, OK, "there"),
        (
            {"status": {"conditions": [{"type": "Active", "status": "False", "reason": "ClusterQueueDoesNotExist"}]}},
            True,
            FAILURE,
            "ClusterQueueDoesNotExist",
        ),
        (None, True, FAILURE, "no such LocalQueue"),
        (None, False, FAILURE, "not installed"),
    ],
)
def test_queues(queue: dict[str, Any] | None, installed: bool, level: Level, found: str) -> None:
    line = judging.judge_queue("q", ["e"], queue, installed=installed)
    assert (line.level, found in line.found) == (level, True), line


@pytest.mark.parametrize(
    ("nodes", "options", "level", "found"),
    [
        ([node()], {}, OK, "1 of 1"),
        ([], {}, FAILURE, "there is none"),
        ([node(), node("m", labels={"disk": "fast"})], {"node_selector": {"disk": "fast"}}, OK, "1 of 2"),
        ([node()], {"node_selector": {"disk": "fast"}}, FAILURE, "none of 1 has disk=fast"),
        ([node(labels={"disk": "slow"})], {"node_selector": {"disk": "fast"}}, FAILURE, "disk=fast"),
        ([node(taints=[SPOT])], {}, FAILURE, "spot=yes:NoSchedule"),
        ([node(taints=[SPOT | {"effect": "PreferNoSchedule"}])], {}, OK, "1 of 1"),
        ([node(taints=[SPOT])], {"tolerations": (Toleration(key="spot", value="yes"),)}, OK, "1 of 1"),
        ([node(taints=[SPOT])], {"tolerations": (Toleration(key="spot", value="no"),)}, FAILURE, "spot=yes"),
        ([node(taints=[SPOT])], {"tolerations": (Toleration(key="spot", operator="Exists"),)}, OK, "1 of 1"),
        ([node(taints=[SPOT])], {"tolerations": (Toleration(operator="Exists"),)}, OK, "1 of 1"),
        (
            [node(taints=[SPOT])],
            {"tolerations": (Toleration(key="spot", operator="Exists", effect="NoExecute"),)},
            FAILURE,
            "spot=yes:NoSchedule",
        ),
        ([node()], {"gpu_number": 1, "gpu_type": "A"}, FAILURE, "nvidia.com/gpu: 1"),
        ([node(**{"nvidia.com__gpu": "2"})], {"gpu_number": 2, "gpu_type": "A"}, OK, "1 of 1"),
        ([node(**{"nvidia.com__gpu": "1"})], {"gpu_number": 2, "gpu_type": "A"}, FAILURE, "nvidia.com/gpu: 2"),
        ([node(cpu="3920m")], {"cpu_number": 4}, FAILURE, "cpu: 4"),
        ([node(memory="7Gi")], {"ram_gb": 8}, FAILURE, "memory: 8Gi"),
        ([node(memory="1Ei")], {"ram_gb": 8}, OK, "1 of 1"),
        ([node(cpu="1", memory="9Gi"), node("m")], {"ram_gb": 9, "cpu_number": 2}, FAILURE, "cpu: 2"),
    ],
)
def test_nodes(nodes: list[dict[str, Any]], options: dict[str, Any], level: Level, found: str) -> None:
    line = judging.judge_nodes(template(**options), nodes)
    assert (line.level, line.subject, found in line.found) == (level, "e", True), line
    growing = judging.judge_nodes(template(**options), nodes, grows=True)
    assert (growing.level, growing.found) == (OK if level is OK else WARNING, line.found)


def test_a_runtime_class_may_have_nodes_of_its_own() -> None:
    sandbox = {"key": "sandbox", "value": "gvisor", "effect": "NoSchedule"}
    nodes = [node(), node("m", [sandbox], {"sandbox": "gvisor"})]
    scheduling = {"nodeSelector": {"sandbox": "gvisor"}, "tolerations": [sandbox | {"operator": "Equal"}]}
    line = judging.judge_nodes(template(), nodes, [{"scheduling": scheduling}])
    assert (line.level, line.found) == (OK, "1 of 2 fit")
    assert judging.judge_nodes(template(), nodes[:1], [{"scheduling": scheduling}]).level is FAILURE


def test_the_probes_pods_run_where_those_of_jobs_do() -> None:
    placed = template(node_selector={"disk": "fast"}, image_pull_secrets=("registry",), priority_class="batch")
    assert _place([placed]) == {"nodeSelector": {"disk": "fast"}, "imagePullSecrets": [{"name": "registry"}]}
    assert _place([template()]) == _place([]) == {}
