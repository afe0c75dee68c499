"""When a search reads documents anew: after an event, after a while, and once for all who search at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from ocean.chain.errors import ChainUnavailable
from ocean.ddo import DDO
from provider_api.chains.assets import KEPT_SECONDS, Catalogue
from tests.support.provider_neighbours import MemoryChain

pytestmark = pytest.mark.unit


class CountingChain(MemoryChain):
    """Assets with marks; counts how often each was read."""

    def __init__(self) -> None:
        super().__init__()
        self.marks: dict[str, int] = {}
        self.reads: list[str] = []

    def put(self, did: str, mark: int) -> None:
        self.assets[did] = DDO.parse({"id": did, "metadata": {"name": f"{did} {mark}"}, "services": []})
        self.marks[did] = mark

    async def listing(self) -> Mapping[str, Any]:
        self._reachable()
        return dict(self.marks)

    async def resolve(self, did: str) -> DDO | None:
        self.reads.append(did)
        await asyncio.sleep(0)
        return await super().resolve(did)


@pytest.fixture
def chain() -> CountingChain:
    made = CountingChain()
    made.put("a", 1)
    made.put("b", 1)
    return made


async def names(catalogue: Catalogue) -> list[str]:
    return sorted(document["metadata"]["name"] for document in await catalogue.documents())


async def test_a_document_is_read_again_when_an_event_has_touched_it(chain: CountingChain) -> None:
    catalogue = Catalogue(chain, lambda: 0.0)
    assert await names(catalogue) == ["a 1", "b 1"]
    assert await names(catalogue) == ["a 1", "b 1"]
    assert sorted(chain.reads) == ["a", "b"]
    chain.put("b", 2)
    assert await names(catalogue) == ["a 1", "b 2"]
    assert sorted(chain.reads) == ["a", "b", "b"]


async def test_a_document_is_read_again_after_a_while(chain: CountingChain) -> None:
    now = [0.0]
    catalogue = Catalogue(chain, lambda: now[0])
    await catalogue.documents()
    now[0] = KEPT_SECONDS
    await catalogue.documents()
    assert len(chain.reads) == 2
    now[0] += 1
    await catalogue.documents()
    assert len(chain.reads) == 4


async def test_all_who_search_share_one_reading(chain: CountingChain) -> None:
    catalogue = Catalogue(chain, lambda: 0.0)
    answers = await asyncio.gather(*(names(catalogue) for _ in range(20)))
    assert answers == [["a 1", "b 1"]] * 20
    assert sorted(chain.reads) == ["a", "b"]


async def test_what_is_gone_is_not_found(chain: CountingChain) -> None:
    catalogue = Catalogue(chain, lambda: 0.0)
    await catalogue.documents()
    del chain.marks["a"]
    del chain.assets["b"]
    chain.marks["b"] = 2  # an event after which nothing of it may be shown
    assert await catalogue.documents() == []


async def test_a_chain_that_is_away_is_said_and_asked_again(chain: CountingChain) -> None:
    catalogue = Catalogue(chain, lambda: 0.0)
    chain.away = True
    with pytest.raises(ChainUnavailable):
        await catalogue.documents()
    chain.away = False
    assert await names(catalogue) == ["a 1", "b 1"]
    await catalogue.close()
