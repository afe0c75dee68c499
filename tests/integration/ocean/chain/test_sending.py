"""Publishing through nodes as they are: chains without EIP-1559, odd blocks, limits."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ocean.chain.network import Network
from ocean.chain.publishing import mint, nft_for
from ocean.chain.resumable import Resumable
from ocean.chain.transactions import fees_of
from tests.support.chain import ONE, Chain, consumer, publisher
from tests.support.habits import Node, node_with_habits
from tests.support.signed_notes import Memory

pytestmark = pytest.mark.integration


def legacy(node: Node) -> None:
    node.legacy = True


def long_extra_data(node: Node) -> None:
    node.long_extra_data = True


def both(node: Node) -> None:
    node.legacy = node.long_extra_data = True


def no_base_fee(node: Node) -> None:
    node.absent, node.absence = {"eth_getBlockByNumber": ("baseFeePerGas",)}, "null"


def without_batches(node: Node) -> None:
    node.most_calls, node.batch_form = 1, "400"


HABITS: list[Callable[[Node], None]] = [legacy, long_extra_data, both, no_base_fee, without_batches]


@pytest.mark.parametrize("habit", HABITS)
async def test_transactions_are_sent_and_mined(chain: Chain, habit: Callable[[Node], None]) -> None:
    asset = await chain.publish()
    async with node_with_habits(chain.url) as node:
        habit(node)
        network = await Network.open(node.url, chain.network.addresses)
        try:
            before = await network.balance(asset.datatoken, consumer.address)
            await mint(network, publisher, asset.datatoken, consumer.address)
            assert await network.balance(asset.datatoken, consumer.address) == before + ONE
            steps = Resumable(network, publisher, Memory(), mark=b"ours", confirmations=1, patience_seconds=20)
            call = nft_for(network, "odd", "ODD", owner=publisher.address, maker=publisher.address)
            assert (await steps.perform("nft", call)).succeeded
        finally:
            await network.close()


async def test_fees_are_of_the_kind_that_the_chain_knows(chain: Chain) -> None:
    async with node_with_habits(chain.url) as node:
        network = await Network.open(node.url, chain.network.addresses)
        modern = await fees_of(network)
        assert modern.keys() == {"maxFeePerGas", "maxPriorityFeePerGas"}
        node.legacy = True
        old = await fees_of(network)
        assert old.keys() == {"gasPrice"}
        assert int(old["gasPrice"]) > 0
        await network.close()
