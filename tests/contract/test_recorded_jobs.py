"""The recorded jobs of a real Argo, run again on the server under test, and compared."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from contract.argo_releases import NEWEST
from tests.contract.conftest import Target
from tests.support.argo_recordings import differences, kinds, order_contradictions, recording
from tests.support.argo_scenarios import NOT_RUN, RUN, Scenario, names_recorded
from tests.support.argo_server import submission

# On a real cluster the jobs take minutes, one after the other, and the first test waits for all of them.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(3600)]

WORKFLOWS = "/api/v1/workflows/jobs"
FIELDS = "-status.storedWorkflowTemplateSpec,status.storedTemplates,metadata.managedFields"
END = {"Succeeded", "Failed", "Error"}
AT_ONCE = 4


class Job:
    """What was seen of one run: every state that differs from the one before it."""

    def __init__(self) -> None:
        self.created: httpx.Response | None = None
        self.seen: list[dict[str, Any]] = []
        self.actions: list[httpx.Response] = []


async def _fresh(http: httpx.AsyncClient, name: str) -> None:
    answer = await http.delete(f"{WORKFLOWS}/{name}")
    while answer.status_code == 200:
        await asyncio.sleep(0.2)
        answer = await http.delete(f"{WORKFLOWS}/{name}")


async def play(http: httpx.AsyncClient, scenario: Scenario) -> Job:
    job = await _play_once(http, scenario)
    tries = 1
    while scenario.missed is not None and scenario.missed(job.seen[-1]):
        assert tries < 20, f"{scenario.name}: each action came too late"
        job = await _play_once(http, scenario)
        tries += 1
    return job


async def _play_once(http: httpx.AsyncClient, scenario: Scenario) -> Job:
    job, name = Job(), f"j-{scenario.name}"
    await _fresh(http, name)
    body = submission(name, scenario.template, scenario.arguments, **scenario.spec)
    job.created = await http.post(WORKFLOWS, json=body)
    if job.created.status_code != 200:
        return job
    limit = time.monotonic() + 100
    todo: list[tuple[str, Callable[[dict[str, Any]], bool]]] = list(scenario.actions)
    last = ""
    while time.monotonic() < limit:
        answer = await http.get(f"{WORKFLOWS}/{name}", params={"fields": FIELDS})
        assert answer.status_code == 200, answer.text
        if answer.text != last:
            last = answer.text
            job.seen.append(answer.json())
        if todo and todo[0][1](job.seen[-1]):
            job.actions.append(await http.put(f"{WORKFLOWS}/{name}/{todo.pop(0)[0]}", json={}))
        elif job.seen[-1]["status"].get("phase") in END:
            return job
        await asyncio.sleep(0.01)
    raise TimeoutError(f"{name} did not end: {json.dumps(job.seen[-1]['status'])}")


@pytest.fixture(scope="session")
def jobs(request: pytest.FixtureRequest) -> dict[str, Job]:
    """All scenarios, some at a time; those about queueing one after the other behind jobs that fill the queue."""
    target, narrow = request.getfixturevalue("target"), request.getfixturevalue("narrow_target")

    async def everything() -> dict[str, Job]:
        played: dict[str, Job] = {}
        gate = asyncio.Semaphore(AT_ONCE if target.embedded else 1)

        async def one(http: httpx.AsyncClient, scenario: Scenario) -> None:
            async with gate:
                played[scenario.name] = await play(http, scenario)

        async def queued() -> None:
            async with narrow.client() as http:
                for scenario in RUN:
                    if scenario.queued:
                        holders = [f"j-queue-holder{'' if not i else f'-{i}'}" for i in range(narrow.limit)]
                        for holder in holders:
                            await _fresh(http, holder)
                            arguments = {"job-spec": "QUJD", "entrypoint": "sleep 6", "seconds": "60"}
                            answer = await http.post(WORKFLOWS, json=submission(holder, "rec-plain", arguments))
                            assert answer.status_code == 200, answer.text
                        await asyncio.sleep(0.3 if narrow.embedded else 3)
                        played[scenario.name] = await play(http, scenario)

        async with target.client() as http:
            runs = [one(http, scenario) for scenario in RUN if not scenario.queued]
            if target.embedded:
                await asyncio.gather(queued(), *runs)
            else:
                await asyncio.gather(*runs)
                await queued()
        return played

    return asyncio.run(everything())


@pytest.mark.parametrize("scenario", RUN, ids=lambda each: each.name)
def test_ends_as_recorded(jobs: dict[str, Job], target: Target, scenario: Scenario) -> None:
    job, old = jobs[scenario.name], recording(scenario.name)
    assert job.created is not None
    assert job.created.status_code == old["create"]["status"], job.created.text
    if job.created.status_code != 200:
        assert job.created.json() == old["create"]["body"]
        return
    argo = target.argo
    found = differences(old["snapshots"][-1]["workflow"], job.seen[-1], argo)
    assert [
        line for line in found if not any(known in line.split(": recorded")[0] for known in scenario.known(argo))
    ] == []


@pytest.mark.parametrize("scenario", [each for each in RUN if each.runs], ids=lambda each: each.name)
def test_states_come_in_the_recorded_order(jobs: dict[str, Job], scenario: Scenario) -> None:
    old = [snapshot["workflow"] for snapshot in recording(scenario.name)["snapshots"]]
    assert order_contradictions(old, jobs[scenario.name].seen) == []


def test_no_state_that_a_real_server_was_never_seen_in(jobs: dict[str, Job], target: Target) -> None:
    if target.argo is not NEWEST:
        pytest.skip(f"recorded from {NEWEST.tried}, and this is Argo {target.argo.name}")
    old = [s["workflow"] for name in names_recorded() for s in recording(name).get("snapshots", []) if "workflow" in s]
    known = set().union(*(kinds(workflow) for workflow in old))
    ours = set().union(*(kinds(workflow) for job in jobs.values() for workflow in job.seen))
    assert ours - known == set()


@pytest.mark.parametrize("scenario", [each for each in RUN if each.actions], ids=lambda each: each.name)
def test_stop_and_terminate_answer_as_recorded(jobs: dict[str, Job], scenario: Scenario) -> None:
    status, body = recording(scenario.name)["actions"][0]["result"]
    answer = jobs[scenario.name].actions[0]
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["spec"]["shutdown"] == body["spec"]["shutdown"]
        assert answer.json()["status"]["phase"] == body["status"]["phase"]
    else:
        assert answer.json() == body


def test_every_recording_is_run_or_named_with_a_reason() -> None:
    assert {each.name for each in RUN} | NOT_RUN.keys() == set(names_recorded())
