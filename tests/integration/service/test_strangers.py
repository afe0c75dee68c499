"""A thousand of the dearest unsigned requests: refused beyond the budget, in little memory; who has paid is served."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from ocean.client import Consumer
from ocean.ddo import DDO
from provider_api.deploy.file_server import FileServer
from provider_api.settings import StrangerSettings
from tests.support.chain import consumer, stranger
from tests.support.downloads import Ordered, order_files
from tests.support.large_source import LargeSource
from tests.support.memory import peak_bytes, reset_peak
from tests.support.service import FREE, Buyer, Service, raw_python

pytestmark = pytest.mark.integration

REQUESTS, SECONDS = 1000, 120
GROWTH_BYTES = 64 * 1024 * 1024
BUDGET = {f"C2D_STRANGERS__{name.upper()}": str(value) for name, value in StrangerSettings().model_dump().items()}
PAID = b"day,mm\n1,3\n"


class Place:
    def __init__(self, service: Service, source: LargeSource, large: DDO, paid: Ordered, url: str) -> None:
        self.service, self.source, self.large, self.paid, self.url = service, source, large, paid, url

    @property
    def pid(self) -> int:
        pid = self.service.machine.child("api").pid
        assert pid is not None
        return pid

    async def strangers(self) -> dict[str, Any]:
        asset = (self.large.id, self.large.services[0].id)
        words = (self.service.url, *asset, str(REQUESTS), str(SECONDS))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.support.stranger", *words, stdout=asyncio.subprocess.PIPE
        )
        printed, _ = await process.communicate()
        found: dict[str, Any] = json.loads(printed)
        return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("strangers")
    contents = folder / "rain.csv"
    contents.write_bytes(PAID)
    settings = {**BUDGET, "C2D_METRICS__PORT": "0"}
    with (
        LargeSource() as source,
        FileServer({"rain.csv": contents}) as files,
        Service(folder / "data", allow_private=[source.address, files.address], settings=settings) as service,
    ):

        async def publish() -> tuple[DDO, Ordered]:
            network = await service.network()
            try:
                async with Consumer(service.url, consumer) as client:
                    large = await Buyer(service, network, client).publish(source.url("/chunked"), kind="algorithm")
                return large, await order_files(service, network, stranger, [files.urls["rain.csv"]])
            finally:
                await network.close()

        yield Place(service, source, *service.call(publish()), files.urls["rain.csv"])


async def test_a_thousand_requests(place: Place) -> None:
    network = await place.service.network()
    async with Consumer(place.service.url, consumer) as client, httpx.AsyncClient(timeout=240) as http:
        buyer = Buyer(place.service, network, client)
        dataset = await buyer.publish(place.url, compute={"allowRawAlgorithm": True})
        ordered, algorithm = await buyer.order([dataset], raw_python("print('paid')"))
        assert (await http.get(place.paid.url())).content == PAID
        before = reset_peak(place.pid)
        asking = asyncio.create_task(place.strangers())
        started, downloads = None, 0
        while not asking.done():
            assert (await http.get(place.paid.url())).content == PAID
            downloads += 1
            if downloads == 3:
                started = await client.start(await client.start_request(FREE, ordered, algorithm))
        found = await asking
        assert started is not None
        assert (await buyer.finished(started["jobId"]))["status"] == 70
    await network.close()
    statuses = {int(status): count for status, count in found["statuses"].items()}
    assert statuses.get(429, 0) > REQUESTS // 10, statuses
    assert set(statuses) <= {200, 400, 404, 429, 503}, statuses
    assert peak_bytes(place.pid) - before < GROWTH_BYTES
    given = StrangerSettings()
    refilled = given.bytes_per_minute * found["seconds"] / 60
    most = (
        2 * given.bytes_per_minute + refilled + 256 * 1024 * 1024 + 64 * 1024 * 1024
    )  # saved up, overdrawn, under way
    assert place.source.sent < most
