"""`c2d admin keys`: what a deployment in a cluster needs, made once, never shown."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from contract.keys import ETHEREUM_KEY_FILE, encode_key, read_key_ring
from ocean.keys import address_of
from provider_api.cli import app
from provider_api.keys import keys_of
from tests.support.markers import find_markers
from workflow_templates.environment import read_environments

pytestmark = pytest.mark.unit

IDS = [environment.id for environment in read_environments()]


def run(folder: Path, *more: str) -> Result:
    return CliRunner().invoke(app, ["admin", "keys", str(folder), *more])


def test_the_files_fit_each_other_and_what_is_printed(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.exit_code == 0
    printed = yaml.safe_load(done.output)["environments"]["keys"]
    assert list(printed) == IDS
    provider_file = tmp_path / "c2d" / "c2d-provider" / "provider.key"
    provider = keys_of(provider_file.read_text())
    assert provider.address in done.output
    for name, keys in printed.items():
        folder = tmp_path / "jobs" / f"c2d-environment-{name}"
        ring = read_key_ring(folder)
        assert ring.service_keys == (provider.box.public_key,)
        assert encode_key(ring.environment_keys[0].public_key) == keys["boxPublicKey"]
        assert address_of((folder / ETHEREUM_KEY_FILE).read_text().strip()) == keys["consumerAddress"]
    private = [path for path in tmp_path.rglob("*.key") if path.is_file()]
    assert len(private) == 1 + 2 * len(IDS)
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}


def test_keys_that_are_there_are_kept(tmp_path: Path) -> None:
    first = run(tmp_path).output
    files = {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert run(tmp_path).output == first
    assert {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()} == files


def test_a_provider_that_has_a_key_brings_it(tmp_path: Path) -> None:
    key = "0x" + "7" * 64
    (tmp_path / "c2d" / "c2d-provider").mkdir(parents=True)
    (tmp_path / "c2d" / "c2d-provider" / "provider.key").write_text(key + "\n")
    assert keys_of(key).address in run(tmp_path).output


def test_nothing_secret_is_printed(tmp_path: Path) -> None:
    output = run(tmp_path).output
    secrets = {str(path): path.read_text().strip() for path in tmp_path.rglob("*.key") if path.is_file()}
    assert find_markers(secrets, [("output", output.encode())]) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("c2d/c2d-provider/provider.key", "covert"),
        (f"jobs/c2d-environment-{IDS[0]}/ethereum.key", "covert"),
        (f"jobs/c2d-environment-{IDS[0]}/environment.key", "covert"),
        (f"jobs/c2d-environment-{IDS[0]}/service.pub", "covert"),
    ],
)
def test_a_spoiled_file_is_told_in_one_line_without_its_content(tmp_path: Path, path: str, text: str) -> None:
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text(text)
    done = run(tmp_path)
    assert done.exit_code == 1
    assert done.output.count("\n") == 1
    assert text not in done.output
    assert (tmp_path / path).read_text() == text


def test_other_descriptions(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(
        'id = "own"\ndescription = ""\ncpu_number = 1\nram_gb = 1\ndisk_gb = 1\nprice_per_minute = "0"\n'
        "max_job_duration = 60\nmax_jobs = 1\nmax_queued_jobs = 1\nstorage_expiry = 60\n"
    )
    done = run(tmp_path / "keys", "--environments", str(tmp_path))
    assert list(yaml.safe_load(done.output)["environments"]["keys"]) == ["own"]


def test_the_chart_takes_what_is_printed(tmp_path: Path) -> None:
    from tests.support.helm_chart import CHART, MINIMAL, objects, of_kind

    environments = yaml.safe_load((CHART / "environments.yaml").read_text())["environments"]
    printed = yaml.safe_load(run(tmp_path).output)["environments"]
    templates = of_kind(objects(MINIMAL | {"environments": environments | printed}), "WorkflowTemplate")
    found = {
        each["metadata"]["name"]: each["metadata"]["annotations"]["c2d.oceanprotocol.com/box-public-key"]
        for each in templates
    }
    assert found == {name: keys["boxPublicKey"] for name, keys in printed["keys"].items()}


def test_as_a_component_of_kustomize(tmp_path: Path) -> None:
    values = yaml.safe_load(run(tmp_path).output)["environments"]["keys"]
    component = yaml.safe_load(run(tmp_path, "--kustomize").output)
    assert (component["apiVersion"], component["kind"]) == ("kustomize.config.k8s.io/v1alpha1", "Component")
    patches = [yaml.safe_load(each["patch"]) for each in component["patches"]]
    assert {(patch["kind"], patch["metadata"]["name"]) for patch in patches} == {("WorkflowTemplate", id) for id in IDS}
    for patch in patches:
        annotations = patch["metadata"]["annotations"]
        assert list(annotations.values()) == list(values[patch["metadata"]["name"]].values())
