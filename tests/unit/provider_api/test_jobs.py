"""Reading and stopping jobs, fetching results, environments, encryption."""

import asyncio
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from argo.client.errors import ArgoUnavailable, WorkflowNotFound
from argo.client.records import NewWorkflow, Node, Workflow
from contract import names
from contract.manifest import Manifest, ResultFile, summary_of
from ocean import ecies
from ocean.signing import job_message, result_message, sign
from provider_api.files.names import disposition
from provider_api.http.errors import clean
from provider_api.jobs import delete
from provider_api.jobs.results import Part, RangeUnsatisfiable, requested_part
from provider_api.jobs.specification import run_time
from results import store
from results.object_names import asset_folder
from tests.support import provider_facts as facts
from tests.support.provider_neighbours import CONSUMER_KEY, FREE, PAID, PROVIDER_KEY, STRANGER_KEY, World
from tests.support.stored_results import store_files

pytestmark = pytest.mark.unit

DID = "did:op:" + "1" * 64

COMPUTE = "/api/services/compute"


async def started(world: World, nonce: int = 5) -> str:
    answer = await world.start(world.start_body(nonce))
    return str(answer.json()[0]["jobId"])


def publish_results(
    world: World, job_id: str, *files: tuple[str, bytes, str], listed: bool = True, did: str | None = None
) -> None:
    """Put files into the store as the publishing pod does, and finish the job with its summary."""
    created = int(datetime.now(UTC).timestamp())
    manifest = store_files(world.settings.data_folder / "results", job_id, files, created=created)
    summary = json.loads(summary_of(manifest, manifest.encoded(), did=did).encoded())
    if not listed:
        del summary["files"]
    world.argo.finish(job_id, results=json.dumps(summary))


async def status(world: World, **query: str) -> Any:
    query = {"consumerAddress": world.consumer.address} | query
    answer = await world.http.get(COMPUTE, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_status(world: World) -> None:
    first, second = await started(world, 5), await started(world, 6)
    assert [job["jobId"] for job in await status(world, jobId=first)] == [first]
    assert {job["jobId"] for job in await status(world)} == {first, second}
    assert await status(world, jobId="00" * 16) == []
    assert await status(world, jobId="@latest") == []
    assert await status(world, consumerAddress="0x" + "1" * 40) == []
    assert await status(world, jobId=first, consumerAddress="0x" + "1" * 40) == [], "another owner's job"
    agreement = world.argo.workflows[first].annotations["c2d.oceanprotocol.com/agreement-id"]
    for spelled in (agreement, agreement.removeprefix("0x"), agreement.upper().replace("0X", "0x")):
        assert [job["jobId"] for job in await status(world, agreementId=spelled)] == [first]
    assert await status(world, agreementId="no hex!") == []
    assert await status(world, jobId=first, nonce="1", signature="0x00") != [], "tolerated and not looked at"
    assert await world.nonce() == "6"


async def test_the_place_in_the_queue(world: World) -> None:
    jobs = [await started(world, nonce) for nonce in (5, 6, 7)]
    assert [(await status(world, jobId=job))[0]["queuePosition"] for job in jobs] == [1, 2, 3]
    world.argo.finish(jobs[0])
    async with asyncio.timeout(60):  # places are remembered for a moment
        while (await status(world, jobId=jobs[2]))[0]["queuePosition"] != 2:
            await asyncio.sleep(0.05)
    assert "queuePosition" not in (await status(world, jobId=jobs[0]))[0]


async def test_a_start_reads_no_other_jobs(world: World) -> None:
    """Many starts at once must not cost each the list of all before it: the place is counted there."""
    told = []
    for nonce in range(5, 9):
        answer = await world.start(world.start_body(nonce))
        told.append(answer.json()[0]["queuePosition"])
    assert world.argo.listed == []
    assert told == [1, 1, 1, 2]  # two run at once
    assert (await status(world, jobId=answer.json()[0]["jobId"]))[0]["queuePosition"] == 4


async def test_the_end_is_announced_by_its_date(world: World) -> None:
    job = await started(world)
    publish_results(world, job, ("model.csv", b"a,b\n", "output"), ("algorithm.log", b"", "algorithmLog"))
    (found,) = await status(world, jobId=job)
    assert (found["status"], found["statusText"], found["reason"], found["exitCode"]) == (
        70,
        "Job finished",
        "completed",
        0,
    )
    assert float(found["dateFinished"]) >= float(found["startedAt"])
    assert [(entry["filename"], entry["filesize"], entry["type"]) for entry in found["results"]] == [
        ("model.csv", 4, "output"),
        ("algorithm.log", 0, "algorithmLog"),
    ]
    assert not {"resultsUrl", "algorithmLogUrl", "resultsDid"} & found.keys()


async def test_stop(world: World) -> None:
    job, other = await started(world, 5), await started(world, 6)
    answer = await world.stop(7, job)
    assert answer.status_code == 200
    (found,) = answer.json()
    assert (found["jobId"], found["stopreq"]) == (job, 1)
    assert world.argo.workflows[other].shutdown == ""
    again = await world.stop(7, job)
    assert again.json()["errors"] == {"signature": "Invalid signature expected nonce (7) > current nonce (7)."}
    everything = await world.stop(8)
    assert {entry["jobId"] for entry in everything.json()} == {job, other}
    assert world.argo.workflows[other].shutdown == "Stop"
    world.argo.finish(job)
    assert (await world.stop(9, job)).json()[0]["status"] == 70


async def test_only_the_owner_stops(world: World) -> None:
    job = await started(world)
    assert (await world.stop(6, job, STRANGER_KEY)).json() == []
    assert (await world.stop(7, "", STRANGER_KEY)).json() == []
    assert world.argo.workflows[job].shutdown == ""
    query = {"consumerAddress": world.consumer.address, "nonce": "9", "jobId": job, "signature": "0x" + "1" * 130}
    assert "signature" in (await world.http.put(COMPUTE, params=query)).json()["errors"]
    assert (await world.http.put(COMPUTE, json={})).json()["errors"] == {
        "consumerAddress": ["The consumerAddress field is required."]
    }


async def test_a_body_may_carry_the_stop(world: World) -> None:
    job = await started(world)
    body = {"consumerAddress": world.consumer.address, "jobId": job, "documentId": DID, "nonce": "6"}
    body["signature"] = sign(job_message(body["consumerAddress"], job, DID, "6"), CONSUMER_KEY)
    assert (await world.http.put(COMPUTE, json=body)).json()[0]["stopreq"] == 1


async def test_results(world: World) -> None:
    job = await started(world)
    content = bytes(range(256)) * 50
    publish_results(world, job, ('my "model";v=1.csv', content, "output"), ("empty", b"", "output"), listed=False)
    assert len((await status(world, jobId=job))[0]["results"]) == 2, "from the manifest"
    answer = await world.result(6, job, 0)
    assert (answer.status_code, answer.content) == (200, content)
    assert answer.headers["content-disposition"] == "attachment;filename=my _model__v=1.csv"
    assert answer.headers["content-length"] == str(len(content))
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["accept-ranges"] == "bytes"
    tag = answer.headers["etag"]
    part = await world.result(7, job, 0, Range="bytes=10-19")
    assert (part.status_code, part.content) == (206, content[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(content)}"
    assert (await world.result(8, job, 0, **{"Range": "bytes=10-", "If-Range": tag})).status_code == 206
    assert (await world.result(9, job, 0, **{"Range": "bytes=10-", "If-Range": '"other"'})).content == content
    assert (await world.result(10, job, 0, Range="bytes=-5")).content == content[-5:]
    assert (await world.result(11, job, 0, Range="bytes=99999-")).status_code == 416
    assert (await world.result(12, job, 1)).content == b""
    assert await world.nonce() == "12"


async def test_results_that_are_not_there(world: World) -> None:
    job = await started(world)
    answer = await world.result(6, job, 0)
    assert (answer.status_code, answer.json()) == (404, {"error": f"No results for job {job}"})
    publish_results(world, job, ("a", b"x", "output"))
    answer = await world.result(6, job, 9)
    assert (answer.status_code, answer.json()) == (404, {"error": "No such index 9 in this compute job"})
    answer = await world.result(6, job, 0, STRANGER_KEY)
    assert (answer.status_code, answer.json()["error"][:6]) == (404, "Owner ")
    assert (await world.result(6, "00" * 16, 0)).status_code == 404
    assert await world.nonce() == "5", "a refused request keeps its nonce"
    assert (await world.result(6, job, 0)).status_code == 200
    assert "signature" in (await world.result(6, job, 0)).json()["errors"], "a URL works once"
    (world.settings.data_folder / "results" / job / "0").unlink()
    assert (await world.result(7, job, 0)).status_code == 404
    (world.settings.data_folder / "results" / job / "manifest.json").write_bytes(b"{}")
    assert (await status(world, jobId=job))[0]["results"] != ""


async def test_index_as_json_number(world: World) -> None:
    job = await started(world)
    publish_results(world, job, ("a", b"x", "output"))
    body: dict[str, Any] = {"consumerAddress": world.consumer.address, "jobId": job, "index": 0, "nonce": 6}
    body["signature"] = sign(result_message(body["consumerAddress"], job, 0, 6), CONSUMER_KEY)
    request = world.http.build_request("GET", "/api/services/computeResult", json=body)
    assert (await world.http.send(request)).content == b"x"


@pytest.mark.parametrize(
    ("header", "expected"),
    [(None, None), ("bytes=0-", Part(0, 10)), ("bytes=2-3", Part(2, 4)), ("bytes=5-99", Part(5, 10)),
     ("bytes=-3", Part(7, 10)), ("bytes=-99", Part(0, 10)), ("bytes=3-2", None),
     ("bytes=0-1,3-4", None), ("lines=1-2", None), ("bytes=-", None)],
)  # fmt: skip
def test_ranges(header: str | None, expected: Part | None) -> None:
    assert requested_part(header, 10) == expected


@pytest.mark.parametrize(("header", "size"), [("bytes=10-", 10), ("bytes=-0", 10), ("bytes=0-", 0), ("bytes=-1", 0)])
def test_unsatisfiable_ranges(header: str, size: int) -> None:
    with pytest.raises(RangeUnsatisfiable):
        requested_part(header, size)


@pytest.mark.parametrize(
    ("filename", "expected"),
    [("a.csv", "a.csv"), ("a\r\nX: y", "a__X_ y"), ('"', "_"), ("..", "result"), ("", "result"), ("ä", "_"),
     ("x" * 300, "x" * 200)],
)  # fmt: skip
def test_file_names(filename: str, expected: str) -> None:
    assert disposition(filename) == f"attachment;filename={expected}"


async def test_environments(world: World) -> None:
    await started(world)
    answer = await world.http.get("/api/services/computeEnvironments", params={"chainId": "8996"})
    (chain, environments) = next(iter(answer.json().items()))
    assert chain == "8996"
    assert [found["id"] for found in environments] == [FREE, PAID], "an incomplete template is not announced"
    free, paid = environments
    assert (free["priceMin"], paid["priceMin"]) == (0, 2.5)
    assert type(free["priceMin"]) is int
    assert free["consumerAddress"] == facts.ENVIRONMENT_ADDRESS
    assert free["feeToken"] == facts.TOKEN
    assert {type(free[name]) for name in ("cpuNumber", "ramGB", "diskGB", "maxJobs", "currentJobs")} <= {int, float}
    assert isinstance(free["lastSeen"], str)


async def test_encrypt(world: World) -> None:
    answer = await world.http.post(
        "/api/services/encrypt?chainId=8996", content=b"hello", headers={"Content-Type": "application/octet-stream"}
    )
    assert (answer.status_code, answer.headers["content-type"]) == (201, "text/plain")
    assert ecies.decrypt(PROVIDER_KEY, bytes.fromhex(answer.text.removeprefix("0x"))) == b"hello"
    assert answer.text == answer.text.lower()


@pytest.mark.parametrize(
    ("query", "content_type", "text"),
    [
        ("?chainId=8996", "text/plain", "Invalid request content type: should be application/octet-stream"),
        (
            "?chainId=8996",
            "application/octet-stream; charset=x",
            "Invalid request content type: should be application/octet-stream",
        ),
        ("", "application/octet-stream", "Missing chainId query parameter."),
        ("?chainId=7", "application/octet-stream", "Failed to encrypt. The chainId must be one of 8996, not 7."),
    ],
)
async def test_encrypt_refuses(world: World, query: str, content_type: str, text: str) -> None:
    answer = await world.http.post(
        f"/api/services/encrypt{query}", content=b"x", headers={"Content-Type": content_type}
    )
    assert (answer.status_code, answer.json()) == (400, {"error": text})


def test_urls_leave_error_texts() -> None:
    assert clean("cannot  reach\nhttp://user:x@host/p?q now") == "cannot reach <URL stripped for security reasons> now"


@pytest.mark.parametrize(("left", "expected"), [(None, 3600), (100, 100), (5000, 3600), (0.4, 1)])
def test_run_time(left: float | None, expected: int) -> None:
    now = facts.NOW
    until = None if left is None else int(now + left)
    assert run_time(facts.environment(max_job_duration=3600), until, now) == expected


# --- deletion --------------------------------------------------------------------------------------------------------


async def delete_job(world: World, nonce: int, job_id: str = "") -> Any:
    address = world.consumer.address
    signature = sign(job_message(address, job_id, "", str(nonce)), CONSUMER_KEY)
    query = {"consumerAddress": address, "jobId": job_id, "nonce": str(nonce), "signature": signature}
    return await world.http.delete(COMPUTE, params=query)


async def test_deleting_takes_results_and_workflow(world: World) -> None:
    job_id = await started(world)
    publish_results(world, job_id, ("a.csv", b"a,b", "output"))
    assert (await world.result(6, job_id, 0)).content == b"a,b"
    (deleted,) = (await delete_job(world, 7, job_id)).json()
    assert (deleted["jobId"], deleted["removed"], deleted["results"], deleted["status"]) == (job_id, 1, "", 70)
    assert job_id not in world.argo.workflows
    assert list((world.settings.data_folder / "results").iterdir()) == []
    assert (await world.result(8, job_id, 0)).status_code == 404


async def test_what_slow_pods_publish_meanwhile_goes_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delete, "ENDED_SECONDS", 0.05)
    world.argo.lingering = True
    job_id = await started(world)
    late = world.settings.data_folder / "results" / job_id / "late"
    take_away = world.argo.delete

    async def publish_and_delete(name: str) -> None:
        late.parent.mkdir(parents=True, exist_ok=True)
        late.write_bytes(b"too late")
        await take_away(name)

    monkeypatch.setattr(world.argo, "delete", publish_and_delete)
    assert (await delete_job(world, 6, job_id)).status_code == 200
    assert not late.exists()
    assert job_id not in world.argo.workflows


async def test_a_publishing_pod_that_outlives_its_workflow(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Argo says that a terminated workflow has ended while it is still telling the pods: its recordings show it."""
    monkeypatch.setattr(delete, "PUBLISHING_SECONDS", 0.1)
    job_id = await started(world)
    results = world.settings.data_folder / "results" / job_id
    terminate, take_away = world.argo.terminate, world.argo.delete
    seen: list[bool] = []

    async def while_it_publishes(name: str) -> None:
        await terminate(name)
        moment = datetime.now(UTC)
        node = Node("p", "p", names.PUBLISHING, "Pod", names.PUBLISHING, "Failed", "", None, moment, moment, {})
        world.argo.workflows[name] = replace(world.argo.workflows[name], nodes=(node,))
        asyncio.get_running_loop().call_later(0.05, publish, "late")

    async def publish_and_delete(name: str) -> None:
        seen.append((results / "late").exists())
        publish("later")
        await take_away(name)

    def publish(name: str) -> None:
        results.mkdir(parents=True, exist_ok=True)
        (results / name).write_bytes(b"too late")

    monkeypatch.setattr(world.argo, "terminate", while_it_publishes)
    monkeypatch.setattr(world.argo, "delete", publish_and_delete)
    (deleted,) = (await delete_job(world, 6, job_id)).json()
    assert (deleted["removed"], deleted["reason"]) == (1, "revoked")
    assert seen == [False], "what came before the workflow went was removed while the job was still known"
    assert not results.exists()


async def test_somebody_else_is_deleting_it_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job is gone between two looks: that is not waited for, and nothing is wrong."""
    job_id = await started(world)

    async def gone_already(name: str) -> None:
        world.argo.forget(name)
        raise WorkflowNotFound(name)

    monkeypatch.setattr(world.argo, "terminate", gone_already)
    monkeypatch.setattr(delete, "ENDED_SECONDS", 3600)
    async with asyncio.timeout(60):
        (deleted,) = (await delete_job(world, 6, job_id)).json()
    assert (deleted["jobId"], deleted["removed"]) == (job_id, 1)


async def test_what_fails_half_way_is_completed_by_a_repeat(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Store, then Argo fail for one of two jobs: the other one goes, the first one stays known until all of it went."""
    first, second = await started(world, 5), await started(world, 6)
    for job_id in (first, second):
        publish_results(world, job_id, ("a.csv", b"a,b", "output"))
    delete_results, delete_workflow = store.delete_job, world.argo.delete

    async def store_fails(opened: store.Store, job_id: str) -> None:
        if job_id == first:
            raise store.StoreUnavailable("deleting results", "test", transient=True)
        await delete_results(opened, job_id)

    async def argo_fails(name: str) -> None:
        raise ArgoUnavailable("timeout", definite=False)

    monkeypatch.setattr(store, "delete_job", store_fails)
    answer = await delete_job(world, 7)
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    assert [job["jobId"] for job in await status(world)] == [first]

    monkeypatch.setattr(store, "delete_job", delete_results)
    monkeypatch.setattr(world.argo, "delete", argo_fails)
    answer = await delete_job(world, 8, first)
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    assert list((world.settings.data_folder / "results").iterdir()) == []
    assert (await world.result(9, first, 0)).status_code == 404
    assert [job["jobId"] for job in await status(world)] == [first]

    monkeypatch.setattr(world.argo, "delete", delete_workflow)
    assert [job["jobId"] for job in (await delete_job(world, 10, first)).json()] == [first]
    assert await status(world) == []
    assert (await delete_job(world, 11, first)).json() == []


async def test_a_start_of_unknown_outcome_does_not_come_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its claim is still open; the identical request would be submitted again if it stayed so."""
    submit = world.argo.submit

    async def submitted_and_gone(new: NewWorkflow) -> Workflow:
        await submit(new)
        world.argo.away = True
        raise ArgoUnavailable("timeout", definite=False)

    monkeypatch.setattr(world.argo, "submit", submitted_and_gone)
    body = world.start_body(5)
    assert (await world.start(body)).status_code == 503
    monkeypatch.setattr(world.argo, "submit", submit)
    world.argo.away = False
    (job_id,) = world.argo.workflows
    assert [job["jobId"] for job in (await delete_job(world, 6, job_id)).json()] == [job_id]

    again = await world.start(body)
    assert (again.status_code, "not started again" in again.json()["error"]) == (400, True)
    assert world.argo.created == 1
    other = await world.start(world.start_body(7, dataset=body["dataset"]))
    assert other.status_code == 200, "its order is free at once"


async def test_more_jobs_than_one_answer_lists_are_stopped_and_deleted(tmp_path: Path) -> None:
    async with World(tmp_path, limits={"list_limit": 10}).running() as world:
        jobs = [await started(world, nonce) for nonce in range(5, 17)]
        assert len(await status(world)) == 10
        assert {job["jobId"] for job in (await world.stop(200)).json()} == set(jobs)
        assert len((await delete_job(world, 201)).json()) == 12
        assert world.argo.workflows == {}


@pytest.mark.parametrize("listed", [True, False])
async def test_an_asset_that_outputs_have_become_is_named(world: World, listed: bool) -> None:
    """In that job alone: a test of Ocean Provider wants no such key in others."""
    plain, made = await started(world, 5), await started(world, 6)
    publish_results(world, plain, ("a.csv", b"a,b", "output"))
    publish_results(world, made, ("a.csv", b"a,b", "output"), listed=listed, did="did:op:" + "a" * 64)
    assert {job["jobId"]: job.get("resultsDid") for job in await status(world)} == {
        plain: None,
        made: "did:op:" + "a" * 64,
    }
    assert ["resultsDid" in job for job in await status(world, jobId=plain)] == [False]
    (deleted,) = (await delete_job(world, 7, made)).json()
    assert (deleted["removed"], deleted["results"], deleted["resultsDid"]) == (1, "", "did:op:" + "a" * 64)


async def test_files_of_an_asset_made_of_results(world: World) -> None:
    token, content = "t" * 43, b"a,b\n1,2\n"
    folder = asset_folder(token)
    place = world.settings.data_folder / "results" / folder
    place.mkdir(parents=True)
    file = ResultFile(
        index=0, path="outputs/a.csv", filename="a.csv", filesize=len(content), type="output", content_type="text/csv",
        sha256=hashlib.sha256(content).hexdigest(), key=f"{folder}/0",
    )  # fmt: skip
    (place / "0").write_bytes(content)
    (place / "manifest.json").write_bytes(
        Manifest(job_id=folder, created=1, complete=True, files=(file,)).encoded(),
    )
    url = f"/api/services/published/{token}"
    for path in (f"{url}/0/a.csv", f"{url}/0/anything"):
        answer = await world.http.get(path)
        assert (answer.status_code, answer.content) == (200, content)
        assert answer.headers["content-type"].startswith("text/csv")
        assert answer.headers["content-disposition"] == "attachment;filename=a.csv"
    for path in (f"{url}/1/a.csv", f"{url}/00000/a.csv", f"{url}/0", f"{url}/0/a/b", f"{url[:-1]}u/0/a.csv"):
        assert (await world.http.get(path)).status_code == 404, path
    assert (await world.http.post(f"{url}/0/a.csv")).status_code == 405
    (place / "manifest.json").write_bytes(b"{}")
    assert (await world.http.get(f"{url}/0/a.csv")).content == content, "it never changes, so it is remembered"
    (place / "0").unlink()
    assert (await world.http.get(f"{url}/0/a.csv")).status_code == 404
