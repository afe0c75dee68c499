from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from argo.local.pods import Images, SandboxRuntime, remove_tree
from tests.support.pods import Pods

IN_CI = bool(os.environ.get("CI"))


@pytest.fixture(scope="session")
def sandboxes() -> SandboxRuntime:
    """A runtime whose sandboxes work; otherwise a named skip, and a failure in CI."""
    runtime = SandboxRuntime(Images.default())
    problem = runtime.probe()
    if problem:
        (pytest.fail if IN_CI else pytest.skip)(f"sandboxes do not work on this machine: {problem}")
    return runtime


@pytest.fixture
def pods(sandboxes: SandboxRuntime, tmp_path: Path) -> Iterator[Pods]:
    """Pods that are removed afterwards, whatever became of them."""
    made = Pods(sandboxes, tmp_path / "data")
    yield made
    for folder in (made.base / "pods").glob("*"):
        sandboxes.remove(folder)
    remove_tree(made.base)


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Pods]:
    """Pods as plain processes."""
    images = Images.default(without_sandbox=["busybox"])
    made = Pods(SandboxRuntime(images, isolation="process"), tmp_path / "data")
    yield made
    for folder in (made.base / "pods").glob("*"):
        made.runtime.remove(folder)
    shutil.rmtree(made.base)
