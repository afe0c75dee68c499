from __future__ import annotations

import sys
from pathlib import Path

import pytest

from argo.local.pods import interpreter, layout
from argo.local.pods.images import Image
from argo.local.pods.runtime import Container, Mount

pytestmark = pytest.mark.unit

TARGETS = {"/data": "/host/volume", "/data/inputs": "/host/other", "/c2d/start": "/host/start"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("/data", "/host/volume"), ("/data/x", "/host/volume/x"), ("/data/inputs/0", "/host/other/0"),
     ("/database", "/database"),      ("x=/data", "x=/data"),
     ("/c2d/start/run.sh", "/host/start/run.sh"), ("/c2d", "/c2d"), ("", ""), ("data", "data")],
)  # fmt: skip
def test_translation(text: str, expected: str) -> None:
    assert layout.translate(text, TARGETS) == expected


def _container(*targets: str, **env: str) -> Container:
    return Container("x", ("true",), env, tuple(Mount(Path("/host"), target, True) for target in targets))


def test_environment_has_nothing_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C2D_SECRET", "x")
    env = layout.environment(Image("m", "machine"), _container(A="1", HOME="/data"))
    assert set(env) == {"PATH", "HOME", "TMPDIR", "LANG", "A"}
    assert env["HOME"] == "/data"
    assert sys.prefix not in env["PATH"]
    for image in (Image("s", "step"), Image("p", "machine", python=True)):
        assert layout.environment(image, _container())["PATH"].startswith(f"{sys.prefix}/bin:")


def test_mounts_come_outer_first() -> None:
    made = layout.layout(Image("m", "machine"), _container("/data/inputs/", "/data", "/c2d/a/b"), network=False)
    assert [mount[1] for mount in made["mounts"]] == ["/data", "/data/inputs", "/c2d/a/b"]


@pytest.mark.parametrize("target", ["/", "data", "", "/.."])
def test_impossible_targets(target: str) -> None:
    with pytest.raises(OSError, match="absolute path"):
        layout.layout(Image("m", "machine"), _container(target), network=False)


def test_steps_get_packages_not_the_project() -> None:
    sources = [bind[0] for bind in layout.layout(Image("s", "step"), _container(), network=False)["binds"]]
    project = str(Path(interpreter.package_folder("pods")).parent)
    assert project not in sources
    assert f"{project}/pods" in sources or sys.prefix in sources


def test_resolver_only_with_network() -> None:
    def targets(*, network: bool) -> set[str]:
        made = layout.layout(Image("m", "machine"), _container(), network=network)
        return {bind[1] for bind in made["binds"]} | set(made["files"])

    assert "/etc/resolv.conf" not in targets(network=False)
    assert ("/etc/resolv.conf" in targets(network=True)) == Path("/etc/resolv.conf").exists()


def test_image_folders_are_opened_where_mounts_need_places(tmp_path: Path) -> None:
    for name in ("usr/bin", "data/inputs", "etc/ssl", "tmp", "proc"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "bin").symlink_to("usr/bin")
    (tmp_path / "etc/motd").touch()
    made = layout.layout(Image("f", "folder", folder=tmp_path), _container("/data/outputs"), network=False)
    assert {bind[1] for bind in made["binds"]} == {"/usr", "/data/inputs", "/etc/ssl", "/etc/motd"}
    assert made["links"] == [["usr/bin", "/bin"]]


def test_the_way_to_a_path_is_its_links_and_its_end(tmp_path: Path) -> None:
    (tmp_path / "real" / "bin").mkdir(parents=True)
    (tmp_path / "real" / "bin" / "python3.11").touch()
    (tmp_path / "real" / "bin" / "python3").symlink_to("python3.11")
    (tmp_path / "current").symlink_to("real")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to("../current/./bin/python3")
    links, real = interpreter.way(str(tmp_path / "bin" / "python"))
    assert real == str(tmp_path / "real" / "bin" / "python3.11")
    assert links == {
        str(tmp_path / "bin" / "python"): "../current/./bin/python3",
        str(tmp_path / "current"): "real",
        str(tmp_path / "real" / "bin" / "python3"): "python3.11",
    }
    needs = interpreter.Needs()
    needs.add(str(tmp_path / "bin" / "python"))
    needs.add(str(tmp_path / "real"))
    assert (needs.finished().folders, needs.files) == ([str(tmp_path / "real")], [])
    assert set(needs.links) == {str(tmp_path / "bin" / "python"), str(tmp_path / "current")}


def test_a_way_without_an_end(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere")
    for name in ("loop", "dangling", "missing"):
        with pytest.raises(OSError, match=r"links|No such file"):
            interpreter.way(str(tmp_path / name))
