"""What a job costs beyond its own programs: the job through the service, and its three steps run directly."""

from __future__ import annotations

import asyncio
import hashlib
import time
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, sample
from benchmarks.steps import Steps
from contract.job_spec import Algorithm
from ocean.client import Consumer
from ocean.ddo import DDO
from provider_api.deploy.file_server import FileServer
from tests.support.chain import consumer as consumer_account
from tests.support.service import FREE, Buyer, Service

RUNS = 5
POLL_SECONDS = 0.02  # a final status is seen so much later, at most
ALGORITHM = """
import os, pathlib, time
total = sum(len(path.read_bytes()) for path in pathlib.Path(os.environ["INPUTS"]).rglob("*") if path.is_file())
pathlib.Path(os.environ["OUTPUTS"], "total").write_text(str(total))
pathlib.Path(os.environ["OUTPUTS"], "ended").write_text(str(time.time()))
"""


async def measure(place: Path) -> list[Figure]:
    paths = {"rain.csv": place / "rain.csv", "algorithm.py": place / "algorithm.py"}
    paths["rain.csv"].write_text("day,mm\n1,3\n" * 1000)
    paths["algorithm.py"].write_text(ALGORITHM)
    jobs, available = list[float](), list[float]()
    parts: dict[str, list[float]] = {"configuration": [], "algorithm": [], "publishing": []}
    with FileServer(paths) as files, Service(place / "data", allow_private=[files.address]) as service:
        network = await service.network()
        async with Consumer(service.url, consumer_account) as client:
            buyer = Buyer(service, network, client)
            dataset = await buyer.publish(files.urls["rain.csv"])
            algorithm = await buyer.publish(files.urls["algorithm.py"], kind="algorithm")
            for run in range(RUNS + 1):
                seconds, until_results = await _job(buyer, dataset, algorithm, place)
                alone = await asyncio.to_thread(_directly, place / f"steps-{run}", files)
                if run:  # the first one warms up
                    jobs.append(seconds)
                    available.append(1000 * until_results)
                    for name in parts:
                        parts[name].append(alone[name])
        await network.close()
    direct = [sum(values) for values in zip(*parts.values(), strict=True)]
    shares = ", ".join(f"{name} {sample(values).median:.2f}" for name, values in parts.items())
    beyond = [1000 * (job - steps) for job, steps in zip(jobs, direct, strict=True)]
    return [
        Figure("a job, start to final status", "s", sample(jobs), "its three steps alone", sample(direct), shares),
        Figure("  beyond its own programs", "ms", sample(beyond), "them", sample(1000 * value for value in direct)),
        Figure(
            "algorithm's end to a result in hand",
            "ms",
            sample(available),
            "publishing alone",
            sample(1000 * value for value in parts["publishing"]),
        ),
    ]


async def _job(buyer: Buyer, dataset: DDO, algorithm: DDO, place: Path) -> tuple[float, float]:
    """Seconds from the accepted start to the final status; and from the algorithm's end until a result is here."""
    ordered, code = await buyer.order([dataset], algorithm)
    request = await buyer.consumer.start_request(FREE, ordered, code)
    started = await buyer.consumer.start(request)
    began = time.perf_counter()
    while True:
        (job,) = await buyer.consumer.status(started["jobId"])
        if job["dateFinished"] is not None:
            seconds = time.perf_counter() - began
            assert job["status"] == 70, job
            ended = float(await buyer.result(job, "ended", place))
            return seconds, time.time() - ended
        await asyncio.sleep(POLL_SECONDS)


def _directly(folder: Path, files: FileServer) -> dict[str, float]:
    digest = hashlib.sha256(ALGORITHM.encode()).hexdigest()
    source: dict[str, Any] = {"type": "url", "url": files.urls["algorithm.py"], "method": "GET"}
    steps = Steps(
        folder,
        files.address,
        [files.urls["rain.csv"]],
        Algorithm(did="did:op:" + "02" * 32, files=(source,), sha256=(digest,), entrypoint="python $ALGO"),
    )
    seconds = {}
    for name in ("configuration", "algorithm", "publishing"):
        began = time.perf_counter()
        getattr(steps, name)()
        seconds[name] = time.perf_counter() - began
    return seconds
