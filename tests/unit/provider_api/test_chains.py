"""Finding the chain of an asset when several are served and some are slow or away."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from ocean.chain.errors import ChainUnavailable
from ocean.ddo import DDO
from provider_api.chains.chains import Chains
from tests.support.provider_neighbours import MemoryChain

pytestmark = pytest.mark.unit

DID = "did:op:" + "1" * 64
KNOWN = {DID: DDO.parse({"id": DID})}


@dataclass
class SlowChain(MemoryChain):
    seconds: float = 3600.0
    cancelled: bool = False

    async def resolve(self, did: str) -> DDO | None:
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return await super().resolve(did)


async def test_a_slow_chain_does_not_hold_up_another_ones_asset() -> None:
    slow, right = SlowChain(chain_id=1), MemoryChain(chain_id=2, assets=dict(KNOWN))
    found = await Chains({1: slow, 2: right}).resolve(DID)
    assert found is not None
    assert (found[0].chain_id, found[1].id) == (2, DID)
    assert slow.cancelled


async def test_a_chain_that_is_away_matters_only_if_no_other_knows_the_asset() -> None:
    away, right = MemoryChain(chain_id=1, away=True), SlowChain(chain_id=2, assets=dict(KNOWN), seconds=0.01)
    chains = Chains({1: away, 2: right})
    found = await chains.resolve(DID)
    assert found is not None
    assert found[0].chain_id == 2
    with pytest.raises(ChainUnavailable):
        await chains.resolve("did:op:" + "2" * 64)
    away.away = False
    assert await chains.resolve("did:op:" + "2" * 64) is None


async def test_no_chain_knows_it() -> None:
    assert await Chains({1: MemoryChain(chain_id=1), 2: SlowChain(chain_id=2, seconds=0.01)}).resolve(DID) is None
    assert await Chains({}).resolve(DID) is None


async def test_who_gives_up_waiting_leaves_no_question_behind() -> None:
    slow = SlowChain(chain_id=1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await Chains({1: slow}).resolve(DID)
    assert slow.cancelled
