"""From the newest metadata event to the asset's document: open, unpack, compare with the chain, add names and dates.

Whatever is wrong with a document, it is the publisher's doing, and for consumers the asset does not exist.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ocean import ecies
from ocean.addresses import AddressInvalid, canonical, checksum, is_address
from ocean.chain.index_store import MetadataEvent
from ocean.chain.metadata import DocumentUnreadable, PackedDocument, unpack
from ocean.chain.network import Network
from ocean.chain.store import StoreAnswer, published_bytes
from ocean.ddo import DDO, DDOMalformed
from ocean.keys import Key

STATES_WITH_DOCUMENT = frozenset({0, 1, 4, 5})  # with any other state only the added fields remain
NAMED_SERVICES = 64  # names of further datatokens are not read
NOT_FOR_US = "encrypted_for_another_provider"

# Opens a document that another provider encrypted: (provider's URL, NFT, transaction, publisher or "") → plain bytes.
# Raises RemoteDecryptionFailed.
RemoteDecryption = Callable[[str, str, str, str], Awaitable[bytes]]


class AssetNotFound(LookupError):
    """The DID names no asset that this service can read.

    `reason` is a short code for logs, not for clients; `transient` says that another attempt may end differently.
    """

    def __init__(self, did: str, reason: str = "unknown", *, transient: bool = False) -> None:
        super().__init__(f"asset {did} was not found")
        self.did = did
        self.reason = reason
        self.transient = transient


class RemoteDecryptionFailed(RuntimeError):
    """The provider that a document was encrypted for did not open it for us; it may at another time."""


@dataclass(frozen=True, slots=True)
class IndexedAsset:
    """A DID's NFT (lower-case) with its state and owner of this moment and its newest metadata event."""

    did: str
    nft: str
    state: int
    owner: str
    created: int  # seconds of its first metadata event
    event: MetadataEvent


class DocumentReader:
    """Opens documents with `key`, the provider's, and reads names on `network`."""

    def __init__(self, network: Network, key: Key, remote_decryption: RemoteDecryption | None) -> None:
        self._network = network
        self._key = key
        self._remote = remote_decryption

    async def read(self, asset: IndexedAsset, said: StoreAnswer | None = None) -> tuple[DDO, int]:
        """The document with the added fields, and its size in bytes before. `said`: a metadata store's answer, which
        is looked at when the document was encrypted for others. Raises AssetNotFound, ChainUnavailable."""
        try:
            if asset.state not in STATES_WITH_DOCUMENT:
                return DDO.parse(await self._without_document(asset)), 0
            plain = await self._plain(asset, said)
            document = self._checked(asset, plain)
            return DDO.parse(document | await self._added(asset, document.get("services"))), len(plain)
        except DDOMalformed as exc:
            raise AssetNotFound(asset.did, f"malformed: {exc.where}") from exc
        except DocumentUnreadable as exc:
            raise AssetNotFound(asset.did, exc.reason, transient=exc.reason == NOT_FOR_US) from exc
        except RemoteDecryptionFailed as exc:
            raise AssetNotFound(asset.did, "remote_decryption_failed", transient=True) from exc

    def _checked(self, asset: IndexedAsset, plain: bytes) -> dict[str, Any]:
        """The published document, which must say of itself what the chain says of it."""
        document = DDO.parse(plain).document()
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

    async def _without_document(self, asset: IndexedAsset) -> dict[str, Any]:
        """What remains of a deprecated or revoked asset; datatokens as far as we can read what it was."""
        try:
            services = self._checked(asset, self._opened(asset)).get("services")
        except (DocumentUnreadable, DDOMalformed, AssetNotFound):
            services = None
        remains = {"id": asset.did, "chainId": self._network.chain_id, "nftAddress": checksum(asset.nft)}
        return remains | await self._added(asset, services)

    def _opened(self, asset: IndexedAsset) -> bytes:
        try:
            return unpack(asset.event.document, lambda blob: ecies.decrypt(self._key, blob))
        except ecies.DecryptionFailed as exc:
            raise DocumentUnreadable(NOT_FOR_US) from exc

    async def _plain(self, asset: IndexedAsset, said: StoreAnswer | None) -> bytes:
        packed = asset.event.document
        try:
            return self._opened(asset)
        except DocumentUnreadable as exc:
            if exc.reason != NOT_FOR_US:
                raise
            if said is not None and (plain := published_bytes(said.document, packed.digest)) is not None:
                return plain
            if self._remote is None:
                raise
        publisher = asset.owner.lower() if asset.owner.lower() == asset.event.sender.lower() else ""
        plain = await self._remote(asset.event.decryptor_url, asset.nft, asset.event.tx, publisher)
        try:
            return unpack(PackedDocument(b"", plain, packed.digest), lambda blob: blob)
        except DocumentUnreadable as exc:  # that provider's fault, not the publisher's: it may answer rightly later
            raise AssetNotFound(asset.did, exc.reason, transient=True) from exc

    async def _added(self, asset: IndexedAsset, services: list[dict[str, Any]] | None) -> dict[str, Any]:
        """What a metadata store adds, but for what changes without an event. Names are read from the contracts."""
        services = services or []
        tokens = [service["datatokenAddress"] for service in services if is_address(service.get("datatokenAddress"))]
        tokens = tokens[:NAMED_SERVICES]
        function = self._network.function
        answers = await self._network.read(
            function("ERC721Template", asset.nft, "name"),
            function("ERC721Template", asset.nft, "symbol"),
            function("ERC721Template", asset.nft, "tokenURI", 1),
            *(function("ERC20Template", token, name) for token in tokens for name in ("name", "symbol")),
        )
        texts = [str(answer or "") for answer in answers]
        names = {token: texts[3 + 2 * index : 5 + 2 * index] for index, token in enumerate(tokens)}
        return {
            "nft": {
                "address": checksum(asset.nft),
                "name": texts[0],
                "symbol": texts[1],
                "tokenURI": texts[2],
                "state": asset.state,
                "owner": asset.owner,
                "created": _date(asset.created),
            },
            "datatokens": [
                {"address": token, "name": names[token][0], "symbol": names[token][1], "serviceId": service.get("id")}
                for service in services
                if (token := service.get("datatokenAddress")) in names
            ],
            "event": {
                "tx": asset.event.tx,
                "txid": asset.event.tx,  # by this name ocean.js waits for its transaction
                "block": asset.event.block,
                "from": checksum(asset.event.sender),
                "contract": checksum(asset.nft),
                "datetime": _date(asset.event.timestamp),
            },
        }


def _date(seconds: int) -> str:
    """ISO without zone, UTC, as metadata stores write it."""
    return datetime.fromtimestamp(min(seconds, 253402300799), UTC).replace(tzinfo=None).isoformat()
