"""An environment on the embedded Argo server, in this process: the same templates, keys, sandboxes as `c2d serve`.

Only the socket is missing: requests are handed to the application. Nobody else on this machine can reach it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import httpx

from argo.client.parsing import parse_template, parse_workflow
from argo.client.records import NewWorkflow, Node, Workflow
from argo.local.app import create_app, read_token, sandbox_runtime
from argo.local.settings import LocalArgoSettings
from argo.naming import pod_name
from contract import names
from ocean.kit.together import together
from provider_api.cli.rehearsal.job import document_of
from provider_api.cli.rehearsal.wanted import MachineCannot
from provider_api.deploy.folder import DataFolder
from provider_api.environments.environment import Environment
from provider_api.keys import ProviderKeys
from provider_api.settings import Settings
from workflow_templates.environment import Environment as Described
from workflow_templates.render import GITOPS, write

P = ParamSpec("P")
T = TypeVar("T")
_SECONDS: Final = 60.0  # for one answer of the server in this process
_NEEDS: Final = "algorithms run in sandboxes, which need bubblewrap (the command bwrap) and user namespaces"


@dataclass(frozen=True, slots=True)
class Argo:
    """The embedded server with one environment; `keys` are the service's own there."""

    client: httpx.AsyncClient
    namespace: str
    environment: Environment
    keys: ProviderKeys

    async def submit(self, new: NewWorkflow) -> None:
        answer = await self.client.post(self._workflows, json=document_of(new, self.namespace))
        _require(answer)

    async def get(self, name: str) -> Workflow:
        answer = await self.client.get(f"{self._workflows}/{name}")
        return parse_workflow(_require(answer).json())

    async def terminate(self, name: str) -> None:
        """It may have ended meanwhile."""
        await self.client.put(f"{self._workflows}/{name}/terminate", json={})

    async def log(self, name: str, node: Node, *, lines: int) -> list[str]:
        """The last lines that a step's pod has written to its output."""
        given = {"podName": pod_name(name, node.template, node.name), "logOptions.tailLines": str(lines)}
        answer = await self.client.get(f"{self._workflows}/{name}/log", params=given)
        records = [line for line in _require(answer).text.split("\n") if line]
        return [str(json.loads(record)["result"].get("content", "")) for record in records]

    @property
    def _workflows(self) -> str:
        return f"/api/v1/workflows/{self.namespace}"


@asynccontextmanager
async def serving(
    folder: DataFolder, described: Described, manifests: Path | None, images: Mapping[str, Path], settings: Settings
) -> AsyncIterator[Argo]:
    """`manifests`: rendered already, else they are made. Raises MachineCannot, OSError."""
    given = LocalArgoSettings(
        data=folder.argo,
        namespace=settings.argo.namespace,
        templates=(folder.templates,),
        claims={names.RESULTS_CLAIM: folder.results},
        images=images,
        image_register=settings.machine.images and settings.machine.images.absolute(),
        allow_network=settings.policy.allow_network,
        reserve_bytes=int(settings.disk_reserve_gib * (1 << 30)),
    )
    keys = folder.provider_keys()
    runtime, _ = await together(
        _to_its_end(sandbox_runtime, given), _to_its_end(_deploy, folder, described, manifests, keys)
    )
    if runtime.problem:
        raise MachineCannot(f"{runtime.problem}; {_NEEDS}")
    app = create_app(given, runtime)
    headers = {"Authorization": f"Bearer {read_token(given)}"}
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://argo", headers=headers, timeout=_SECONDS) as client,
    ):
        answer = await client.get(f"/api/v1/workflow-templates/{given.namespace}/{described.id}")
        environment = Environment.of_template(parse_template(_require(answer).json()))
        yield Argo(client, given.namespace, environment, keys)


def _require(answer: httpx.Response) -> httpx.Response:
    """An answer that is no refusal. Raises MachineCannot with the server's words: it names what it cannot run."""
    if answer.is_success:
        return answer
    try:
        said = str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        said = f"it answered {answer.status_code}"
    raise MachineCannot(f"the embedded Argo server does not run this environment: {said}")


async def _to_its_end(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """In a thread. Whoever is cancelled meanwhile waits for it: what it writes is about to be removed."""
    task = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    finally:
        await asyncio.wait({task})


def rendered(folder: Path | None) -> Path | None:
    """The project's own environments are rendered already."""
    return GITOPS / "base" if folder is None else None


def _deploy(folder: DataFolder, described: Described, manifests: Path | None, keys: ProviderKeys) -> None:
    if manifests is None:
        write(folder.root / "environments", [described])
        manifests = folder.root / "environments" / "base"
    folder.deploy(manifests, keys.box.public_key)
    if described.publication is not None:
        folder.write_publication({}, "")  # its pods mount it; nothing is published, so nobody reads it
