"""Jobs that wait at a chosen step, and what must be true of a job whatever died meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx

from ocean.client import ConsumerError
from ocean.ddo import DDO
from provider_api.deploy.folder import DataFolder
from tests.support.data_owner import DataOwner, Served
from tests.support.processes import pods_of
from tests.support.service import FREE, Buyer, raw_python

T = TypeVar("T")

# Each run leaves a line, so that a second run would show.
COUNT = "import os, pathlib, time; out = pathlib.Path(os.environ['OUTPUTS'])\n" + (
    "with open(out / 'runs', 'a') as file: file.write('ran\\n')\nprint('ran', flush=True)\n"
)
WAIT = (
    COUNT
    + "end = time.monotonic() + 600\nwhile not (out / 'go').exists() and time.monotonic() < end: time.sleep(0.02)\n"
)
MANY_FILES = 1500
MANY = COUNT + f"for n in range({MANY_FILES}): (out / f'{{n:05}}').write_text(str(n))\n"


async def until(condition: Callable[[], Awaitable[Any] | Any], what: str, seconds: float = 60) -> None:
    """Wait for a condition (a function, or one that returns an awaitable)."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if await found if isinstance(found, Awaitable) else found:
            return
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.03)


async def publish(buyer: Buyer, url: str) -> DDO:
    return await buyer.publish(url, compute={"allowRawAlgorithm": True})


async def request_for(buyer: Buyer, dataset: DDO, code: str) -> dict[str, Any]:
    """A signed start, ordered and paid."""
    ordered, algorithm = await buyer.order([dataset], raw_python(code))
    return await buyer.consumer.start_request(FREE, ordered, algorithm)


async def at_last(ask: Callable[[], Awaitable[T]], seconds: float = 200) -> T:
    """Ask until there is an answer. While parts are away, only 503 or no answer at all is right."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                return await ask()
            except httpx.TransportError:
                pass
            except ConsumerError as refusal:
                if refusal.status != 503:
                    raise
            await asyncio.sleep(0.05)


async def start_at_last(buyer: Buyer, request: dict[str, Any], seconds: float = 200) -> dict[str, Any]:
    """Send the identical request until it is answered."""
    return await at_last(lambda: buyer.consumer.start(request), seconds)


async def start_in_order(buyer: Buyer, requests: list[dict[str, Any]]) -> list[str]:
    """One after the other, as their nonces rise."""
    return [(await start_at_last(buyer, request))["jobId"] for request in requests]


async def status_is(buyer: Buyer, job_id: str, number: int) -> bool:
    job = await buyer.job(job_id)
    return job is not None and job["status"] == number


async def assert_ran_once(buyer: Buyer, job_id: str, folder: Path) -> dict[str, Any]:
    """The job has its right end, with its results, after one run of its algorithm."""
    job = await buyer.finished(job_id)
    assert (job["status"], job["statusText"], job["reason"], job["exitCode"]) == (70, "Job finished", "completed", 0)
    assert await buyer.result(job, "runs", folder) == b"ran\n"
    assert await buyer.result(job, "algorithm.log", folder) == b"ran\n"
    logs = [result["type"] for result in job["results"] if result["type"] != "output"]
    assert logs == ["algorithmLog", "configrationLog", "publishLog", "passport"]
    return job


async def assert_nothing_left(folder: DataFolder) -> None:
    """No process of a pod, no volume, no secret that a pod had."""
    await until(lambda: not pods_of(folder), "pods have ended")
    await until(lambda: not list((folder.argo / "volumes").iterdir()), "volumes are removed")
    await until(lambda: not [*folder.argo.glob("files/*/secrets"), *folder.argo.glob("files/*/inputs")], "no secrets")


def outputs_of(folder: DataFolder, job_id: str) -> Path:
    return folder.argo / "volumes" / f"{job_id}-data" / "outputs"


@dataclass
class AtEveryStep:
    """Three jobs: one whose input is held back, one whose algorithm waits, one that publishes very many outputs."""

    requests: list[dict[str, Any]]
    slow: Served  # the input of the first
    outputs: Path  # of the second
    configuring: str
    running: str
    publishing: str

    @classmethod
    async def start(cls, buyer: Buyer, owner: DataOwner, folder: DataFolder) -> Self:
        slow, quick = owner.serve("1,2\n"), owner.serve("3,4\n")
        slow_data, quick_data = await publish(buyer, slow.url), await publish(buyer, quick.url)
        wanted = [(slow_data, COUNT), (quick_data, WAIT), (quick_data, MANY)]
        requests = [await request_for(buyer, dataset, code) for dataset, code in wanted]
        slow.hold()
        configuring, running = [(await buyer.consumer.start(request))["jobId"] for request in requests[:2]]
        await until(lambda: slow.requests == 1, "the input is asked for")
        outputs = outputs_of(folder, running)
        await until((outputs / "runs").exists, "the algorithm has left its line")
        assert await status_is(buyer, running, 40)
        publishing = (await buyer.consumer.start(requests[2]))["jobId"]
        await until(lambda: status_is(buyer, publishing, 60), "it publishes")
        return cls(requests, slow, outputs, configuring, running, publishing)

    @property
    def jobs(self) -> list[str]:
        return [self.configuring, self.running, self.publishing]

    def release_input(self) -> None:
        self.slow.release()

    def release_algorithm(self) -> None:
        (self.outputs / "go").touch()
