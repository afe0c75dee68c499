"""POST decrypt: a published document in plain text, for metadata stores. Signed, or with a token.

Who may ask is a setting; the document must be that of the named data NFT, whose state must allow it. 403 tells a
metadata store to give up; it repeats after anything else, with a new nonce. So the nonce is spent like everywhere,
after the read-only checks and right before a document is opened: a refused request, and one that came while the chain
was away, may come again as it is. (Ocean Provider spends it first.)
"""

from __future__ import annotations

import asyncio
from functools import partial

from starlette.responses import Response

from ocean import ecies, signing
from ocean.addresses import AddressInvalid, canonical
from ocean.chain.decryption import DocumentOfAnother, Publication, open_document
from ocean.chain.metadata import MAX_DOCUMENT_BYTES, DocumentUnreadable, PackedDocument
from ocean.did import did_of
from provider_api.calls.fields import (
    Field,
    address,
    canonical_number,
    integer,
    kind_of,
    nonce_number,
    required,
    required_without,
    text_value,
)
from provider_api.calls.parameters import Call
from provider_api.calls.signature import Signed
from provider_api.endpoints.descriptions import AUTH_TOKEN, CHAIN_AWAY, NONCE_PARAMETER, signature, signed
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.request import SIGNATURE, CallDep, ServicesDep
from provider_api.http.errors import Refused
from provider_api.openapi import samples
from provider_api.openapi.operation import ANY, TEXT, Answer, Failure, Operation, Parameter

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
_NOT_DECRYPTED = "Failed to decrypt."
_UNREADABLE = {
    "flags_unknown": _NOT_DECRYPTED,
    "compression_broken": "Failed to decompress",
    "document_too_large": "Failed to decompress",
    "hash_mismatch": "Checksum doesn't match.",
}

# The texts above are Ocean Provider's, which clients and its own tests compare; what is allowed stands beside them.
_BYTES = "bytes as hexadecimal digits, with or without 0x"
_FLAGS = "a whole number: 0 plain, 1 compressed, 2 encrypted, 3 both"
_PUBLISHED = "0x and 64 hexadecimal digits: a transaction in which this data NFT published its document"
_ENCRYPTED = "encrypted with this provider's key (POST /api/services/encrypt); else `flags` without 2"
_WANTED = {
    "not_decrypted": ("encryptedDocument", f"a document {_ENCRYPTED}"),
    "flags_unknown": ("flags", _FLAGS),
    "compression_broken": ("encryptedDocument", "a document compressed with LZMA; else `flags` without 1"),
    "document_too_large": ("encryptedDocument", f"a document of at most {MAX_DOCUMENT_BYTES} bytes"),
    "hash_mismatch": ("documentHash", "the SHA-256 of the plain document, as the data NFT published it"),
}


@endpoint(
    Operation(
        "POST",
        "/api/services/decrypt",
        "decrypt",
        "Assets",
        "A published document in plain text",
        {201: Answer("The document's bytes.", {"type": "string"}, {"ddo": '{"id":"did:op:…"}'}, media=TEXT)},
        {
            400: signed(
                "decrypterAddress",
                factory={"error": "Asset not deployed by the data NFT factory."},
                unreadable={"error": "Failed to decrypt."},
            ),
            403: Failure(
                "Refusal",
                "The caller may not, or the asset is not active any more. A metadata store gives up.",
                {"caller": {"error": "Decrypter not authorized"}, "revoked": {"error": "Asset revoked"}},
            ),
            503: CHAIN_AWAY,
        },
        text="For metadata stores. The document is that of a transaction, or is sent along with its flags and hash; it"
        " must be the named data NFT's.",
        fields=FIELDS,
        parameters={
            "decrypterAddress": Parameter("Who asks.", samples.CONSUMER),
            "chainId": Parameter("Chain of the data NFT.", 8996),
            "dataNftAddress": Parameter("The data NFT.", samples.NFT),
            "transactionId": Parameter("The transaction that published it.", samples.TX),
            "encryptedDocument": Parameter("Hex, with or without `0x`.", schema=ANY),
            "flags": Parameter("1: compressed, 2: encrypted.", 2, ANY),
            "documentHash": Parameter("SHA-256 of the plain document, hex.", schema=ANY),
            "nonce": NONCE_PARAMETER,
            "signature": signature("(transactionId or dataNftAddress) + decrypterAddress + chainId + nonce"),
        },
        place="body",
        request_headers=AUTH_TOKEN,
        examples={
            "by_transaction": {
                "decrypterAddress": samples.CONSUMER,
                "chainId": 8996,
                "dataNftAddress": samples.NFT,
                "transactionId": samples.TX,
                "nonce": samples.NONCE,
                "signature": samples.SIGNATURE,
            }
        },
    )
)
async def decrypt(call: CallDep, services: ServicesDep) -> Response:
    decrypter, chain_id, nft = call.text("decrypterAddress"), call.text("chainId"), call.text("dataNftAddress")
    tx = call.text("transactionId")
    message = partial(signing.decrypt_message, tx or nft, decrypter, chain_id)
    caller = await services.callers.require(call, Signed(message, by="decrypterAddress", chain_id=int(chain_id)))
    chain = services.chains.find(int(chain_id))
    if chain is None:
        served = ", ".join(map(str, sorted(services.chains.ids())))
        raise Refused("Unconfigured chain_id", wanted={"chainId": f"one of {served}; {int(chain_id)} was sent"})
    require_authorized(caller.address, services.settings.access.authorized_decrypters)
    publication = await chain.publication(nft, tx or None)
    packed = document_of(publication, call)
    require_readable(publication.state)
    await services.callers.use_up(caller)
    try:
        plain = await asyncio.to_thread(open_document, packed, nft, chain.chain_id, services.keys.private_key)
    except ecies.DecryptionFailed:
        raise _unreadable("not_decrypted", tx) from None
    except DocumentUnreadable as exc:
        raise _unreadable(exc.reason, tx) from None
    except DocumentOfAnother:
        own = did_of(nft, chain.chain_id)
        wanted = {
            "dataNftAddress": f"the data NFT of the document; the document of the one that was sent has the id {own}"
        }
        raise Refused("The document does not belong to the data NFT.", wanted=wanted) from None
    return Response(plain, 201, {"Content-Type": "text/plain"})


def _unreadable(reason: str, tx: str) -> Refused:
    """A document that the chain has is wrong there, not in the request."""
    place, text = _WANTED[reason]
    wanted = (
        {"transactionId": f"a transaction whose document can be opened: its {place} must be {text}"}
        if tx
        else {place: text}
    )
    return Refused(_UNREADABLE.get(reason, _NOT_DECRYPTED), wanted=wanted)


def require_authorized(caller: str, authorized: tuple[str, ...]) -> None:
    """An empty list means everybody, entries that are no addresses nobody."""
    if authorized and caller not in {_spelled(entry) for entry in authorized}:
        wanted = {"decrypterAddress": "an account that the operator has listed (C2D_ACCESS__AUTHORIZED_DECRYPTERS)"}
        raise Refused("Decrypter not authorized", 403, wanted=wanted)


def _spelled(entry: str) -> str:
    try:
        return canonical(entry)
    except AddressInvalid:
        return ""


def document_of(publication: Publication, call: Call) -> PackedDocument:
    """What is to be opened: from the transaction if one is named, else as the caller gives it. Raises Refused."""
    if not publication.of_factory:
        wanted = {"dataNftAddress": "a data NFT that Ocean's factory has deployed on the chain of `chainId`"}
        raise Refused("Asset not deployed by the data NFT factory.", wanted=wanted)
    if call.text("transactionId"):
        if publication.document is None:
            raise Refused("Failed to process transaction id.", wanted={"transactionId": _PUBLISHED})
        return publication.document
    flags, data, digest = (call.get(name) for name in ("flags", "encryptedDocument", "documentHash"))
    if isinstance(flags, bool) or not isinstance(flags, int) or not 0 <= flags < 256:
        raise Refused(_NOT_BYTES, wanted={"flags": f"{_FLAGS}; {kind_of(flags)} was sent"})
    return PackedDocument(bytes([flags]), _bytes_of("encryptedDocument", data), _bytes_of("documentHash", digest))


def _bytes_of(name: str, value: object) -> bytes:
    """Of hex text, with or without 0x. Raises Refused."""
    text = value if isinstance(value, str) else "no text"
    try:
        return bytes.fromhex(text[2:] if text[:2] in ("0x", "0X") else text)
    except ValueError:
        raise Refused(_NOT_BYTES, wanted={name: f"{_BYTES}; {kind_of(value)} was sent"}) from None


def require_readable(state: int | None) -> None:
    """Raises Refused."""
    if state in _READABLE_STATES:
        return
    if state in _REFUSING_STATES:
        raise Refused(_REFUSING_STATES[state], 403, wanted=_state_wanted(state))
    raise Refused("Invalid MetadataState", wanted=_state_wanted(state))


def _state_wanted(state: int | None) -> dict[str, str]:
    allowed = "0 (active), 4 (ordering disabled) or 5 (unlisted)"
    return {"dataNftAddress": f"a data NFT in state {allowed}; this one is in {state}, which its owner may change"}
