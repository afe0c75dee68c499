"""What nobody else may learn: the dataset's URL and headers, user data, raw code, entrypoint, custom data.

Each is recognisable text here, and everything that lasts or can be looked at is searched for it, in plain text, hex and
base64. A control shows that the search finds what is there.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from ocean.chain.publishing import AssetDraft, publish_asset
from ocean.ddo import DDO
from ocean.files import UrlFile
from tests.support.chain import publisher
from tests.support.data_owner import BREAK_OFF, DataOwner
from tests.support.markers import files_below, find_markers, marker
from tests.support.processes import processes
from tests.support.service import FREE, Buyer, Service, raw_python

pytestmark = pytest.mark.integration

Place = tuple[str, bytes]


async def argo_says(service: Service) -> AsyncIterator[Place]:
    """Every document that the Argo server gives to the holder of the service's token."""
    machine = service.machine
    headers = {"authorization": f"Bearer {machine.argo_token_file.read_text().strip()}"}
    space = machine.settings.argo.namespace
    async with httpx.AsyncClient(base_url=machine.argo_url, headers=headers, trust_env=False, timeout=240) as client:
        for path in (f"workflows/{space}", f"archived-workflows?namespace={space}", f"workflow-templates/{space}"):
            answer = await client.get(f"/api/v1/{path}")
            assert answer.status_code == 200, path
            yield f"argo {path}", answer.content
            for item in answer.json().get("items") or []:
                if path.startswith("workflows/"):
                    name = item["metadata"]["name"]
                    one = await client.get(f"/api/v1/{path}/{name}")
                    assert one.status_code == 200
                    yield f"argo workflow {name}", one.content


def kept_files(service: Service) -> Iterator[Place]:
    """Everything in the data folder: databases with their journals, logs, keys, templates, pods, published results.

    Left out are the volumes of living jobs, which are there to hold the data, and what algorithms say themselves.
    """
    own_words = [*service.folder.results.glob("*/outputs"), *service.folder.results.glob("*/logs")]
    return files_below(service.folder.root, without=[service.folder.argo / "volumes", *own_words])


def process_table() -> Iterator[Place]:
    """Command lines and environments, sandboxes included."""
    for seen in processes():
        kind = "sandboxed" if seen.in_sandbox else "process"
        yield f"{kind} {seen.pid} {seen.cmdline[:60]!r}", seen.cmdline + b"\0" + seen.environ


async def everything(service: Service) -> list[Place]:
    said = [place async for place in argo_says(service)]
    return [*said, *kept_files(service)]


async def publish(buyer: Buyer, file: UrlFile, **draft: Any) -> DDO:
    async def encrypt(plain: bytes) -> bytes:
        return await buyer.consumer.encrypt(plain, buyer.network.chain_id)

    made = AssetDraft(name="secret dataset", files=[file], compute={"allowRawAlgorithm": True}, **draft)
    return await publish_asset(buyer.network, publisher, made, provider_url=buyer.service.url, encrypt=encrypt)


CODE = """
import hashlib, os, pathlib, time
data = b"".join(p.read_bytes() for p in pathlib.Path(os.environ["INPUTS"]).glob("*/0"))
pathlib.Path(os.environ["OUTPUTS"], "digest").write_text(hashlib.sha256(data).hexdigest())
time.sleep(0.3)
# MARKER
"""


async def test_nothing_secret_is_kept_or_shown(service: Service, buyer: Buyer, owner: DataOwner) -> None:
    markers = {name: marker(name) for name in ("url", "header", "userdata", "rawcode", "entrypoint", "custom")}
    served = owner.serve("1,2\n" * 5000, token=markers["url"])
    file = UrlFile(url=served.url + "?key=" + markers["url"], headers={"X-Access": markers["header"]})
    data = await publish(buyer, file)
    code = CODE.replace("MARKER", markers["rawcode"])
    raw = raw_python(code, f"echo {markers['entrypoint']} > /dev/null; python $ALGO")
    ordered, algorithm = await buyer.order([data], raw)
    ordered[0]["userdata"] = {"who": markers["userdata"]}
    algorithm["algocustomdata"] = {"custom": markers["custom"]}
    request = await buyer.consumer.start_request(FREE, ordered, algorithm)
    markers["signature"] = request["signature"].removeprefix("0x")

    seen: dict[tuple[str, str], None] = {}
    done = asyncio.Event()

    async def watch_processes() -> None:
        while not done.is_set():
            seen.update(dict.fromkeys(find_markers(markers, process_table())))
            await asyncio.sleep(0.02)

    served.hold()
    watching = asyncio.create_task(watch_processes())
    started = await buyer.consumer.start(request)
    async with asyncio.timeout(60):
        while not served.requests:
            await asyncio.sleep(0.02)
    while_configured = await everything(service)
    served.release()
    job = await buyer.finished(started["jobId"])
    done.set()
    await watching
    assert (job["status"], job["reason"]) == (70, "completed")
    assert served.headers[0]["x-access"] == markers["header"]  # it was used

    answers: list[Place] = [("job", json.dumps(job).encode()), ("start", json.dumps(started).encode())]
    places = [*answers, *while_configured, *await everything(service)]
    assert find_markers(markers, places) == []
    # The algorithm's own shell is given its entrypoint, as everywhere where `sh -c` runs something.
    assert [(name, place) for name, place in seen if name != "entrypoint" or not place.startswith("sandboxed")] == []
    assert [place for name, place in seen if name == "entrypoint"]  # the watch would have noticed
    names = " ".join(place for place, _ in places)
    looked_at = ("service.sqlite", "argo.db", "argo.log", "configure.log", "publish.log", "plan.json")
    for known in ("argo workflow " + job["jobId"], *looked_at):
        assert known in names, known


async def test_the_search_finds_what_is_there(service: Service, buyer: Buyer, owner: DataOwner) -> None:
    """A job that keeps its secrets badly: it prints its entrypoint and custom data, which is its own affair."""
    markers = {"published": marker("published"), "job": ""}
    data = await publish(buyer, UrlFile(url=owner.serve("1\n").url))
    ordered, algorithm = await buyer.order([data], raw_python("pass", f"echo {markers['published']}; sleep 0.2"))
    started = await buyer.consumer.start(await buyer.consumer.start_request(FREE, ordered, algorithm))
    job = await buyer.finished(started["jobId"])
    markers["job"] = job["jobId"]
    found = find_markers(markers, await everything(service))
    assert any(name == "published" and place.endswith("/log") for name, place in found)  # the pod's log
    kinds = ("argo workflow", "argo workflows/", "service.sqlite", "argo.db", "api.log", "plan.json")
    for kind in kinds:
        assert any(name == "job" and kind in place for name, place in found), kind


async def test_an_input_that_cannot_be_had_is_31_and_stays_unnamed(
    service: Service, buyer: Buyer, owner: DataOwner
) -> None:
    """Not there, a server's failure, a connection broken off, a private address that nobody allowed. All at once,
    because what may pass is tried again and again."""
    markers = {"url": marker("url"), "header": marker("header")}
    headers = {"X-Access": markers["header"]}
    started = {}
    with DataOwner() as other:  # on an address that is not allowed to jobs
        hidden = other.serve("1,2\n", token=markers["url"])
        served = {
            "404": owner.serve("not what was wished", token=markers["url"], name="404"),
            "500": owner.serve("not what was wished", token=markers["url"], name="500"),
            "refused": owner.serve("", token=markers["url"], name="refused"),
            "private": hidden,
        }
        served["404"].status, served["500"].status, served["refused"].status = 404, 500, BREAK_OFF
        for kind, file in served.items():
            data = await publish(buyer, UrlFile(url=file.url, headers=headers))
            ordered, algorithm = await buyer.order([data], raw_python("print('ran')"))
            request = await buyer.consumer.start_request(FREE, ordered, algorithm)
            started[kind] = (await buyer.consumer.start(request))["jobId"]
        jobs = {kind: await buyer.finished(job_id, 100) for kind, job_id in started.items()}
    for kind, job in jobs.items():
        ended = (job["status"], job["statusText"], job["reason"])
        assert ended == (31, "Data provisioning failed", "data_unavailable"), kind
        logs = [result["type"] for result in job["results"]]
        assert logs == ["algorithmLog", "configrationLog", "publishLog", "passport"], kind
    asked = {kind: file.requests for kind, file in served.items()}
    assert (asked["404"], asked["private"]) == (1, 0)
    assert asked["500"] > 1 < asked["refused"]
    assert find_markers(markers, [("jobs", json.dumps(jobs).encode()), *await everything(service)]) == []


async def test_an_algorithm_with_other_bytes_than_hashed_is_32(
    service: Service, buyer: Buyer, owner: DataOwner
) -> None:
    """The owner swaps the algorithm's file between the checks at start and the download into the pod."""
    markers = {"url": marker("url"), "code": marker("code")}
    served = owner.serve("print('the algorithm that was checked')", token=markers["url"], name="algorithm.py")
    data = await publish(buyer, UrlFile(url=owner.serve("1,2\n").url))
    algorithm = await buyer.publish(served.url, kind="algorithm")
    ordered, algorithm_order = await buyer.order([data], algorithm)
    request = await buyer.consumer.start_request(FREE, ordered, algorithm_order)
    served.hold()
    asked = served.requests
    starting = asyncio.create_task(buyer.consumer.start(request))
    async with asyncio.timeout(60):
        while not starting.done():  # the checks may ask for the file; they are given the right one
            if served.requests > asked:
                served.release()
            await asyncio.sleep(0.005)
    served.content = f"print('{markers['code']}')".encode()
    served.release()
    job = await buyer.finished((await starting)["jobId"])
    assert (job["status"], job["statusText"]) == (32, "Algorithm provisioning failed")
    assert job["reason"] == "algorithm_unavailable"
    assert [result["type"] for result in job["results"]] == [
        "algorithmLog",
        "configrationLog",
        "publishLog",
        "passport",
    ]
    assert find_markers(markers, [("job", json.dumps(job).encode()), *await everything(service)]) == []
