"""1,000 viewers of 50 jobs beside 50 viewers of 50 jobs: how soon they are told, what they cost Argo and the memory.

The jobs wait in a queue in which nothing moves. Each is terminated at the Argo server itself, so that the service
learns of it as of anything that happens to a job, and every viewer notes when it is told.
"""

from __future__ import annotations

import asyncio
import json
import resource
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientSession

from benchmarks.figures import Figure, sample
from benchmarks.load import fetch, http
from benchmarks.service import argo_headers, waiting_service, workflows_url
from contract import names
from ocean.client import Consumer
from provider_api.calls.tokens import encode
from provider_api.deploy.addresses import free_port
from provider_api.deploy.file_server import FileServer
from provider_api.keys import keys_of
from tests.support.chain import consumer as consumer_account
from tests.support.chain import provider as provider_account
from tests.support.service import FREE, Buyer, Service, raw_python

JOBS: Final = 50
VIEWERS: Final = (JOBS, 1000)
WINDOW_SECONDS: Final = 30.0  # in which calls to Argo are counted, ends of jobs included
SETTLE_SECONDS: Final = 5.0
_FILES: Final = 8192  # open ones: each connection is one, on both sides


Told = list[tuple[str, float]]


@dataclass
class Measured:
    seconds: list[float] = field(default_factory=list)  # from the end of a job until a viewer is told
    calls: float = 0.0  # reads of single jobs at Argo in a window
    resident: float = 0.0  # bytes of the API with all viewers, beyond none


async def measure(place: Path) -> list[Figure]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    port = free_port()
    settings = {
        "C2D_LIVE__VIEWERS": "2000",
        "C2D_LIVE__VIEWERS_EACH": "2000",
        "C2D_SERVER__MAX_CONNECTIONS": "4000",
        "C2D_SERVER__MAX_CONNECTIONS_EACH": "4000",
        "C2D_METRICS__PORT": str(port),
    }
    contents = place / "rain.csv"
    contents.write_text("day,mm\n1,3\n")
    with (
        FileServer({"rain.csv": contents}) as files,
        waiting_service(place, [files.address], settings) as service,
    ):
        model = await _one_job(service, files.urls["rain.csv"])
        few, many = [await _run(service, model, port, count) for count in VIEWERS]
    note = f"{VIEWERS[1]:,} viewers of {JOBS} jobs; that: {VIEWERS[0]} of {JOBS}"
    extra = (many.resident - few.resident) / (VIEWERS[1] - VIEWERS[0]) / 1000
    return [
        Figure(
            f"viewers: told of an end, {name}",
            "ms",
            sample([1000 * of(many.seconds)]),
            "one viewer of each job",
            sample([1000 * of(few.seconds)]),
            note,
        )
        for name, of in (("median", statistics.median), ("99 of 100", _last_hundredth))
    ] + [
        Figure("viewers: reads of jobs at Argo", "calls", sample([many.calls]), "likewise", sample([few.calls]), note),
        Figure("viewers: memory of one more", "kB", sample([extra]), "what it may take", sample([50.0]), note),
    ]


async def _run(service: Service, model: dict[str, Any], port: int, viewers: int) -> Measured:
    found = Measured()
    async with http() as session:
        jobs = [await _another(service, session, model, viewers * 1000 + number) for number in range(JOBS)]
        before = _resident(service)
        async with _watching(service, jobs, viewers) as (told, lanes):
            await asyncio.sleep(SETTLE_SECONDS)
            found.resident = _resident(service) - before
            calls, began = await _reads(session, port), time.monotonic()
            ends: dict[str, float] = {}
            for job in jobs:
                ends[job] = time.perf_counter()
                url = f"{workflows_url(service)}/{job}/terminate"
                await fetch(session, "PUT", url, headers=argo_headers(service), json={"name": job, "namespace": "jobs"})
                await asyncio.sleep(0.05)
            await asyncio.wait(lanes, timeout=60)
            assert len(told) == viewers, f"{len(told)} of {viewers} were told"
            await asyncio.sleep(max(0.0, WINDOW_SECONDS - (time.monotonic() - began)))
            found.calls = await _reads(session, port) - calls
            found.seconds = [moment - ends[job] for job, moment in told]
    return found


@asynccontextmanager
async def _watching(
    service: Service, jobs: list[str], viewers: int
) -> AsyncIterator[tuple[Told, list[asyncio.Task[None]]]]:
    """When which job's viewers were told of its end, and what follows it: each ends with that."""
    key = keys_of("0x" + bytes(provider_account.key).hex()).token
    token = encode(consumer_account.address, int(time.time()) + 3600, key)
    told: Told = []
    async with http() as session:
        ready = asyncio.Semaphore(0)
        lanes = [
            asyncio.create_task(_view(session, service.url, jobs[number % len(jobs)], token, told, ready))
            for number in range(viewers)
        ]
        try:
            async with asyncio.timeout(120):
                for _ in range(viewers):
                    await ready.acquire()
            yield told, lanes
        finally:
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)


async def _view(
    session: ClientSession,
    url: str,
    job: str,
    token: str,
    told: Told,
    ready: asyncio.Semaphore,
) -> None:
    async with session.get(f"{url}/api/v1/jobs/{job}/events", headers={"AuthToken": token}) as response:
        assert response.status == 200, await response.text()
        first = True
        async for line in response.content:
            if line.startswith(b"data:") and b'"statusText"' in line:
                if first:
                    ready.release()
                    first = False
                if b'"removed":1' in line:
                    told.append((job, time.perf_counter()))
                    return


async def _one_job(service: Service, url: str) -> dict[str, Any]:
    """The workflow of a job that waits, as the Argo server has it."""
    network = await service.network()
    try:
        async with Consumer(service.url, consumer_account) as client:
            buyer = Buyer(service, network, client)
            dataset = await buyer.publish(url, compute={"allowRawAlgorithm": True})
            ordered, algorithm = await buyer.order([dataset], raw_python("print('hello')"))
            started = await client.start(await client.start_request(FREE, ordered, algorithm))
    finally:
        await network.close()
    async with http() as session:
        address = f"{workflows_url(service)}/{started['jobId']}"
        found: dict[str, Any] = json.loads(await fetch(session, "GET", address, headers=argo_headers(service)))
    return found


async def _another(service: Service, session: ClientSession, model: dict[str, Any], number: int) -> str:
    """One more job like it, straight at the Argo server: an account may not have so many."""
    metadata, spec = model["metadata"], model["spec"]
    name = f"00{number:030x}"
    labels = {key: value for key, value in metadata["labels"].items() if key.startswith(names.PREFIX)}
    workflow = {
        "metadata": {"name": name, "namespace": "jobs", "labels": labels, "annotations": metadata["annotations"]},
        "spec": {key: spec[key] for key in ("workflowTemplateRef", "arguments", "entrypoint") if key in spec},
    }
    body = {"workflow": workflow}
    await fetch(session, "POST", workflows_url(service), headers=argo_headers(service), json=body, must=name)
    return name


async def _reads(session: ClientSession, port: int) -> float:
    """How often the service has read a single job."""
    text = (await fetch(session, "GET", f"http://127.0.0.1:{port}/metrics")).decode()
    wanted = 'c2d_neighbour_call_seconds_count{neighbour="argo",operation="get"}'
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(wanted))


def _resident(service: Service) -> float:
    """Bytes of the API's process."""
    status = Path(f"/proc/{service.machine.child('api').pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return 1024.0 * int(line.split()[1])


def _last_hundredth(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99) - 1]
