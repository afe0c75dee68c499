"""Reads of a network, and what becomes of a node that is away, slow, or says something else."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from ocean.chain.errors import AnswerMalformed, CallReverted, ChainUnavailable
from ocean.chain.network import Network, NetworkMisconfigured
from ocean.chain.orders import OrderInvalid, verify_order
from provider_api.deploy.addresses import free_port
from tests.support.chain import Chain, consumer, is_deployed, nft_state, publisher, stranger
from tests.support.rpc_proxy import rpc_proxy

pytestmark = pytest.mark.integration


async def test_facts_of_an_asset(chain: Chain) -> None:
    network, asset = chain.network, await chain.publish()
    state = await nft_state(network, asset.nft)
    assert state is not None
    assert (state.state, state.has_metadata, state.decryptor_url) == (0, True, "http://127.0.0.1:8030")
    assert await network.nft_owner(asset.nft) == publisher.address
    assert (await network.read_nft(asset.nft)).of_factory
    assert await is_deployed(network, asset.nft, asset.datatoken)
    assert not await is_deployed(network, asset.nft, network.ocean)
    assert network.name == "Ganache"


@pytest.mark.parametrize("kind", ["nobody", "token", "factory"])
async def test_addresses_that_are_no_data_nft(chain: Chain, kind: str) -> None:
    network = chain.network
    address = {"nobody": stranger.address, "token": network.ocean, "factory": network.factory}[kind]
    assert await nft_state(network, address) is None
    assert await network.nft_owner(address) is None
    assert not (await network.read_nft(address)).of_factory
    assert not await is_deployed(network, address, network.ocean)


async def test_tokens(chain: Chain) -> None:
    network = chain.network
    assert await network.token_decimals(network.ocean) == 18
    assert await network.token_decimals(network.addresses["MockUSDC"]) == 6
    requests = network.rpc.requests
    assert await network.token_decimals(network.addresses["MockUSDC"].lower()) == 6
    assert await network.token_decimals("0x" + "0" * 40) == 18
    assert network.rpc.requests == requests
    with pytest.raises(AnswerMalformed):
        await network.token_decimals(stranger.address)


async def test_an_unknown_transaction(chain: Chain) -> None:
    assert await chain.network.receipt("0x" + "00" * 32) is None


async def test_web3_works_on_the_same_connection(chain: Chain) -> None:
    block = await chain.network.web3.eth.get_block("latest")
    assert block["number"] == await chain.network.head()


async def test_reverted_call_is_not_the_nodes_fault(chain: Chain) -> None:
    with pytest.raises(CallReverted):
        await chain.network.rpc.call("eth_call", {"to": chain.network.factory, "data": "0x12345678"}, "latest")


async def test_node_that_is_away(chain: Chain) -> None:
    with pytest.raises(ChainUnavailable):
        await Network.open(f"http://127.0.0.1:{free_port()}", chain.network.addresses)


@pytest.mark.parametrize("said", ["", "<html>", "[]", "{}", "7", '{"jsonrpc":"2.0","id":1}', "null"])
async def test_node_that_says_something_else(chain: Chain, said: str) -> None:
    async with rpc_proxy(chain.url) as proxy:
        network = await Network.open(proxy.url, chain.network.addresses)
        proxy.answer = said
        with pytest.raises(ChainUnavailable):
            await network.head()
        with pytest.raises(ChainUnavailable):
            await network.read_nft(stranger.address)
        await network.close()


@pytest.mark.parametrize("said", ["0x556f1830", "0x4e487b71ff", "Reverted 0xff", "0x08c379a0ff"])
async def test_contract_that_reverts_with_nonsense(chain: Chain, said: str) -> None:
    error = {"code": 3, "message": "execution reverted", "data": said}
    async with rpc_proxy(chain.url) as proxy:
        network = await Network.open(proxy.url, chain.network.addresses)
        proxy.answer = json.dumps({"jsonrpc": "2.0", "id": 1, "error": error})
        assert await nft_state(network, stranger.address) is None
        await network.close()


@pytest.mark.parametrize(
    "said", ["", "01", "ff" * 32, "ff" * 200, f"{32:064x}{1:064x}" + "ff".ljust(64, "0"), f"{32:064x}{2**255:064x}"]
)
async def test_answers_of_other_contracts(chain: Chain, said: str) -> None:
    """Empty, too short, too long, text that is no UTF-8, text longer than the answer."""
    async with rpc_proxy(chain.url) as proxy:
        network = await Network.open(proxy.url, chain.network.addresses)
        proxy.answer = json.dumps({"jsonrpc": "2.0", "id": 1, "result": "0x" + said})
        assert await nft_state(network, stranger.address) is None
        assert await network.read(network.function("ERC20Template", stranger.address, "name")) == [None]
        await network.close()


async def test_node_that_adds_no_error_to_a_result(chain: Chain) -> None:
    async with rpc_proxy(chain.url) as proxy:
        network = await Network.open(proxy.url, chain.network.addresses)
        proxy.answer = '{"jsonrpc":"2.0","id":1,"result":"0x10","error":null}'
        assert await network.head() == 16
        await network.close()


async def test_slow_node(chain: Chain) -> None:
    async with rpc_proxy(chain.url) as proxy:
        network = await Network.open(proxy.url, chain.network.addresses, timeout_seconds=2)
        proxy.hangs = True
        async with asyncio.timeout(9):  # it would be ten by default
            with pytest.raises(ChainUnavailable) as caught:
                await network.head()
        assert caught.value.chain_id == 8996
        await network.close()


async def test_node_without_batches(chain: Chain) -> None:
    asset = await chain.publish()
    async with rpc_proxy(chain.url) as proxy:
        proxy.batches = False
        network = await Network.open(proxy.url, chain.network.addresses)
        assert (await network.read_nft(asset.nft)).owner == publisher.address
        await network.close()


async def test_address_file_and_chain_id_are_checked(chain: Chain, tmp_path: Path) -> None:
    with pytest.raises(NetworkMisconfigured):
        await Network.open(chain.url, chain.network.addresses, chain_id=1)
    path = tmp_path / "address.json"
    contents: list[object] = [{}, {"x": {"chainId": 1}}, {"x": {"chainId": 8996, "Ocean": "0x0"}}, []]
    for content in contents:
        path.write_text(json.dumps(content))
        with pytest.raises(NetworkMisconfigured):
            await Network.open(chain.url, path)
    with pytest.raises(NetworkMisconfigured):
        await Network.open(chain.url, tmp_path / "nothing.json")


async def test_confirmations(chain: Chain) -> None:
    asset = await chain.publish()
    tx = await chain.order(asset)
    network = await Network.open(chain.url, chain.network.addresses, confirmations=3)
    with pytest.raises(OrderInvalid, match="not_confirmed"):
        await verify_order(network, chain.request(asset, tx))
    await chain.network.rpc.call("anvil_mine", "0x2")
    assert (await verify_order(network, chain.request(asset, tx))).payer == consumer.address
    await network.close()
