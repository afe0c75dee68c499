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
from ocean.ddo import DDO, DDOMalformed
from ocean.keys import Key

STATES_WITH_DOCUMENT = frozenset({0, 1, 4, 5})  # with any other state only the added fields remain
NAMED_SERVICES = 64  # names of further datatokens are not read

# Opens a document that another provider encrypted: (provider's URL, NFT, transaction) → plain bytes.
# Raises RemoteDecryptionFailed.
RemoteDecryption = Callable[[str, str, str], Awaitable[bytes]]


class AssetNotFound(LookupError):
    """The DID names no asset that this service can read.

    `reason` is a short code for logs, not for clients; `passing` says that another attempt may end differently.
    """

    def __init__(self, did: str, reason: str = "unknown", *, passing: bool = False) -> None:
        super().__init__(f"asset {did} was not found")
        self.did = did
        self.reason = reason
        self.passing = passing


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

    async def read(self, asset: IndexedAsset) -> tuple[DDO, int]:
        """The document with the added fields, and its size in bytes before. Raises AssetNotFound, ChainUnavailable."""
        document: dict[str, Any] = {
            "id": asset.did,
            "chainId": self._network.chain_id,
            "nftAddress": checksum(asset.nft),
        }
        size = 0
        try:
            if asset.state in STATES_WITH_DOCUMENT:
                plain = await self._plain(asset)
                document, size = self._checked(asset, plain), len(plain)
            return DDO.parse(document | await self._added(asset, document)), size
        except DDOMalformed as exc:
            raise AssetNotFound(asset.did, f"malformed: {exc.where}") from exc
        except DocumentUnreadable as exc:
            raise AssetNotFound(asset.did, exc.reason) from exc
        except RemoteDecryptionFailed as exc:
            raise AssetNotFound(asset.did, "remote_decryption_failed", passing=True) from exc

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

    async def _plain(self, asset: IndexedAsset) -> bytes:
        packed = asset.event.document
        try:
            return unpack(packed, lambda blob: ecies.decrypt(self._key, blob))
        except ecies.DecryptionFailed as exc:
            if self._remote is None:
                raise DocumentUnreadable("encrypted_for_another_provider") from exc
        plain = await self._remote(asset.event.decryptor_url, asset.nft, asset.event.tx)
        return unpack(PackedDocument(b"", plain, packed.digest), lambda blob: blob)

    async def _added(self, asset: IndexedAsset, document: dict[str, Any]) -> dict[str, Any]:
        """What a metadata store adds. Names are read from the contracts, once per event."""
        services = document.get("services") or []
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
