"""A workflow that awaits its turn: it stands at a template of type suspend until it is resumed or ended. A real server
and ours agree."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from tests.contract.conftest import Target
from tests.support.argo_scenarios import is_finished
from tests.support.argo_server import submission

pytestmark = pytest.mark.integration
WORKFLOWS = "/api/v1/workflows/jobs"
STILL_SECONDS = 2.0  # after the controller has come to the turn; it would have made the next step in a fraction of that


@pytest.fixture
async def http(target: Target) -> AsyncIterator[httpx.AsyncClient]:
    async with target.client() as opened:
        yield opened


@pytest.fixture
async def waiting(http: httpx.AsyncClient) -> AsyncIterator[str]:
    """The name of a workflow that awaits its turn."""
    name = f"j-turn-{secrets.token_hex(4)}"
    sent = submission(name, "rec-queued", {"job-spec": "QUJD"}, entrypoint="queued")
    answer = await http.post(WORKFLOWS, json=sent)
    assert answer.status_code == 200, answer.text
    assert answer.json()["spec"]["entrypoint"] == "queued"
    await until(http, name, lambda found: "turn" in steps(found))
    yield name
    await http.delete(f"{WORKFLOWS}/{name}")


async def get(http: httpx.AsyncClient, name: str) -> dict[str, Any]:
    answer = await http.get(f"{WORKFLOWS}/{name}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def steps(workflow: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Type and phase of its nodes, by the name that is shown."""
    nodes = workflow["status"].get("nodes", {}).values()
    return {node["displayName"]: (node["type"], node["phase"]) for node in nodes}


async def until(
    http: httpx.AsyncClient, name: str, condition: Callable[[dict[str, Any]], bool], seconds: float = 200
) -> dict[str, Any]:
    limit = time.monotonic() + seconds
    while not condition(found := await get(http, name)):
        assert time.monotonic() < limit, found["status"]
        await asyncio.sleep(0.1)
    return found


async def ask(http: httpx.AsyncClient, name: str, verb: str) -> httpx.Response:
    return await http.put(f"{WORKFLOWS}/{name}/{verb}", json={"name": name, "namespace": "jobs"})


async def test_it_waits_and_runs_when_it_is_resumed(http: httpx.AsyncClient, waiting: str) -> None:
    before = await get(http, waiting)
    await asyncio.sleep(STILL_SECONDS)
    found = await get(http, waiting)
    assert found["status"] == before["status"], "nothing is written while it waits"
    assert steps(found) == {waiting: ("DAG", "Running"), "turn": ("Suspend", "Running")}
    assert (found["status"]["phase"], "synchronization" in found["status"]) == ("Running", False)
    answer = await ask(http, waiting, "resume")
    assert (answer.status_code, answer.json()["metadata"]["name"]) == (200, waiting)
    resumed = await get(http, waiting)
    assert steps(resumed)["turn"] == ("Suspend", "Succeeded")
    assert resumed["metadata"]["labels"]["workflows.argoproj.io/action"] == "Resume"
    ended = await until(http, waiting, is_finished)
    assert ended["status"]["phase"] == "Succeeded"
    assert {kind for kind, _ in steps(ended).values()} == {"DAG", "Suspend", "Retry", "Pod"}
    assert {phase for _, phase in steps(ended).values()} == {"Succeeded"}
    again = await ask(http, waiting, "resume")
    assert (again.status_code, again.json()["status"]["phase"]) == (200, "Succeeded")


async def test_its_place_is_that_of_the_dag_inside(http: httpx.AsyncClient, waiting: str) -> None:
    await ask(http, waiting, "resume")
    found = await until(http, waiting, lambda found: "configuration" in steps(found))
    (inside,) = (key for key, node in found["status"]["nodes"].items() if node["displayName"] == "compute")
    (held,) = found["status"]["synchronization"]["semaphore"]["holding"]
    assert held == {"semaphore": "jobs/ConfigMap/c2d-limits/small", "holders": [f"jobs/{waiting}/{inside}"]}


async def listed(http: httpx.AsyncClient, selector: str) -> set[str]:
    fields = "items.metadata.name,items.metadata.labels,items.spec.entrypoint"
    answer = await http.get(WORKFLOWS, params={"listOptions.labelSelector": selector, "fields": fields})
    assert answer.status_code == 200, answer.text
    return {item["metadata"]["name"] for item in answer.json().get("items") or []}


async def test_who_has_been_resumed_is_told_by_a_label(http: httpx.AsyncClient, waiting: str) -> None:
    """Lists lag a little."""
    owner, action = "c2d.oceanprotocol.com/owner", "workflows.argoproj.io/action"
    async with asyncio.timeout(60):
        while waiting not in await listed(http, f"{owner},!{action},workflows.argoproj.io/completed!=true"):
            await asyncio.sleep(0.1)
        assert waiting not in await listed(http, f"{owner},{action}")
        await ask(http, waiting, "resume")
        while waiting not in await listed(http, f"{owner},{action}"):
            await asyncio.sleep(0.1)
        assert waiting not in await listed(http, f"{owner},!{action}")


@pytest.mark.parametrize(("verb", "shutdown"), [("stop", "Stop"), ("terminate", "Terminate")])
async def test_an_end_needs_no_resumption(http: httpx.AsyncClient, waiting: str, verb: str, shutdown: str) -> None:
    assert (await ask(http, waiting, verb)).status_code == 200
    ended = await until(http, waiting, is_finished)
    message = f"Stopped with strategy '{shutdown}'"
    assert (ended["status"]["phase"], ended["status"]["message"]) == ("Failed", message)
    turn = next(node for node in ended["status"]["nodes"].values() if node["displayName"] == "turn")
    assert (turn["phase"], turn["message"]) == ("Failed", message)
    assert steps(ended)["compute"] == ("Skipped", "Omitted")


async def test_one_that_is_not_there(http: httpx.AsyncClient) -> None:
    answer = await ask(http, "j-never", "resume")
    assert (answer.status_code, answer.json()) == (
        404,
        {"code": 5, "message": 'workflows.argoproj.io "j-never" not found'},
    )


@pytest.mark.parametrize("entrypoint", ["nowhere", 7])
async def test_an_entrypoint_that_is_none(http: httpx.AsyncClient, entrypoint: object) -> None:
    sent = submission("j-nowhere", "rec-queued", {"job-spec": "QUJD"}, entrypoint=entrypoint)
    answer = await http.post(WORKFLOWS, json=sent)
    assert answer.status_code == 400
