"""Fixtures that more than one folder of tests needs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from ocean.chain import anvil
from ocean.chain.development import DevelopmentChain, start_anvil
from ocean.chain.network import Network
from provider_api.deploy.addresses import free_port
from tests.support.chain import Chain
from tests.support.lanes import is_for_a_node, is_long

# Workers share two cores: an example may take seconds, and so may the making of one.
settings.register_profile("side by side", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("side by side")
anvil.DUMP_SECONDS = 4  # ten megabytes each time, of a dozen chains


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if is_long(item.nodeid):
            item.add_marker(pytest.mark.soak)
        if is_for_a_node(item.nodeid):
            item.add_marker(pytest.mark.node)


# --- The development chain: one process for the whole session, a network for each test --------------------------------


@pytest.fixture(scope="session")
def development_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevelopmentChain]:
    """anvil with Ocean's contracts; `.url`, `.address_file`, `.addresses`."""
    running = asyncio.run(start_anvil(tmp_path_factory.mktemp("chain"), free_port()))
    yield running
    running.process.stop()


@pytest.fixture
async def chain(development_chain: DevelopmentChain) -> AsyncIterator[Chain]:
    network = await Network.open(development_chain.url, development_chain.address_file)
    yield Chain(development_chain.url, str(development_chain.address_file), network)
    await network.close()
