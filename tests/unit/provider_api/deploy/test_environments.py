"""Environments and images of an operator's own: taken up when their files change, and never half."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import yaml

from argo.local.pods import Images
from argo.local.pods.runtime import ImageUnavailable
from provider_api.deploy.described_environments import DescribedEnvironments
from workflow_templates.environment import FOLDER, EnvironmentInvalid

pytestmark = pytest.mark.unit

TEXT = (FOLDER / "ocean-compute.toml").read_text()


def describe(folder: Path, name: str, text: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.toml"
    path.write_text(text or TEXT.replace('"ocean-compute"', f'"{name}"'))
    return path


def deployed(folder: Path) -> set[str]:
    return {path.stem for path in (folder / "base" / "environments").glob("*.yaml")}


def test_environments_come_change_and_go(tmp_path: Path) -> None:
    source, target = tmp_path / "mine", tmp_path / "rendered"
    describe(source, "small")
    described = DescribedEnvironments(source, target)
    assert described.render() == target / "base"
    taken: list[set[str]] = []

    def deploy(manifests: Path) -> list[str]:
        taken.append({path.stem for path in (manifests / "environments").glob("*.yaml")})
        return []

    described.take_up(deploy)
    assert taken == [], "nothing has changed"
    describe(source, "large")
    described.take_up(deploy)
    assert taken[-1] == {"small", "large"}
    changed = describe(source, "large", TEXT.replace('"ocean-compute"', '"large"') + "\n# more\n")
    described.take_up(deploy)
    assert len(taken) == 1, "a remark changes nothing"
    describe(source, "large", TEXT.replace('"ocean-compute"', '"large"').replace("ram_gb = 1", "ram_gb = 3"))
    described.take_up(deploy)
    assert len(taken) == 2
    describe(source, "broken", "id = ")
    described.take_up(deploy)
    assert (len(taken), deployed(target)) == (2, {"small", "large"}), "what cannot be read changes nothing"
    describe(source, "large", "id = ")
    describe(source, "third")
    described.take_up(deploy)
    assert taken[-1] == {"small", "large", "third"}, "nor keeps it others from being taken up"
    (source / "third.toml").unlink()
    (source / "broken.toml").unlink()
    changed.unlink()
    described.take_up(deploy)
    assert taken[-1] == {"small"}
    limits = yaml.safe_load((target / "base" / "limits.yaml").read_text())
    assert set(limits["data"]) == {"large", "small", "third"}  # a limit stays: jobs may still hold it
    (source / "small.toml").unlink()
    described.take_up(deploy)
    assert (len(taken), deployed(target)) == (4, {"small"}), "an empty folder removes nothing"


def test_a_folder_without_environments_is_an_error(tmp_path: Path) -> None:
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(EnvironmentInvalid, match=str(folder)):
            DescribedEnvironments(folder, tmp_path / "rendered").render()
    assert not (tmp_path / "rendered").exists()


def test_images_are_registered_in_a_file(tmp_path: Path) -> None:
    register, root = tmp_path / "images.toml", tmp_path / "root"
    root.mkdir()
    images = Images.default(register=register)
    with pytest.raises(ImageUnavailable):
        images.find("acme/tool:1")
    register.write_text(f'"acme/tool" = "{root}"\n')
    found = images.find("acme/tool:1")
    assert (found.kind, found.folder) == ("folder", root)
    assert "acme/tool" in {image.name for image in images.known()}
    for broken in ("no toml", '"acme/other" = 1', '"acme/other" = "relative"', '"A B" = "/x"'):
        register.write_text(broken)
        os.utime(register, (time.time(), time.time() + len(broken)))
        assert images.find("acme/tool@sha256:" + "0" * 64).folder == root, "what cannot be read changes nothing"
    register.write_text("")
    with pytest.raises(ImageUnavailable):
        images.find("acme/tool:1")
    assert images.find("python:3").kind == "machine"
