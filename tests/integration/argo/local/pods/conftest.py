from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from argo.local.pods import Images, SandboxRuntime, remove_tree
from tests.support.pods import Pods
from tests.support.sandboxes import require_sandboxes


@pytest.fixture(scope="session")
def sandboxes() -> SandboxRuntime:
    return require_sandboxes()


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
