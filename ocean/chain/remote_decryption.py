"""Documents that another provider encrypted: ask its `decrypt` endpoint, signed with our key, as metadata stores do.

A provider takes a nonce of ours only if it is greater than the last one. So calls to one provider wait for each other;
and because further processes with our key do not wait, a call that is refused is made again with a new nonce.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from contextlib import suppress
from weakref import WeakValueDictionary

from ocean.addresses import checksum
from ocean.chain.documents import RemoteDecryption, RemoteDecryptionFailed
from ocean.chain.metadata import MAX_DOCUMENT_BYTES
from ocean.keys import Key, address_of
from ocean.outgoing import OutgoingError, OutgoingGuard
from ocean.signing import decrypt_message, sign

PATH = "/api/services/decrypt"
TOTAL_SECONDS = 4.0  # what metadata stores grant
ATTEMPTS = 5
PAUSE_SECONDS = 0.1  # before the next attempt, up to twice as long, so that processes do not meet again


class _Refused(RemoteDecryptionFailed):
    """400: because of the nonce, or of something else, which it does not say in a form to rely on."""


def through(guard: OutgoingGuard, key: Key, chain_id: int, *, total_seconds: float = TOTAL_SECONDS) -> RemoteDecryption:
    """The URL comes from the chain, so anybody may have written it: the call goes through the guard, and the answer is
    bounded in time and size. It fails as RemoteDecryptionFailed, also when that provider does not want to open it."""
    address = address_of(key)
    turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # by endpoint

    async def decrypt(url: str, nft: str, tx: str, publisher: str) -> bytes:
        endpoint = url.strip().rstrip("/").removesuffix("/api/services") + PATH
        turn = turns.setdefault(endpoint, asyncio.Lock())
        try:
            async with asyncio.timeout(total_seconds), turn:
                for _ in range(ATTEMPTS - 1):
                    with suppress(_Refused):
                        return await _posted(guard, endpoint, body(nft, tx), publisher)
                    await asyncio.sleep(PAUSE_SECONDS * random.uniform(1, 2))  # noqa: S311
                return await _posted(guard, endpoint, body(nft, tx), publisher)
        except (OutgoingError, TimeoutError) as exc:
            raise RemoteDecryptionFailed("the provider of the document did not answer") from exc

    def body(nft: str, tx: str) -> bytes:
        nonce = str(time.time_ns())
        said = {
            "decrypterAddress": address,
            "chainId": chain_id,
            "dataNftAddress": checksum(nft),
            "transactionId": tx,
            "nonce": nonce,
            "signature": sign(decrypt_message(tx, address, chain_id, nonce), key),
        }
        return json.dumps(said).encode()

    return decrypt


async def _posted(guard: OutgoingGuard, endpoint: str, body: bytes, publisher: str) -> bytes:
    headers = {"content-type": "application/json"}
    async with (
        guard.client() as client,
        client.open("POST", endpoint, headers=headers, content=body, publisher=publisher) as response,
    ):
        if response.status_code == 400:
            raise _Refused("the provider of the document answered 400")
        if response.status_code != 201:
            raise RemoteDecryptionFailed(f"the provider of the document answered {response.status_code}")
        plain = b""
        async for chunk in response.aiter_raw():
            plain += chunk
            if len(plain) > MAX_DOCUMENT_BYTES:
                raise RemoteDecryptionFailed("the provider of the document answered too much")
    return plain
