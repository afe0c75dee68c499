"""The metadata index: from a DID to the asset's document, read from the chain itself, without a metadata store.

A DID is a one-way hash of the NFT's address, and a document lies only in event logs, so both are collected (`scan`) and
kept (`index_store`). What decides about jobs, state and owner, is read from the chain at every resolution; the newest
document is too, because a resolution catches up whenever the chain has grown.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from ocean import ecies
from ocean.addresses import AddressInvalid, canonical, checksum, is_address
from ocean.chain.contracts import function
from ocean.chain.index_store import IndexStore, MetadataEvent
from ocean.chain.metadata import DocumentUnreadable, PackedDocument, unpack
from ocean.chain.network import Network, NftReading
from ocean.chain.rpc import ChainUnavailable
from ocean.chain.scan import ChainScan
from ocean.ddo import DDO, DDOMalformed
from ocean.did import is_did
from ocean.keys import Key

log = structlog.get_logger(__name__)

STATES_WITH_DOCUMENT = frozenset({0, 1, 4, 5})  # with any other state only the added fields remain
KEPT_DOCUMENTS = 512
UNKNOWN_DID_SECONDS = 0.25  # at most one look at the chain in this time, however many unknown DIDs are asked for

# Opens the document of an event that another provider encrypted: (provider's URL, NFT, transaction) → plain document.
RemoteDecryption = Callable[[str, str, str], Awaitable[bytes]]


class AssetNotFound(LookupError):
    """The DID names no asset that this service can read. `reason` is a short code for logs, never for clients."""

    def __init__(self, did: str, reason: str = "unknown") -> None:
        super().__init__(f"asset {did} was not found")
        self.did = did
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Asset:
    did: str
    nft: str
    reading: NftReading
    state: int
    event: MetadataEvent


class MetadataIndex:
    """`cache_path`: file to remember in (SQLite), None for memory. One index per network and process."""

    def __init__(
        self,
        network: Network,
        provider_key: Key,
        cache_path: Path | None = None,
        *,
        remote_decryption: RemoteDecryption | None = None,
    ) -> None:
        self._network = network
        self._key = provider_key
        self._store = IndexStore(cache_path)
        self._scan = ChainScan(network, self._store)
        self._remote = remote_decryption
        self._lock = asyncio.Lock()
        self._scanned = -1
        self._documents: OrderedDict[tuple[Any, ...], DDO] = OrderedDict()
        self._search: asyncio.Task[None] | None = None

    async def sync(self) -> int:
        """Catch up with the chain; answers the newest scanned block. Raises ChainUnavailable."""
        async with self._lock:
            self._scanned = await self._scan.catch_up()
            return self._scanned

    async def run(self, interval_seconds: float = 5.0) -> None:
        """Catch up for ever; a failed round is logged and the next one tries again. End it by cancelling."""
        while True:
            try:
                await self.sync()
            except ChainUnavailable as exc:
                log.warning("chain_index_round_failed", chain_id=exc.chain_id, reason=exc.reason)
            except Exception:
                log.exception("chain_index_round_failed", chain_id=self._network.chain_id)
            await asyncio.sleep(interval_seconds)

    async def close(self) -> None:
        if self._search is not None:
            self._search.cancel()
            await asyncio.gather(self._search, return_exceptions=True)
        self._store.close()

    def dids(self) -> list[str]:
        """Every asset known so far, oldest first."""
        return self._store.dids()

    async def resolve(self, did: str) -> DDO:
        """The asset's document with `nft`, `datatokens`, `event`, `stats`, `purgatory` added.

        State and owner are those of this moment. In the states deprecated and revoked, and unknown ones, only the added
        fields are there. Raises AssetNotFound (also for documents that are unreadable, tampered with, or of another
        asset), ChainUnavailable.
        """
        if not is_did(did):
            raise AssetNotFound(did, "not_a_did")
        nft = self._store.nft_of(did) or await self._search_chain(did)
        reading = await self._network.read_nft(nft)
        if reading.head != self._scanned:
            await self.sync()
            nft = self._store.nft_of(did) or ""  # gone after a reorganisation
        newest = self._store.newest_event(nft)
        if not nft or not reading.of_factory or reading.state is None or reading.owner is None:
            raise AssetNotFound(did, "not_of_factory")
        if not reading.state.has_metadata or newest is None:
            raise AssetNotFound(did, "no_metadata")
        return await self._document(_Asset(did, nft, reading, reading.state.state, newest))

    async def _search_chain(self, did: str) -> str:
        """Look once more for an unknown DID. All who ask within a short time share one look."""
        if self._search is None or self._search.done():
            self._search = asyncio.create_task(self._look())
        await asyncio.shield(self._search)
        if (nft := self._store.nft_of(did)) is None:
            raise AssetNotFound(did)
        return nft

    async def _look(self) -> None:
        if self._scanned >= 0 and await self._network.head() == self._scanned:
            await asyncio.sleep(UNKNOWN_DID_SECONDS)  # nothing new: whoever guesses DIDs waits
        await self.sync()

    async def _document(self, asset: _Asset) -> DDO:
        key = (asset.did, asset.event.tx, asset.event.log_index, asset.state, asset.reading.owner)
        if (known := self._documents.get(key)) is not None:
            self._documents.move_to_end(key)
            return known
        document: dict[str, Any] = {
            "id": asset.did,
            "chainId": self._network.chain_id,
            "nftAddress": checksum(asset.nft),
        }
        if asset.state in STATES_WITH_DOCUMENT:
            document = await self._checked(asset)
        document |= await self._added(asset, document)
        try:
            ddo = DDO.parse(document)
        except DDOMalformed as exc:
            raise AssetNotFound(asset.did, f"malformed: {exc.where}") from exc
        self._documents[key] = ddo
        if len(self._documents) > KEPT_DOCUMENTS:
            self._documents.popitem(last=False)
        return ddo

    async def _checked(self, asset: _Asset) -> dict[str, Any]:
        """The published document, which must say of itself what the chain says of it."""
        try:
            document = DDO.parse(await self._plain(asset)).document()
        except DDOMalformed as exc:
            raise AssetNotFound(asset.did, f"malformed: {exc.where}") from exc
        except DocumentUnreadable as exc:
            raise AssetNotFound(asset.did, exc.reason) from exc
        if document.get("id") != asset.did:
            raise AssetNotFound(asset.did, "other_did")
        if document.get("chainId") != self._network.chain_id:
            raise AssetNotFound(asset.did, "other_chain")
        try:
            if canonical(document.get("nftAddress", asset.nft)) != asset.nft:
                raise AssetNotFound(asset.did, "other_nft")
        except AddressInvalid as exc:
            raise AssetNotFound(asset.did, "other_nft") from exc
        return document

    async def _plain(self, asset: _Asset) -> bytes:
        packed = asset.event.document
        try:
            return unpack(packed, lambda blob: ecies.decrypt(self._key, blob))
        except ecies.DecryptionFailed as exc:
            if self._remote is None:
                raise DocumentUnreadable("encrypted_for_another_provider") from exc
        plain = await self._remote(asset.event.decryptor_url, asset.nft, asset.event.tx)
        return unpack(PackedDocument(b"", plain, packed.digest), lambda blob: blob)

    async def _added(self, asset: _Asset, document: dict[str, Any]) -> dict[str, Any]:
        """What a metadata store adds. Names are read from the contracts, once per event."""
        services = document.get("services") or []
        tokens = [service["datatokenAddress"] for service in services if is_address(service.get("datatokenAddress"))]
        answers = await self._network.read_many(
            [
                (asset.nft, function("ERC721Template", "name"), ()),
                (asset.nft, function("ERC721Template", "symbol"), ()),
                (asset.nft, function("ERC721Template", "tokenURI"), (1,)),
                *((token, function("ERC20Template", call), ()) for token in tokens for call in ("name", "symbol")),
            ]
        )
        texts = [str(answer[0]) if answer else "" for answer in answers]
        names = {token: texts[3 + 2 * index : 5 + 2 * index] for index, token in enumerate(tokens)}
        return {
            "nft": {
                "address": checksum(asset.nft),
                "name": texts[0],
                "symbol": texts[1],
                "tokenURI": texts[2],
                "state": asset.state,
                "owner": asset.reading.owner,
                "created": _date(self._store.created(asset.nft) or asset.event.timestamp),
            },
            "datatokens": [
                {"address": token, "name": names[token][0], "symbol": names[token][1], "serviceId": service.get("id")}
                for service in services
                if (token := service.get("datatokenAddress")) in names
            ],
            "event": {
                "tx": asset.event.tx,
                "block": asset.event.block,
                "from": checksum(asset.event.sender),
                "contract": checksum(asset.nft),
                "datetime": _date(asset.event.timestamp),
            },
            "stats": {},
            "purgatory": {"state": False},
        }


def _date(seconds: int) -> str:
    """ISO without zone, UTC, as metadata stores write it."""
    return datetime.fromtimestamp(min(seconds, 253402300799), UTC).replace(tzinfo=None).isoformat()
