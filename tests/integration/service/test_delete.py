"""Deleting jobs: whatever state they are in, nothing of them stays, and nobody else can do it."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Any

import pytest

from ocean.chain.development import account
from ocean.ddo import DDO
from ocean.signing import job_message, sign
from tests.support.data_owner import DataOwner
from tests.support.living_folder import paths_in
from tests.support.pods import living
from tests.support.service import FREE, Buyer, Service
from tests.support.stages import MANY, publish, request_for, until
from tests.support.starts import COMPUTE, Caller, claims, raw

pytestmark = pytest.mark.integration


@pytest.fixture
def algorithm() -> dict[str, Any]:
    """Writes a result at once."""
    return raw("echo done > $OUTPUTS/answer")


def sleeping(marker: str) -> dict[str, Any]:
    return raw(f"echo {marker} > $OUTPUTS/answer; echo asleep; exec sleep 1{marker}")


def traces(service: Service, job_id: str) -> list[Path]:
    """Files and folders of a job on this machine, logs of the service's parts apart."""
    return [path for path in paths_in(service.folder.root) if job_id in path.name and path.parent.name != "logs"]


async def started(caller: Caller, dataset: DDO, algorithm: dict[str, Any]) -> dict[str, Any]:
    answer = await caller.start([await caller.buy(dataset)], algorithm)
    assert answer.status_code == 200, answer.text
    job: dict[str, Any] = answer.json()[0]
    return job


async def environments(caller: Caller) -> list[dict[str, Any]]:
    found = (await caller.http.get("/api/services/computeEnvironments")).json()
    return list(found[str(caller.network.chain_id)])


async def gone(service: Service, job_id: str, seconds: float = 60) -> None:
    """The engine takes away pods and volumes right after the workflow."""
    async with asyncio.timeout(seconds):
        while traces(service, job_id):
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("in_body", [False, True])
async def test_a_finished_job(
    service: Service, caller: Caller, open_dataset: DDO, algorithm: dict[str, Any], in_body: bool
) -> None:
    job = await started(caller, open_dataset, algorithm)
    before = await caller.finished(job["jobId"])
    assert [result["filename"] for result in before["results"]][:1] == ["answer"]
    assert traces(service, job["jobId"]), "the search finds what is there"

    answer = await caller.delete(job["jobId"], in_body=in_body)
    assert answer.status_code == 200
    (deleted,) = answer.json()
    kept = {name: before[name] for name in ("jobId", "agreementId", "status", "dateFinished", "reason")}
    assert {name: deleted[name] for name in kept} == kept
    assert (deleted["removed"], deleted["results"]) == (1, "")
    assert await caller.jobs(jobId=job["jobId"]) == []
    assert (await caller.result(job["jobId"], 0)).status_code == 404
    await gone(service, job["jobId"])
    assert (await caller.delete(job["jobId"])).json() == [], "again there is nothing to do"


async def test_a_running_job_publishes_nothing(service: Service, caller: Caller, open_dataset: DDO) -> None:
    marker = secrets.token_hex(3).translate(str.maketrans("abcdef", "123456"))
    job = await started(caller, open_dataset, sleeping(marker))
    await caller.reached(job["jobId"], 40)
    await until(lambda: living(f"1{marker}"), "its program runs")
    (deleted,) = (await caller.delete(job["jobId"])).json()
    assert (deleted["removed"], deleted["status"], deleted["reason"]) == (1, 70, "revoked")
    assert deleted["dateFinished"] is not None
    assert await caller.jobs(jobId=job["jobId"]) == []
    await gone(service, job["jobId"])
    assert not living(f"1{marker}")


async def test_a_job_that_waits_never_runs(service: Service, caller: Caller, open_dataset: DDO) -> None:
    (free,) = [one for one in await environments(caller) if one["id"] == FREE]
    running = [(await started(caller, open_dataset, sleeping("0000")))["jobId"] for _ in range(free["maxJobs"])]
    for job_id in running:
        await caller.reached(job_id, 40)
    waiting = await started(caller, open_dataset, raw("true"))
    assert waiting["queuePosition"] >= 1
    (deleted,) = (await caller.delete(waiting["jobId"])).json()
    assert (deleted["removed"], deleted["reason"], deleted["startedAt"]) == (1, "revoked", None)
    await gone(service, waiting["jobId"])
    assert {job["jobId"] for job in (await caller.delete()).json()} >= set(running)
    for job_id in running:
        await gone(service, job_id)


async def test_a_job_that_publishes_leaves_nothing(
    service: Service, buyer: Buyer, owner: DataOwner, tmp_path: Path
) -> None:
    data = await publish(buyer, owner.serve("1,2\n").url)
    job_id = (await buyer.consumer.start(await request_for(buyer, data, MANY)))["jobId"]
    results = service.folder.root / "results" / job_id
    await until(lambda: any(path.name.startswith("0") for path in paths_in(results)), "it publishes")
    (deleted,) = await buyer.consumer.delete(job_id)
    assert (deleted["removed"], deleted["results"]) == (1, "")
    assert await buyer.consumer.status(job_id) == []
    await gone(service, job_id)
    assert not results.exists()


async def test_all_jobs_of_an_account(service: Service, open_dataset: DDO, algorithm: dict[str, Any]) -> None:
    async with Caller.open(service, account(5)) as caller, Caller.open(service, account(6)) as other:
        theirs = await started(other, open_dataset, algorithm)
        done = await started(caller, open_dataset, algorithm)
        await caller.finished(done["jobId"])
        running = await started(caller, open_dataset, sleeping("0000"))
        await caller.reached(running["jobId"], 40)
        answer = await caller.delete()
        assert {job["jobId"] for job in answer.json()} >= {done["jobId"], running["jobId"]}  # other tests' as well
        assert await caller.jobs() == []
        assert [job["jobId"] for job in await other.jobs(jobId=theirs["jobId"])] == [theirs["jobId"]]


async def test_nobody_deletes_the_job_of_another(
    service: Service, caller: Caller, open_dataset: DDO, algorithm: dict[str, Any]
) -> None:
    job = await started(caller, open_dataset, algorithm)
    await caller.finished(job["jobId"])
    async with Caller.open(service, account(5)) as stranger:
        assert (await stranger.delete(job["jobId"])).json() == []
        number = await caller.next_nonce()
        forged = {"consumerAddress": caller.address, "jobId": job["jobId"], "nonce": str(number)}
        forged["signature"] = sign(job_message(caller.address, job["jobId"], "", number), stranger.key)
        assert (await caller.http.delete(COMPUTE, params=forged)).status_code == 400
    (kept,) = await caller.jobs(jobId=job["jobId"])
    assert (kept["removed"], kept["results"][0]["filename"]) == (0, "answer")


async def test_a_captured_delete_works_once(caller: Caller, open_dataset: DDO, algorithm: dict[str, Any]) -> None:
    job = await started(caller, open_dataset, algorithm)
    await caller.finished(job["jobId"])
    nonce = await caller.next_nonce()
    assert (await caller.delete(job["jobId"], nonce=nonce)).status_code == 200
    again = await caller.delete(job["jobId"], nonce=nonce)
    assert again.status_code == 400
    assert again.json()["errors"]["signature"].startswith("Invalid signature expected nonce")


async def test_a_deleted_job_does_not_come_back_and_its_order_is_free(
    service: Service, caller: Caller, open_dataset: DDO, algorithm: dict[str, Any]
) -> None:
    order = await caller.buy(open_dataset)
    body = await caller.fresh([order], sleeping("0000"))
    job = (await caller.send(body)).json()[0]
    await caller.reached(job["jobId"], 40)
    assert (await caller.start([order], algorithm)).status_code == 400, "the order is in use"
    await caller.delete(job["jobId"])
    again = await caller.send(body)
    assert again.status_code == 400
    assert "not started again" in again.json()["error"]
    assert await caller.jobs(jobId=job["jobId"]) == []
    second = await caller.start([order], algorithm)
    assert second.status_code == 200, second.text
    assert (await caller.finished(second.json()[0]["jobId"]))["reason"] == "completed"
    assert claims(service)[job["jobId"]] == "closed"


async def test_while_argo_is_away_nothing_is_used_up(
    service: Service, caller: Caller, open_dataset: DDO, algorithm: dict[str, Any]
) -> None:
    job = await started(caller, open_dataset, algorithm)
    await caller.finished(job["jobId"])
    nonce = await caller.next_nonce()
    await service.stop_part("argo")
    try:
        answer = await caller.delete(job["jobId"], nonce=nonce)
        assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    finally:
        await service.start_part("argo")
        await service.wait_ready()
    assert (await caller.delete(job["jobId"], nonce=nonce)).status_code == 200
    assert await caller.jobs(jobId=job["jobId"]) == []
