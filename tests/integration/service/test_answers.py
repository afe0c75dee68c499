"""What consumers get to see: the four shapes of errors, stopped jobs, results."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from ocean.ddo import DDO
from ocean.signing import job_message, result_message, sign
from tests.support.chain import stranger
from tests.support.service import Service
from tests.support.starts import COMPUTE, Caller, job_of, raw, reference, refusal

pytestmark = pytest.mark.integration
RESULT = "/api/services/computeResult"
OUTPUT = bytes(range(256)) * 4
WRITE = "import os; open(os.environ['OUTPUTS'] + '/all bytes.bin', 'wb').write(bytes(range(256)) * 4)"


@pytest.fixture
async def other(service: Service) -> AsyncIterator[Caller]:
    """Another consumer."""
    async with Caller.open(service, stranger) as opened:
        yield opened


# --- shapes ----------------------------------------------------------------------------------------------------------


async def test_validation_errors(caller: Caller, open_dataset: DDO) -> None:
    """Shape (a): keys sorted, a list for each field, except for a signature that is wrong."""
    order = await caller.buy(open_dataset)
    good = await caller.fresh([order], raw())
    absent = "Invalid signature provided. Please check the nonce or documentId."
    cases: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "no dataset": ({"dataset": None}, {"dataset.documentId": ["The dataset.documentId field is required."]}),
        "no order": (
            {"dataset": reference(open_dataset)},
            {"dataset.transferTxId": ["The dataset.transferTxId field is required."]},
        ),
        "empty meta": (
            {"algorithm": {"meta": {}}},
            {
                "algorithm.documentId": [
                    "The algorithm.documentId field is required when algorithm.meta is not present."
                ],
                "algorithm.meta": ["The algorithm.meta field is required when algorithm.documentId is not present."],
            },
        ),
        "no consumer": ({"consumerAddress": ""}, {"consumerAddress": ["The consumerAddress field is required."]}),
        "no nonce": ({"nonce": None}, {"nonce": ["The nonce field is required."]}),
        "no number": ({"nonce": "x1"}, {"nonce": ["The nonce must be a number."]}),
        "endless number": ({"nonce": "inf"}, {"nonce": ["The nonce must be a number."]}),
        "no signature": ({"signature": None}, {"signature": [absent]}),
    }
    for name, (change, errors) in cases.items():
        answer = await caller.send(good | change)
        explained = {name: text for name, text in answer.json().items() if name == "wanted"}
        assert explained.get("wanted", {}).keys() <= errors.keys(), name
        expected = {"errors": errors, "message": "Validation error", "success": False} | explained
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json"), name
        assert answer.text == json.dumps(expected, sort_keys=True, separators=(",", ":")) + "\n", name

    spoiled = good["signature"][:10] + ("0" if good["signature"][10] != "0" else "1") + good["signature"][11:]
    text = refusal(await caller.send(good | {"signature": spoiled}))["signature"]
    assert text.startswith("Invalid signature 0x")
    assert f" for ethereum address {caller.address}, message {caller.address}{open_dataset.id} and nonce " in text
    foreign = refusal(await caller.send(good | {"consumerAddress": stranger.address}))["signature"]
    assert f"for ethereum address {stranger.address}" in foreign
    for body in (b"", b"{", b'{"dataset":'):
        answer = await caller.http.post(COMPUTE, content=body, headers={"content-type": "application/json"})
        assert list(refusal(answer)) == ["dataset.documentId"]
    hidden = await caller.http.post(COMPUTE + "?x=1", json=good)
    assert list(refusal(hidden)) == ["dataset.documentId"]  # a query hides the body


async def test_unknown_paths_and_methods(caller: Caller) -> None:
    """Shape (c)."""
    asked = [("GET", "/api/services/nothing", 404), ("GET", COMPUTE + "/", 404), ("PATCH", COMPUTE, 405)]
    asked += [("POST", RESULT, 405), ("GET", "/api/services/initializeCompute", 405), ("PUT", "/", 405)]
    for method, path, status in asked:
        answer = await caller.http.request(method, path)
        names = {404: "Not Found", 405: "Method Not Allowed"}
        assert answer.status_code == status, (method, path)
        assert list(answer.json()) == ["context", "error"]
        assert answer.json()["context"] is None
        assert answer.json()["error"].startswith(f"{status} {names[status]}: ")
    assert (await caller.http.head(COMPUTE)).status_code == 400  # parameters are looked at first
    assert (await caller.http.head(COMPUTE, params={"consumerAddress": caller.address})).status_code == 405


async def test_slashes_and_bodies_of_get(caller: Caller, open_dataset: DDO) -> None:
    job = job_of(await caller.start([await caller.buy(open_dataset)], raw()))
    query = {"consumerAddress": caller.address, "jobId": job["jobId"]}
    done = await caller.finished(job["jobId"])
    # httpx cleans paths of a base URL, so whole addresses are given.
    for path in ("//api/services/compute", "///api/services/compute"):
        answer = await caller.http.get(caller.service.url + path, params=query)
        assert (answer.status_code, answer.json()) == (200, [done]), path
    inside = await caller.http.get(caller.service.url + "/api//services/compute", params=query)
    assert inside.status_code == 308
    assert inside.headers["location"].startswith("/api/services/compute?consumerAddress=")
    with_body = await caller.http.request("GET", COMPUTE, json=query)
    assert with_body.json() == [done]
    typed = await caller.http.get(COMPUTE, params=query, headers={"content-type": "application/json"})
    assert typed.json() == [done]
    for change in ({"jobId": "nothing"}, {"jobId": "", "agreementId": "0x42"}, {"consumerAddress": stranger.address}):
        assert (await caller.http.get(COMPUTE, params=query | change)).json() == [], change
    listed = await caller.http.get("/api/services/computeEnvironments")
    assert listed.text == json.dumps(listed.json(), sort_keys=True, separators=(",", ":")) + "\n"


# --- stopping --------------------------------------------------------------------------------------------------------


async def stopped(caller: Caller, job_id: str) -> dict[str, Any]:
    """Stop a job; it must be over long before its own end."""
    assert job_of(await caller.stop(job_id))["stopreq"] == 1
    return await caller.finished(job_id)


async def test_stop_a_running_job(caller: Caller, other: Caller, open_dataset: DDO) -> None:
    order = await caller.buy(open_dataset)
    entrypoint = "echo half > $OUTPUTS/half; echo begun; sleep 600"
    job_id = job_of(await caller.start([order], raw(entrypoint)))["jobId"]
    await caller.reached(job_id, 40)

    assert (await other.stop(job_id)).json() == []  # not his job
    nonce = str(await caller.next_nonce())
    forged = sign(job_message(caller.address, job_id, "", nonce), other.key)
    query = {"consumerAddress": caller.address, "jobId": job_id, "nonce": nonce, "signature": forged}
    assert refusal(await caller.http.put(COMPUTE, params=query))["signature"].startswith("Invalid signature 0x")
    assert list(refusal(await caller.http.put(COMPUTE, params={**query, "signature": ""}))) == ["signature"]
    (running,) = await caller.jobs(jobId=job_id)
    assert (running["status"], running["statusText"], running["stopreq"]) == (40, "Running algorithm", 0)
    assert await caller.nonce() == str(int(nonce) - 1)

    job = await stopped(caller, job_id)
    assert (job["status"], job["statusText"], job["stopreq"]) == (70, "Job finished", 1)
    names = [result["filename"] for result in job["results"]]
    assert names[:2] == ["half", "algorithm.log"]
    assert (await caller.result(job_id, 0)).content == b"half\n"
    assert job_of(await caller.stop(job_id)) == job  # once more changes nothing


async def test_stop_jobs_that_wait_and_then_all(caller: Caller, open_dataset: DDO) -> None:
    running = []
    for _ in range(4):  # as many as the free environment runs at a time
        order = await caller.buy(open_dataset)
        running.append(job_of(await caller.start([order], raw("sleep 600")))["jobId"])
    for job_id in running:
        await caller.reached(job_id, 40)
    waiting = []
    for _ in range(2):
        order = await caller.buy(open_dataset)
        waiting.append(job_of(await caller.start([order], raw()))["jobId"])
    queue = [(await caller.jobs(jobId=job_id))[0] for job_id in waiting]
    # Argo's times are whole seconds, so which of the two is first cannot be told.
    assert [job["status"] for job in queue] == [1, 1]
    assert sorted(job["queuePosition"] for job in queue) == [1, 2]

    job = await stopped(caller, waiting[0])
    assert (job["status"], job["stopreq"], job["exitCode"]) == (70, 1, None)
    assert [(await caller.jobs(jobId=one))[0]["status"] for one in running] == [40] * 4, "it waited for none of them"
    async with asyncio.timeout(60):  # places are up to a second old
        while (await caller.jobs(jobId=waiting[1]))[0]["queuePosition"] != 1:
            await asyncio.sleep(0.05)

    number = str(await caller.next_nonce())
    query = {"consumerAddress": caller.address, "nonce": number}
    query["signature"] = sign(job_message(caller.address, "", "", number), caller.key)
    answer = await caller.http.put(COMPUTE, params=query)
    assert {*running, waiting[1]} <= {job["jobId"] for job in answer.json()}
    for job_id in [*running, waiting[1]]:
        job = await caller.finished(job_id)
        assert (job["status"], job["stopreq"]) == (70, 1)
    again = await caller.http.put(COMPUTE, params=query)
    assert "expected nonce" in refusal(again)["signature"]


# --- results ---------------------------------------------------------------------------------------------------------


async def test_results(caller: Caller, other: Caller, open_dataset: DDO) -> None:
    entrypoint = f'sleep 1; python -c "{WRITE}"'
    job_id = job_of(await caller.start([await caller.buy(open_dataset)], raw(entrypoint)))["jobId"]
    early = await caller.result(job_id, 0)
    assert (early.status_code, early.json()) == (404, {"error": f"No results for job {job_id}"})
    job = await caller.finished(job_id)
    assert job["results"][0] == {"index": 0, "filename": "all bytes.bin", "filesize": 1024, "type": "output"}

    whole = await caller.result(job_id, 0)
    assert (whole.status_code, whole.content) == (200, OUTPUT)
    assert whole.headers["content-disposition"] == "attachment;filename=all bytes.bin"
    assert (whole.headers["content-length"], whole.headers["accept-ranges"]) == ("1024", "bytes")
    assert "Content-Disposition" in whole.headers["access-control-expose-headers"]
    await _ranges(caller, job_id, whole.headers["etag"])

    answer = await caller.result(job_id, 9)
    assert (answer.status_code, answer.json()) == (404, {"error": "No such index 9 in this compute job"})
    assert refusal(await caller.result(job_id, "-1")) == {"index": ["The index must be at least 0."]}
    for index in ("1.0", "x"):
        assert refusal(await caller.result(job_id, index)) == {"index": ["The index must be an integer."]}
    unknown = "00" * 16
    answer = await caller.result(unknown, 0)
    assert (answer.status_code, answer.json()) == (404, {"error": f"No results for job {unknown}"})
    answer = await other.result(job_id, 0)
    assert (answer.status_code, answer.json()) == (
        404,
        {"error": f"Owner {other.address} mismatch for job {job_id}"},
    )


async def _ranges(caller: Caller, job_id: str, tag: str) -> None:
    for wanted, content, told in (
        ("bytes=0-3", OUTPUT[:4], "bytes 0-3/1024"),
        ("bytes=1000-", OUTPUT[1000:], "bytes 1000-1023/1024"),
        ("bytes=-5", OUTPUT[-5:], "bytes 1019-1023/1024"),
        ("bytes=1023-4096", OUTPUT[1023:], "bytes 1023-1023/1024"),
    ):
        answer = await caller.result(job_id, 0, headers={"range": wanted, "if-range": tag})
        assert (answer.status_code, answer.content, answer.headers["content-range"]) == (206, content, told), wanted
        assert answer.headers["content-length"] == str(len(content))
    behind = await caller.result(job_id, 0, headers={"range": "bytes=1024-"})
    assert (behind.status_code, behind.headers["content-range"]) == (416, "bytes */1024")
    changed = await caller.result(job_id, 0, headers={"range": "bytes=0-3", "if-range": '"another"'})
    assert (changed.status_code, changed.content) == (200, OUTPUT)


async def test_results_are_for_the_owner_and_each_nonce_counts_once(
    caller: Caller, other: Caller, open_dataset: DDO
) -> None:
    job_id = job_of(await caller.start([await caller.buy(open_dataset)], raw("echo said")))["jobId"]
    await caller.finished(job_id)
    nonce = str(await caller.next_nonce())
    query = {"consumerAddress": caller.address, "jobId": job_id, "index": "0", "nonce": nonce}

    async def ask(signature: str, **change: Any) -> httpx.Response:
        return await caller.http.get(RESULT, params={**query, "signature": signature, **change})

    good = sign(result_message(caller.address, job_id, 0, nonce), caller.key)
    forged = sign(result_message(caller.address, job_id, 0, nonce), other.key)
    for signature in (forged, good[:-2], good + "00", "0x", "text", good[:-2] + "05"):
        assert isinstance(refusal(await ask(signature))["signature"], str)
    assert refusal(await ask(good, index="1"))["signature"].startswith("Invalid signature 0x")
    assert isinstance(refusal(await ask(""))["signature"], list)
    assert await caller.nonce() == str(int(nonce) - 1)

    lower = await ask(good[:-2] + f"{int(good[-2:], 16) - 27:02X}")
    assert (lower.status_code, lower.content) == (200, b"said\n")
    stale = f"Invalid signature expected nonce ({nonce}) > current nonce ({nonce})."
    assert refusal(await ask(good)) == {"signature": stale}

    number = await caller.next_nonce()  # the same as JSON, where 0 is a value
    body = {**query, "index": 0, "nonce": number}
    body["signature"] = sign(result_message(caller.address, job_id, 0, number), caller.key)
    answer = await caller.http.request("GET", RESULT, json=body)
    assert (answer.status_code, answer.content) == (200, b"said\n")
