"""The server under test: Argo Server at C2D_E2E_ARGO_URL, or the single-machine server, started here.

On a real server the recorded scenarios have a namespace of their own, which is made with KUBECONFIG's rights, so that
nothing of the product is touched. It needs `templateReferencing: Strict`, and the image that the templates name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from contract.argo_releases import NEWEST, ArgoRelease
from tests.support.argo_server import RECORDINGS, client, queued_template, running
from tests.support.deployed import Cluster
from tests.support.recorded_namespace import AsRecorded, AsRecordedSync, recorded_namespace


@dataclass(frozen=True)
class Target:
    url: str
    token: str
    limit: int  # of the semaphore
    argo: ArgoRelease = NEWEST
    embedded: bool = True

    def client(self) -> httpx.AsyncClient:
        """For requests as they were recorded."""
        return client(self.url, self.token, None if self.embedded else AsRecorded(verify=False))  # a test cluster's

    def waiting_client(self) -> httpx.Client:
        """The same without asyncio."""
        transport = None if self.embedded else AsRecordedSync(verify=False)
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=240, transport=transport)


@pytest.fixture(scope="session")
def real() -> Iterator[Target | None]:
    """None: no Argo Server is named."""
    url = os.environ.get("C2D_E2E_ARGO_URL")
    if url is None:
        yield None
        return
    argo = Cluster().argo
    with recorded_namespace(argo) as token:
        yield Target(url, token, 1, argo, embedded=False)


def _embedded(folder: Path, limit: int) -> Iterator[Target]:
    templates = folder / "templates"
    templates.mkdir(parents=True)
    for path in (RECORDINGS / "templates").glob("*.yaml"):
        text = path.read_text().replace("small: '1'", f"small: '{limit}'")
        (templates / path.name).write_text(text)
    (templates / "queued.yaml").write_text(yaml.safe_dump(queued_template()))
    arguments = ("--templates", str(templates), "--machine-image", "registry.local/busybox", "--wait-for-images")
    with running(folder / "data", *arguments) as server:
        yield Target(server.url, server.token, limit)


@pytest.fixture(scope="session")
def target(real: Target | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    if real is not None:
        yield real
    else:
        yield from _embedded(tmp_path_factory.mktemp("argo"), 10)


@pytest.fixture(scope="session")
def narrow_target(real: Target | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server with room for one job at a time."""
    if real is not None:
        yield real
    else:
        yield from _embedded(tmp_path_factory.mktemp("argo-narrow"), 1)
