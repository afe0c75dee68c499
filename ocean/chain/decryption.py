"""Opening a published document for somebody who may read it: what a provider's `decrypt` endpoint does.

A provider's key opens everything that anybody encrypted for it: file lists, documents of revoked assets, documents of
other assets. So a document is opened only in the name of the data NFT that it is the document of: with a transaction,
events of other contracts do not count; the state is that of the same NFT; and what comes out must be a document that
gives itself the NFT's DID. (Ocean Provider looks at none of this: the name of any active NFT opens it everything.)
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from ocean import ecies
from ocean.addresses import canonical
from ocean.chain.contracts import event
from ocean.chain.errors import AnswerMalformed
from ocean.chain.logs import Receipt
from ocean.chain.metadata import PackedDocument, unpack
from ocean.chain.network import Network
from ocean.chain.order_values import OrderInvalid, normal_hash
from ocean.did import did_of
from ocean.keys import Key
from ocean.kit.together import together

_EVENTS = (event("ERC721Template", "MetadataCreated"), event("ERC721Template", "MetadataUpdated"))


class DocumentOfAnother(ValueError):
    """The bytes are not the document of this data NFT."""

    def __init__(self) -> None:
        super().__init__("these bytes are not the document of the data NFT")


@dataclass(frozen=True, slots=True)
class Publication:
    """A data NFT as the chain knows it now, and the document that it published in a transaction.

    `state` is None where there is no data NFT, `document` where the transaction carries none of this NFT.
    """

    of_factory: bool
    state: int | None
    document: PackedDocument | None


async def read_publication(network: Network, nft: str, tx: str | None) -> Publication:
    """`tx`: a transaction hash as a stranger writes it, None to look at the NFT alone. Raises ChainUnavailable."""
    reading, document = await together(network.read_nft(nft), _published(network, nft, tx))
    return Publication(reading.of_factory, reading.state.state if reading.state is not None else None, document)


async def _published(network: Network, nft: str, tx: str | None) -> PackedDocument | None:
    if tx is None:
        return None
    try:
        receipt = await network.receipt(normal_hash(tx))
    except OrderInvalid:  # it is no hash at all
        return None
    return None if receipt is None else published_in(receipt, nft)


def published_in(receipt: Receipt, nft: str) -> PackedDocument | None:
    """The newest document in a transaction that this very NFT emitted."""
    for log in reversed(receipt.logs):
        kind = next((kind for kind in _EVENTS if log.topics and log.topics[0] == kind.topic), None)
        if kind is None or log.address != canonical(nft):
            continue
        try:
            values = kind.decode(log)
        except AnswerMalformed:
            continue
        return PackedDocument(values["flags"], values["data"], values["metaDataHash"])
    return None


def open_document(packed: PackedDocument, nft: str, chain_id: int, key: Key) -> bytes:
    """The plain document. Raises ecies.DecryptionFailed, metadata.DocumentUnreadable, DocumentOfAnother."""
    plain = unpack(packed, lambda blob: ecies.decrypt(key, blob))
    try:
        document = json.loads(plain)
    except (ValueError, RecursionError):
        raise DocumentOfAnother from None
    if not isinstance(document, dict) or document.get("id") != did_of(nft, chain_id):
        raise DocumentOfAnother
    return plain
