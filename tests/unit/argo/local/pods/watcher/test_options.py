"""bubblewrap's options: what lies inside what."""

from __future__ import annotations

from typing import Any

import pytest

from argo.local.pods.watcher.options import options

pytestmark = pytest.mark.unit


def words(binds: list[list[Any]], mounts: list[list[Any]]) -> list[str]:
    plan = {"limits": {"tmp_bytes": 1}, "network": False}
    inside = {"binds": binds, "links": [], "files": {}, "mounts": mounts}
    container = {"env": {}, "inside": inside, "cwd": "/"}
    return options(plan, container, source=lambda path: path, data=lambda text: 9, seccomp=7, status=8)


def test_a_project_below_tmp_is_not_covered_by_the_pods_tmp() -> None:
    given = words([["/tmp/project/.venv", "/tmp/project/.venv", True]], [["/data/pod/tmp", "/tmp", False]])
    tmpfs = max(i for i, word in enumerate(given) if word == "/tmp" and given[i - 1] == "--tmpfs")
    mount = given.index("/data/pod/tmp")
    project = given.index("/tmp/project/.venv")
    assert tmpfs < mount < project


def test_inner_mounts_come_after_outer_ones() -> None:
    given = words([], [["/v/inputs", "/data/inputs", True], ["/v", "/data", False]])
    assert given.index("/v") < given.index("/v/inputs")
    assert given[given.index("/v/inputs") - 1] == "--ro-bind"
    assert given[given.index("/v") - 1] == "--bind"


def test_the_root_is_closed_last() -> None:
    given = words([["/usr", "/usr", True]], [])
    assert given.index("--remount-ro") > given.index("/usr")
