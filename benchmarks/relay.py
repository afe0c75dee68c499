"""`download` of a large file through the whole API, beside curl straight from the same source in turns with it.

Both are fetched by curl into nothing. A source that costs next to nothing, once as fast as the machine can and once for
each link; memory is that of the API's process, and its growth is measured while it hands the file on.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure, sample
from benchmarks.load import fetch, http
from benchmarks.sendfile_server import serving
from tests.support.chain import consumer as consumer_account
from tests.support.downloads import Ordered, order_files
from tests.support.memory import peak_bytes, reset_peak
from tests.support.service import Service

MIB, LARGE_BYTES = 1 << 20, 2 << 30
GBIT: Final = 10**9 // 8
# (name, bytes per second of the source, rounds)
LINKS: Final = (("as fast as it can", 0, 9), ("10 Gbit/s", 10 * GBIT, 5), ("1 Gbit/s", GBIT, 2))


@dataclass(slots=True)
class Measured:
    through: list[float] = field(default_factory=list)  # MiB/s
    plain: list[float] = field(default_factory=list)
    growth: list[float] = field(default_factory=list)  # MiB
    requests: list[float] = field(default_factory=list)  # at the source, for one download


async def measure(place: Path) -> list[Figure]:
    large = place / "large"
    with large.open("wb") as file:
        block = os.urandom(MIB)
        for _ in range(LARGE_BYTES // MIB):
            file.write(block)
    with serving(large) as port, Service(place / "data", allow_private=[f"127.0.0.1:{port}"]) as service:
        sources = [f"http://127.0.0.1:{port}/large" + (f"?rate={rate}" if rate else "") for _, rate, _ in LINKS]
        network = await service.network()
        try:
            ordered = await order_files(service, network, consumer_account, sources)
        finally:
            await network.close()
        figures = []
        for index, (name, _, rounds) in enumerate(LINKS):
            measured = Measured()
            for _ in range(rounds):
                await _round(service, ordered, index, sources[index], measured)
            figures += _figures(name, measured)
    return figures


async def _round(service: Service, ordered: Ordered, index: int, source: str, measured: Measured) -> None:
    pid = service.machine.child("api").pid
    assert pid is not None
    measured.plain.append(await asyncio.to_thread(_curl, source))
    before, asked = reset_peak(pid), await _requests(source)
    measured.through.append(await asyncio.to_thread(_curl, ordered.url(index)))
    measured.growth.append((peak_bytes(pid) - before) / MIB)
    measured.requests.append(await _requests(source) - asked)


def _figures(name: str, measured: Measured) -> list[Figure]:
    size = f"{LARGE_BYTES // MIB} MiB"
    requests = f"{max(measured.requests):.0f} request to the source"
    growth = f"memory of the API grows by {max(measured.growth):.1f} MiB at most"
    through, plain = sample(measured.through), sample(measured.plain)
    return [
        Figure(
            f"download, source {name}", "MiB/s", through, "curl from the source", plain, f"{size}; {requests}; {growth}"
        )
    ]


async def _requests(source: str) -> int:
    async with http() as session:
        return int(await fetch(session, "GET", source.partition("/large")[0] + "/requests"))


def _curl(url: str) -> float:
    """MiB/s of a download of the whole file into nothing."""
    told = "%{http_code} %{size_download} %{time_starttransfer} %{time_total}"
    words = ["curl", "--silent", "--fail", "--noproxy", "*", "--output", os.devnull, "--write-out", told, url]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    status, size, _, seconds = done.stdout.split()
    assert (status, size) == ("200", str(LARGE_BYTES)), done.stdout
    return LARGE_BYTES / MIB / float(seconds)
