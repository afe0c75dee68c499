"""A queue longer than Argo is given: accounts take turns, whatever is killed, and one that waits can be ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from ocean.chain.development import account
from ocean.ddo import DDO
from provider_api.deploy.file_server import FileServer
from tests.support.service import Buyer, Service
from tests.support.stages import assert_nothing_left
from tests.support.starts import Caller, job_of, raw
from workflow_templates.environment import read_environments
from workflow_templates.render import write

pytestmark = pytest.mark.integration

IN_LINE = 2  # of an environment that runs one job at a time (provider_api/jobs/turns.py)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, files: FileServer) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("turns")
    described = [
        environment.model_copy(update={"max_jobs": 1, "max_jobs_per_account": 100})
        for environment in read_environments()
    ]
    write(folder / "gitops", described)
    manifests = folder / "gitops" / "base"
    with Service(folder / "service", allow_private=[files.address], manifests=manifests) as running:
        yield running


@pytest.fixture
async def callers(service: Service) -> AsyncIterator[tuple[Caller, Caller]]:
    async with Caller.open(service, account(5)) as many, Caller.open(service, account(6)) as few:
        yield many, few


@pytest.fixture
async def dataset(buyer: Buyer, files: FileServer) -> DDO:
    return await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True})


async def started(caller: Caller, dataset: DDO, entrypoint: str = "true") -> str:
    answer = await caller.start([await caller.buy(dataset)], raw(entrypoint))
    return str(job_of(answer)["jobId"])


async def places(caller: Caller, jobs: list[str]) -> list[int]:
    return [int((await caller.jobs(jobId=job))[0]["queuePosition"]) for job in jobs]


async def test_accounts_take_turns_whatever_is_killed(
    service: Service, callers: tuple[Caller, Caller], dataset: DDO
) -> None:
    many, few = callers
    first = await started(many, dataset, "while ! test -e $INPUTS/../go; do sleep 0.1; done; true")
    await many.reached(first, 40)
    jobs = [first, *[await started(many, dataset) for _ in range(IN_LINE + 2)]]
    other = await started(few, dataset)
    # Argo's times are whole seconds; of the same second the job with the lower name comes first.
    assert sorted(await places(many, jobs[1:])) == [1, 3, 4, 5], "the other account's only job passes three of these"
    assert await places(few, [other]) == [2]
    service.kill("api", "argo")
    await service.wait_ready()
    assert await places(few, [other]) == [2]
    (stopped,) = (await many.stop(first)).json()
    assert stopped["stopreq"] == 1
    service.kill("api")
    await service.wait_ready()
    ended = {job: await many.finished(job) for job in jobs} | {other: await few.finished(other)}
    assert {job["status"] for job in ended.values()} == {70}
    assert ended[first]["reason"] == "stopped"
    order = sorted([*jobs[1:], other], key=lambda job: float(ended[job]["startedAt"]))
    assert order[0] == jobs[1]
    # While nobody looked, both accounts may have come to have no job in the line: then the oldest of all goes first.
    assert order.index(other) <= IN_LINE
    await assert_nothing_left(service.folder)


async def test_one_that_waits_can_be_stopped_and_deleted(
    service: Service, callers: tuple[Caller, Caller], dataset: DDO
) -> None:
    caller, _ = callers
    running = await started(caller, dataset, "exec sleep 600")
    await caller.reached(running, 40)
    waiting = [await started(caller, dataset, "touch $OUTPUTS/ran") for _ in range(IN_LINE + 1)]
    (stopped,) = (await caller.stop(waiting[-1])).json()
    assert (stopped["stopreq"], stopped["startedAt"]) == (1, None)
    ended = await caller.finished(waiting[-1])
    assert (ended["status"], ended["reason"], ended["startedAt"]) == (70, "stopped", None)
    assert [result["type"] for result in ended["results"]] == ["publishLog", "passport"]
    (deleted,) = (await caller.delete(waiting[-2])).json()
    assert (deleted["removed"], deleted["reason"], deleted["startedAt"]) == (1, "revoked", None)
    assert await caller.jobs(jobId=waiting[-2]) == []
    (still,) = await caller.jobs(jobId=running)
    assert still["status"] == 40
    async with asyncio.timeout(240):
        await caller.delete()
    assert await caller.jobs() == []
    await assert_nothing_left(service.folder)
