"""Files of assets: encrypting what a publisher puts on chain, looking at files, ordering and fetching them."""

from __future__ import annotations

from typing import Any, Final

from provider_api.openapi import samples
from provider_api.openapi.operation import TEXT, Answer, Failure, Operation, Parameter
from provider_api.openapi.operations.common import AUTH_TOKEN, CHAIN_AWAY, NONCE, signature, signed
from provider_api.routes import decrypt

_ANY: Final[dict[str, Any]] = {}

OPERATIONS: Final = (
    Operation(
        "POST",
        "/api/services/encrypt",
        "encrypt",
        "Assets",
        "Encrypt for this service",
        {
            201: Answer(
                "`0x` and hex: ECIES with the service's key of the chain.",
                {"type": "string", "pattern": "^0x[0-9a-f]*$"},
                {"blob": "0x04ba5734d8f7091719471e7f7ed6b9df"},
                media=TEXT,
            )
        },
        {
            400: Failure(
                "Refusal",
                "Another content type, or no chain that the service knows.",
                {
                    "content_type": {"error": "Invalid request content type: should be application/octet-stream"},
                    "no_chain": {"error": "Missing chainId query parameter."},
                },
            )
        },
        text="What a publisher puts into `services[].files`, or a whole DDO.",
        parameters={"chainId": Parameter("Decimal.", "8996", {"type": "string"}, required=True)},
        bytes_body="The plain bytes.",
        body_required=False,
        examples={"files": '{"datatokenAddress":"0x…","nftAddress":"0x…","files":[]}'},
    ),
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
        fields=decrypt.FIELDS,
        parameters={
            "decrypterAddress": Parameter("Who asks.", samples.CONSUMER),
            "chainId": Parameter("Chain of the data NFT.", 8996),
            "dataNftAddress": Parameter("The data NFT.", samples.NFT),
            "transactionId": Parameter("The transaction that published it.", samples.TX),
            "encryptedDocument": Parameter("Hex, with or without `0x`.", schema=_ANY),
            "flags": Parameter("1: compressed, 2: encrypted.", 2, _ANY),
            "documentHash": Parameter("SHA-256 of the plain document, hex.", schema=_ANY),
            "nonce": NONCE,
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
    ),
)
