"""On a node that has what production has: PostgreSQL, Argo's archive in it, results in a bucket, two replicas."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from argo.client.records import ARCHIVING
from ocean.client import ConsumerError
from ocean.ddo import DDO
from tests.e2e.conftest import nothing_left
from tests.e2e.test_deployment import WRITES, end, reached, started
from tests.support.deployed import ARGO, JOBS, Cluster, Deployed, kubectl, restart
from tests.support.service import Buyer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

AWAY_SECONDS = 120


@pytest.fixture(scope="module", autouse=True)
def in_production(node: Cluster) -> Iterator[None]:
    node.of_the_node("production")
    yield
    node.of_the_node("archive", "start")  # whatever became of the tests


def archiving(job_id: str) -> str:
    found = json.loads(kubectl(JOBS, "get", "workflow", job_id, "--output", "json"))
    return str(found["metadata"]["labels"].get(ARCHIVING))


async def archived(*jobs: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while set(found := [await asyncio.to_thread(archiving, job) for job in jobs]) != {"Archived"}:
        assert time.monotonic() < deadline, found
        await asyncio.sleep(1)


async def doctor(line: str) -> dict[str, Any]:
    """What `c2d doctor` says there, by its own settings."""
    process = await asyncio.create_subprocess_exec(
        *("kubectl", "--namespace", "c2d", "exec", "deployment/c2d", "--", "c2d", "doctor", "--json"),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    found: dict[str, Any] = next(each for each in json.loads(said)["lines"] if each["name"] == line)
    return found


async def test_a_job_outlives_its_workflow(
    deployed: Deployed, buyer: Buyer, dataset: DDO, tmp_path: Path, cluster: Cluster
) -> None:
    """Its results are in the bucket, what became of it in the archive. Deleted by its owner, it is in neither."""
    job = await buyer.finished(await started(buyer, dataset, WRITES.format(1)), deployed.seconds)
    job_id = str(job["jobId"])
    assert end(job) == (70, "completed", 0, 0)
    await archived(job_id)
    await nothing_left(deployed, job_id)
    await asyncio.to_thread(kubectl, JOBS, "delete", "workflow", job_id)
    kept = await buyer.job(job_id)
    assert kept == job
    assert [each for each in await buyer.consumer.status() if each["jobId"] == job_id] == [job], "in a list as alone"
    assert await buyer.result(kept, "runs", tmp_path) == b"ran "
    await buyer.consumer.delete(job_id)
    assert await buyer.consumer.status(job_id) == []


async def test_the_archives_database_is_away(
    deployed: Deployed, buyer: Buyer, dataset: DDO, tmp_path: Path, cluster: Cluster
) -> None:
    """Jobs that run end as they would, statuses and results by job id are answered, starts and lists are refused for
    now, doctor says why. Once it is back nothing is missing."""
    before = await buyer.finished(await started(buyer, dataset, WRITES.format(1)), deployed.seconds)
    await archived(before["jobId"])
    running = await started(buyer, dataset, WRITES.format(20))
    await reached(buyer, deployed, running, 40)
    await asyncio.to_thread(cluster.of_the_node, "archive", "stop")
    gone = time.monotonic()
    during = await buyer.finished(running, deployed.seconds)
    assert end(during) == (70, "completed", 0, 0)
    assert await buyer.result(during, "runs", tmp_path) == b"ran "
    assert (await buyer.job(before["jobId"])) == before
    with pytest.raises(ConsumerError) as refused:
        await buyer.consumer.status()
    assert refused.value.status == 503
    with pytest.raises(ConsumerError) as refused:
        await started(buyer, dataset, "print('not now')")
    assert refused.value.status == 503
    said = await doctor("argo-server")
    assert said["level"] == "failure", said
    await asyncio.sleep(max(0.0, gone + AWAY_SECONDS - time.monotonic()))
    await asyncio.to_thread(cluster.of_the_node, "archive", "start")
    if cluster.argo.connects_to_archive_again:
        async with asyncio.timeout(deployed.seconds):
            while await doctor_fails():
                await asyncio.sleep(2)
    for name in ("workflow-controller", "argo-server"):  # as the runbook says: what ended meanwhile is archived then
        await asyncio.to_thread(restart, ARGO, name)
    listed = {each["jobId"] for each in await buyer.consumer.status()}
    assert {before["jobId"], running} <= listed
    after = await buyer.finished(await started(buyer, dataset, "print('again')"), deployed.seconds)
    assert end(after) == (70, "completed", 0, 0)
    await archived(running, after["jobId"])
    await nothing_left(deployed, running, after["jobId"])


async def doctor_fails() -> bool:
    return bool((await doctor("argo-server"))["level"] == "failure")
