"""An environment with a filter, through the whole service: what a consumer sees before and after the verdict."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from contract import names
from ocean.ddo import DDO
from provider_api.deploy.file_server import FileServer
from tests.support.chain import stranger
from tests.support.service import FREE, Buyer, Service, raw_python
from tests.support.stages import status_is, until
from workflow_templates.environment import read_environments
from workflow_templates.parts import Filter
from workflow_templates.render import write

pytestmark = pytest.mark.integration

ADMIN = {"admin": "an-admin's-secret"}
OWN = [
    ("configure.log", "configrationLog"),
    ("filter.log", "filteringLog"),
    ("publish.log", "publishLog"),
    ("passport.dsse.json", "passport"),
]

# Refuses what has "secret" in it, otherwise signs it; some outputs make it misbehave.
FILTER = """
import os, pathlib, time
outputs, logs = pathlib.Path(os.environ["OUTPUTS"]), pathlib.Path(os.environ["LOGS"])
found = [p for p in (*outputs.rglob("*"), *logs.rglob("*")) if p.is_file()]
print("looking at", len(found), "files", flush=True)
if (outputs / "hang").exists():
    time.sleep(600)
while (outputs / "wait").exists() and not (outputs / "go").exists():
    time.sleep(0.05)
assert not (outputs / "crash").exists()
for place in (os.environ["INPUTS"], "/data/ddos", "/data/transformations", "/"):
    try:
        pathlib.Path(place, "mine").write_text("written")
    except OSError:
        continue
    raise SystemExit("could write to " + place)
if any(b"secret" in p.read_bytes() for p in found):
    print("refused")
    raise SystemExit(10)
for p in outputs.rglob("*"):
    if p.is_file() and p.name != "go":
        p.write_bytes(p.read_bytes() + b" (released)")
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, files: FileServer) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("filtered")
    judge = Filter(image=names.STEP_IMAGE, command=("python", "-c", FILTER), seconds=20)
    described = [
        environment.model_copy(update={"filter": judge}) if environment.id == FREE else environment
        for environment in read_environments()
    ]
    write(folder / "gitops", described)
    settings = {
        "C2D_OPERATOR__PROVIDERS": json.dumps({"somebody": [stranger.address]}),
        "C2D_OPERATOR__ADMINS": json.dumps([ADMIN["admin"]]),
    }
    with Service(
        folder / "service",
        allow_private=[files.address],
        settings=settings,
        manifests=folder / "gitops" / "base",
    ) as running:
        yield running


@pytest.fixture
async def dataset(buyer: Buyer, files: FileServer) -> DDO:
    return await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True})


async def started(buyer: Buyer, dataset: DDO, entrypoint: str) -> str:
    ordered, algorithm = await buyer.order([dataset], raw_python("not run", entrypoint))
    job = await buyer.consumer.start(await buyer.consumer.start_request(FREE, ordered, algorithm))
    return str(job["jobId"])


async def job_of(buyer: Buyer, dataset: DDO, entrypoint: str) -> dict[str, Any]:
    return await buyer.finished(await started(buyer, dataset, entrypoint))


def results(job: dict[str, Any]) -> list[tuple[str, str]]:
    return [(entry["filename"], entry["type"]) for entry in job["results"]]


async def test_it_is_announced(buyer: Buyer) -> None:
    listed = await buyer.consumer.environments(buyer.network.chain_id)
    assert [environment.get("filtered", False) for environment in listed] == [
        environment["id"] == FREE for environment in listed
    ]


async def test_released_results_are_those_that_the_filter_left(buyer: Buyer, dataset: DDO, tmp_path: Path) -> None:
    job = await job_of(buyer, dataset, "echo all well; echo -n 42 > $OUTPUTS/answer")
    assert (job["status"], job["reason"], job["exitCode"]) == (70, "completed", 0)
    assert results(job) == [("answer", "output"), ("algorithm.log", "algorithmLog"), *OWN]
    assert (await buyer.result(job, "answer", tmp_path)).endswith(b"42 (released)")
    assert await buyer.result(job, "filter.log", tmp_path) == b"looking at 2 files\n"


@pytest.mark.parametrize(
    ("entrypoint", "verdict"),
    [
        ("echo the secret > $OUTPUTS/answer", (41, "filtered", 0)),
        ("echo the secret", (41, "filtered", 0)),  # in its log
        ("echo the secret > $OUTPUTS/answer; exit 3", (41, "algorithm_failed", 3)),
        ("touch $OUTPUTS/crash", (41, "filtered", 0)),
        ("touch $OUTPUTS/hang", (41, "filtered", 0)),
    ],
    ids=["output", "log", "failed", "crash", "hang"],
)
async def test_nothing_is_shown_of_what_is_not_released(
    buyer: Buyer, dataset: DDO, tmp_path: Path, entrypoint: str, verdict: tuple[int, str, int]
) -> None:
    job = await job_of(buyer, dataset, entrypoint)
    assert (job["status"], job["reason"], job["exitCode"]) == verdict
    assert results(job) == OWN
    for name, _ in OWN:
        assert b"the secret" not in await buyer.result(job, name, tmp_path)


async def test_a_failed_algorithm_that_has_nothing_to_hide_delivers_its_log(
    buyer: Buyer, dataset: DDO, tmp_path: Path
) -> None:
    job = await job_of(buyer, dataset, "echo what went wrong; exit 4")
    assert (job["status"], job["reason"], job["exitCode"]) == (41, "algorithm_failed", 4)
    assert await buyer.result(job, "algorithm.log", tmp_path) == b"what went wrong\n"


async def test_a_stopped_job_passes_the_filter_and_its_log_is_not_shown_live(
    buyer: Buyer, dataset: DDO, service: Service
) -> None:
    job_id = await started(buyer, dataset, "echo the secret | tee $OUTPUTS/early; exec sleep 600")
    async with asyncio.timeout(60):
        while (job := await buyer.job(job_id)) is None or job["status"] != 40:
            await asyncio.sleep(0.05)
    query = {"jobId": job_id, "component": "algorithm"}
    async with httpx.AsyncClient(base_url=f"{service.url}/api/v1/operator/", headers=ADMIN, trust_env=False) as http:
        assert (await http.get("logs", params=query | {"component": "configure"})).status_code == 200
        for _ in range(10):
            shown = await http.get("logs", params=query)
            assert (shown.status_code, b"secret" in shown.content) == (404, False)
            await asyncio.sleep(0.05)
        await buyer.consumer.stop(job_id)
        job = await buyer.finished(job_id)
        assert (job["status"], job["reason"], job["stopreq"]) == (70, "stopped", 1)
        assert results(job) == OWN
        assert (await http.get("logs", params=query)).status_code == 404


async def let_go(buyer: Buyer, job_id: str) -> dict[str, Any]:
    """Let the filter go on, which sees a copy of the outputs; the job when it is over."""
    copied = buyer.service.folder.argo / "volumes" / f"{job_id}-data" / "released" / "outputs" / "wait"
    await until(copied.exists, "there is something to judge")
    copied.with_name("go").touch()
    return await buyer.finished(job_id)


async def test_a_stop_does_not_get_past_the_filter(buyer: Buyer, dataset: DDO, tmp_path: Path) -> None:
    """The algorithm has ended, so there is nothing to stop: the filter ends its work, and its verdict holds."""
    released = await started(buyer, dataset, "touch $OUTPUTS/wait; echo -n 42 > $OUTPUTS/answer")
    withheld = await started(buyer, dataset, "touch $OUTPUTS/wait; echo the secret > $OUTPUTS/answer")
    for job_id in (released, withheld):
        await until(lambda job_id=job_id: status_is(buyer, job_id, 50), "it is filtered")  # type: ignore[misc]
        (answer,) = await buyer.consumer.stop(job_id)
        assert (answer["status"], answer["stopreq"]) == (50, 0)
    job = await let_go(buyer, released)
    assert (job["status"], job["reason"], job["stopreq"]) == (70, "completed", 0)
    assert (await buyer.result(job, "answer", tmp_path)).endswith(b"42 (released)")
    job = await let_go(buyer, withheld)
    assert (job["status"], job["reason"], job["stopreq"]) == (41, "filtered", 0)
    assert results(job) == OWN


async def test_the_status_says_that_results_are_filtered(buyer: Buyer, dataset: DDO) -> None:
    job_id = await started(buyer, dataset, "touch $OUTPUTS/wait")
    async with asyncio.timeout(60):
        while (job := await buyer.job(job_id)) is None or job["statusText"] != "Filtering results":
            await asyncio.sleep(0.05)
    assert job["status"] == 50
    assert (await let_go(buyer, job_id))["status"] == 70
