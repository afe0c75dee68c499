"""What a publisher writes is what the provider can serve."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from ocean.chain.publishing import AssetDraft, create_nft, mint, publish_asset, set_metadata
from ocean.chain.transactions import TransactionFailed, TransactionUnconfirmed, send
from ocean.client import Consumer
from ocean.did import did_of
from ocean.file_lists import FilesUnreadable, decode_files
from ocean.files import UrlFile
from tests.support.chain import PROVIDER_URL, Asset, Chain, consumer, provider, publisher, stranger
from tests.support.provider_double import provider_double

pytestmark = pytest.mark.integration

FILES = [UrlFile("http://127.0.0.1:9/a.csv", headers={"x": "y"}), UrlFile("http://127.0.0.1:9/b", method="POST")]


def files_of(asset: Asset, *, allow_unbound: bool = False) -> list[UrlFile]:
    service = asset.ddo.services[0]
    return list(
        decode_files(
            service.files,
            version=asset.ddo.version,
            datatoken=asset.datatoken,
            nft=asset.nft,
            private_key=provider,
            allow_unbound=allow_unbound,
        )
    )


async def test_files_are_for_the_provider_and_this_asset(chain: Chain) -> None:
    asset, other = await chain.publish(files=FILES), await chain.publish()
    assert files_of(asset) == FILES
    stolen = other.ddo.document()
    stolen["services"][0]["files"] = asset.ddo.services[0].files
    with pytest.raises(FilesUnreadable):
        files_of(Asset(type(other.ddo).parse(stolen)))


async def test_files_of_the_old_version_are_unbound(chain: Chain) -> None:
    asset = await chain.publish(files=FILES, version="4.0.0")
    assert files_of(asset, allow_unbound=True) == FILES
    with pytest.raises(FilesUnreadable):
        files_of(asset)


async def test_encryption_by_the_providers_endpoint(chain: Chain) -> None:
    async with provider_double() as double, Consumer(double.url, publisher) as client:
        encrypt = partial(client.encrypt, chain_id=8996)
        draft = AssetDraft("rain", FILES)
        ddo = await publish_asset(chain.network, publisher, draft, provider_url=double.url, encrypt=encrypt)
    assert files_of(Asset(ddo)) == FILES
    assert ddo.services[0].service_endpoint == double.url


async def test_document_of_an_algorithm(chain: Chain) -> None:
    container = {"entrypoint": "python $ALGO", "image": "python", "tag": "3", "checksum": "sha256:" + "ab" * 32}
    asset = await chain.publish(
        type="algorithm", service="access", algorithm={"language": "python", "container": container}, timeout=0
    )
    metadata = asset.ddo.metadata
    assert metadata is not None
    assert metadata.algorithm is not None
    assert metadata.algorithm.container is not None
    assert metadata.algorithm.container.entrypoint == "python $ALGO"
    assert asset.ddo.id == did_of(asset.nft, 8996)
    assert asset.ddo.services[0].compute is None


async def test_only_the_publisher_writes_and_mints(chain: Chain) -> None:
    asset = await chain.publish()
    with pytest.raises(TransactionFailed):
        await mint(chain.network, stranger, asset.datatoken, stranger.address)
    with pytest.raises(TransactionFailed):
        await set_metadata(chain.network, stranger, asset.nft, {}, provider_url=PROVIDER_URL)


async def test_transaction_that_is_not_mined_in_time(chain: Chain) -> None:
    asset = await chain.publish()
    call = chain.network.function("ERC20Template", asset.datatoken, "mint", consumer.address, 1)
    await chain.network.rpc.call("evm_setAutomine", False)
    try:
        with pytest.raises(TransactionUnconfirmed) as caught:
            await send(chain.network, publisher, call, timeout_seconds=0.1)
    finally:
        await chain.network.rpc.call("evm_setAutomine", True)
        await chain.network.rpc.call("evm_mine")
    receipt = await chain.network.receipt(caught.value.tx_hash)
    assert receipt is not None
    assert receipt.succeeded


async def test_transactions_of_one_account_at_the_same_time(chain: Chain) -> None:
    made = await asyncio.gather(*(create_nft(chain.network, publisher, f"asset {number}") for number in range(10)))
    assert len({nft for nft, _ in made}) == 10
    before = await chain.network.balance(made[0][1], consumer.address)
    await asyncio.gather(*(mint(chain.network, publisher, made[0][1], consumer.address, 1) for _ in range(10)))
    assert await chain.network.balance(made[0][1], consumer.address) == before + 10
