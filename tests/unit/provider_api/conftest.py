"""A running service with neighbours in memory."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.held_results import PEER
from tests.support.provider_neighbours import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path).running() as world:
        yield world


@pytest.fixture
async def waiting(tmp_path: Path) -> AsyncIterator[World]:
    """A world in which the owner of the dataset has to release results, within ten minutes."""
    world = World(tmp_path, operator={"providers": {"acme": [PEER.address]}})
    world.argo.has_record = True
    async with world.running() as running:
        yield running
