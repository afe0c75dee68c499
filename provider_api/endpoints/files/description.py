"""Files of assets: encrypting what a publisher puts on chain, looking at files, ordering and fetching them."""

from __future__ import annotations

from typing import Any, Final

from ocean.files.registry import described_members
from provider_api.endpoints.descriptions import AUTH_TOKEN, CHAIN_AWAY, CONSUMER, NONCE, signature, signed
from provider_api.endpoints.files import decrypt, download, fileinfo, initialize
from provider_api.openapi import samples
from provider_api.openapi.components import ref
from provider_api.openapi.operation import TEXT, Answer, Failure, Operation, Parameter

_ANY: Final[dict[str, Any]] = {}
_STRING: Final[dict[str, Any]] = {"type": "string"}
_USERDATA: Final = Parameter("Consumer parameters, an object as JSON text.", '{"unit":"mm"}', _STRING)
_UNREACHABLE: Final = {
    "error": "Provider Ganache: Asset URL not found, not available or invalid. File 0: outgoing request failed:"
    " status 404."
}

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
    Operation(
        "POST",
        "/api/services/fileinfo",
        "fileinfo",
        "Assets",
        "What is known of files",
        {
            200: Answer(
                "In the order of the files.",
                {"type": "array", "items": ref("FileInfo")},
                {
                    "table": [
                        {
                            "index": 0,
                            "type": "url",
                            "valid": True,
                            "contentLength": "14",
                            "contentType": "text/csv",
                            "filename": "rain.csv",
                            "checksum": "f2" * 32,
                            "checksumType": "sha256",
                        }
                    ],
                    "gone": [{"index": 0, "type": "url", "valid": False}],
                },
            )
        },
        {
            400: Failure(
                "InvalidOrRefused",
                "A parameter is missing or malformed, no such asset or service, or no file object.",
                {
                    "asset": {"error": "Cannot resolve DID"},
                    "service": {"error": "Provider Ganache: Invalid serviceId."},
                    "object": {"error": "malformed service files, missing required keys."},
                },
            ),
            503: CHAIN_AWAY,
        },
        text="Of an asset's service (`did`, `serviceId`), or of a file object that somebody is about to publish.",
        fields=fileinfo.FIELDS,
        parameters={
            "type": Parameter("Type of the file object.", "url"),
            "did": Parameter("The asset.", samples.DID),
            "serviceId": Parameter("`id` of the service in the DDO."),
            **{each.name: Parameter(each.text, each.example, _ANY) for each in described_members()},
            "checksum": Parameter("Whether checksums are wanted.", True, _ANY),
            "userdata": Parameter("Consumer parameters: an object, or its JSON text.", schema=_ANY),
        },
        place="body",
        examples={
            "asset": {"did": samples.DID, "serviceId": samples.DATASET["serviceId"], "checksum": True},
            "file_object": {"type": "url", "url": "https://example.com/rain.csv", "method": "GET"},
        },
    ),
    Operation(
        "GET",
        "/api/services/initialize",
        "initialize",
        "Assets",
        "What to order for a download",
        {
            200: Answer(
                "A quote, or the good order.",
                ref("AccessQuote"),
                {
                    "to_order": {"datatoken": samples.DATATOKEN, "nonce": samples.NONCE, "providerFee": samples.fee()},
                    "ordered": {"validOrder": samples.TX},
                },
            )
        },
        {
            400: Failure(
                "InvalidOrRefused",
                "A parameter is missing or malformed, or the consumer cannot have the asset.",
                {
                    "asset": {"error": "Cannot resolve DID"},
                    "state": {"error": "Provider Ganache: Asset is not consumable."},
                    "compute": {
                        "error": "Provider Ganache: Use the initializeCompute endpoint to initialize compute jobs."
                    },
                },
            ),
            503: CHAIN_AWAY,
        },
        text="Not signed. Downloads cost no provider fee.",
        fields=initialize.FIELDS,
        parameters={
            "documentId": Parameter("DID.", samples.DID),
            "serviceId": Parameter("`id` of the service in the DDO.", "access-1"),
            "consumerAddress": CONSUMER,
            "fileIndex": Parameter("If given, the file must be there.", "0"),
            "transferTxId": Parameter("An order that may still be good.", samples.TX),
            "userdata": _USERDATA,
            "environment": Parameter("Ignored."),
            "validUntil": Parameter("Ignored."),
        },
    ),
    Operation(
        "GET",
        "/api/services/download",
        "download",
        "Assets",
        "A file of an ordered asset",
        {
            200: Answer(
                "The file, streamed from its source.",
                _ANY,
                media="*/*",
                headers={
                    "Content-Disposition": "`attachment;filename=NAME`",
                    "Content-Length": "If the source tells it. Without it the answer is chunked.",
                    "ETag": "The source's.",
                    "Accept-Ranges": "The source's.",
                },
            ),
            206: Answer("The part that was asked for.", _ANY, media="*/*", headers={"Content-Range": "Which part."}),
            416: Answer("There is no such part.", headers={"Content-Range": "The source's."}),
        },
        {
            400: signed(
                "documentId",
                order={
                    "error": f"Provider Ganache: Order with tx_id {samples.TX} could not be validated due to error: The"
                    " order has expired."
                },
                index={"error": "Provider Ganache: No such fileIndex 7"},
                unreachable=_UNREACHABLE,
            ),
            503: CHAIN_AWAY,
        },
        text="An answer that ends before its length, or without its last chunk, is not the whole file: the source broke"
        " off. `Range` goes on from there, with a new nonce.",
        fields=download.FIELDS,
        parameters={
            "documentId": Parameter("DID.", samples.DID),
            "serviceId": Parameter("`id` of the service in the DDO.", "access-1"),
            "consumerAddress": CONSUMER,
            "transferTxId": Parameter("The order.", samples.TX),
            "fileIndex": Parameter("Position in the list of files.", "0"),
            "nonce": NONCE,
            "signature": signature("documentId + nonce"),
            "userdata": _USERDATA,
        },
        request_headers={
            "Range": Parameter("One part of the file, `bytes=0-1023`; the source decides.", schema=_STRING),
            "If-Range": Parameter("Only if the file still has this ETag; else the whole.", schema=_STRING),
            **AUTH_TOKEN,
        },
    ),
)
