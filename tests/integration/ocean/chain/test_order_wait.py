"""Orders that our node learns of later than the consumer's, and questions about orders that never were."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from ocean.chain import order_wait
from ocean.chain.errors import ChainUnavailable
from ocean.chain.network import Network
from ocean.chain.order_wait import OrderDesk, OrderPending
from ocean.chain.ordering import reuse_order
from ocean.chain.orders import Order, OrderInvalid
from tests.support.chain import Asset, Chain, consumer
from tests.support.habits import Node, node_with_habits

pytestmark = pytest.mark.integration
UNKNOWN = "0x" + "17" * 32


@asynccontextmanager
async def desk_at(
    chain: Chain, node: Node, *, seconds: float = 60, confirmations: int = 1, newest: int = -1
) -> AsyncIterator[OrderDesk]:
    network = await Network.open(node.url, chain.network.addresses, confirmations=confirmations)
    desk = OrderDesk(network, seconds, lambda: newest, lambda nft: True)
    try:
        yield desk
    finally:
        await desk.close()
        await network.close()


async def ask(desk: OrderDesk, chain: Chain, asset: Asset, tx: str, *, patient: bool = True) -> Order:
    return await desk.verify(replace(chain.request(asset, tx), patient=patient), time.time())


async def test_a_node_that_learns_of_the_order_a_moment_later(chain: Chain) -> None:
    asset = await chain.publish()
    tx = await chain.order(asset)
    async with node_with_habits(chain.url) as node, desk_at(chain, node) as desk:
        node.lags = (1,)
        waiting = asyncio.create_task(ask(desk, chain, asset, tx))
        while node.count("eth_getTransactionReceipt") < 3:
            await asyncio.sleep(0.02)
        assert not waiting.done()
        node.reset()
        assert (await waiting).payer == consumer.address


async def test_more_confirmations_than_there_are_yet(chain: Chain) -> None:
    asset = await chain.publish()
    tx = await chain.order(asset)
    async with node_with_habits(chain.url) as node, desk_at(chain, node, confirmations=3) as desk:
        waiting = asyncio.create_task(ask(desk, chain, asset, tx))
        while node.count("eth_getTransactionReceipt") < 3:
            await asyncio.sleep(0.02)
        assert not waiting.done()
        await chain.network.rpc.call("anvil_mine", "0x2")
        assert (await waiting).payer == consumer.address


async def test_after_the_wait_it_depends_on_what_the_node_knows(chain: Chain) -> None:
    asset = await chain.publish()
    tx = await chain.order(asset)
    async with node_with_habits(chain.url) as node:
        async with desk_at(chain, node, seconds=0.3, confirmations=5) as desk:
            with pytest.raises(OrderPending):
                await ask(desk, chain, asset, tx)
            with pytest.raises(OrderInvalid, match="order_not_found"):
                await ask(desk, chain, asset, UNKNOWN)
        async with desk_at(chain, node, seconds=0.3) as desk:
            node.forgets = 1.0  # no receipts, but the transaction itself
            with pytest.raises(OrderPending):
                await ask(desk, chain, asset, tx)
        node.reset()
        async with desk_at(chain, node, seconds=0.3, newest=await chain.network.head() + 1) as desk:
            with pytest.raises(ChainUnavailable):
                await ask(desk, chain, asset, UNKNOWN)


async def test_who_has_signed_nothing_does_not_wait(chain: Chain) -> None:
    asset = await chain.publish()
    async with node_with_habits(chain.url) as node, desk_at(chain, node) as desk:
        before = node.round_trips
        with pytest.raises(OrderInvalid, match="order_not_found"):
            await ask(desk, chain, asset, UNKNOWN, patient=False)
        assert node.round_trips - before == 1


async def test_all_who_wait_share_the_looks(chain: Chain) -> None:
    asset = await chain.publish()
    async with node_with_habits(chain.url) as node, desk_at(chain, node, seconds=2) as desk:
        before = node.round_trips
        questions = [ask(desk, chain, asset, f"0x{number:064x}") for number in range(1, 31)]
        outcomes = await asyncio.gather(*questions, return_exceptions=True)
        assert {str(outcome) for outcome in outcomes} == {"not a valid order: order_not_found"}
        assert node.round_trips - before <= 3 * 30 + 8, "before, after, and the looks of all"


async def test_places_are_limited_and_given_back(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_wait, "PLACES", 2)
    asset = await chain.publish()
    tx = await chain.order(asset)
    async with node_with_habits(chain.url) as node, desk_at(chain, node) as desk:
        strangers = [asyncio.create_task(ask(desk, chain, asset, f"0x{number:064x}")) for number in range(1, 3)]
        while node.count("eth_getTransactionReceipt") < 3:
            await asyncio.sleep(0.02)
        with pytest.raises(OrderInvalid, match="order_not_found"):
            await ask(desk, chain, asset, UNKNOWN)
        assert (await ask(desk, chain, asset, tx)).payer == consumer.address, "what is known needs no place"
        for stranger in strangers:
            stranger.cancel()
        await asyncio.gather(*strangers, return_exceptions=True)
        node.lags = (1,)
        waiting = asyncio.create_task(ask(desk, chain, asset, tx))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        node.reset()
        assert (await waiting).payer == consumer.address


async def test_nodes_of_different_heights_refuse_no_good_order(chain: Chain) -> None:
    """The newest asset, its order and a reuse of it, whichever of the nodes answers which question."""
    asset = await chain.publish()
    start = await chain.order(asset)
    tx = await reuse_order(chain.network, consumer, asset.datatoken, start, chain.quote(asset))
    async with node_with_habits(chain.url) as node, desk_at(chain, node) as desk:
        for lags in ((2, 0, 0), (0, 5, 0), (5, 0, 0, 0, 0), (0, 0, 0, 1), (1, 0)):
            node.lags = lags
            try:
                assert (await ask(desk, chain, asset, tx)).start_tx_hash == start
            except ChainUnavailable:
                continue  # it may be asked again
