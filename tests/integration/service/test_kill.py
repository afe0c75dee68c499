"""kill -9 of the API, of the embedded Argo server, of both and of the chain's node, while jobs are under way.

Each kill meets one job at each step: the data owner holds the input of the first back, the algorithm of the second
waits for a file, the third publishes very many outputs. Pods outlive the servers; they may end before or after the
machine has started its parts again.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

from ocean.chain.network import Network
from ocean.client import Consumer, ConsumerError
from ocean.ddo import DDO
from provider_api.machine.folder import DataFolder
from tests.support.chain import consumer, free_port, provider
from tests.support.data_owner import DataOwner
from tests.support.processes import find_process, pods_of, processes
from tests.support.service import FREE, Buyer, Service, raw_python

pytestmark = pytest.mark.integration
Part = Literal["api", "argo"]

# Each run leaves a line, so that a second run would show.
COUNT = "import os, pathlib, time; out = pathlib.Path(os.environ['OUTPUTS'])\n" + (
    "with open(out / 'runs', 'a') as file: file.write('ran\\n')\nprint('ran', flush=True)\n"
)
WAIT = (
    COUNT
    + "end = time.monotonic() + 60\nwhile not (out / 'go').exists() and time.monotonic() < end: time.sleep(0.02)\n"
)
MANY_FILES = 2500
MANY = COUNT + f"for n in range({MANY_FILES}): (out / f'{{n:05}}').write_text(str(n))\n"


@pytest.fixture(scope="module")
def owner() -> Iterator[DataOwner]:
    with DataOwner() as server:
        yield server


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, owner: DataOwner) -> Iterator[Service]:
    """One of our own: what is killed here is nobody else's."""
    with Service(tmp_path_factory.mktemp("killed"), allow_private=[owner.address]) as running:
        yield running


@pytest.fixture
async def buyer(service: Service) -> AsyncIterator[Buyer]:
    network = await service.network()
    async with Consumer(service.url, consumer) as client:
        yield Buyer(service, network, client)
    await network.close()


async def until(condition: Callable[[], Awaitable[Any] | Any], what: str, seconds: float = 20) -> None:
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


async def start_at_last(buyer: Buyer, request: dict[str, Any]) -> dict[str, Any]:
    """Send the identical request until it is answered. While parts are away, only 503 or no answer at all is right."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await buyer.consumer.start(request)
            except httpx.TransportError:
                pass
            except ConsumerError as refusal:
                if refusal.status != 503:
                    raise
            await asyncio.sleep(0.05)


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
    assert logs == ["algorithmLog", "configrationLog", "publishLog"]
    return job


async def assert_nothing_left(service: Service) -> None:
    """No process of a pod, no volume, no secret that a pod had."""
    argo = service.folder.argo
    await until(lambda: not pods_of(service.folder), "pods have ended")
    await until(lambda: not list((argo / "volumes").iterdir()), "volumes are removed")
    await until(lambda: not [*argo.glob("files/*/secrets"), *argo.glob("files/*/inputs")], "secrets are removed")


@pytest.mark.parametrize(
    ("parts", "while_away"),
    [(("api",), "input"), (("argo",), "both"), (("api", "argo"), "algorithm")],
)
async def test_jobs_at_every_step_survive(
    service: Service, buyer: Buyer, owner: DataOwner, tmp_path: Path, parts: tuple[Part, ...], while_away: str
) -> None:
    """`while_away`: which of the waiting pods may end before the parts are back; the others end afterwards."""
    slow, quick = owner.serve("1,2\n"), owner.serve("3,4\n")
    slow_data, quick_data = await publish(buyer, slow.url), await publish(buyer, quick.url)
    wanted = [(slow_data, COUNT), (quick_data, WAIT), (quick_data, MANY)]
    requests = [await request_for(buyer, dataset, code) for dataset, code in wanted]
    slow.hold()
    configuring, running = [(await buyer.consumer.start(request))["jobId"] for request in requests[:2]]
    await until(lambda: slow.requests == 1, "the input is asked for")
    await until(lambda: status_is(buyer, running, 40), "the algorithm runs")
    publishing = (await buyer.consumer.start(requests[2]))["jobId"]
    outputs = service.folder.argo / "volumes" / f"{running}-data" / "outputs"
    await until((outputs / "runs").exists, "the algorithm has left its line")
    await until(lambda: status_is(buyer, publishing, 60), "it publishes")

    service.kill(*parts)
    pods = {"input": slow.release, "algorithm": (outputs / "go").touch}
    for name in [name for name in pods if while_away in (name, "both")]:
        pods.pop(name)()
    await service.wait_ready()
    for let_go in pods.values():
        let_go()
    again = [await start_at_last(buyer, request) for request in requests]

    jobs = [configuring, running, publishing]
    assert [job["jobId"] for job in again] == jobs
    ended = [await assert_ran_once(buyer, job_id, tmp_path) for job_id in jobs]
    assert sum(result["type"] == "output" for result in ended[2]["results"]) == MANY_FILES + 1
    assert slow.requests == 1  # the pod that was downloading went on
    repeated = [await buyer.consumer.start(request) for request in requests]
    ends = [(job["jobId"], job["dateFinished"]) for job in ended]
    assert [(job["jobId"], job["dateFinished"]) for job in repeated] == ends
    await assert_nothing_left(service)


async def test_killed_at_random_moments(service: Service, buyer: Buyer, owner: DataOwner, tmp_path: Path) -> None:
    """Starts, steps and ends are hit wherever they are; who repeats the identical start has one job each."""
    seed = random.randrange(10**6)  # noqa: S311
    print("seed", seed)
    dice = random.Random(seed)  # noqa: S311
    data = await publish(buyer, owner.serve("5,6\n").url)
    jobs: list[str] = []
    for _ in range(3):
        requests = [await request_for(buyer, data, COUNT) for _ in range(3)]
        starting = asyncio.create_task(start_in_order(buyer, requests))
        await asyncio.sleep(dice.choice([0.0, 0.02, 0.05, 0.3, 0.6, 1.0]) * (0.5 + dice.random()))
        service.kill(*dice.choice([("api",), ("argo",), ("api", "argo")]))
        first = await starting
        assert await start_in_order(buyer, requests) == first
        jobs += first
        await service.wait_ready()
    for job_id in jobs:
        await assert_ran_once(buyer, job_id, tmp_path)
    assert len(set(jobs)) == len(jobs)
    mine = [job["jobId"] for job in await buyer.consumer.status() if job["inputDID"] == [data.id]]
    assert sorted(mine) == sorted(jobs)
    await assert_nothing_left(service)


async def test_the_chain_is_away_for_a_while(service: Service, buyer: Buyer, owner: DataOwner, tmp_path: Path) -> None:
    """A start needs the chain: 503 while its node is away, and nothing is claimed. Jobs go on without it."""
    data = await publish(buyer, owner.serve("7,8\n").url)
    running, later = [await request_for(buyer, data, code) for code in (WAIT, COUNT)]
    job_id = (await buyer.consumer.start(running))["jobId"]
    state = service.folder.chain / "chain.json"
    ordered_at = time.time()
    await until(lambda: state.stat().st_mtime > ordered_at + 0.1, "the chain's state is on disk")

    pid = find_process(str(state))
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(ConsumerError) as refused:
        await buyer.consumer.start(later)
    assert refused.value.status == 503
    assert int(refused.value.headers["retry-after"]) > 0
    assert await buyer.job(job_id) is not None
    await until(lambda: find_process(str(state)) not in (None, pid), "the node is started again")
    second = await start_at_last(buyer, later)

    outputs = service.folder.argo / "volumes" / f"{job_id}-data" / "outputs"
    await until((outputs / "runs").exists, "the algorithm runs")
    (outputs / "go").touch()
    await assert_ran_once(buyer, job_id, tmp_path)
    await assert_ran_once(buyer, second["jobId"], tmp_path)


class Serve:
    """`c2d serve` as an operator runs it: one process on a port of its own, started again and again on one folder."""

    def __init__(self, folder: Path, owner: DataOwner) -> None:
        self.folder = DataFolder(folder)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._output = folder.with_name("serve.log")
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("C2D_")},
            "C2D_SERVER__PORT": str(port),
            "C2D_PROVIDER__KEY": "0x" + bytes(provider.key).hex(),
            "C2D_OUTGOING__ALLOW_PRIVATE": json.dumps([owner.address]),
        }
        self._words = [
            sys.executable,
            "-c",
            "from provider_api.cli import main; main()",
            "serve",
            "--data",
            str(folder),
        ]

    async def start(self) -> asyncio.subprocess.Process:
        with self._output.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *self._words, env=self._environment, stdout=output, stderr=output, start_new_session=True
            )
        await until(lambda: process.returncode is not None or "Ctrl-C ends it." in self.output(), "it serves", 60)
        assert process.returncode is None, self.output()
        return process

    def output(self) -> str:
        return self._output.read_text()

    async def network(self) -> Network:
        found = re.search(r"^chain +(http\S+)", self.output(), re.MULTILINE)
        assert found is not None, self.output()
        return await Network.open(found[1], self.folder.chain / "address.json")


async def test_the_whole_machine_ends_and_starts_again(owner: DataOwner, tmp_path: Path) -> None:
    """SIGTERM, the operator's way, and kill -9 of the process that keeps all parts: jobs go on, and end right."""
    serve = Serve(tmp_path / "data", owner)
    first = await serve.start()
    async with Consumer(serve.url, consumer) as client:
        buyer = Buyer(serve, await serve.network(), client)  # type: ignore[arg-type]
        data = await publish(buyer, owner.serve("9,9\n").url)
        one = await request_for(buyer, data, WAIT)
        before = (await client.start(one))["jobId"]
        outputs = serve.folder.argo / "volumes" / f"{before}-data" / "outputs"
        await until((outputs / "runs").exists, "the algorithm runs")
        first.terminate()
        assert await asyncio.wait_for(first.wait(), 30) == 0
        assert _only_pods(serve.folder)
        assert pods_of(serve.folder)
        (outputs / "go").touch()
        await until(lambda: not pods_of(serve.folder), "the pod ends with nobody around")

        await buyer.network.close()
        second = await serve.start()
        buyer.network = await serve.network()
        assert (await client.start(one))["jobId"] == before
        await assert_ran_once(buyer, before, tmp_path)
        after = (await client.start(await request_for(buyer, data, WAIT)))["jobId"]
        outputs = serve.folder.argo / "volumes" / f"{after}-data" / "outputs"
        await until((outputs / "runs").exists, "the algorithm runs")
        second.kill()
        await second.wait()
        await until(lambda: _only_pods(serve.folder), "the parts end when nobody keeps them")

        third = await serve.start()
        (outputs / "go").touch()
        await assert_ran_once(buyer, after, tmp_path)
        assert (await client.start(one))["jobId"] == before
        await assert_nothing_left(serve)  # type: ignore[arg-type]
    await buyer.network.close()
    third.terminate()
    assert await asyncio.wait_for(third.wait(), 30) == 0
    assert _only_pods(serve.folder)


def _only_pods(folder: DataFolder) -> bool:
    """No part of the service lives: the API has the folder in its settings, the others in their command line."""
    place = str(folder.root).encode()
    pods = {seen.pid for seen in pods_of(folder)}
    return not [p for p in processes() if (place in p.cmdline or place in p.environ) and p.pid not in pods]
