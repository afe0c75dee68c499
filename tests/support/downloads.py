"""An ordered asset whose files can be downloaded, as a consumer does it: ask, buy, sign an address each time."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import httpx
from eth_account.signers.local import LocalAccount

from ocean.chain.network import Network
from ocean.chain.ordering import start_order
from ocean.chain.publishing import AssetDraft, mint, publish_asset
from ocean.client import Consumer
from ocean.ddo import DDO
from ocean.fees import Quote
from ocean.files import UrlFile
from ocean.signing import download_message, sign
from tests.support.chain import publisher
from tests.support.service import Service

_nonces = itertools.count(time.time_ns())


@dataclass(frozen=True)
class Ordered:
    """One order of one asset; it covers all files of the asset, as often as they are wanted."""

    service_url: str
    did: str
    service_id: str
    transfer_tx: str
    key: LocalAccount

    def url(self, index: int = 0) -> str:
        """A signed address for one download of that file."""
        nonce = str(next(_nonces))
        query = {
            "documentId": self.did,
            "serviceId": self.service_id,
            "transferTxId": self.transfer_tx,
            "fileIndex": str(index),
            "consumerAddress": self.key.address,
            "nonce": nonce,
            "signature": sign(download_message(self.did, nonce), self.key),
        }
        return f"{self.service_url}/api/services/download?{urlencode(query)}"


async def order_files(service: Service, network: Network, key: LocalAccount, urls: Sequence[str]) -> Ordered:
    """Publish an asset with these files, and order it."""
    async with Consumer(service.url, key) as consumer:

        async def encrypt(plain: bytes) -> bytes:
            return await consumer.encrypt(plain, network.chain_id)

        draft = AssetDraft(name="files to download", files=[UrlFile(url=url) for url in urls], service="access")
        asset = await publish_asset(network, publisher, draft, provider_url=service.url, encrypt=encrypt)
    return await bought_of(service, network, publisher, asset, key)


async def document_of(service: Service, did: str, seconds: float = 60) -> DDO:
    """As the service tells everybody, as soon as its index has it."""
    async with asyncio.timeout(seconds), httpx.AsyncClient(base_url=service.url, trust_env=False) as http:
        while (answer := await http.get(f"/api/aquarius/assets/ddo/{did}")).status_code == 404:
            await asyncio.sleep(0.1)
        return DDO.parse(answer.raise_for_status().json())


async def bought_of(service: Service, network: Network, owner: LocalAccount, asset: DDO, key: LocalAccount) -> Ordered:
    """An order of somebody's asset, who gives away a datatoken for it."""
    offered = asset.services[0]
    await mint(network, owner, offered.datatoken_address, key.address)
    async with Consumer(service.url, key) as consumer:
        wanted = {"documentId": asset.id, "serviceId": offered.id, "consumerAddress": key.address}
        answer = await consumer.call("initialize", query=wanted)
    quote = Quote.from_json(answer["providerFee"])
    tx = await start_order(network, key, offered.datatoken_address, key.address, 0, quote)
    return Ordered(service.url, asset.id, offered.id, tx, key)
