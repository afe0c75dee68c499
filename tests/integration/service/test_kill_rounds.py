"""Kills, each of one process at a random moment, under a stream of jobs: every job ends once, as it should.

One hundred in `make soak`, twenty otherwise. Some meet a part that is starting again; the consumer repeats each start
until there is an answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocean.ddo import DDO
from tests.support.data_owner import DataOwner
from tests.support.killer import Killer
from tests.support.lanes import size
from tests.support.service import Buyer, Service
from tests.support.stages import (
    COUNT,
    assert_nothing_left,
    assert_ran_once,
    at_last,
    publish,
    request_for,
    start_at_last,
)
from workflow_templates.environment import read_environments
from workflow_templates.render import write

pytestmark = pytest.mark.integration

ROUNDS, MANY = size(test=20, soak=100), 1000
PATIENCE_SECONDS = 240  # that a consumer has
ALGORITHM = COUNT + "import random; time.sleep(random.random())\n"
DONE = (70, "completed", 0)
# Of a killed algorithm: with its pod, or inside of it, where its own fault cannot be told from somebody's kill.
KILLED = {(41, "lost", None), (41, "lost", 143), (41, "algorithm_failed", 137)}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, owner: DataOwner) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("rounds")
    described = [
        environment.model_copy(update={"max_queued_jobs": MANY, "max_jobs_per_account": MANY})
        for environment in read_environments()
    ]
    write(folder / "gitops", described)
    with Service(
        folder / "service",
        allow_private=[owner.address],
        settings={"C2D_LIMITS__LIST_LIMIT": str(MANY)},
        manifests=folder / "gitops" / "base",
    ) as running:
        yield running


async def jobs_until(buyer: Buyer, dataset: DDO, over: asyncio.Event) -> list[str]:
    """Start jobs one after the other; each start is sent again when it has been answered."""
    started: list[str] = []
    while not over.is_set():
        request = await at_last(lambda: request_for(buyer, dataset, ALGORITHM), PATIENCE_SECONDS)
        first = await start_at_last(buyer, request, PATIENCE_SECONDS)
        again = await start_at_last(buyer, request, PATIENCE_SECONDS)
        assert again["jobId"] == first["jobId"]
        started.append(first["jobId"])
    return started


@pytest.mark.timeout(1800)
async def test_rounds_of_kills(service: Service, buyer: Buyer, owner: DataOwner, tmp_path: Path) -> None:
    dataset = await publish(buyer, owner.serve("5,6\n").url)
    killer, over = Killer(service, ROUNDS), asyncio.Event()
    starting = asyncio.create_task(jobs_until(buyer, dataset, over))
    await killer.run()
    over.set()
    jobs = await starting
    await service.wait_ready()
    print(len(jobs), "jobs;", killer.hits, "of which pods of", len(killer.jobs_hit), "jobs")

    assert len(set(jobs)) == len(jobs) >= ROUNDS // 4
    ended = {job_id: await buyer.finished(job_id) for job_id in jobs}
    ends = {job_id: (job["status"], job["reason"], job["exitCode"]) for job_id, job in ended.items()}
    assert {job_id: end for job_id, end in ends.items() if end != DONE and end not in KILLED} == {}
    killed = {job_id for job_id, end in ends.items() if end in KILLED}
    assert killed <= killer.jobs_hit
    for job_id, job in ended.items():
        if job_id in killed:
            assert "publishLog" in [result["type"] for result in job["results"]], job
        else:
            await assert_ran_once(buyer, job_id, tmp_path)
    mine = [job["jobId"] for job in await buyer.consumer.status() if job["inputDID"] == [dataset.id]]
    assert sorted(mine) == sorted(jobs)
    await assert_nothing_left(service.folder)
