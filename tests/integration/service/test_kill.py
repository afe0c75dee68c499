"""kill -9 of the API, of the embedded Argo server, of both, of pods, of the chain's node, while jobs are under way.

Each kill meets one job at each step. Pods outlive the servers; they may end before or after the machine has started its
parts again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from ocean.client import ConsumerError
from tests.support.data_owner import DataOwner
from tests.support.processes import find_process, pods_of
from tests.support.service import Buyer, Service
from tests.support.stages import (
    COUNT,
    MANY_FILES,
    WAIT,
    AtEveryStep,
    assert_nothing_left,
    assert_ran_once,
    outputs_of,
    publish,
    request_for,
    start_at_last,
    start_in_order,
    until,
)

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(900),
]  # parts that were killed start slowly on a busy machine
Part = Literal["api", "argo"]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, owner: DataOwner) -> Iterator[Service]:
    """One of our own: what is killed here is nobody else's."""
    with Service(tmp_path_factory.mktemp("killed"), allow_private=[owner.address]) as running:
        yield running


@pytest.mark.parametrize(
    ("parts", "while_away"),
    [(("api",), "input"), (("argo",), "both"), (("api", "argo"), "algorithm")],
)
async def test_jobs_at_every_step_survive(
    service: Service, buyer: Buyer, owner: DataOwner, tmp_path: Path, parts: tuple[Part, ...], while_away: str
) -> None:
    """`while_away`: which of the waiting pods may end before the parts are back; the others end afterwards."""
    at = await AtEveryStep.start(buyer, owner, service.folder)

    service.kill(*parts)
    pods = {"input": at.release_input, "algorithm": at.release_algorithm}
    for name in [name for name in pods if while_away in (name, "both")]:
        pods.pop(name)()
    await service.wait_ready()
    for let_go in pods.values():
        let_go()
    again = [await start_at_last(buyer, request) for request in at.requests]

    assert [job["jobId"] for job in again] == at.jobs
    ended = [await assert_ran_once(buyer, job_id, tmp_path) for job_id in at.jobs]
    assert sum(result["type"] == "output" for result in ended[2]["results"]) == MANY_FILES + 1
    assert at.slow.requests == 1  # the pod that was downloading went on
    repeated = [await buyer.consumer.start(request) for request in at.requests]
    ends = [(job["jobId"], job["dateFinished"]) for job in ended]
    assert [(job["jobId"], job["dateFinished"]) for job in repeated] == ends
    await assert_nothing_left(service.folder)


async def test_pods_are_lost_at_every_step(service: Service, buyer: Buyer, owner: DataOwner, tmp_path: Path) -> None:
    """kill -9 of every process of the pods. Our own steps are tried again; a lost algorithm is the end of its job."""
    at = await AtEveryStep.start(buyer, owner, service.folder)
    for seen in pods_of(service.folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(seen.pid, signal.SIGKILL)
    at.release_input()
    await assert_ran_once(buyer, at.configuring, tmp_path)
    assert at.slow.requests == 2
    await assert_ran_once(buyer, at.publishing, tmp_path)
    lost = await buyer.finished(at.running)
    assert (lost["status"], lost["reason"]) == (41, "lost")
    assert await buyer.result(lost, "runs", tmp_path) == b"ran\n"
    await assert_nothing_left(service.folder)


async def test_killed_at_random_moments(service: Service, buyer: Buyer, owner: DataOwner, tmp_path: Path) -> None:
    """Starts, steps and ends are hit wherever they are; who repeats the identical start has one job each."""
    seed = random.randrange(10**6)  # noqa: S311
    print("seed", seed)
    dice = random.Random(seed)  # noqa: S311
    data = await publish(buyer, owner.serve("5,6\n").url)
    jobs: list[str] = []
    for _ in range(2):
        requests = [await request_for(buyer, data, COUNT) for _ in range(3)]
        starting = asyncio.create_task(start_in_order(buyer, requests))
        await asyncio.sleep(dice.choice([0.0, 0.02, 0.05, 0.3, 0.6, 1.0]) * (0.5 + dice.random()))
        service.kill(*dice.choice([("api",), ("argo",), ("api", "argo")]))
        first = await starting
        assert await start_in_order(buyer, requests) == first
        jobs += first
        await service.wait_ready()
    for job_id in jobs:
        await assert_ran_once(buyer, job_id, tmp_path)
    assert len(set(jobs)) == len(jobs)
    mine = [job["jobId"] for job in await buyer.consumer.status() if job["inputDID"] == [data.id]]
    assert sorted(mine) == sorted(jobs)
    await assert_nothing_left(service.folder)


async def test_the_chain_is_away_for_a_while(service: Service, buyer: Buyer, owner: DataOwner, tmp_path: Path) -> None:
    """A start needs the chain: 503 while its node is away, and nothing is claimed. Jobs go on without it."""
    data = await publish(buyer, owner.serve("7,8\n").url)
    running, later = [await request_for(buyer, data, code) for code in (WAIT, COUNT)]
    job_id = (await buyer.consumer.start(running))["jobId"]
    state = service.folder.chain / "chain.json"
    ordered_at = time.time()
    await until(lambda: state.stat().st_mtime > ordered_at + 0.5, "the chain's state is on disk")

    pid = find_process(str(state))
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(ConsumerError) as refused:
        await buyer.consumer.start(later)
    assert refused.value.status == 503
    assert int(refused.value.headers["retry-after"]) > 0
    assert await buyer.job(job_id) is not None
    await until(lambda: find_process(str(state)) not in (None, pid), "the node is started again")
    second = await start_at_last(buyer, later)

    outputs = outputs_of(service.folder, job_id)
    await until((outputs / "runs").exists, "the algorithm runs")
    (outputs / "go").touch()
    await assert_ran_once(buyer, job_id, tmp_path)
    await assert_ran_once(buyer, second["jobId"], tmp_path)
