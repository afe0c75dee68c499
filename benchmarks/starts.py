"""Validated starts, `initializeCompute`, the root document: how many per second, and the chain calls of each.

Beside them the bare chain reads of a start, and an application that only answers; then where the time of a start goes.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from benchmarks import calls, parts
from benchmarks.bare_app import answering
from benchmarks.calls import Calls
from benchmarks.figures import Figure, sample
from benchmarks.load import LANES, Call, fetch, http, per_second
from benchmarks.orders import PAID_SECONDS, prepare_starts
from benchmarks.service import forget_jobs, waiting_service
from ocean.chain.network import Network
from ocean.client import Consumer
from ocean.ddo import DDO
from provider_api.deploy.file_server import FileServer
from tests.support.chain import consumer as consumer_account
from tests.support.service import PAID, Buyer, Service

# runs; starts of each lane in a run; starts one at a time; to warm up; to count their chain calls
RUNS, STARTS, ALONE, WARM, COUNTED = 5, 10, 20, 3, 2
QUOTES, ROOTS, READS = 25, 250, 50  # of each lane in a run
JSON = {"content-type": "application/json"}
Body = dict[str, Any]


async def measure(place: Path) -> list[Figure]:
    async with prepared_requests(place, WARM + RUNS * STARTS + COUNTED + 2 * ALONE // LANES) as (requests, network):
        return await _measure(requests, network)


@asynccontextmanager
async def prepared_requests(place: Path, each: int) -> AsyncIterator[tuple[Requests, Network]]:
    """A service whose jobs wait, with a dataset, an algorithm, and `each` paid starts of every lane."""
    contents = place / "rain.csv"
    contents.write_text("day,mm\n1,3\n")
    with FileServer({"rain.csv": contents}) as files, waiting_service(place, [files.address]) as service:
        network = await service.network()
        try:
            async with Consumer(service.url, consumer_account) as client:
                buyer = Buyer(service, network, client)
                dataset = await buyer.publish(files.urls["rain.csv"])
                algorithm = await buyer.publish(files.urls["rain.csv"], kind="algorithm")
            prepared = await prepare_starts(service, network, dataset, algorithm, each)
            async with http() as session:
                lanes = [iter(lane) for lane in prepared.lanes]
                yield Requests(service, session, (dataset, algorithm), lanes), network
        finally:
            await network.close()


class Requests:
    """The requests to measure. Starts are used up."""

    def __init__(
        self, service: Service, session: ClientSession, assets: tuple[DDO, DDO], lanes: list[Iterator[Body]]
    ) -> None:
        self.service, self.session, self.assets, self.lanes = service, session, assets, lanes
        references = [{"documentId": asset.id, "serviceId": asset.services[0].id} for asset in assets]
        quote = {
            "datasets": references[:1],
            "algorithm": references[1],
            "compute": {"env": PAID, "validUntil": int(time.time()) + PAID_SECONDS},
            "consumerAddress": consumer_account.address,
        }
        self.root: Call = partial(fetch, session, "GET", service.url + "/", must="providerAddresses")
        self.quote = self._post("initializeCompute", quote, "providerFee")

    def starts(self, count: int) -> list[list[Call]]:
        """So many new ones of each lane."""
        return [[self._post("compute", next(lane), "jobId") for _ in range(count)] for lane in self.lanes]

    def _post(self, path: str, body: Body, must: str) -> Call:
        url = f"{self.service.url}/api/services/{path}"
        return partial(fetch, self.session, "POST", url, data=json.dumps(body).encode(), headers=JSON, must=must)


async def _measure(requests: Requests, network: Network) -> list[Figure]:
    service, session = requests.service, requests.session
    found: dict[str, list[float]] = {name: [] for name in ("starts", "quotes", "roots", "bare", "reads")}
    reads: Call = partial(_bare_reads, network, requests.assets, "0x" + "ab" * 32)
    with answering(len(await fetch(session, "GET", service.url + "/"))) as bare_url:
        bare: Call = partial(fetch, session, "GET", bare_url)
        await per_second(requests.starts(WARM))
        for run in range(RUNS + 1):
            await forget_jobs(service, session)
            rates = {
                "quotes": await per_second([[requests.quote] * QUOTES] * LANES),
                "roots": await per_second([[requests.root] * ROOTS] * LANES),
                "bare": await per_second([[bare] * ROOTS] * LANES),
                "reads": await per_second([[reads] * READS] * LANES),
            }
            if run:  # the first one warms up
                rates["starts"] = await per_second(requests.starts(STARTS))
                for name, rate in rates.items():
                    found[name].append(rate)
    alone = await _alone(requests)
    counted = await _counted(requests)
    steps = await parts.measure(service, [next(lane) for lane in requests.lanes for _ in range(ALONE // LANES)])
    whole, roots = sample(alone), sample(found["roots"])
    starts, quotes, bare_reads = (sample(found[name]) for name in ("starts", "quotes", "reads"))
    return [
        Figure("validated starts", "/s", starts, "root document", roots, f"each {counted['starts']}"),
        Figure("validated starts", "/s", starts, "bare chain reads of a start", bare_reads, f"{LANES} at a time"),
        Figure("initializeCompute", "/s", quotes, "root document", roots, f"each {counted['quotes']}"),
        Figure("initializeCompute", "/s", quotes, "bare chain reads of a start", bare_reads, f"{LANES} at a time"),
        Figure("root document", "/s", roots, "bare uvicorn", sample(found["bare"]), f"each {counted['roots']}"),
        *(
            Figure(f"  of a start: {title}", "ms", sample(steps[name]), "one start alone, HTTP", whole)
            for name, title in parts.PARTS.items()
        ),
    ]


async def _alone(requests: Requests) -> list[float]:
    """Milliseconds of starts one after the other."""
    milliseconds = []
    await forget_jobs(requests.service, requests.session)
    for call in (call for lane in requests.starts(ALONE // LANES) for call in lane):
        began = time.perf_counter()
        await call()
        milliseconds.append(1000 * (time.perf_counter() - began))
    await forget_jobs(requests.service, requests.session)
    return milliseconds


async def _counted(requests: Requests) -> dict[str, Calls]:
    async with calls.counting(requests.service) as proxy:
        starts = [call for lane in requests.starts(COUNTED) for call in lane]
        await requests.quote()  # what is asked once is asked now
        return {
            "starts": await calls.each(proxy, starts),
            "quotes": await calls.each(proxy, [requests.quote] * len(starts)),
            "roots": await calls.each(proxy, [requests.root] * len(starts)),
        }


async def _bare_reads(network: Network, assets: tuple[DDO, DDO], tx_hash: str) -> None:
    """The questions about a dataset and an algorithm, without anything made of the answers."""

    async def one(asset: DDO) -> None:
        await network.read_nft(asset.nft_address)
        await network.read_order(asset.nft_address, asset.services[0].datatoken_address, tx_hash)

    await asyncio.gather(*(one(asset) for asset in assets))
