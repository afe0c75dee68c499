"""The client and the rendered templates against the embedded server, over HTTP: the same words on both sides."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from argo.client import (
    ArgoClient,
    ArgoRefused,
    SubmissionRefused,
    Workflow,
    WorkflowExists,
    WorkflowFinished,
    WorkflowNotFound,
)
from argo.client.records import NewWorkflow
from argo.local.settings import LocalArgoSettings
from contract import names
from tests.support.local_argo import served
from workflow_templates.environment import read_environments
from workflow_templates.render import GITOPS

pytestmark = pytest.mark.integration

ENVIRONMENT = "ocean-compute"
LABELS = {names.OWNER: "0x70997970c51812dc3a010c7d01b50e0d17dc79c8", names.ENVIRONMENT: ENVIRONMENT}
ARGUMENTS = {
    names.ARG_JOB_SPEC: "bm90IGEgam9iIHNwZWM=",  # configuration will refuse it
    names.ARG_IMAGE: "python:3",
    names.ARG_SECONDS: "60",
    names.ARG_NETWORK: "none",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """(address, token file)"""
    data = tmp_path_factory.mktemp("argo")
    results = data / "results"
    results.mkdir()
    for secret, files in {
        names.environment_secret(ENVIRONMENT): ("environment.key", "service.pub", "ethereum.key"),
        names.RESULT_STORE_SECRET: ("store.json",),
    }.items():
        (data / "secrets" / secret).mkdir(parents=True)
        for file in files:
            (data / "secrets" / secret / file).write_text("{}")
    settings = LocalArgoSettings(
        data=data, templates=(GITOPS / "base", GITOPS / "base" / "environments"), claims={names.RESULTS_CLAIM: results},
        isolation="sandbox" if shutil.which("bwrap") else "process",
    )  # fmt: skip
    with served(settings) as address:
        yield address, settings.token_path


@pytest.fixture
async def client(server: tuple[str, Path]) -> AsyncIterator[ArgoClient]:
    async with ArgoClient(server[0], "jobs", server[1]) as client:
        yield client


async def submit(client: ArgoClient, name: str, template: str = ENVIRONMENT) -> Workflow:
    return await client.submit(NewWorkflow(name, template, ARGUMENTS, LABELS, {names.OWNER_TEXT: "0x7099"}))


async def finished(client: ArgoClient, name: str) -> Workflow:
    async with asyncio.timeout(60):
        while not (workflow := await client.get(name)).finished:
            await asyncio.sleep(0.05)
    return workflow


async def test_the_rendered_templates_are_accepted(client: ArgoClient) -> None:
    found = {template.name: template for template in await client.templates()}
    assert set(found) == {environment.id for environment in read_environments()}
    assert found[ENVIRONMENT].arguments == dict.fromkeys(names.ARGUMENTS)
    assert found[ENVIRONMENT].annotations[names.option("price_per_minute")] == "0"


async def test_a_job_from_submission_to_deletion(client: ArgoClient) -> None:
    before = await client.count(LABELS)
    created = await submit(client, "j-life")
    assert (created.name, created.finished) == ("j-life", False)
    with pytest.raises(WorkflowExists):
        await submit(client, "j-life")

    ended = await finished(client, "j-life")
    assert ended.phase == "Failed"
    configuration = ended.last_attempt(names.CONFIGURATION)
    assert configuration is not None
    assert configuration.exit_code not in (0, None)
    assert ended.labels[names.OWNER] == LABELS[names.OWNER]
    assert ended.annotations[names.OWNER_TEXT] == "0x7099"
    assert ended.arguments == {}
    assert (await client.get("j-life", arguments=True)).arguments == ARGUMENTS

    log = [line async for line in client.follow_log("j-life", names.CONFIGURATION)]
    assert log, "the pod stays long enough for its log to be read"
    assert not any("argo=true" in line for line in log)

    assert await client.count(LABELS) == before + 1
    assert "j-life" in [workflow.name for workflow in await client.list(LABELS)]
    assert await client.list(LABELS, unfinished_only=True) == []
    assert await client.list({names.OWNER: "nobody"}) == []
    for call in (client.stop, client.terminate):
        with pytest.raises(WorkflowFinished):
            await call("j-life")

    await client.delete("j-life")
    with pytest.raises(WorkflowNotFound):
        await client.get("j-life")
    for missing in (client.delete, client.stop, client.terminate):
        with pytest.raises(WorkflowNotFound):
            await missing("j-life")


async def test_lists_are_whole_beyond_a_page(client: ArgoClient) -> None:
    for number in range(3):
        await submit(client, f"j-page-{number}")
    assert len(await client.list(LABELS, limit=2)) == 2
    assert {f"j-page-{n}" for n in range(3)} <= {w.name for w in await client.list(LABELS, limit=None)}
    for number in range(3):
        await client.delete(f"j-page-{number}")


async def test_refusals(client: ArgoClient, server: tuple[str, Path]) -> None:
    with pytest.raises(SubmissionRefused) as unknown:
        await submit(client, "j-refused", "no-such-environment")
    assert unknown.value.status == 404
    with pytest.raises(SubmissionRefused) as missing:
        await client.submit(NewWorkflow("j-refused", ENVIRONMENT, {}, LABELS, {}), declared=())
    assert missing.value.status == 400
    with pytest.raises(WorkflowNotFound):
        await client.get("j-refused")
    with pytest.raises(WorkflowNotFound):
        await anext(client.follow_log("j-refused"))
    async with ArgoClient(server[0], "jobs", "wrong") as stranger:
        with pytest.raises(ArgoRefused) as refused:
            await stranger.count(LABELS)
        assert refused.value.status == 401


async def test_version(client: ArgoClient) -> None:
    assert (await client.version()).startswith("v4.1")
