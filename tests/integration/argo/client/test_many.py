"""Ten thousand workflows in pages: none is missed, and no more than a page is held at once."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any

import pytest

from argo.client import ArgoClient
from argo.client.client import PAGE
from argo.client.records import Workflow
from argo.local.settings import LocalArgoSettings
from argo.local.workflows.rows import Row
from argo.local.workflows.store import Store
from contract import names
from tests.support.local_argo import served

pytestmark = pytest.mark.integration

MANY = 10_000
OWNER = {names.OWNER: "0x" + "ab" * 20}
RECORDED = Path(__file__).parents[3] / "recordings" / "jobs" / "success.json"
NOON = 1_790_000_000.0


def recorded() -> dict[str, Any]:
    """A finished workflow, as Argo reports it."""
    found: dict[str, Any] = json.loads(RECORDED.read_text())["snapshots"][-1]["workflow"]
    return found


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> LocalArgoSettings:
    """Of a server that remembers many finished workflows, each with the nodes of a recorded one."""
    data = tmp_path_factory.mktemp("argo")
    workflow = recorded()
    status = {key: value for key, value in workflow["status"].items() if key != "storedWorkflowTemplateSpec"}
    labels = {**OWNER, "workflows.argoproj.io/completed": "true", "workflows.argoproj.io/phase": "Succeeded"}
    spec = {"workflowTemplateRef": {"name": "any"}}
    with Store(data) as store:
        store._db.execute("PRAGMA synchronous = OFF")  # not what is tested here
        for number in range(MANY):
            name, begun = f"{number:032x}", NOON + number
            store.insert(
                Row(name, name, begun, labels, {}, spec, status, finished=begun + 1), {}, {"name": "any", "spec": {}}
            )
    return LocalArgoSettings(data=data, templates=(), isolation="process")


async def test_every_workflow_comes_in_some_page_and_pages_are_not_held(settings: LocalArgoSettings) -> None:
    seen: list[str] = []
    most_alive = 0
    with served(settings) as address:
        async with ArgoClient(address, "jobs", settings.token_path) as client:
            assert await client.count(OWNER) == MANY
            async for page in client.pages(OWNER):
                assert 0 < len(page) <= PAGE
                assert all(len(job.nodes) == len(recorded()["status"]["nodes"]) for job in page[:1])
                seen += [job.name for job in page]
                if len(seen) % (10 * PAGE) == 0:
                    gc.collect()
                    most_alive = max(most_alive, sum(isinstance(thing, Workflow) for thing in gc.get_objects()))
            assert [job.name for job in await client.list(OWNER, limit=2 * PAGE + 1)] == seen[: 2 * PAGE + 1]
    assert seen == [f"{number:032x}" for number in reversed(range(MANY))]
    assert PAGE <= most_alive <= 2 * PAGE
