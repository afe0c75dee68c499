"""A running service with neighbours in memory."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.provider_neighbours import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path).running() as world:
        yield world
