"""From a node to a pod: mounts, files, network, limits, outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from argo.local.settings import LocalArgoSettings
from argo.local.workflows.pod_spec import Places, PodImpossible, PodPending, PodPlan
from tests.support.argo_engine import Story

pytestmark = pytest.mark.unit


def part(spec: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in spec["templates"] if item["name"] == name)
    return found


def plan(story: Story, node: str, data: Path, **settings: Any) -> PodPlan:
    return Places(LocalArgoSettings(data=data, **settings)).plan(story.run, story.node(node))


def test_configuration_gets_its_job_spec_as_a_file(tmp_path: Path) -> None:
    made = plan(Story(job_spec="{{=1+1}} {{workflow.uid}}").look(), "configuration(0)", tmp_path)
    (file,) = made.files
    assert made.files[file] == "{{=1+1}} {{workflow.uid}}"  # a value is text
    mounts = {mount.target: mount for mount in made.spec.main.mounts}
    assert mounts["/c2d/job-spec"].source == file
    assert mounts["/c2d/job-spec"].read_only
    assert mounts["/data"].source == tmp_path / "volumes" / "j-data"
    assert made.spec.limits.memory_bytes == 64 << 20
    assert (made.spec.deadline_seconds, made.spec.grace_seconds, made.spec.network) == (120, 30, False)


def test_the_algorithm_sees_parts_of_the_volume(tmp_path: Path) -> None:
    made = plan(Story(seconds="8").look().end("configuration(0)"), "algorithm", tmp_path)
    mounts = {mount.target: (mount.source, mount.read_only) for mount in made.spec.main.mounts}
    volume = tmp_path / "volumes" / "j-data"
    assert mounts == {
        "/data/inputs": (volume / "inputs", True),
        "/data/outputs": (volume / "outputs", False),
        "/data/logs": (volume / "logs", False),
    }
    assert (made.spec.deadline_seconds, made.spec.grace_seconds) == (8, 5)
    assert made.subfolders == [(volume, "inputs"), (volume, "outputs"), (volume, "logs")]


def test_an_output_outside_of_every_mount_gets_a_folder(tmp_path: Path) -> None:
    story = Story().look().end("configuration(0)").end("algorithm")
    made = plan(story, "publishing(0)", tmp_path)
    (output,) = made.outputs
    assert (output.name, output.relative, output.path, output.default) == (
        "results",
        "results.json",
        "/tmp/results.json",
        "[]",
    )
    mounts = {mount.target: mount for mount in made.spec.main.mounts}
    assert mounts["/tmp"].source == output.root
    assert output.root in made.folders
    assert "Succeeded" in made.spec.main.command[-1]  # {{workflow.status}}


def test_init_containers_mirror_the_mounts_of_main(tmp_path: Path) -> None:
    story = Story("rec-collect").look().end("configuration(0)").end("algorithm")
    made = plan(story, "filtering", tmp_path)
    assert [mount.target for mount in made.spec.init[0].mounts] == ["/data"]


@pytest.mark.parametrize(
    ("label", "argument", "allowed", "network"),
    [
        ("outgoing", "none", False, True),
        ("store", "none", False, True),
        ("chain", "none", False, True),
        ("{{workflow.parameters.network}}", "none", True, False),
        ("{{workflow.parameters.network}}", "public", False, False),
        ("{{workflow.parameters.network}}", "public", True, True),
        ("{{workflow.parameters.network}}", "outgoing", True, False),  # not for an argument to say
        ("public", "none", False, False),
        ("anything", "none", True, False),
        ("", "none", True, False),
    ],
)
def test_network_only_where_the_template_or_the_operator_says_so(
    tmp_path: Path, label: str, argument: str, allowed: bool, network: bool
) -> None:
    def change(spec: dict[str, Any]) -> None:
        part(spec, "algorithm")["metadata"]["labels"]["c2d.oceanprotocol.com/network"] = label

    story = Story(change=change, network=argument).look().end("configuration(0)")
    assert plan(story, "algorithm", tmp_path, allow_network=allowed).spec.network is network


def with_volume(source: dict[str, Any], target: str = "/x") -> Any:
    def change(spec: dict[str, Any]) -> None:
        algorithm = part(spec, "algorithm")
        algorithm["volumes"] = [{"name": "v", **source}]
        algorithm["container"]["volumeMounts"].append({"name": "v", "mountPath": target})

    return change


def test_a_secret_is_copied_for_the_pod_and_read_only(tmp_path: Path) -> None:
    story = Story(change=with_volume({"secret": {"secretName": "s"}})).look().end("configuration(0)")
    with pytest.raises(PodPending, match='secret "s" not found'):
        plan(story, "algorithm", tmp_path)
    (tmp_path / "secrets" / "s").mkdir(parents=True)
    made = plan(story, "algorithm", tmp_path)
    (mount,) = (mount for mount in made.spec.main.mounts if mount.target == "/x")
    assert mount.read_only
    assert made.secrets == {mount.source: tmp_path / "secrets" / "s"}


def test_a_claim_is_a_registered_folder(tmp_path: Path) -> None:
    source = {"persistentVolumeClaim": {"claimName": "results"}}
    story = Story(change=with_volume(source)).look().end("configuration(0)")
    with pytest.raises(PodPending, match='"results" not found'):
        plan(story, "algorithm", tmp_path)
    made = plan(story, "algorithm", tmp_path, claims={"results": tmp_path / "r"})
    assert made.spec.main.mounts[-1].source == tmp_path / "r"


def test_an_empty_dir_at_tmp_is_the_sandboxes_own(tmp_path: Path) -> None:
    change = with_volume({"emptyDir": {"sizeLimit": "32Mi"}}, "/tmp")
    made = plan(Story(change=change).look().end("configuration(0)"), "algorithm", tmp_path)
    assert made.spec.limits.tmp_bytes == 32 << 20
    assert all(mount.target != "/tmp" for mount in made.spec.main.mounts)
    other = plan(Story(change=with_volume({"emptyDir": {}})).look().end("configuration(0)"), "algorithm", tmp_path)
    assert other.spec.main.mounts[-1].source in other.folders


@pytest.mark.parametrize(
    ("read_only", "limit", "mebibytes"),
    [(False, "40Mi", 8), (False, "33Mi", 1), (True, "40Mi", 0), (None, "40Mi", 0)],
)
def test_a_writable_root_gets_what_the_limit_leaves_beside_empty_dirs(
    tmp_path: Path, read_only: bool | None, limit: str, mebibytes: int
) -> None:
    def change(spec: dict[str, Any]) -> None:
        with_volume({"emptyDir": {"sizeLimit": "32Mi"}}, "/tmp")(spec)
        container = part(spec, "algorithm")["container"]
        container["securityContext"] = {"readOnlyRootFilesystem": read_only}
        container.setdefault("resources", {}).setdefault("limits", {})["ephemeral-storage"] = limit

    made = plan(Story(change=change).look().end("configuration(0)"), "algorithm", tmp_path)
    assert made.spec.limits.scratch_bytes == mebibytes << 20


@pytest.mark.parametrize("seconds", ["", "x", "0", "-5", "1e3"])
def test_a_time_limit_that_is_no_number_makes_the_pod_impossible(tmp_path: Path, seconds: str) -> None:
    story = Story(seconds=seconds).look().end("configuration(0)")
    with pytest.raises(PodImpossible):
        plan(story, "algorithm", tmp_path)
