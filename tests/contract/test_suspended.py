"""Suspended workflows: nothing happens to one until it is resumed, not even a stop. A real server and ours agree."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.contract.conftest import Target
from tests.support.argo_scenarios import is_finished
from tests.support.argo_server import submission

pytestmark = pytest.mark.integration
WORKFLOWS = "/api/v1/workflows/jobs"
STILL_SECONDS = 2.0  # after the controller has seen it; it would have made the first step in a fraction of that


@pytest.fixture
async def http(target: Target) -> AsyncIterator[httpx.AsyncClient]:
    async with target.client() as opened:
        yield opened


@pytest.fixture
async def suspended(http: httpx.AsyncClient) -> AsyncIterator[str]:
    """The name of a suspended workflow that the controller has seen."""
    name = f"j-suspended-{secrets.token_hex(4)}"
    answer = await http.post(WORKFLOWS, json=submission(name, "rec-plain", {"job-spec": "QUJD"}, suspend=True))
    assert (answer.status_code, answer.json()["spec"]["suspend"]) == (200, True)
    await until(http, name, lambda found: found["status"].get("phase") == "Running")
    yield name
    await http.delete(f"{WORKFLOWS}/{name}")


async def get(http: httpx.AsyncClient, name: str) -> dict[str, Any]:
    answer = await http.get(f"{WORKFLOWS}/{name}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def until(http: httpx.AsyncClient, name: str, condition: Any, seconds: float = 200) -> dict[str, Any]:
    limit = time.monotonic() + seconds
    while not condition(found := await get(http, name)):
        assert time.monotonic() < limit, found["status"]
        await asyncio.sleep(0.1)
    return found


async def ask(http: httpx.AsyncClient, name: str, verb: str) -> httpx.Response:
    return await http.put(f"{WORKFLOWS}/{name}/{verb}", json={"name": name, "namespace": "jobs"})


async def test_it_waits_and_runs_when_it_is_resumed(http: httpx.AsyncClient, suspended: str) -> None:
    await asyncio.sleep(STILL_SECONDS)
    assert "nodes" not in (await get(http, suspended))["status"]
    listed = await http.get(
        WORKFLOWS,
        params={
            "listOptions.labelSelector": "workflows.argoproj.io/completed!=true",
            "fields": "items.metadata.name,items.spec.suspend",
        },
    )
    (told,) = [item for item in listed.json()["items"] if item["metadata"]["name"] == suspended]
    assert told["spec"]["suspend"] is True
    answer = await ask(http, suspended, "resume")
    assert (answer.status_code, "suspend" in answer.json()["spec"]) == (200, False)
    ended = await until(http, suspended, is_finished)
    assert ended["status"]["phase"] == "Succeeded"
    again = await ask(http, suspended, "resume")
    assert (again.status_code, again.json()["status"]["phase"]) == (200, "Succeeded")


@pytest.mark.parametrize(("verb", "shutdown"), [("stop", "Stop"), ("terminate", "Terminate")])
async def test_an_end_takes_effect_when_it_is_resumed(
    http: httpx.AsyncClient, suspended: str, verb: str, shutdown: str
) -> None:
    assert (await ask(http, suspended, verb)).status_code == 200
    await asyncio.sleep(STILL_SECONDS)
    waiting = await get(http, suspended)
    assert (waiting["status"]["phase"], waiting["spec"]["shutdown"], "nodes" in waiting["status"]) == (
        "Running",
        shutdown,
        False,
    )
    assert (await ask(http, suspended, "resume")).status_code == 200
    ended = await until(http, suspended, is_finished)
    assert (ended["status"]["phase"], ended["status"]["message"]) == (
        "Failed",
        f"Stopped with strategy '{shutdown}'",
    )
    steps = {node["displayName"]: node["phase"] for node in ended["status"]["nodes"].values()}
    assert "Succeeded" not in {steps.get("configuration(0)"), steps.get("algorithm")}


async def test_one_that_is_not_there(http: httpx.AsyncClient) -> None:
    answer = await ask(http, "j-never", "resume")
    assert (answer.status_code, answer.json()) == (
        404,
        {"code": 5, "message": 'workflows.argoproj.io "j-never" not found'},
    )
