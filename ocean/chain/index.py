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
from ocean.chain.index_health import FAR_BEHIND, IndexHealth
from ocean.chain.index_store import IndexStore
from ocean.chain.market_view import MarketView
from ocean.chain.network import Network, NftReading
from ocean.chain.scan import ChainScan
from ocean.chain.store import MetadataStore, StoreAnswer
from ocean.ddo import DDO
from ocean.did import is_did
from ocean.keys import Key
from ocean.kit.single_flight import SingleFlight
from ocean.kit.together import together

__all__ = ["AssetNotFound", "MetadataIndex"]

log = structlog.get_logger(__name__)

KEPT_DOCUMENTS = 512
KEPT_BYTES = 8 * 1024 * 1024  # of JSON; in memory several times as much
LARGEST_KEPT_BYTES = 256 * 1024  # a longer document is read again each time
UNKNOWN_DID_SECONDS = 0.25  # at most one look at the chain in this time, however many unknown DIDs are asked for
PATIENCE_SECONDS = 20.0  # how long a resolution waits for the index to catch up
CONTRADICTED_SECONDS = (0.1, 0.3, 0.6, 1.0)  # pauses before a node is asked again that does not know what is known
NOWHERE = 2**63  # above every block


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
        self.markets = MarketView(network, self._store.market)
        self._looked = -1  # the head at the last look
        self._began = 0  # rounds so far
        self._round: asyncio.Task[None] | None = None
        self.health = IndexHealth()
        self._listed: tuple[int, dict[str, Any]] | None = None  # for which block
        self._documents: OrderedDict[tuple[Any, ...], DDO | str] = OrderedDict()  # or why there is none
        self._sizes: dict[tuple[Any, ...], int] = {}
        self._kept_bytes = 0
        self._search = SingleFlight[None, None]()

    async def sync(self) -> int:
        """Catch up with the chain by a look that begins now or later; answers the newest scanned block. All who ask
        meanwhile share it, and it goes on without them. Raises ChainUnavailable."""
        # No SingleFlight: a look that has begun may have passed what this one shall see, so it waits for the next one.
        wanted = self._began + 1
        while True:
            if self._round is None or self._round.done():
                self._began += 1
                self._round = asyncio.create_task(self._catch_up())
            number, look = self._began, self._round
            await asyncio.wait({look})
            if number >= wanted:
                look.result()
                return self.scanned

    async def _catch_up(self) -> None:
        try:
            self._looked = await self._scan.catch_up()
        except Exception as exc:
            self.health.failed(exc)
            raise
        self.health.succeeded(behind=max(self.scanned, self._network.start_block) - self._looked)

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
        await self._search.close()
        if self._round is not None:
            self._round.cancel()
            await asyncio.gather(self._round, return_exceptions=True)
        self._store.close()

    @property
    def scanned(self) -> int:
        """The newest block whose assets are known, -1 before the first look."""
        return self._store.newest()

    def is_nft(self, address: str) -> bool:
        """Whether the factory was seen to make the data NFT at this address."""
        return self._store.is_nft(canonical(address))

    def dids(self) -> list[str]:
        """Every asset known so far, oldest first."""
        return self._store.dids()

    async def look(self) -> int:
        """Know every block that the chain has now; answers the newest. Raises ChainUnavailable, also when there is more
        to read than can be waited for."""
        await self._sync_soon()
        return self.scanned

    def listing(self) -> dict[str, Any]:
        """Every asset known so far, oldest first, with a value that changes when an event changes what is known. Made
        anew with each block at most."""
        scanned = self.scanned
        if self._listed is None or self._listed[0] != scanned:
            self._listed = scanned, self._store.listing()
        return self._listed[1]

    async def resolve(self, did: str) -> DDO:
        """The asset's document with `nft`, `datatokens`, `event`, `stats`, `purgatory` added.

        State and owner are those of this moment. In the states deprecated and revoked, and unknown ones, only the added
        fields are there. Raises AssetNotFound (also for documents that are unreadable, tampered with, or of another
        asset), ChainUnavailable.
        """
        if not is_did(did):
            raise AssetNotFound(did, "not_a_did")
        nft = self._store.nft_of(did) or await self._search_chain(did)
        reading, said = await together(self._read_known(nft), self._said(did))
        if reading.head != self._looked:
            await self._sync_soon()
            nft = self._store.nft_of(did) or ""  # gone after a reorganisation
        newest = self._store.newest_event(nft)
        if not nft:
            raise AssetNotFound(did)
        if not reading.of_factory or reading.state is None or reading.owner is None:
            self._require_able(reading.head, self._store.block_of(nft))
            raise AssetNotFound(did, "not_of_factory")
        if newest is None and reading.state.has_metadata:
            await self._sync_soon()  # the node that was asked for events lagged behind this one
            newest = self._store.newest_event(nft)
        if (newest is not None) != reading.state.has_metadata:
            raise ChainUnavailable(self._network.chain_id, "the node contradicts itself about an asset's document")
        if newest is None:
            raise AssetNotFound(did, "no_metadata")
        created = self._store.created(nft) or newest.timestamp
        asset = IndexedAsset(did, nft, reading.state.state, reading.owner, created, newest)
        ddo = await self._document(asset, said)
        return ddo.with_added(stats=await self._stats(ddo), purgatory=_purgatory(said))

    async def _read_known(self, nft: str) -> NftReading:
        """State and owner. The factory's own log says that it made this NFT: a node that does not know it is behind,
        and the next node to answer may not be."""
        for pause_seconds in CONTRADICTED_SECONDS:
            reading = await self._network.read_nft(nft)
            if reading.of_factory and reading.state is not None and reading.owner is not None:
                return reading
            await asyncio.sleep(pause_seconds)
        return await self._network.read_nft(nft)

    def _require_able(self, head: int, block: int) -> None:
        """Raises ChainUnavailable for a node that cannot say what there is not: far behind, just restarted, or with the
        block in which it was seen."""
        if head < self.scanned - FAR_BEHIND or head == 0 < self.scanned or head >= block:
            raise ChainUnavailable(self._network.chain_id, "the node does not know a known asset")

    async def _said(self, did: str) -> StoreAnswer | None:
        return None if self._metadata_store is None else await self._metadata_store.find(did)

    async def _stats(self, ddo: DDO) -> dict[str, Any]:
        """Orders are counted from the chain, whoever's datatokens the asset names. The price is that of the first
        service, as clients show it. Nothing is allocated in this version of Ocean: clients expect the field."""
        tokens = list(dict.fromkeys(canonical(entry["address"]) for entry in ddo.datatokens))
        price = await self.markets.price(tokens[0]) if tokens else {}
        return {"orders": sum(map(self._store.orders_of, tokens)), "price": price, "allocated": 0}

    async def _search_chain(self, did: str) -> str:
        """Look once more for an unknown DID. All who ask within a short time share one look."""
        await self._search.run(None, self._look)
        if (nft := self._store.nft_of(did)) is not None:
            return nft
        self._require_able(self._looked, NOWHERE)
        if self._looked < self._network.start_block:
            raise ChainUnavailable(self._network.chain_id, "the node has not reached the contracts yet")
        raise AssetNotFound(did)

    async def _look(self) -> None:
        if self._looked >= 0 and await self._network.head() == self._looked:
            await asyncio.sleep(UNKNOWN_DID_SECONDS)  # nothing new: whoever guesses DIDs waits
        await self._sync_soon()

    async def _sync_soon(self) -> None:
        """`sync` for somebody who waits. Raises ChainUnavailable also when there is too much to read for now."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self.sync()
        except TimeoutError:
            raise ChainUnavailable(self._network.chain_id, "assets are still being read from the chain") from None

    async def _document(self, asset: IndexedAsset, said: StoreAnswer | None) -> DDO:
        key = (asset.did, asset.event.tx, asset.event.log_index, asset.state, asset.owner)
        if key not in self._documents:
            try:
                ddo, size = await self._reader.read(asset, said)
            except AssetNotFound as exc:
                if not exc.transient:
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
