"""What one stranger who does his worst makes the service spend, and how much slower those become who have paid.

The stranger is a process of its own with an address of its own, on a hundred connections at once. Measured alone and
beside him, in turns: a paid download, a start that is refused after all its rules, a status.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.figures import Figure, sample
from ocean.client import Consumer
from provider_api.deploy.file_server import FileServer
from provider_api.settings import OutgoingSettings, StrangerSettings
from tests.support.chain import consumer as consumer_account
from tests.support.chain import stranger as other_account
from tests.support.downloads import Ordered, order_files
from tests.support.large_source import LargeSource
from tests.support.service import FREE, Buyer, Service, raw_python

SECONDS: Final = 30.0  # of each turn with the stranger
SETTLE_SECONDS: Final = 5.0  # until what he had saved up is spent
CALLS: Final = 40
MIB: Final = 1024 * 1024
BUDGET: Final = {
    f"C2D_STRANGERS__{name.upper()}": str(value) for name, value in StrangerSettings().model_dump().items()
}
Call = Callable[[], Awaitable[None]]


async def measure(place: Path) -> list[Figure]:
    contents = place / "rain.bin"
    contents.write_bytes(os.urandom(4 * MIB))
    settings = {**BUDGET, "C2D_SERVER__MAX_CONNECTIONS_EACH": "128"}
    with (
        LargeSource() as source,
        FileServer({"rain.bin": contents}) as files,
        Service(place / "data", allow_private=[source.address, files.address], settings=settings) as service,
    ):
        network = await service.network()
        try:
            async with Consumer(service.url, consumer_account) as client, httpx.AsyncClient(timeout=60) as http:
                buyer = Buyer(service, network, client)
                large = await buyer.publish(source.url("/chunked"), kind="algorithm")
                paid = await order_files(service, network, other_account, [files.urls["rain.bin"]])
                dataset = await buyer.publish(files.urls["rain.bin"], compute={"allowRawAlgorithm": True})
                calls = {
                    "download of 4 MiB": _download(http, paid),
                    "start": await _start(buyer, dataset),
                    "status": _status(http, service),
                }
                alone = {name: await _timed(call) for name, call in calls.items()}
                stranger = (service.url, large.id, large.services[0].id)
                return await _beside(service, source, stranger, calls, alone)
        finally:
            await network.close()


async def _beside(
    service: Service,
    source: LargeSource,
    stranger: tuple[str, str, str],
    calls: dict[str, Call],
    alone: dict[str, list[float]],
) -> list[Figure]:
    pid = service.machine.child("api").pid
    assert pid is not None
    idle, quiet = await _processor_share(pid), _open_files(pid)
    before, began, used = source.sent, time.monotonic(), _processor_seconds(pid)
    async with _strangers(stranger) as outcome:
        await asyncio.sleep(SETTLE_SECONDS)
        slowed = {name: await _timed(call) for name, call in calls.items()}
        busy = _open_files(pid)
    seconds = time.monotonic() - began
    spent, fetched = _processor_seconds(pid) - used - idle * seconds, (source.sent - before) / MIB
    asked = sum(outcome["statuses"].values())
    worked_on = asked - outcome["statuses"].get("429", 0)
    note = ", ".join(f"{count} × {status}" for status, count in sorted(outcome["statuses"].items()))
    given, minutes = StrangerSettings(), seconds / 60
    # Saved up, refilled meanwhile, and one file of the largest kind that was begun while something was left.
    budget = (given.bytes_per_minute * (2 + minutes) + OutgoingSettings().max_algorithm_bytes) / MIB

    def figure(name: str, unit: str, ours: float, compared_with: str, that: float, note: str = "") -> Figure:
        return Figure(name, unit, sample([ours]), compared_with, sample([that]), note)

    figures = [
        figure(
            "a stranger's requests worked on", "/min", worked_on / minutes, "all that he sent", asked / minutes, note
        ),
        figure("fetched for him", "MiB", fetched, "his budget for that time", budget),
        figure("fetched for a request", "MiB", fetched / max(1, asked), "his budget", budget),
        figure("processor time, that of those who paid included", "s/min", spent / minutes, "one core", 60),
        figure("open sockets and files", "", busy, "without him", quiet),
    ]
    for name, times in slowed.items():
        figures.append(Figure(f"{name}, beside a stranger", "ms", sample(times), "alone", sample(alone[name])))
    return figures


@asynccontextmanager
async def _strangers(asset: tuple[str, str, str]) -> AsyncIterator[dict[str, Any]]:
    """What he was answered, when it is over."""
    outcome: dict[str, Any] = {}
    words = (*asset, str(10**9), str(SECONDS))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.stranger", *words, stdout=asyncio.subprocess.PIPE
    )
    yield outcome
    printed, _ = await process.communicate()
    outcome |= json.loads(printed)


def _download(http: httpx.AsyncClient, paid: Ordered) -> Call:
    async def call() -> None:
        assert len((await http.get(paid.url())).content) == 4 * MIB

    return call


def _status(http: httpx.AsyncClient, service: Service) -> Call:
    async def call() -> None:
        query = {"consumerAddress": consumer_account.address}
        assert (await http.get(f"{service.url}/api/services/compute", params=query)).status_code == 200

    return call


async def _start(buyer: Buyer, dataset: Any) -> Call:
    """The identical start again and again: signature, nonce, claim, Argo."""
    ordered, algorithm = await buyer.order([dataset], raw_python("print('paid')"))
    request = await buyer.consumer.start_request(FREE, ordered, algorithm)
    await buyer.finished((await buyer.consumer.start(request))["jobId"])

    async def call() -> None:
        await buyer.consumer.start(request)

    return call


async def _timed(call: Call) -> list[float]:
    """Milliseconds of each call."""
    found = []
    for _ in range(CALLS):
        began = time.perf_counter()
        await call()
        found.append(1000 * (time.perf_counter() - began))
    return found


async def _processor_share(pid: int) -> float:
    """What the process uses while nobody asks, in seconds a second."""
    before = _processor_seconds(pid)
    await asyncio.sleep(3)
    return (_processor_seconds(pid) - before) / 3


def _open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
