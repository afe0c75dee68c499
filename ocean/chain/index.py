"""The metadata index: from a DID to the asset's document, read from the chain itself, without a metadata store.

A DID is a one-way hash of the NFT's address, and a document lies only in event logs, so both are collected (`scan`) and
kept (`index_store`). What decides about jobs, state and owner, is read from the chain at every resolution; the newest
document is too, because a resolution catches up whenever the chain has grown.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from pathlib import Path
from typing import Any

import structlog

from ocean.addresses import canonical
from ocean.chain.documents import AssetNotFound, DocumentReader, IndexedAsset, RemoteDecryption
from ocean.chain.errors import ChainUnavailable
from ocean.chain.index_store import IndexStore
from ocean.chain.network import Network
from ocean.chain.scan import ChainScan
from ocean.chain.store import MetadataStore, StoreAnswer
from ocean.ddo import DDO
from ocean.did import is_did
from ocean.keys import Key

__all__ = ["AssetNotFound", "MetadataIndex"]

log = structlog.get_logger(__name__)

KEPT_DOCUMENTS = 512
KEPT_BYTES = 8 * 1024 * 1024  # of JSON; in memory several times as much
LARGEST_KEPT_BYTES = 256 * 1024  # a longer document is read again each time
UNKNOWN_DID_SECONDS = 0.25  # at most one look at the chain in this time, however many unknown DIDs are asked for


class MetadataIndex:
    """`cache_path`: file to remember in (SQLite), None for memory. `store`: a metadata store to ask about each asset
    too. One index per network and process."""

    def __init__(
        self,
        network: Network,
        provider_key: Key,
        cache_path: Path | None = None,
        *,
        remote_decryption: RemoteDecryption | None = None,
        store: MetadataStore | None = None,
    ) -> None:
        self._network = network
        self._metadata_store = store
        self._reader = DocumentReader(network, provider_key, remote_decryption)
        self._store = IndexStore(cache_path)
        self._scan = ChainScan(network, self._store)
        self._lock = asyncio.Lock()
        self._scanned = -1
        self._documents: OrderedDict[tuple[Any, ...], DDO | str] = OrderedDict()  # or why there is none
        self._sizes: dict[tuple[Any, ...], int] = {}
        self._kept_bytes = 0
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

    @property
    def scanned(self) -> int:
        """The newest block whose assets are known, -1 before the first look."""
        return self._scanned

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
        reading, said = await asyncio.gather(self._network.read_nft(nft), self._said(did))
        if reading.head != self._scanned:
            await self.sync()
            nft = self._store.nft_of(did) or ""  # gone after a reorganisation
        newest = self._store.newest_event(nft)
        if not nft or not reading.of_factory or reading.state is None or reading.owner is None:
            raise AssetNotFound(did, "not_of_factory")
        if not reading.state.has_metadata or newest is None:
            raise AssetNotFound(did, "no_metadata")
        created = self._store.created(nft) or newest.timestamp
        asset = IndexedAsset(did, nft, reading.state.state, reading.owner, created, newest)
        ddo = await self._document(asset, said)
        return ddo.with_added(stats=self._stats(ddo), purgatory=_purgatory(said))

    async def _said(self, did: str) -> StoreAnswer | None:
        return None if self._metadata_store is None else await self._metadata_store.find(did)

    def _stats(self, ddo: DDO) -> dict[str, Any]:
        """Orders are counted from the chain, whoever's datatokens the asset names. A price would have to be asked from
        exchanges, and nothing is allocated in this version of Ocean: clients expect the two fields."""
        tokens = {canonical(entry["address"]) for entry in ddo.datatokens}
        return {"orders": sum(map(self._store.orders_of, tokens)), "price": {}, "allocated": 0}

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

    async def _document(self, asset: IndexedAsset, said: StoreAnswer | None) -> DDO:
        key = (asset.did, asset.event.tx, asset.event.log_index, asset.state, asset.owner)
        if key not in self._documents:
            try:
                ddo, size = await self._reader.read(asset, said)
            except AssetNotFound as exc:
                if not exc.passing:
                    self._remember(key, exc.reason, 0)
                raise
            if size <= LARGEST_KEPT_BYTES:
                self._remember(key, ddo, size)
            return ddo
        self._documents.move_to_end(key)
        known = self._documents[key]
        if isinstance(known, str):
            raise AssetNotFound(asset.did, known)
        return known

    def _remember(self, key: tuple[Any, ...], outcome: DDO | str, size: int) -> None:
        if key in self._documents:  # two have read it at the same time
            return
        self._documents[key], self._sizes[key] = outcome, size
        self._kept_bytes += size
        while len(self._documents) > KEPT_DOCUMENTS or self._kept_bytes > KEPT_BYTES:
            oldest, _ = self._documents.popitem(last=False)
            self._kept_bytes -= self._sizes.pop(oldest)


def _purgatory(said: StoreAnswer | None) -> dict[str, Any]:
    if said is None or not said.in_purgatory:
        return {"state": False}
    return {"state": True, "reason": said.purgatory_reason}
