"""The Argo server is away, or dies around a submission: nothing is lost, nothing is started twice."""

from __future__ import annotations

import asyncio
import random

import httpx
import pytest

from ocean.ddo import DDO
from tests.support.service import FREE, PAID, Service
from tests.support.starts import COMPUTE, Caller, claims, job_of, raw, refusal

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
ENVIRONMENTS = "/api/services/computeEnvironments"
MEMORY_SECONDS = 5  # how old the answer about environments may be


def away(answer: httpx.Response) -> str:
    """The text of a well-formed 503 that says when to come again."""
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    body = answer.json()
    assert list(body) == ["context", "error"]
    assert body["context"] is None
    return str(body["error"])


async def test_nothing_is_claimed_and_all_goes_on_when_it_is_back(
    service: Service, caller: Caller, open_dataset: DDO
) -> None:
    done = job_of(await caller.start([await caller.buy(open_dataset)], raw()))["jobId"]
    await caller.finished(done)
    orders = [await caller.buy(open_dataset) for _ in range(4)]
    nonce, known = await caller.next_nonce(), claims(service)
    same, other, *others = [caller.request([order], raw(), str(nonce)) for order in orders]

    await service.stop_part("argo")
    try:
        answers = await asyncio.gather(*(caller.send(request) for request in [same] * 8 + [other, *others]))
        assert {away(answer) for answer in answers} == {"The compute service does not answer at the moment."}
        away(await caller.http.get(COMPUTE, params={"consumerAddress": caller.address, "jobId": done}))
        away(await caller.http.get(COMPUTE, params={"consumerAddress": caller.address}))
        away(await caller.result(done, 0))
        away(await caller.stop(done))
        # What is wrong without Argo's help stays wrong, and what needs no Argo works.
        assert "signature" in refusal(await caller.send(same | {"signature": "0x" + "11" * 65}))
        assert (await caller.http.get("/")).status_code == 200
        assert (await caller.http.get("/health/live")).status_code == 200

        async with asyncio.timeout(MEMORY_SECONDS + 60):  # environments are known for a while, then not any more
            while (listed := await caller.http.get(ENVIRONMENTS)).status_code == 200:
                assert [found["id"] for found in listed.json()["8996"]] == [FREE, PAID]
                await asyncio.sleep(0.1)
        away(listed)
        away(await caller.send(same))
        ready = await caller.http.get("/health/ready")
        assert (ready.status_code, ready.json()["checks"]["argo"]) == (503, "unavailable")

        assert claims(service) == known
        assert await caller.nonce() == str(nonce - 1)
    finally:
        await service.start_part("argo")

    jobs = [job_of(await caller.send(same))]
    assert refusal(await caller.send(other))["signature"].startswith("Invalid signature expected nonce")
    jobs.append(job_of(await caller.start([orders[1]], raw())))
    for job, order in zip(jobs, orders, strict=False):
        assert (await caller.finished(job["jobId"]))["status"] == 70
        assert len(await caller.jobs(agreementId=order["transferTxId"])) == 1
    assert (await caller.result(done, 0)).status_code == 200
    assert [found["id"] for found in (await caller.http.get(ENVIRONMENTS)).json()["8996"]] == [FREE, PAID]


async def test_killed_around_the_submission(service: Service, caller: Caller, open_dataset: DDO) -> None:
    """Half of the consumers repeat their request; the others lose patience and send a new one for the same order, whose
    first job would go on for long."""
    dice = random.Random(3)  # noqa: S311
    outcomes: set[int] = set()
    jobs: dict[str, str] = {}
    for turn in range(10):
        order = await caller.buy(open_dataset)
        impatient = turn % 2 == 1
        request = await caller.fresh([order], raw("sleep 600" if impatient else "true"))
        under_way = asyncio.create_task(caller.send(request))
        await asyncio.sleep(dice.uniform(0.0, 0.05))  # the moment of the kill, not a wait
        service.kill("argo")
        first = await under_way
        outcomes.add(first.status_code)
        assert first.status_code == 200 or away(first)
        if impatient:
            job_id = await _with_a_new_nonce(caller, order, request)
            job_of(await caller.stop(job_id))
        else:
            job_id = job_of(await caller.send_until(request))["jobId"]
        if first.status_code == 200:
            assert job_id == job_of(first)["jobId"]
        jobs[order["transferTxId"]] = job_id
    assert 503 in outcomes
    for agreement, job_id in jobs.items():
        assert (await caller.finished(job_id))["status"] == 70
        assert [job["jobId"] for job in await caller.jobs(agreementId=agreement)] == [job_id]


async def _with_a_new_nonce(caller: Caller, order: dict[str, str], request: dict[str, object]) -> str:
    """Another request for the same order: refused while the first one has or may have a job, else it gets the job."""
    async with asyncio.timeout(120):
        while True:
            answer = await caller.start([order], raw("sleep 601"))
            if answer.status_code == 200:
                assert "signature" in refusal(await caller.send(request))
                return str(job_of(answer)["jobId"])
            if answer.status_code == 400:
                assert refusal(answer).endswith("is already in use for other job.")
                return str(job_of(await caller.send_until(request))["jobId"])
            if "not known yet" in away(answer):  # a claim of unknown outcome: only who made it may go on with it
                return str(job_of(await caller.send_until(request))["jobId"])
            await asyncio.sleep(0.02)
