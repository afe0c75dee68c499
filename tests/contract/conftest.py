"""The server under test: C2D_ARGO_URL with C2D_ARGO_TOKEN, or the single-machine server, started here.

A real server needs the manifests of tests/recordings/templates in its namespace `jobs`, with the image they name
and `templateReferencing: Strict`; its semaphore `small` may have any size (C2D_ARGO_LIMIT, default 1).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.argo_server import RECORDINGS, running


@dataclass(frozen=True)
class Target:
    url: str
    token: str
    limit: int  # of the semaphore
    embedded: bool


def _target(folder: Path, limit: int) -> Iterator[Target]:
    if url := os.environ.get("C2D_ARGO_URL"):
        yield Target(url, os.environ["C2D_ARGO_TOKEN"], int(os.environ.get("C2D_ARGO_LIMIT", "1")), embedded=False)
        return
    templates = folder / "templates"
    templates.mkdir(parents=True)
    for path in (RECORDINGS / "templates").glob("*.yaml"):
        text = path.read_text().replace("small: '1'", f"small: '{limit}'")
        (templates / path.name).write_text(text)
    arguments = ("--templates", str(templates), "--machine-image", "registry.local/busybox", "--wait-for-images")
    with running(folder / "data", *arguments) as server:
        yield Target(server.url, server.token, limit, embedded=True)


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    yield from _target(tmp_path_factory.mktemp("argo"), 10)


@pytest.fixture(scope="session")
def narrow_target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server with room for one job at a time."""
    yield from _target(tmp_path_factory.mktemp("argo-narrow"), 1)
