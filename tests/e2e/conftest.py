"""The deployment under test: what the environment names (tests/support/deployed.py), or one machine, started here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ocean.client import Consumer
from ocean.ddo import DDO
from provider_api.deploy.file_server import FileServer
from tests.support.chain import consumer
from tests.support.deployed import Cluster, Deployed, from_environment
from tests.support.service import Buyer, Service
from tests.support.stages import assert_nothing_left
from workflow_templates.environment import read_environments
from workflow_templates.render import write


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    if (named := from_environment()) is not None:
        yield named
        return
    folder = tmp_path_factory.mktemp("e2e")
    (folder / "rain.csv").write_text("day,mm\n1,3\n2,0\n")
    write(folder / "gitops", [*read_environments(), *read_environments(Path(__file__).with_name("environments"))])
    settings = {"C2D_LIMITS__MINIMUM_PAID_SECONDS": "1"}
    with (
        FileServer({"rain.csv": folder / "rain.csv"}) as files,
        Service(
            folder / "service",
            allow_private=[files.address],
            settings=settings,
            manifests=folder / "gitops" / "base",
        ) as service,
    ):
        chain, addresses = service.chain_url, service.machine.address_file
        yield Deployed(service.url, chain, addresses, files.urls["rain.csv"], 60, machine=service)


@pytest.fixture(scope="session")
def cluster(deployed: Deployed) -> Cluster:
    if deployed.cluster is None:
        pytest.skip("no cluster is named: KUBECONFIG")
    return deployed.cluster


@pytest.fixture(scope="session")
def node(cluster: Cluster) -> Cluster:
    if not cluster.ours:
        pytest.skip("the node is not one of `make cluster`")
    return cluster


@pytest.fixture
async def buyer(deployed: Deployed) -> AsyncIterator[Buyer]:
    network = await deployed.network()
    async with Consumer(deployed.url, consumer) as client:
        yield Buyer(deployed, network, client)  # type: ignore[arg-type]  # an address and a network are enough
    await network.close()


@pytest.fixture
async def dataset(buyer: Buyer, deployed: Deployed) -> DDO:
    return await buyer.publish(deployed.data_url, compute={"allowRawAlgorithm": True})


async def nothing_left(deployed: Deployed, *jobs: str) -> None:
    """Pods and volumes of these jobs are gone; on one machine all are."""
    if deployed.machine is not None:
        await assert_nothing_left(deployed.machine.folder)
    elif deployed.cluster is not None:
        deadline = time.monotonic() + 120
        for job in jobs:
            while left := await asyncio.to_thread(deployed.cluster.left_of, job):
                assert time.monotonic() < deadline, left
                await asyncio.sleep(1)
