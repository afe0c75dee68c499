"""`download` of a large file through the whole API, in turns with curl straight from the same source.

Both are fetched by curl into nothing. The source costs next to nothing; once it is as fast as the machine lets it, and
once for each link as fast as that. Beside the first also a bare copying loop in the API's place: each byte that is
handed on is moved by one more process, and how much that costs depends on the machine.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from pathlib import Path
from typing import Final

from benchmarks.bare_relay import relaying
from benchmarks.curl import MIB, mib_per_second
from benchmarks.figures import Figure, sample
from benchmarks.load import fetch, http
from benchmarks.sendfile_server import serving, write_random
from tests.support.chain import consumer as consumer_account
from tests.support.downloads import Ordered, order_files
from tests.support.memory import peak_bytes, reset_peak
from tests.support.service import Service

LARGE_BYTES = 2 << 30
GBIT: Final = 10**9 // 8
# (name, bytes per second of the source, rounds)
LINKS: Final = (("as fast as it can", 0, 11), ("of 10 Gbit/s", 10 * GBIT, 5), ("of 1 Gbit/s", GBIT, 2))
Measured = dict[str, list[float]]  # by what it is: MiB/s through, plain, bare; growth in MiB; requests of one download


async def measure(place: Path) -> list[Figure]:
    large = place / "large"
    write_random(large, LARGE_BYTES)
    with (
        serving(large) as port,
        relaying(port) as bare_port,
        Service(place / "data", allow_private=[f"127.0.0.1:{port}"]) as service,
    ):
        sources = [f"http://127.0.0.1:{port}/large?rate={rate}" for _, rate, _ in LINKS]
        network = await service.network()
        try:
            ordered = await order_files(service, network, consumer_account, sources)
        finally:
            await network.close()
        figures = []
        for index, (name, rate, rounds) in enumerate(LINKS):
            measured: Measured = defaultdict(list)
            for _ in range(rounds):
                await _round(service, ordered, index, sources[index], measured)
                if not rate:
                    measured["bare"].append(
                        await asyncio.to_thread(mib_per_second, f"http://127.0.0.1:{bare_port}/large", LARGE_BYTES)
                    )
            figures += _figures(name, measured)
    return figures


async def _round(service: Service, ordered: Ordered, index: int, source: str, measured: Measured) -> None:
    pid = service.machine.child("api").pid
    assert pid is not None
    measured["plain"].append(await asyncio.to_thread(mib_per_second, source, LARGE_BYTES))
    before, asked = reset_peak(pid), await _requests(source)
    measured["through"].append(await asyncio.to_thread(mib_per_second, ordered.url(index), LARGE_BYTES))
    measured["growth"].append((peak_bytes(pid) - before) / MIB)
    measured["requests"].append(await _requests(source) - asked)


def _figures(link: str, measured: Measured) -> list[Figure]:
    requests, growth = max(measured["requests"]), max(measured["growth"])
    note = f"{LARGE_BYTES // MIB} MiB, {requests:.0f} request to the source, at most {growth:.1f} MiB more memory"
    name, through = f"download, source {link}", sample(measured["through"])
    figures = [Figure(name, "MiB/s", through, "curl from the source", sample(measured["plain"]), note)]
    if measured["bare"]:
        figures.append(Figure(name, "MiB/s", through, "curl through a bare relay", sample(measured["bare"])))
    return figures


async def _requests(source: str) -> int:
    """How many requests for files the source has had."""
    async with http() as session:
        return int(await fetch(session, "GET", source.partition("/large")[0] + "/requests"))
