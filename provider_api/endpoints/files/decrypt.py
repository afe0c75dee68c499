"""POST decrypt: a published document in plain text, for metadata stores. Signed, or with a token.

Who may ask is a setting; the document must be that of the named data NFT, whose state must allow it. 403 tells a
metadata store to give up; it repeats after anything else, with a new nonce. So the nonce is spent like everywhere,
after the read-only checks and right before a document is opened: a refused request, and one that came while the chain
was away, may come again as it is. (Ocean Provider spends it first.)
"""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ocean import ecies, signing
from ocean.addresses import AddressInvalid, canonical
from ocean.chain.decryption import DocumentOfAnother, Publication, open_document
from ocean.chain.metadata import DocumentUnreadable, PackedDocument
from provider_api.calls.fields import (
    Field,
    address,
    canonical_number,
    integer,
    nonce_number,
    required,
    required_without,
    text_value,
)
from provider_api.calls.parameters import Input
from provider_api.calls.signature import About
from provider_api.endpoints.request import SIGNATURE, parameters_of, services_of
from provider_api.http.errors import Refused

router = APIRouter()

_GIVEN = ("encryptedDocument", "flags", "documentHash")
FIELDS = (
    Field("decrypterAddress", (required, address)),
    Field("chainId", (required, integer, canonical_number)),
    Field("dataNftAddress", (required, address)),
    Field("transactionId", (required_without("dataNftAddress", *_GIVEN), text_value)),
    *(Field(name, (required_without("transactionId"),)) for name in _GIVEN),
    Field("nonce", (required, nonce_number)),
    SIGNATURE,
)
_READABLE_STATES = frozenset({0, 4, 5})  # active, ordering disabled, unlisted
_REFUSING_STATES = {1: "Asset end of life", 2: "Asset deprecated", 3: "Asset revoked"}
_NOT_BYTES = "Failed to convert input args to bytes."
_UNREADABLE = {
    "flags_unknown": "Failed to decrypt.",
    "compression_broken": "Failed to decompress",
    "document_too_large": "Failed to decompress",
    "hash_mismatch": "Checksum doesn't match.",
}


@router.post("/api/services/decrypt")
async def decrypt(request: Request) -> Response:
    given = await parameters_of(request, FIELDS)
    services = services_of(request)
    decrypter, chain_id, nft = given.text("decrypterAddress"), given.text("chainId"), given.text("dataNftAddress")
    tx = given.text("transactionId")
    caller = await services.callers.require(
        request,
        given,
        lambda nonce: signing.decrypt_message(tx or nft, decrypter, chain_id, nonce),
        "decrypterAddress",
        About(chain_id=int(chain_id)),
    )
    chain = services.chains.find(int(chain_id))
    if chain is None:
        raise Refused("Unconfigured chain_id")
    require_authorized(caller.address, services.settings.access.authorized_decrypters)
    publication = await chain.publication(nft, tx or None)
    packed = document_of(publication, given)
    require_readable(publication.state)
    await services.callers.use_up(caller)
    try:
        plain = await asyncio.to_thread(open_document, packed, nft, chain.chain_id, services.keys.private_key)
    except ecies.DecryptionFailed:
        raise Refused("Failed to decrypt.") from None
    except DocumentUnreadable as exc:
        raise Refused(_UNREADABLE[exc.reason]) from None
    except DocumentOfAnother:
        raise Refused("The document does not belong to the data NFT.") from None
    return Response(plain, 201, {"Content-Type": "text/plain"})


def require_authorized(caller: str, authorized: tuple[str, ...]) -> None:
    """An empty list means everybody, entries that are no addresses nobody."""
    if authorized and caller not in {_spelled(entry) for entry in authorized}:
        raise Refused("Decrypter not authorized", 403)


def _spelled(entry: str) -> str:
    try:
        return canonical(entry)
    except AddressInvalid:
        return ""


def document_of(publication: Publication, given: Input) -> PackedDocument:
    """What is to be opened: from the transaction if one is named, else as the caller gives it. Raises Refused."""
    if not publication.of_factory:
        raise Refused("Asset not deployed by the data NFT factory.")
    if given.text("transactionId"):
        if publication.document is None:
            raise Refused("Failed to process transaction id.")
        return publication.document
    flags, data, digest = (given.get(name) for name in ("flags", "encryptedDocument", "documentHash"))
    if isinstance(flags, bool) or not isinstance(flags, int) or not 0 <= flags < 256:
        raise Refused(_NOT_BYTES)
    return PackedDocument(bytes([flags]), _bytes_of(data), _bytes_of(digest))


def _bytes_of(value: object) -> bytes:
    """Of hex text, with or without 0x. Raises Refused."""
    text = value if isinstance(value, str) else "no text"
    try:
        return bytes.fromhex(text[2:] if text[:2] in ("0x", "0X") else text)
    except ValueError:
        raise Refused(_NOT_BYTES) from None


def require_readable(state: int | None) -> None:
    """Raises Refused."""
    if state in _READABLE_STATES:
        return
    if state in _REFUSING_STATES:
        raise Refused(_REFUSING_STATES[state], 403)
    raise Refused("Invalid MetadataState")
