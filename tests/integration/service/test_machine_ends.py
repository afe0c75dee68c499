"""`c2d serve` ends while jobs are under way, properly or by kill -9, and is started again on the same data folder."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from ocean.chain.network import Network
from ocean.client import Consumer
from provider_api.deploy.addresses import free_port
from provider_api.deploy.folder import DataFolder
from provider_api.deploy.machine import Machine
from tests.support.chain import consumer, provider
from tests.support.data_owner import DataOwner
from tests.support.processes import pods_of, processes
from tests.support.sandboxes import require_sandboxes
from tests.support.service import Buyer
from tests.support.stages import WAIT, assert_nothing_left, assert_ran_once, outputs_of, publish, request_for, until

pytestmark = pytest.mark.integration


class Serve:
    """`c2d serve` as an operator runs it: one process on a port of its own, started again and again on one folder."""

    def __init__(self, folder: Path, owner: DataOwner) -> None:
        self.folder = DataFolder(folder)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._output = folder.with_name("serve.log")
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("C2D_")},
            "C2D_SERVER__PORT": str(port),
            "C2D_PROVIDER__KEY": "0x" + bytes(provider.key).hex(),
            "C2D_OUTGOING__ALLOW_PRIVATE": json.dumps([owner.address + "@*"]),
        }
        self._words = [
            sys.executable,
            "-c",
            "from provider_api.cli import main; main()",
            "serve",
            "--data",
            str(folder),
        ]

    async def start(self) -> asyncio.subprocess.Process:
        require_sandboxes()
        with self._output.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *self._words, env=self._environment, stdout=output, stderr=output, start_new_session=True
            )
        await until(lambda: process.returncode is not None or "Ctrl-C ends it." in self.output(), "it serves", 200)
        assert process.returncode is None, self.output()
        return process

    def output(self) -> str:
        return self._output.read_text()

    async def network(self) -> Network:
        found = re.search(r"^chain +(http\S+)", self.output(), re.MULTILINE)
        assert found is not None, self.output()
        return await Network.open(found[1], self.folder.chain / "address.json")


@pytest.mark.timeout(900)
async def test_the_whole_machine_ends_and_starts_again(owner: DataOwner, tmp_path: Path) -> None:
    """SIGTERM, the operator's way, and kill -9 of the process that keeps all parts: jobs go on, and end right."""
    serve = Serve(tmp_path / "data", owner)
    first = await serve.start()
    async with Consumer(serve.url, consumer) as client:
        buyer = Buyer(serve, await serve.network(), client)  # type: ignore[arg-type]
        data = await publish(buyer, owner.serve("9,9\n").url)
        one = await request_for(buyer, data, WAIT)
        before = (await client.start(one))["jobId"]
        outputs = outputs_of(serve.folder, before)
        await until((outputs / "runs").exists, "the algorithm runs")
        first.terminate()
        assert await asyncio.wait_for(first.wait(), 60) == 0
        assert _only_pods(serve.folder)
        assert pods_of(serve.folder)
        (outputs / "go").touch()
        await until(lambda: not pods_of(serve.folder), "the pod ends with nobody around")

        await buyer.network.close()
        second = await serve.start()
        buyer.network = await serve.network()
        assert (await client.start(one))["jobId"] == before
        await assert_ran_once(buyer, before, tmp_path)
        after = (await client.start(await request_for(buyer, data, WAIT)))["jobId"]
        outputs = outputs_of(serve.folder, after)
        await until((outputs / "runs").exists, "the algorithm runs")
        second.kill()
        await second.wait()
        await until(lambda: _only_pods(serve.folder), "the parts end when nobody keeps them")

        third = await serve.start()
        (outputs / "go").touch()
        await assert_ran_once(buyer, after, tmp_path)
        assert (await client.start(one))["jobId"] == before
        await assert_nothing_left(serve.folder)
    await buyer.network.close()
    third.terminate()
    assert await asyncio.wait_for(third.wait(), 60) == 0
    assert _only_pods(serve.folder)


def _only_pods(folder: DataFolder) -> bool:
    """No part of the service lives: the API has the folder in its settings, the others in their command line."""
    place = str(folder.root).encode()
    pods = {seen.pid for seen in pods_of(folder)}
    return not [p for p in processes() if (place in p.cmdline or place in p.environ) and p.pid not in pods]


def test_files_of_assets_never_share_the_port_of_the_service(tmp_path: Path) -> None:
    """What downloads may reach is not the service itself, whatever the settings ask for."""
    port = str(free_port())
    with pytest.raises(ValidationError, match="C2D_PUBLICATION__PORT are both"):
        Machine(tmp_path, fixed_ports=True, environment={"C2D_SERVER__PORT": port, "C2D_PUBLICATION__PORT": port})
