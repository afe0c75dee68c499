from __future__ import annotations

from pathlib import Path

import pytest

from argo.local.pods.images import Image, ImageNames, Images
from argo.local.pods.runtime import ImageUnavailable

pytestmark = pytest.mark.unit
DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    "reference",
    ["python", "python:3.11-slim", "library/python", "docker.io/library/python:3", "docker.io/python",
     f"python@{DIGEST}",      f"python:3@{DIGEST}", "index.docker.io/library/python:3"],
)  # fmt: skip
def test_the_same_repository(reference: str) -> None:
    assert Images.default().find(reference).name == "python"


@pytest.mark.parametrize(
    "reference",
    ["quay.io/library/python", "localhost:5000/python:3", "someone/python", "pythons", "c2d-pods", "c2d-pods:0.0.9", "",
     "python:", "python:3:4", "python@sha256:12", "Python", " python", "python\n", "../python", "python:{{=1}}"],
)  # fmt: skip
def test_another_image_or_none(reference: str) -> None:
    with pytest.raises(ImageUnavailable):
        Images.default().find(reference)


def test_the_most_exact_entry_wins(tmp_path: Path) -> None:
    names = ["example.org/a/b", "example.org/a/b:2", f"example.org/a/b@{DIGEST}"]
    images = Images([Image(name, "folder", folder=tmp_path) for name in names])
    assert images.find("example.org/a/b").name == names[0]
    assert images.find("example.org/a/b:1").name == names[0]
    assert images.find("example.org/a/b:2").name == names[1]
    assert images.find(f"example.org/a/b:2@{DIGEST}").name == names[2]


def test_a_folder_that_is_gone_is_unavailable(tmp_path: Path) -> None:
    images = Images.default(folders={"mine": tmp_path / "gone"})
    with pytest.raises(ImageUnavailable, match="does not exist"):
        images.find("mine:1")


def test_kinds_and_trust() -> None:
    images = Images.default(machine=["mine"], without_sandbox=["docker.io/library/busybox"])
    assert images.find("mine").kind == images.find("debian").kind == "machine"
    assert images.find("c2d-pods:0.1.0").kind == "step"
    assert {image.name for image in images.known() if image.without_sandbox} == {"c2d-pods:0.1.0", "busybox"}


@pytest.mark.parametrize(
    "reference",
    ["python", "python:3", f"docker.io/library/python@{DIGEST}", f"example.org/exact@{DIGEST}", "debian:12", "mine/x:2",
     f"other@{DIGEST}", "mine/x:3", "mine/x", "example.org/exact", "", "Python"],
)  # fmt: skip
def test_the_told_names_say_what_can_be_run(tmp_path: Path, reference: str) -> None:
    images = Images.default(folders={f"example.org/exact@{DIGEST}": tmp_path, "mine/x:2": tmp_path})
    told = ImageNames(image.name for image in images.known())
    try:
        images.find(reference)
    except ImageUnavailable:
        assert reference not in told
    else:
        assert reference in told
