"""Interpreters as machines have them: behind links, in home folders, in environments of environments, beside blanks."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.sandboxes import require_sandboxes
from tests.support.tables import ROOT

pytestmark = pytest.mark.integration

PROBE = (
    "from argo.local.pods import Images, SandboxRuntime; print('problem:', SandboxRuntime(Images.default()).probe())"
)
REAL = Path(sys._base_executable).resolve()  # type: ignore[attr-defined]


def environment(python: Path, folder: Path) -> Path:
    """The interpreter of a virtual environment made by `python`, which finds this project and what it needs."""
    subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "project.pth").write_text(f"{ROOT}\n{sysconfig.get_path('purelib')}\n")
    return folder / "bin" / "python"


def link(place: Path, target: str | Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)
    return place


def in_another_folder(base: Path) -> Path:
    return link(base / "bin" / "python3", REAL)


def over_several_links(base: Path) -> Path:
    link(base / "opt" / "real", REAL)
    link(base / "opt" / "python3", "real")
    return link(base / "bin" / "python3", "../opt/python3")


def in_a_linked_folder(base: Path) -> Path:
    link(base / "shims" / "python3", REAL)
    link(base / "home", base / "shims")
    return base / "home" / "python3"


def through_a_linked_installation(base: Path) -> Path:
    link(base / "versions" / "current", REAL.parents[1])
    return base / "versions" / "current" / "bin" / REAL.name


def in_an_environment(base: Path) -> Path:
    return environment(in_another_folder(base), base / "outer")


def beside_a_blank(base: Path) -> Path:
    return link(base / "my programs" / "python3", REAL)


@pytest.mark.parametrize(
    "make",
    [in_another_folder, over_several_links, in_a_linked_folder, through_a_linked_installation, in_an_environment,
     beside_a_blank],
)  # fmt: skip
def test_pods_run_with_an_interpreter(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    require_sandboxes()
    python = environment(make(tmp_path), tmp_path / "a project" / ".venv")
    done = subprocess.run([python, "-c", PROBE], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=240)
    assert done.stdout.strip() == "problem:", done.stdout + done.stderr[-2000:]
