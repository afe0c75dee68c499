"""A document encrypted for another provider is opened by that provider, through the guard."""

from __future__ import annotations

import asyncio
import json

import pytest

from ocean.chain.index import AssetNotFound, MetadataIndex
from ocean.chain.metadata import pack
from ocean.chain.publishing import set_packed
from ocean.chain.remote_decryption import ATTEMPTS, through
from ocean.ecies import encrypt, public_key_of
from ocean.outgoing import OutgoingGuard
from tests.support.chain import Asset, Chain, provider, publisher, stranger
from tests.support.provider_double import ProviderDouble, provider_double

pytestmark = pytest.mark.integration

OURS = stranger  # the document is for `provider`


async def test_other_provider_opens_its_document_for_us(chain: Chain) -> None:
    asset = await chain.publish()
    async with provider_double() as double:
        key = public_key_of(provider)
        plain = json.dumps(asset.ddo.document()).encode()
        sealed = pack(plain, 2, lambda data: encrypt(key, data))
        tx = await set_packed(chain.network, publisher, asset.nft, sealed, provider_url=double.url + "/")
        double.documents[tx] = sealed.data
        guard = OutgoingGuard(allow_private=[double.url.removeprefix("http://")])
        index = MetadataIndex(chain.network, OURS, remote_decryption=through(guard, OURS, 8996))
        double.status = 403
        with pytest.raises(AssetNotFound, match="was not found") as caught:
            await index.resolve(asset.ddo.id)
        assert caught.value.reason == "remote_decryption_failed"
        double.status = None
        assert (await index.resolve(asset.ddo.id)).services[0].id == asset.service_id
        await index.close()

        refusing = MetadataIndex(chain.network, OURS, remote_decryption=through(OutgoingGuard(), OURS, 8996))
        with pytest.raises(AssetNotFound):
            await refusing.resolve(asset.ddo.id)
        await refusing.close()


async def seal(chain: Chain, double: ProviderDouble, asset: Asset) -> None:
    """The asset's document, encrypted for the double."""
    key = public_key_of(provider)
    sealed = pack(json.dumps(asset.ddo.document()).encode(), 2, lambda data: encrypt(key, data))
    tx = await set_packed(chain.network, publisher, asset.nft, sealed, provider_url=double.url)
    double.documents[tx] = sealed.data


def index_through(chain: Chain, double: ProviderDouble, **limits: float) -> MetadataIndex:
    guard = OutgoingGuard(allow_private=[double.url.removeprefix("http://")])
    return MetadataIndex(chain.network, OURS, remote_decryption=through(guard, OURS, 8996, **limits))


async def test_many_documents_at_once_take_turns(chain: Chain) -> None:
    """A provider takes growing nonces only, so calls that overtake each other would be refused."""
    assets = [await chain.publish() for _ in range(5)]
    async with provider_double() as double:
        for asset in assets:
            await seal(chain, double, asset)
        double.delays = iter((0.4, 0.3, 0.2, 0.1, 0.0))
        index = index_through(chain, double)
        found = await asyncio.gather(*(index.resolve(asset.ddo.id) for asset in assets))
        assert [ddo.services[0].id for ddo in found] == [asset.service_id for asset in assets]
        await index.close()


@pytest.mark.parametrize("times", [1, ATTEMPTS - 1, ATTEMPTS])
async def test_other_processes_with_our_key_overtake(chain: Chain, times: int) -> None:
    asset = await chain.publish()
    async with provider_double() as double:
        await seal(chain, double, asset)
        double.overtaken = times
        index = index_through(chain, double, total_seconds=60)
        if times == ATTEMPTS:
            with pytest.raises(AssetNotFound) as caught:
                await index.resolve(asset.ddo.id)
            assert (caught.value.reason, caught.value.transient) == ("remote_decryption_failed", True)
        assert (await index.resolve(asset.ddo.id)).services[0].id == asset.service_id
        await index.close()


async def test_answer_that_is_another_document(chain: Chain) -> None:
    asset, other = await chain.publish(), await chain.publish()
    async with provider_double() as double:
        key = public_key_of(provider)
        documents = [json.dumps(each.ddo.document()).encode() for each in (asset, other)]
        sealed = [pack(document, 2, lambda data: encrypt(key, data)) for document in documents]
        tx = await set_packed(chain.network, publisher, asset.nft, sealed[0], provider_url=double.url)
        double.documents[tx] = sealed[1].data
        guard = OutgoingGuard(allow_private=[double.url.removeprefix("http://")])
        index = MetadataIndex(chain.network, OURS, remote_decryption=through(guard, OURS, 8996))
        with pytest.raises(AssetNotFound) as caught:
            await index.resolve(asset.ddo.id)
        assert (caught.value.reason, caught.value.transient) == ("hash_mismatch", True)
        await index.close()
