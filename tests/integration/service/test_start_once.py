"""A job is started once: whatever is repeated, raced, spelled in another way or killed in between."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any, Literal

import pytest

from argo.client import ArgoClient
from ocean.ddo import DDO
from provider_api.deploy.file_server import FileServer
from tests.support.chain import mined_at
from tests.support.service import PAID, Buyer, Service
from tests.support.starts import COMPUTE, Caller, claims, job_of, raw, refusal

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(900),
]  # parts that were killed start slowly on a busy machine
FIXED = ("jobId", "agreementId", "owner", "dateCreated", "inputDID", "validUntil")  # the same in every answer


def fixed(job: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(str(job[name]) for name in FIXED)


def stale(stored: int | str, given: int | str) -> dict[str, str]:
    """What Ocean Provider says, to the letter."""
    return {"signature": f"Invalid signature expected nonce ({stored}) > current nonce ({given})."}


async def test_ten_times_at_once_later_and_after_a_restart(service: Service, caller: Caller, open_dataset: DDO) -> None:
    order = await caller.buy(open_dataset)
    request = await caller.fresh([order], raw())

    answers = await asyncio.gather(*(caller.send(request) for _ in range(10)))
    jobs = [job_of(answer) for answer in answers]
    jobs.append(job_of(await caller.send(request)))
    done = await caller.finished(jobs[0]["jobId"])
    assert (done["status"], done["reason"]) == (70, "completed")
    jobs.append(job_of(await caller.send(request)))
    assert jobs[-1] == done

    service.kill("api")
    await service.wait_ready()
    jobs.append(job_of(await caller.send_until(request)))
    assert jobs[-1] == done

    assert {fixed(job) for job in jobs} == {fixed(done)}
    assert await caller.jobs(agreementId=order["transferTxId"]) == [done]
    assert refusal(await caller.send({**request, "algorithm": raw("false")})) == stale(
        request["nonce"], request["nonce"]
    )


async def test_killed_while_a_start_is_under_way(service: Service, caller: Caller, open_dataset: DDO) -> None:
    dice = random.Random(7)  # noqa: S311
    jobs: dict[str, str] = {}
    rounds: tuple[tuple[Literal["api", "argo"], ...], ...] = (("api",), ("api", "argo"))
    for parts in rounds:
        order = await caller.buy(open_dataset)
        request = await caller.fresh([order], raw())
        under_way = asyncio.gather(*(caller.send(request) for _ in range(3)), return_exceptions=True)
        await asyncio.sleep(dice.uniform(0.01, 0.06))  # the moment of the kill, not a wait
        service.kill(*parts)
        await under_way
        jobs[order["transferTxId"]] = job_of(await caller.send_until(request))["jobId"]
    for agreement, job_id in jobs.items():
        assert (await caller.finished(job_id))["status"] == 70
        assert [job["jobId"] for job in await caller.jobs(agreementId=agreement)] == [job_id]


async def test_one_nonce_one_request(caller: Caller, open_dataset: DDO) -> None:
    first, second = [await caller.buy(open_dataset) for _ in range(2)]
    nonce = await caller.next_nonce()
    request = caller.request([first], raw(), str(nonce))
    job = job_of(await caller.send(request))

    others: dict[str, dict[str, Any]] = {
        "algorithm": {"algorithm": raw("false")},
        "order": {"dataset": second},
        "environment": {"environment": PAID},
        "user data": {"dataset": {**first, "userdata": {"a": 1}}},
        "further key": {"output": {}},
    }
    for name, change in others.items():
        assert refusal(await caller.send(request | change)) == stale(nonce, nonce), name
    lower = caller.request([second], raw(), str(nonce - 1))
    assert refusal(await caller.send(lower)) == stale(nonce, nonce - 1)
    fraction = caller.request([second], raw(), f"{nonce - 1}.999999999999999999")
    assert refusal(await caller.send(fraction)) == stale(nonce, f"{nonce - 1}.999999999999999999")

    assert await caller.jobs(agreementId=second["transferTxId"]) == []
    assert job_of(await caller.send(request))["jobId"] == job["jobId"]
    assert job_of(await caller.send(caller.request([second], raw(), f"{nonce}.5")))["jobId"] != job["jobId"]
    assert await caller.nonce() == f"{nonce}.5"


async def test_the_form_of_a_request_does_not_make_another_one(caller: Caller, open_dataset: DDO) -> None:
    order = await caller.buy(open_dataset)
    nonce = await caller.next_nonce()
    number = caller.request([order], raw(), nonce)
    job = job_of(await caller.send(number))
    text = number | {"nonce": str(nonce)}
    forms = {
        "text": json.dumps(text),
        "white space and order": json.dumps(dict(reversed(number.items())), indent=3),
        "v as 0 or 1": json.dumps(number | {"signature": number["signature"][:-2] + f"{_v(number) - 27:02x}"}),
        "trailing zeros": json.dumps(caller.request([order], raw(), f"{nonce}.000")),
        "leading zeros": json.dumps(caller.request([order], raw(), f"00{nonce}")),
        "lower-case address": json.dumps(caller.request([order], raw(), nonce, address=caller.address.lower())),
    }
    for name, body in forms.items():
        answer = await caller.http.post(COMPUTE, content=body, headers={"content-type": "application/json"})
        assert fixed(job_of(answer)) == fixed(job), name
    for changed in (nonce, str(nonce)):
        answer = await caller.send(text | {"nonce": changed, "algorithm": raw("false")})
        assert refusal(answer) == stale(nonce, nonce)
    assert len(await caller.jobs(agreementId=order["transferTxId"])) == 1


def _v(request: dict[str, Any]) -> int:
    return int(request["signature"][-2:], 16)


async def test_a_refused_start_leaves_its_nonce_usable(caller: Caller, open_dataset: DDO) -> None:
    order = await caller.buy(open_dataset)
    before, nonce = await caller.nonce(), await caller.next_nonce()
    mistakes: list[dict[str, Any]] = [
        {"environment": "nowhere"},
        {"algorithm": {"meta": {"container": {}}}},
        {"output": "{"},
    ]
    for wrong in mistakes:
        refusal(await caller.send(caller.request([order], raw(), nonce) | wrong))
        assert await caller.nonce() == before
    job_of(await caller.send(caller.request([order], raw(), nonce)))
    assert await caller.nonce() == str(nonce)


async def test_the_answer_does_not_depend_on_the_order_any_more(
    caller: Caller, buyer: Buyer, files: FileServer
) -> None:
    dataset = await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True}, timeout=8)
    order = await caller.buy(dataset)
    request = await caller.fresh([order], raw())
    job = job_of(await caller.send(request))
    bought = await mined_at(caller.network, order["transferTxId"])
    done = await caller.finished(job["jobId"])
    await caller.until_over(bought + 8.01)
    assert refusal(await caller.start([order], raw())) == {"dataset.serviceId": "order_invalid"}
    assert job_of(await caller.send(request)) == done


async def test_a_job_whose_record_is_gone_is_never_started_again(
    service: Service, caller: Caller, open_dataset: DDO
) -> None:
    """Its record may have expired, or been deleted. A new request with the next nonce may use the order again."""
    order = await caller.buy(open_dataset)
    request = await caller.fresh([order], raw())
    job_id = job_of(await caller.send(request))["jobId"]
    await caller.finished(job_id)
    async with ArgoClient(
        service.machine.argo_url, service.machine.settings.argo.namespace, service.machine.argo_token_file
    ) as argo:
        await argo.delete(job_id)
    assert await caller.jobs(jobId=job_id) == []

    for _ in range(2):
        text = refusal(await caller.send(request))
        assert text == f"Job {job_id} has been started before and is no longer known. It is not started again."
    assert await caller.jobs(agreementId=order["transferTxId"]) == []
    again = job_of(await caller.start([order], raw()))
    assert again["jobId"] != job_id
    assert claims(service)[job_id] == "closed"
    assert "no longer known" in refusal(await caller.send(request))
