"""Documents that another provider encrypted: ask its `decrypt` endpoint, signed with our key, as metadata stores do."""

from __future__ import annotations

import asyncio
import json
import time

from ocean.addresses import checksum
from ocean.chain.documents import RemoteDecryption, RemoteDecryptionFailed
from ocean.chain.metadata import MAX_DOCUMENT_BYTES
from ocean.keys import Key, address_of
from ocean.outgoing import OutgoingError, OutgoingGuard
from ocean.signing import decrypt_message, sign

PATH = "/api/services/decrypt"
TOTAL_SECONDS = 4.0  # what metadata stores grant


def through(guard: OutgoingGuard, key: Key, chain_id: int, *, total_seconds: float = TOTAL_SECONDS) -> RemoteDecryption:
    """The URL comes from the chain, so anybody may have written it: the call goes through the guard, and the answer is
    bounded in time and size. It fails as RemoteDecryptionFailed, also when that provider does not want to open it."""
    address = address_of(key)

    async def decrypt(url: str, nft: str, tx: str, publisher: str) -> bytes:
        nonce = str(time.time_ns())
        body = {
            "decrypterAddress": address,
            "chainId": chain_id,
            "dataNftAddress": checksum(nft),
            "transactionId": tx,
            "nonce": nonce,
            "signature": sign(decrypt_message(tx, address, chain_id, nonce), key),
        }
        endpoint = url.strip().rstrip("/").removesuffix("/api/services") + PATH
        try:
            async with asyncio.timeout(total_seconds):
                return await _posted(guard, endpoint, json.dumps(body).encode(), publisher)
        except (OutgoingError, TimeoutError) as exc:
            raise RemoteDecryptionFailed("the provider of the document did not answer") from exc

    return decrypt


async def _posted(guard: OutgoingGuard, endpoint: str, body: bytes, publisher: str) -> bytes:
    headers = {"content-type": "application/json"}
    async with (
        guard.client() as client,
        client.open("POST", endpoint, headers=headers, content=body, publisher=publisher) as response,
    ):
        if response.status_code != 201:
            raise RemoteDecryptionFailed(f"the provider of the document answered {response.status_code}")
        plain = b""
        async for chunk in response.aiter_raw():
            plain += chunk
            if len(plain) > MAX_DOCUMENT_BYTES:
                raise RemoteDecryptionFailed("the provider of the document answered too much")
    return plain
