"""One service on two Argo Servers: jobs go where their environment is, and one server's absence is felt only there."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from argo.client.servers import TEMPLATES_SECONDS
from ocean.client import ConsumerError
from ocean.ddo import DDO
from ocean.keys import address_of
from provider_api.deploy.file_server import FileServer
from tests.support.argo_server import ArgoServer
from tests.support.chain import consumer
from tests.support.service import FREE, PAID, Buyer, Service, raw_python
from tests.support.stages import WAIT, until
from tests.support.two_servers import second_server, write_manifests

pytestmark = pytest.mark.integration

SOON = 60  # seconds until everybody has noticed a server's absence, or its return
SILENCE_SECONDS = 120  # after which one that hangs is given up; lists do not wait for so long


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Manifests of the free environment in `first`, of the other one in `second`."""
    folder = tmp_path_factory.mktemp("servers")
    write_manifests(folder)
    return folder


@pytest.fixture(scope="module")
def second(folder: Path) -> Iterator[ArgoServer]:
    """Server 01. Both share one result store, as they must."""
    server = second_server(folder)
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def service(folder: Path, files: FileServer, second: ArgoServer) -> Iterator[Service]:
    other = {"url": second.url, "token_file": str(second.data / "token"), "namespace": "jobs"}
    other |= {"timeout_seconds": str(SILENCE_SECONDS)}
    with Service(
        folder / "service",
        allow_private=[files.address],
        settings={
            "C2D_ARGO_SERVERS": json.dumps({"01": other}),
            "C2D_LIMITS__CLAIM_LEASE_SECONDS": str(2 * SILENCE_SECONDS),
        },
        manifests=folder / "first" / "base",
    ) as running:
        yield running


@pytest.fixture
async def dataset(buyer: Buyer, files: FileServer) -> DDO:
    return await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True})


async def environments(buyer: Buyer) -> set[str]:
    return {found["id"] for found in await buyer.consumer.environments(buyer.network.chain_id)}


async def refused(call: object) -> int:
    with pytest.raises(ConsumerError) as refusal:
        await call  # type: ignore[misc]
    return refusal.value.status


async def test_jobs_go_where_their_environment_is(
    service: Service, second: ArgoServer, buyer: Buyer, dataset: DDO, tmp_path: Path
) -> None:
    assert await environments(buyer) == {FREE, PAID}
    requests = {}
    for environment in (FREE, PAID):
        ordered, algorithm = await buyer.order([dataset], raw_python("print('hello')"), environment=environment)
        requests[environment] = await buyer.consumer.start_request(environment, ordered, algorithm)
    started = {name: (await buyer.consumer.start(request))["jobId"] for name, request in requests.items()}
    assert {name: job_id[:2] for name, job_id in started.items()} == {FREE: "00", PAID: "01"}
    for job_id in started.values():
        job = await buyer.finished(job_id)
        assert (job["status"], job["owner"]) == (70, address_of(consumer))
        assert await buyer.result(job, "algorithm.log", tmp_path) == b"hello\n"
    assert {job["jobId"] for job in await buyer.consumer.status()} == set(started.values())
    assert (await buyer.consumer.start(requests[PAID]))["jobId"] == started[PAID]
    async with second.client() as http:
        assert (await http.get(f"/api/v1/workflows/jobs/{started[PAID]}")).status_code == 200
        assert (await http.get(f"/api/v1/workflows/jobs/{started[FREE]}")).status_code == 404
    assert await buyer.consumer.status("ff" + started[FREE][2:]) == []
    await buyer.consumer.delete(started[PAID])
    assert {job["jobId"] for job in await buyer.consumer.status()} == {started[FREE]}


async def test_a_server_that_is_away_hides_its_environments_and_no_more(
    service: Service, second: ArgoServer, buyer: Buyer, dataset: DDO, tmp_path: Path
) -> None:
    algorithms = [raw_python(code) for code in (WAIT, "print('here')", "print('later')")]
    orders = [
        await buyer.order([dataset], algorithm, environment=name)
        for name, algorithm in zip((PAID, FREE, PAID), algorithms, strict=True)
    ]
    waiting = await buyer.consumer.start_request(PAID, *orders[0])
    job_id = (await buyer.consumer.start(waiting))["jobId"]
    outputs = second.data / "volumes" / f"{job_id}-data" / "outputs"
    await until(outputs.exists, "the algorithm may begin")

    second.kill()
    await until(lambda: only(buyer, {FREE}), "its environment is hidden", SOON)
    assert await refused(buyer.consumer.status(job_id)) == 503
    assert await refused(buyer.consumer.start(waiting)) == 503
    assert await refused(buyer.consumer.stop("")) == 503  # all of the owner's: not without knowing them
    listed = [job["jobId"] for job in await buyer.consumer.status()]
    assert job_id not in listed
    here = await buyer.consumer.start(await buyer.consumer.start_request(FREE, *orders[1]))
    job = await buyer.finished(here["jobId"])
    assert await buyer.result(job, "algorithm.log", tmp_path) == b"here\n"
    later = await buyer.consumer.start_request(PAID, *orders[2])
    assert await refused(buyer.consumer.start(later)) == 503

    await asyncio.to_thread(second.start)
    await until(lambda: only(buyer, {FREE, PAID}), "its environment is back", SOON)
    assert (await buyer.consumer.start(waiting))["jobId"] == job_id
    (outputs / "go").touch()
    assert (await buyer.finished(job_id))["status"] == 70
    # A new request with a later nonce, since the free job used one meanwhile.
    fresh = await buyer.consumer.start_request(PAID, *orders[2])
    job = await buyer.finished((await buyer.consumer.start(fresh))["jobId"])
    assert await buyer.result(job, "algorithm.log", tmp_path) == b"later\n"


async def test_a_server_that_hangs_slows_nobody_else(second: ArgoServer, buyer: Buyer, dataset: DDO) -> None:
    order = await buyer.order([dataset], raw_python("print('here')"), environment=FREE)
    assert second.process is not None
    second.process.send_signal(signal.SIGSTOP)
    try:
        await until(lambda: only(buyer, {FREE}), "its environment is hidden", SOON)
        for _ in range(3):
            async with asyncio.timeout(SILENCE_SECONDS / 2):
                assert await only(buyer, {FREE})
            await asyncio.sleep(0.9)
        started = await buyer.consumer.start(await buyer.consumer.start_request(FREE, *order))
        assert (await buyer.finished(started["jobId"]))["status"] == 70
    finally:
        second.process.send_signal(signal.SIGCONT)
    await until(lambda: only(buyer, {FREE, PAID}), "its environment is back", SOON + TEMPLATES_SECONDS)


async def only(buyer: Buyer, wanted: set[str]) -> bool:
    return await environments(buyer) == wanted
