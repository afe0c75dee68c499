"""A single-machine Argo server of its own for each test, with templates that the test writes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support.argo_server import RECORDINGS, ArgoServer, submission

WORKFLOWS = "/api/v1/workflows/jobs"
END = ("Succeeded", "Failed", "Error")


class Argo:
    """The server, a client, and the words that tests need. `templates` is the GitOps folder."""

    def __init__(self, server: ArgoServer, templates: Path) -> None:
        self.server, self.templates = server, templates
        self.http = server.client()

    @property
    def data(self) -> Path:
        return self.server.data

    async def restart(self) -> None:
        self.server.kill()
        self.server.start()

    async def create(self, name: str, template: str = "rec-plain", **arguments: str) -> dict[str, Any]:
        given = {"job-spec": "QUJD", **{key.replace("_", "-"): value for key, value in arguments.items()}}
        answer = await self.http.post(WORKFLOWS, json=submission(name, template, given))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def get(self, name: str) -> dict[str, Any]:
        answer = await self.http.get(f"{WORKFLOWS}/{name}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def until(
        self, name: str, condition: Callable[[dict[str, Any]], bool], seconds: float = 60
    ) -> dict[str, Any]:
        limit = time.monotonic() + seconds
        while not condition(found := await self.get(name)):
            assert time.monotonic() < limit, found["status"]
            await asyncio.sleep(0.01)
        return found

    async def end(self, name: str, seconds: float = 60) -> dict[str, Any]:
        return await self.until(name, lambda found: found["status"].get("phase") in END, seconds)

    async def running(self, name: str, node: str) -> dict[str, Any]:
        return await self.until(name, lambda found: phase(found, node) == "Running")

    def write_template(self, name: str, change: Callable[[dict[str, Any]], None]) -> None:
        """A copy of rec-plain under another name, changed."""
        document = yaml.safe_load((RECORDINGS / "templates" / "rec-plain.yaml").read_text())
        document["metadata"]["name"] = name
        change(document["spec"])
        (self.templates / f"{name}.yaml").write_text(yaml.safe_dump(document))


def node(workflow: dict[str, Any], display_name: str) -> dict[str, Any]:
    found = [n for n in workflow["status"].get("nodes", {}).values() if n["displayName"] == display_name]
    return found[0] if found else {}


def phase(workflow: dict[str, Any], display_name: str) -> str:
    return str(node(workflow, display_name).get("phase", ""))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ArgoServer]:
    templates = tmp_path / "templates"
    templates.mkdir()
    for path in (RECORDINGS / "templates").glob("*.yaml"):
        (templates / path.name).write_text(path.read_text().replace("small: '1'", "small: '3'"))
    arguments = ("--templates", str(templates), "--machine-image", "registry.local/busybox")
    server = ArgoServer(tmp_path / "data", *arguments)
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def argo(server: ArgoServer, tmp_path: Path) -> AsyncIterator[Argo]:
    argo = Argo(server, tmp_path / "templates")
    async with argo.http:
        yield argo
        answer: httpx.Response = await argo.http.get(WORKFLOWS, params={"fields": "items.metadata.name"})
        for item in answer.json()["items"] or []:  # ends the pods
            await argo.http.delete(f"{WORKFLOWS}/{item['metadata']['name']}")
