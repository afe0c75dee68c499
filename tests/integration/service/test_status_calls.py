"""Statuses of one running job, through the whole service, and what they cost the Argo server that has it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from contract import names
from contract.keys import ETHEREUM_KEY_FILE
from ocean.client import Consumer
from provider_api.deploy.file_server import FileServer
from provider_api.deploy.folder import DataFolder, write_secret
from provider_api.keys import keys_of
from tests.support.argo_proxy import argo_proxy
from tests.support.argo_server import running
from tests.support.chain import consumer
from tests.support.chain import environment as environment_account
from tests.support.chain import provider as provider_account
from tests.support.service import FREE, PAID, Buyer, Service, raw_python
from tests.support.stages import until
from workflow_templates.environment import read_environments
from workflow_templates.render import write

pytestmark = pytest.mark.integration

POLLS = 20
WAITS = "import os, pathlib, time\nwhile not pathlib.Path(os.environ['OUTPUTS'], 'go').exists(): time.sleep(0.05)"


async def test_twenty_statuses_of_a_running_job(tmp_path: Path, files: FileServer) -> None:
    """The paid environment, without a price, is on a server of its own, behind a proxy that counts."""
    free, paid = (next(each for each in read_environments() if each.id == name) for name in (FREE, PAID))
    write(tmp_path / "first", [free])
    write(tmp_path / "second", [paid.model_copy(update={"price_per_minute": "0"})])
    data = DataFolder(tmp_path / "other")
    data.make()
    secret = data.secrets / names.environment_secret(PAID)
    write_secret(secret / ETHEREUM_KEY_FILE, "0x" + bytes(environment_account.key).hex() + "\n")
    data.deploy(tmp_path / "second" / "base", keys_of("0x" + bytes(provider_account.key).hex()).box.public_key)
    results = DataFolder(tmp_path / "service").results
    results.mkdir(mode=0o700, parents=True)
    claim = f"{names.RESULTS_CLAIM}={results}"
    with running(data.argo, "--namespace", "jobs", "--templates", str(data.templates), "--claim", claim) as server:
        async with argo_proxy(server.url) as proxy:
            other = {"url": proxy.url, "token_file": str(server.data / "token"), "namespace": "jobs"}
            service = Service(
                tmp_path / "service",
                allow_private=[files.address],
                settings={"C2D_ARGO_SERVERS": json.dumps({"01": other})},
                manifests=tmp_path / "first" / "base",
            )
            await asyncio.to_thread(service.__enter__)
            try:
                network = await service.network()
                async with Consumer(service.url, consumer) as client:
                    buyer = Buyer(service, network, client)
                    dataset = await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True})
                    ordered, algorithm = await buyer.order([dataset], raw_python(WAITS), environment=PAID)
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
                await network.close()
            finally:
                await asyncio.to_thread(service.__exit__)
            await until(lambda: not proxy.watches, "its watch is closed")
