"""Environments by the chart are those of kustomize: one program renders both, and here both are compared."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from contract import names
from provider_api.cli import app
from tests.support.helm_chart import MINIMAL, Object, case, objects, rendered
from tests.support.kubernetes_schemas import problems
from workflow_templates.environment import FOLDER, Environment
from workflow_templates.parts import Filter
from workflow_templates.render import GITOPS, manifests

pytestmark = pytest.mark.unit

Key = tuple[str, str]


def from_kustomize() -> dict[Key, Object]:
    """What argo/gitops/base has of environments, in the files as they are committed."""
    paths = [
        GITOPS / "base" / "limits.yaml",
        GITOPS / "base" / "quota.yaml",
        GITOPS / "base" / "results.yaml",
        *(GITOPS / "base" / "environments").iterdir(),
    ]
    found = [yaml.safe_load(path.read_text()) for path in paths]
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


def from_chart(values: Object) -> dict[Key, Object]:
    """What the chart makes, without the namespace, which kustomize's overlay sets."""
    found = {}
    for each in objects(values):
        if each["metadata"]["namespace"] == "jobs" or each["metadata"]["namespace"] == "other-jobs":
            each = copy.deepcopy(each)
            del each["metadata"]["namespace"]
            found[each["kind"], each["metadata"]["name"]] = each
    return found


def without_policy(found: dict[Key, Object]) -> dict[Key, Object]:
    """Without the one annotation by which Helm leaves a volume alone when the release is removed."""
    claim = found["PersistentVolumeClaim", names.RESULTS_CLAIM]
    assert claim["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    return found


def brought(environments: list[Environment]) -> Object:
    return MINIMAL | {"environments": {"manifests": list(manifests(environments).values())}}


def test_the_same_objects_as_in_gitops() -> None:
    values = MINIMAL | yaml.safe_load((GITOPS.parents[1] / "helm" / "environments.yaml").read_text())
    assert without_policy(from_chart(values)) == from_kustomize()


def test_environments_of_every_kind_come_through_unchanged() -> None:
    """A filter, GPUs, a storage class, an object store, results for ever: the largest numbers too."""
    wide = Environment(
        id="wide",
        description='With "quotes", #, : and ünïcode',
        cpu_number=64,
        cpu_type="x",
        gpu_number=2,
        gpu_type="y",
        ram_gb=512,
        disk_gb=1000,
        price_per_minute="0.000000000000000001",
        max_job_duration=315_360_000,
        max_jobs=10_000,
        max_queued_jobs=100_000,
        allowed_chains=(1, 137, 11_155_111),
        storage_expiry=0,
        results="object-store",
        storage_class="fast",
        filter=Filter(image="r.example/check:1", command=("check", "--max", "1e9", "0123", "true")),
    )
    found = from_chart(brought([wide]))
    expected: list[dict[str, Any]] = list(manifests([wide]).values())
    assert list(found.values()) == expected
    assert problems(found["WorkflowTemplate", "wide"]) == []


def test_what_a_deployment_decides_is_put_in_and_nothing_else() -> None:
    chosen = case("environments")["environments"]
    found = without_policy(from_chart(case("environments")))
    expected = from_kustomize()
    assert set(found) == set(expected)
    for (kind, name), each in found.items():
        assert problems(each) == []
        if kind == "WorkflowTemplate":
            notes = each["metadata"]["annotations"]
            assert notes.pop(names.CONSUMER_ADDRESS) == chosen["keys"][name]["consumerAddress"]
            assert notes.pop(names.BOX_PUBLIC_KEY) == chosen["keys"][name]["boxPublicKey"]
            for template in each["spec"]["templates"]:
                if template.get("container", {}).get("image") == chosen["image"]:
                    template["container"]["image"] = names.STEP_IMAGE
        assert each == expected[kind, name]


def test_the_image_of_our_steps_is_replaced_everywhere_and_no_other() -> None:
    filtered = Environment(
        id="filtered",
        description="",
        cpu_number=1,
        ram_gb=1,
        disk_gb=1,
        price_per_minute="0",
        max_job_duration=60,
        max_jobs=1,
        max_queued_jobs=0,
        storage_expiry=60,
        filter=Filter(image="operators-own:1", command=("check",)),
    )
    values = brought([filtered])
    values["environments"]["image"] = "r.example/pods@sha256:" + "0" * 64
    template = from_chart(values)["WorkflowTemplate", "filtered"]
    images = [
        container["image"]
        for each in template["spec"]["templates"]
        for container in [*([each["container"]] if "container" in each else []), *each.get("initContainers", [])]
    ]
    ours = values["environments"]["image"]
    assert sorted(images) == sorted([ours, ours, ours, "operators-own:1", "{{workflow.parameters.image}}"])


def test_without_environments_nothing_is_made_outside_of_the_release() -> None:
    assert {each["metadata"]["namespace"] for each in rendered("minimal")} == {"c2d"}


def test_values_of_other_descriptions(tmp_path: Path) -> None:
    text = (
        (FOLDER / "ocean-compute.toml")
        .read_text()
        .replace('"ocean-compute"', '"own"')
        .replace("max_jobs = 4", "max_jobs = 7")
    )
    (tmp_path / "own.toml").write_text(text)
    done = CliRunner().invoke(app, ["admin", "chart", "environments", str(tmp_path)])
    assert done.exit_code == 0
    found = from_chart(MINIMAL | yaml.safe_load(done.output))
    assert found["ConfigMap", names.LIMITS_CONFIG_MAP]["data"] == {"own": "7"}
    assert ("WorkflowTemplate", "own") in found

    (tmp_path / "own.toml").write_text(text + "\nmisspelt = 1\n")
    done = CliRunner().invoke(app, ["admin", "chart", "environments", str(tmp_path)])
    assert done.exit_code == 1
    assert "misspelt" in done.output
