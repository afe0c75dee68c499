"""How many chain calls a request costs, counted where they arrive: at a proxy between the API and its node."""

from __future__ import annotations

import json
import statistics
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from benchmarks.load import Call
from tests.support.rpc_proxy import RpcProxy, rpc_proxy
from tests.support.service import Service


@dataclass(frozen=True, slots=True)
class Calls:
    """Of one request, the median of several: the index asks the node beside them, now and then."""

    calls: float  # JSON-RPC, also those inside batches
    requests: float  # HTTP, to the node

    def __str__(self) -> str:
        return f"{self.calls:.0f} chain calls in {self.requests:.0f} requests"


@asynccontextmanager
async def counting(service: Service) -> AsyncIterator[RpcProxy]:
    """The API is started again with a proxy in front of its node. Nothing should be timed then."""
    child = service.machine.child("api")
    plain = child.environment
    async with rpc_proxy(service.machine.chain_url) as proxy:
        chains = [chain | {"url": proxy.url} for chain in json.loads(plain["C2D_CHAINS"])]
        await service.stop_part("api")
        child.environment = {**plain, "C2D_CHAINS": json.dumps(chains)}
        await service.start_part("api")
        try:
            yield proxy
        finally:
            child.environment = plain
            await service.stop_part("api")
            await service.start_part("api")


async def each(proxy: RpcProxy, requests: Sequence[Call]) -> Calls:
    """Make the requests one after the other."""
    calls, trips = [], []
    for request in requests:
        before = len(proxy.methods), proxy.round_trips
        await request()
        calls.append(len(proxy.methods) - before[0])
        trips.append(proxy.round_trips - before[1])
    return Calls(statistics.median(calls), statistics.median(trips))
