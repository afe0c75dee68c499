"""Everything under argo/gitops, as a cluster would get it: complete, and by closed schemas."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from contract import names
from tests.support.deployment import BUILDS
from tests.support.kubernetes_schemas import problems
from tests.support.kustomize import build, documents
from workflow_templates.environment import read_environments
from workflow_templates.render import GITOPS, write

pytestmark = pytest.mark.unit

Manifest = dict[str, Any]
FOREIGN = {"ExternalSecret"}  # kinds of others, whose definitions are not at hand


@pytest.mark.parametrize("name", BUILDS)
def test_every_object_keeps_to_its_schema(gitops: Path, name: str) -> None:
    found = build(gitops / name)
    assert found
    for manifest in found:
        if manifest["kind"] not in FOREIGN:
            assert problems(manifest) == [], (manifest["kind"], manifest["metadata"]["name"])


@pytest.mark.parametrize("name", ["overlays/kind", "overlays/production"])
def test_an_overlay_is_complete(gitops: Path, name: str) -> None:
    """What refers to something by name finds it, in its namespace; every environment can be announced."""
    found = build(gitops / name)
    have = {(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in found}
    spaces = {each["metadata"]["name"] for each in found if each["kind"] == "Namespace"}
    assert {space for _, space, _ in have if space} <= spaces == {"jobs", "c2d"}
    limits = next(each for each in found if each["metadata"]["name"] == names.LIMITS_CONFIG_MAP)
    templates = [each for each in found if each["kind"] == "WorkflowTemplate"]
    assert {each["metadata"]["name"] for each in templates} == set(limits["data"])
    for template in templates:
        spec, told = template["spec"], template["metadata"]["annotations"]
        for account in (spec["serviceAccountName"], spec["executor"]["serviceAccountName"]):
            assert ("ServiceAccount", "jobs", account) in have
        assert told[names.CONSUMER_ADDRESS].startswith("0x")
        assert told[names.BOX_PUBLIC_KEY]
        assert limits["data"][template["metadata"]["name"]] == told[names.MAX_JOBS]
        for step in spec["templates"]:
            for volume in step.get("volumes", []):
                if claim := volume.get("persistentVolumeClaim"):
                    assert ("PersistentVolumeClaim", "jobs", claim["claimName"]) in have
    for binding in (each for each in found if each["kind"] == "RoleBinding"):
        assert ("Role", binding["metadata"]["namespace"], binding["roleRef"]["name"]) in have


def test_secrets_of_the_production_overlay_are_those_that_templates_mount(gitops: Path) -> None:
    found = build(gitops / "overlays" / "production")
    external = {each["spec"]["target"]["name"] for each in found if each["kind"] == "ExternalSecret"}
    mounted = {
        volume["secret"]["secretName"]
        for each in found
        if each["kind"] == "WorkflowTemplate"
        for step in each["spec"]["templates"]
        for volume in step.get("volumes", [])
        if "secret" in volume
    }
    assert external == mounted


def test_no_secret_is_in_git() -> None:
    for path in GITOPS.rglob("*.yaml"):
        if "keys" not in path.parts:
            for manifest in documents(path):
                if isinstance(manifest, dict) and manifest.get("kind") == "Secret":  # a list is a patch
                    assert not {"data", "stringData"} & manifest.keys(), path


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where maps with known keys are; labels, limits and other open maps left out."""
    found = []
    if isinstance(value, dict):
        if path and path[-1] not in {
            "labels", "annotations", "matchLabels", "data", "hard", "requests", "limits", "default", "defaultRequest",
        }:  # fmt: skip
            found.append(path)
        for key, inner in value.items():
            found += places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found += places(inner, (*path, index))
    return found


def test_a_misspelt_key_anywhere_is_noticed(gitops: Path) -> None:
    """In every map of every object of the cluster's own kinds, one key more."""
    checked = 0
    for manifest in [*build(gitops / "cluster"), *build(gitops / "base")]:
        for path in places(manifest):
            changed = copy.deepcopy(manifest)
            at: Any = changed
            for key in path:
                at = at[key]
            at["misspelt"] = "x"
            assert problems(changed), (manifest["kind"], path)
            checked += 1
    assert checked > 250


def test_settings_of_the_controller_are_yaml_with_known_keys(gitops: Path) -> None:
    settings = next(each for each in build(gitops / "with-settings") if each["kind"] == "ConfigMap")["data"]
    assert set(settings) <= {"workflowRestrictions", "executor", "nodeEvents", "persistence"}, "an unknown key stops it"
    assert yaml.safe_load(settings["workflowRestrictions"]) == {"templateReferencing": "Strict"}
    executor = yaml.safe_load(settings["executor"])
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "x"},
        "spec": {"containers": [{"name": "wait", "image": "x", **executor}]},
    }
    assert problems(pod) == []
    assert executor["securityContext"]["runAsNonRoot"] is True
    assert executor["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    deployment = next(each for each in build(gitops / "with-settings") if each["kind"] == "Deployment")
    (controller,) = deployment["spec"]["template"]["spec"]["containers"]
    assert {each["name"]: each["value"] for each in controller["env"]} == {
        "LEADER_ELECTION_IDENTITY": "x",
        "DEFAULT_REQUEUE_TIME": "1s",
        "ARGO_POD_STATUS_CAPTURE_FINALIZER": "true",
    }


def test_an_environment_more_is_one_file_and_one_command(tmp_path: Path) -> None:
    folder = tmp_path / "environments"
    folder.mkdir()
    (first, *_) = read_environments()
    for name in ("one", "two"):
        text = "\n".join(
            [f'id = "{name}"', 'description = ""', "cpu_number = 1", "ram_gb = 1", "disk_gb = 1",
             'price_per_minute = "0"', "max_job_duration = 60", "max_jobs = 3", "max_queued_jobs = 1",
             "storage_expiry = 60"]
        )  # fmt: skip
        (folder / f"{name}.toml").write_text(text)
        write(tmp_path, read_environments(folder))
    found = {(each["kind"], each["metadata"]["name"]): each for each in build(tmp_path / "base")}
    assert {name for kind, name in found if kind == "WorkflowTemplate"} == {"one", "two"}
    assert found["ConfigMap", names.LIMITS_CONFIG_MAP]["data"] == {"one": "3", "two": "3"}
    assert found["ResourceQuota", "c2d-jobs"]["spec"]["hard"]["pods"] == "12"
    assert first.id not in {name for _, name in found}
