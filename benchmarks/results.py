"""A large result through `computeResult`, in turns with the same file straight from its store.

The store of one machine is a folder, so "straight" is the lightest file server on it (sendfile). curl fetches both into
nothing.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from benchmarks.curl import MIB, mib_per_second
from benchmarks.figures import Figure, sample
from benchmarks.sendfile_server import serving
from ocean.client import Consumer
from provider_api.deploy.file_server import FileServer
from tests.support.chain import consumer as consumer_account
from tests.support.memory import peak_bytes, reset_peak
from tests.support.service import FREE, Buyer, Service, raw_python

LARGE_BYTES, ROUNDS = 1 << 30, 9
WRITES: Final = f"head -c {LARGE_BYTES} /dev/urandom > $OUTPUTS/large"


async def measure(place: Path) -> list[Figure]:
    contents = place / "rain.csv"
    contents.write_text("day,mm\n1,3\n")
    with (
        FileServer({"rain.csv": contents}) as files,
        Service(place / "data", allow_private=[files.address]) as service,
    ):
        network = await service.network()
        try:
            async with Consumer(service.url, consumer_account) as client:
                buyer = Buyer(service, network, client)
                dataset = await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True})
                return await _measure(service, client, await _large_result(buyer, dataset))
        finally:
            await network.close()


async def _large_result(buyer: Buyer, dataset: object) -> str:
    ordered, algorithm = await buyer.order([dataset], raw_python("# all is in the entrypoint", WRITES))  # type: ignore[list-item]
    started = await buyer.consumer.start(await buyer.consumer.start_request(FREE, ordered, algorithm))
    job = await buyer.finished(started["jobId"])
    assert job["results"][0] == {"filename": "large", "filesize": LARGE_BYTES, "type": "output", "index": 0}, job
    return str(job["jobId"])


async def _measure(service: Service, client: Consumer, job: str) -> list[Figure]:
    (stored,) = (path for path in (service.folder.results / job).rglob("*") if path.is_file() and "large" in path.name)
    pid = service.machine.child("api").pid
    assert pid is not None
    through, plain, growth = list[float](), list[float](), list[float]()
    with serving(stored) as port:
        source = f"http://127.0.0.1:{port}/{stored.name}"
        for _ in range(ROUNDS):
            plain.append(await asyncio.to_thread(mib_per_second, source, LARGE_BYTES))
            before, url = reset_peak(pid), await client.result_url(job, 0)
            through.append(await asyncio.to_thread(mib_per_second, url, LARGE_BYTES))
            growth.append((peak_bytes(pid) - before) / MIB)
    note = f"{LARGE_BYTES // MIB} MiB, at most {max(growth):.1f} MiB more memory"
    return [Figure("a result", "MiB/s", sample(through), "curl from its store", sample(plain), note)]
