"""Statuses of one running job, through the whole service, and what they cost the Argo server that has it."""

from __future__ import annotations

import asyncio
import json
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from ocean.client import Consumer
from provider_api.deploy.file_server import FileServer
from tests.support.argo_proxy import argo_proxy
from tests.support.chain import consumer
from tests.support.service import PAID, Buyer, Service, raw_python
from tests.support.stages import WAIT, until
from tests.support.two_servers import second_server, write_manifests

pytestmark = pytest.mark.integration

POLLS = 20


async def test_twenty_statuses_of_a_running_job(tmp_path: Path, files: FileServer) -> None:
    """The paid environment, without a price, is on a server of its own, behind a proxy that counts."""
    manifests, server = write_manifests(tmp_path), second_server(tmp_path)
    server.start()
    try:
        async with argo_proxy(server.url) as proxy:
            other = {"url": proxy.url, "token_file": str(server.data / "token"), "namespace": "jobs"}
            service = Service(
                tmp_path / "service",
                allow_private=[files.address],
                settings={"C2D_ARGO_SERVERS": json.dumps({"01": other})},
                manifests=manifests,
            )
            await asyncio.to_thread(service.__enter__)
            try:
                async with AsyncExitStack() as stack:
                    network = await service.network()
                    stack.push_async_callback(network.close)
                    client = await stack.enter_async_context(Consumer(service.url, consumer))
                    buyer = Buyer(service, network, client)
                    dataset = await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True})
                    ordered, algorithm = await buyer.order([dataset], raw_python(WAIT), environment=PAID)
                    request = await client.start_request(PAID, ordered, algorithm)
                    job_id = (await client.start(request))["jobId"]
                    outputs = server.data / "volumes" / f"{job_id}-data" / "outputs"
                    await until(outputs.exists, "the algorithm may begin")

                    async def is_quiet() -> bool:
                        """Whether a status has cost nothing: the watch is open, and nothing has changed."""
                        before = proxy.reads_of(job_id)
                        found = await client.status(job_id)
                        return found[0]["status"] == 40 and proxy.reads_of(job_id) == before

                    await until(is_quiet, "it runs")
                    before = proxy.reads_of(job_id)
                    found = [(await client.status(job_id))[0]["status"] for _ in range(POLLS)]
                    assert found == [40] * POLLS
                    assert proxy.reads_of(job_id) <= before + POLLS // 4  # on a slow machine some get old meanwhile
                    (outputs / "go").touch()
                    assert (await buyer.finished(job_id))["status"] == 70
            finally:
                await asyncio.to_thread(service.__exit__)
            await until(lambda: not proxy.watches, "its watch is closed")
    finally:
        server.kill(signal.SIGTERM)
