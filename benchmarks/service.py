"""The service under measurement: that of the tests, optionally with environments in which every job waits for ever."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from aiohttp import ClientSession

from benchmarks.load import fetch
from contract import names
from provider_api.deploy.machine import Machine
from tests.support.service import Service
from workflow_templates.render import GITOPS

PLACES = 100_000  # that wait


def waiting_service(folder: Path, allow_private: Sequence[str], settings: Mapping[str, str] | None = None) -> Service:
    """Jobs are accepted and stay in the queue: their pods would compete with what is measured."""
    service = Service(folder / "data", allow_private=allow_private, settings=settings)
    given = {name: value for name, value in service.machine._environment.items() if name.startswith("C2D_")}
    manifests = _without_places(folder / "manifests")
    service.machine = Machine(
        folder / "data",
        allow_private=tuple(f"{address}@*" for address in allow_private),
        environment=given,
        manifests=manifests,
    )
    return service


def workflows_url(service: Service) -> str:
    return f"{service.machine.argo_url}/api/v1/workflows/{service.machine.settings.argo.namespace}"


def argo_headers(service: Service) -> dict[str, str]:
    return {"authorization": f"Bearer {service.machine.argo_token_file.read_text().strip()}"}


async def forget_jobs(service: Service, session: ClientSession) -> None:
    """Delete all jobs, so that each run begins with an empty queue."""
    url, headers = workflows_url(service), argo_headers(service)
    found = json.loads(await fetch(session, "GET", url, headers=headers, params={"fields": "items.metadata.name"}))
    for item in found["items"] or ():
        await fetch(session, "DELETE", f"{url}/{item['metadata']['name']}", headers=headers)


def _without_places(target: Path) -> Path:
    """The committed manifests with semaphores of size 0 and a long queue."""
    for source in sorted((GITOPS / "base").rglob("*.yaml")):
        documents = [document for document in yaml.safe_load_all(source.read_text()) if document]
        for document in documents:
            _change(document)
        path = target / source.relative_to(GITOPS / "base")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump_all(documents, sort_keys=False))
    return target


def _change(document: dict[str, Any]) -> None:
    if document.get("kind") == "WorkflowTemplate":
        document["metadata"]["annotations"][names.option("max_queued_jobs")] = str(PLACES)
    elif document.get("metadata", {}).get("name") == names.LIMITS_CONFIG_MAP:
        document["data"] = dict.fromkeys(document["data"], "0")
