"""The metadata index on the real contracts: what resolves and what does not, restarts, another chain, bad nodes."""

from __future__ import annotations

import asyncio
import json
import lzma
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ocean.chain.development import start_anvil
from ocean.chain.documents import RemoteDecryptionFailed
from ocean.chain.errors import ChainUnavailable
from ocean.chain.index import AssetNotFound, MetadataIndex
from ocean.chain.metadata import PackedDocument, pack
from ocean.chain.network import Network
from ocean.chain.publishing import create_nft, set_metadata, set_packed
from ocean.chain.transactions import send
from ocean.did import did_of
from ocean.ecies import encrypt, public_key_of
from provider_api.deploy.addresses import free_port
from tests.support.chain import PROVIDER_URL, Asset, Chain, provider, publisher, set_state, stranger
from tests.support.rpc_proxy import rpc_proxy

pytestmark = pytest.mark.integration


@pytest.fixture
async def index(chain: Chain) -> AsyncIterator[MetadataIndex]:
    made = MetadataIndex(chain.network, provider.key.hex())
    yield made
    await made.close()


async def why_not_found(index: MetadataIndex, did: str) -> str:
    with pytest.raises(AssetNotFound) as caught:
        await index.resolve(did)
    return caught.value.reason


async def write(chain: Chain, asset: Asset, **changes: Any) -> None:
    """Replace the document of an asset by an altered one."""
    document = asset.ddo.document() | changes
    await set_metadata(chain.network, publisher, asset.nft, document, provider_url=PROVIDER_URL)


@pytest.mark.parametrize("flags", [0, 1, 2, 3])
async def test_document_in_each_packing(chain: Chain, index: MetadataIndex, flags: int) -> None:
    asset = await chain.publish(flags=flags)
    found = (await index.resolve(asset.ddo.id)).document()
    assert {name: found[name] for name in asset.ddo.document()} == asset.ddo.document()


async def test_added_fields(chain: Chain, index: MetadataIndex) -> None:
    asset = await chain.publish(name="Rain & wind")
    found = (await index.resolve(asset.ddo.id)).document()
    nft, event = found["nft"], found["event"]
    assert (nft["address"], nft["name"], nft["symbol"], nft["state"]) == (asset.nft, "Rain & wind", "C2D", 0)
    assert nft["owner"] == event["from"] == publisher.address
    assert found["datatokens"] == [
        {"address": asset.datatoken, "name": "Rain & wind", "symbol": "C2D", "serviceId": "main"}
    ]
    receipt = await chain.network.receipt(event["tx"])
    assert receipt is not None
    assert receipt.block_number == event["block"]
    assert found["purgatory"] == {"state": False}


async def test_known_document_costs_one_round_trip_and_no_more(chain: Chain, index: MetadataIndex) -> None:
    asset = await chain.publish()
    await index.resolve(asset.ddo.id)
    before = chain.network.rpc.round_trips
    await index.resolve(asset.ddo.id)
    assert chain.network.rpc.round_trips - before == 1


async def test_newest_document_counts_without_waiting_for_the_loop(chain: Chain, index: MetadataIndex) -> None:
    asset = await chain.publish()
    await index.resolve(asset.ddo.id)
    await write(chain, asset, credentials={"deny": [{"type": "address", "values": [stranger.address]}]})
    assert (await index.resolve(asset.ddo.id)).credentials["deny"]


async def test_state_and_owner_are_of_this_moment(chain: Chain, index: MetadataIndex) -> None:
    asset = await chain.publish()
    for state in (4, 5, 1):
        await set_state(chain.network, publisher, asset.nft, state)
        found = await index.resolve(asset.ddo.id)
        assert found.nft is not None
        assert (found.nft.state, found.metadata is None) == (state, False)
    await set_state(chain.network, publisher, asset.nft, 0)
    transfer = (publisher.address, stranger.address, 1)
    await send(chain.network, publisher, chain.network.function("ERC721Template", asset.nft, "transferFrom", *transfer))
    found = await index.resolve(asset.ddo.id)
    assert found.nft is not None
    assert found.nft.owner == stranger.address


async def test_orders_are_counted_and_forged_ones_are_not(chain: Chain, index: MetadataIndex) -> None:
    asset, other = await chain.publish(), await chain.publish()
    for _ in range(2):
        await chain.order(asset)
    await chain.forged_order(asset, chain.quote(asset))
    for ddo, orders in ((asset.ddo, 2), (other.ddo, 0)):
        assert (await index.resolve(ddo.id)).stats == {"orders": orders, "price": {}, "allocated": 0}
    await chain.order(asset)
    assert (await index.resolve(asset.ddo.id)).document()["stats"]["orders"] == 3


async def test_datatokens_of_a_revoked_asset(chain: Chain, index: MetadataIndex) -> None:
    asset, unreadable = await chain.publish(), await chain.publish()
    foreign = pack(b"{}", 3, lambda data: encrypt(public_key_of(stranger), data))
    await set_packed(chain.network, publisher, unreadable.nft, foreign, provider_url=PROVIDER_URL)
    for published in (asset, unreadable):
        await set_state(chain.network, publisher, published.nft, 3)
    named = {"address": asset.datatoken, "name": "rain", "symbol": "C2D", "serviceId": "main"}
    assert (await index.resolve(asset.ddo.id)).datatokens == [named]
    assert (await index.resolve(unreadable.ddo.id)).datatokens == []


@pytest.mark.parametrize("state", [2, 3, 77])
async def test_deprecated_revoked_and_unknown_states_hide_the_document(
    chain: Chain, index: MetadataIndex, state: int
) -> None:
    asset = await chain.publish()
    await set_state(chain.network, publisher, asset.nft, state)
    found = await index.resolve(asset.ddo.id)
    assert (found.metadata, found.services) == (None, ())
    assert found.nft is not None
    assert found.nft.state == state


async def test_hash_that_does_not_fit(chain: Chain, index: MetadataIndex) -> None:
    asset = await chain.publish()
    packed = pack(json.dumps(asset.ddo.document()).encode(), 1)
    wrong = PackedDocument(packed.flags, packed.data, b"\1" * 32)
    await set_packed(chain.network, publisher, asset.nft, wrong, provider_url=PROVIDER_URL)
    assert await why_not_found(index, asset.ddo.id) == "hash_mismatch"
    assert await why_not_found(index, asset.ddo.id) == "hash_mismatch"


async def test_compressed_bomb(chain: Chain, index: MetadataIndex) -> None:
    asset = await chain.publish()
    bomb = PackedDocument(b"\1", lzma.compress(b" " * (9 << 20)), b"\1" * 32)
    await set_packed(chain.network, publisher, asset.nft, bomb, provider_url=PROVIDER_URL)
    assert await why_not_found(index, asset.ddo.id) == "document_too_large"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": "did:op:" + "0" * 64}, "other_did"),
        ({"chainId": 1}, "other_chain"),
        ({"chainId": "8996"}, "other_chain"),
        ({"nftAddress": stranger.address}, "other_nft"),
        ({"nftAddress": 7}, "other_nft"),
        ({"services": [1]}, "malformed: services.0"),
    ],
)
async def test_document_that_is_of_another_asset(
    chain: Chain, index: MetadataIndex, change: dict[str, Any], reason: str
) -> None:
    asset = await chain.publish()
    await write(chain, asset, **change)
    assert (await why_not_found(index, asset.ddo.id)).startswith(reason)


async def test_document_of_a_victim_cannot_be_overwritten_by_foreign_logs(chain: Chain, index: MetadataIndex) -> None:
    """Metadata events count only when the NFT itself emitted them, and only NFTs of the factory are known."""
    asset = await chain.publish()
    receipt = await chain.network.receipt((await index.resolve(asset.ddo.id)).event["tx"])
    assert receipt is not None
    genuine = receipt.logs[0]
    await chain.forge_logs([([bytes.fromhex(topic[2:]) for topic in genuine.topics], genuine.data)])
    found = await index.resolve(asset.ddo.id)
    assert found.event["tx"] == receipt.tx_hash
    forger = did_of("0x" + "11" * 20, chain.network.chain_id)
    assert await why_not_found(index, forger) == "unknown"


async def test_nft_without_metadata(chain: Chain, index: MetadataIndex) -> None:
    nft, _ = await create_nft(chain.network, publisher, "silent")
    assert await why_not_found(index, did_of(nft, chain.network.chain_id)) == "no_metadata"


async def test_document_encrypted_for_another_provider(chain: Chain) -> None:
    asset = await chain.publish()
    key = public_key_of(stranger)
    plain = json.dumps(asset.ddo.document()).encode()
    packed = pack(plain, 3, lambda data: encrypt(key, data))
    tx = await set_packed(chain.network, publisher, asset.nft, packed, provider_url="http://127.0.0.1:1")
    asked: list[tuple[str, str, str]] = []

    async def remote(url: str, nft: str, transaction: str, owner: str) -> bytes:
        assert owner == publisher.address.lower()
        asked.append((url, nft, transaction))
        if len(asked) == 1:
            raise RemoteDecryptionFailed
        return plain

    alone, with_help = (
        MetadataIndex(chain.network, provider),
        MetadataIndex(chain.network, provider, remote_decryption=remote),
    )
    assert await why_not_found(alone, asset.ddo.id) == "encrypted_for_another_provider"
    assert await why_not_found(with_help, asset.ddo.id) == "remote_decryption_failed"
    assert (await with_help.resolve(asset.ddo.id)).services[0].id == asset.service_id
    assert asked[-1] == ("http://127.0.0.1:1", asset.nft.lower(), tx)
    await alone.close()
    await with_help.close()


async def test_unknown_dids_cannot_hammer_the_node(chain: Chain, index: MetadataIndex) -> None:
    await index.sync()
    before = chain.network.rpc.round_trips
    unknown = ["did:op:" + f"{number:064x}" for number in range(200)]
    outcomes = await asyncio.gather(*(index.resolve(did) for did in unknown), return_exceptions=True)
    assert all(isinstance(outcome, AssetNotFound) for outcome in outcomes)
    assert chain.network.rpc.round_trips - before <= 3
    for text in ("", "did:op:x", "did:op:" + "A" * 64, "nonsense"):
        assert await why_not_found(index, text) == "not_a_did"
    assert chain.network.rpc.round_trips - before <= 3


async def test_restart_reads_only_what_is_new(chain: Chain, tmp_path: Path) -> None:
    asset = await chain.publish()
    first = MetadataIndex(chain.network, provider, tmp_path / "index.db")
    await first.sync()
    await first.close()
    later = await chain.publish()
    async with rpc_proxy(chain.url) as proxy:
        network = await Network.open(proxy.url, chain.network.addresses)
        second = MetadataIndex(network, provider, tmp_path / "index.db")
        assert asset.ddo.id in second.dids()
        proxy.methods.clear()
        await second.sync()
        assert proxy.methods.count("eth_getLogs") == 1
        assert (await second.resolve(asset.ddo.id)).id == asset.ddo.id
        assert (await second.resolve(later.ddo.id)).id == later.ddo.id
        await second.close()
        await network.close()


@pytest.mark.parametrize("content", [b"not a database" * 100, b""])
async def test_broken_cache_file_is_replaced(chain: Chain, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "index.db").write_bytes(content)
    asset = await chain.publish()
    index = MetadataIndex(chain.network, provider, tmp_path / "index.db")
    assert (await index.resolve(asset.ddo.id)).id == asset.ddo.id
    await index.close()


async def test_reorganisation_is_noticed(chain: Chain, index: MetadataIndex) -> None:
    kept = await chain.publish(name="kept")
    await index.sync()
    snapshot = await chain.snapshot()
    lost = await chain.publish(name="lost")
    assert (await index.resolve(lost.ddo.id)).id == lost.ddo.id
    await chain.revert(snapshot)
    assert await why_not_found(index, lost.ddo.id) in ("unknown", "not_of_factory")
    replaced = await chain.publish(name="in its place")
    assert replaced.ddo.id == lost.ddo.id, "the same account makes the same addresses"
    found = await index.resolve(replaced.ddo.id)
    assert found.metadata is not None
    assert found.metadata.name == "in its place"
    assert (await index.resolve(kept.ddo.id)).id == kept.ddo.id


async def test_another_chain_behind_the_same_cache(chain: Chain, tmp_path: Path) -> None:
    old = await chain.publish()
    index = MetadataIndex(chain.network, provider, tmp_path / "index.db")
    await index.sync()
    await index.close()
    other = await start_anvil(tmp_path / "chain", free_port())
    network = await Network.open(other.url, other.address_file)
    try:
        index = MetadataIndex(network, provider, tmp_path / "index.db")
        await index.sync()
        assert index.dids() == []
        assert await why_not_found(index, old.ddo.id) == "unknown"
        await index.close()
    finally:
        await network.close()
        await other.stop()


async def test_node_that_refuses_long_ranges_and_batches(chain: Chain) -> None:
    asset = await chain.publish()
    async with rpc_proxy(chain.url) as proxy:
        proxy.longest_range, proxy.batches = 3, False
        network = await Network.open(proxy.url, chain.network.addresses)
        index = MetadataIndex(network, provider)
        assert (await index.resolve(asset.ddo.id)).id == asset.ddo.id
        await index.close()
        await network.close()


async def test_loop_survives_a_node_that_is_away(chain: Chain) -> None:
    async with rpc_proxy(chain.url) as proxy:
        network = await Network.open(proxy.url, chain.network.addresses)
        index = MetadataIndex(network, provider)
        proxy.answer = "<html>maintenance</html>"
        loop = asyncio.create_task(index.run(interval_seconds=0.01))
        await asyncio.sleep(0.1)
        with pytest.raises(ChainUnavailable):
            await index.sync()
        asset = await chain.publish()
        proxy.answer = None
        async with asyncio.timeout(60):
            while asset.ddo.id not in index.dids():
                await asyncio.sleep(0.01)
        loop.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loop
        await index.close()
        await network.close()
