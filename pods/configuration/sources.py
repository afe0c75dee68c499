"""How a source of the job spec becomes a request. Files of other providers are asked for as the environment.

Another provider checks a signature over the asset and a nonce that must grow. Several downloads of one environment
share its account, in this pod and in others, and the later nonce makes the earlier one useless. So a pod signs one
request after the other, each with the clock in nanoseconds or with what the provider says was used last, plus one, and
asks again when it was overtaken.
"""

from __future__ import annotations

import asyncio
import json
import time
from decimal import Decimal, InvalidOperation
from typing import Any

from ocean.files import UrlFile
from ocean.keys import address_of
from ocean.outgoing import OutgoingClient, OutgoingError, OutgoingFailed
from ocean.signing import download_message, sign
from pods.job_spec import ProviderSource, UrlSource

NONCE_BYTES = 4096  # of an answer that tells a nonce
REPEATS = 6  # of a download that another provider refused: its nonce may have been overtaken


class Sources:
    """Opens the files of one job. `key`: of the environment's Ethereum account, None if the pod has none."""

    def __init__(self, client: OutgoingClient, key: bytes | None) -> None:
        self.client = client
        self._key = key
        self._turn = asyncio.Lock()
        self._last = 0

    async def request(self, source: UrlSource | ProviderSource) -> tuple[UrlFile, dict[str, Any] | None]:
        """(what to ask for, parameters). A provider is asked with a fresh signature each time.

        Raises OutgoingError.
        """
        if isinstance(source, UrlSource):
            return UrlFile(source.url, source.method, source.headers), source.userdata
        if self._key is None:
            raise OutgoingFailed("key", retriable=False)
        address = address_of(self._key)
        nonce = await self._next_nonce(source, address)
        query: dict[str, Any] = {
            "documentId": source.did,
            "serviceId": source.service_id,
            "fileIndex": str(source.index),
            "transferTxId": source.tx,
            "consumerAddress": address,
            "nonce": nonce,
            "signature": sign(download_message(source.did, nonce), self._key),
        }
        if source.userdata:
            query["userdata"] = json.dumps(source.userdata, separators=(",", ":"))
        return UrlFile(source.download), query

    def may_repeat(self, source: object, failure: OutgoingFailed, tries: int) -> bool:
        """Whether a refusal may come from a nonce that somebody else has overtaken."""
        return isinstance(source, ProviderSource) and failure.status == 400 and tries < REPEATS

    async def _next_nonce(self, source: ProviderSource, address: str) -> str:
        async with self._turn:
            used = await self._used_nonce(source, address)
            self._last = max(time.time_ns(), self._last + 1, used + 1)
            return str(self._last)

    async def _used_nonce(self, source: ProviderSource, address: str) -> int:
        """The nonce that the provider has seen last of this account, rounded up; 0 if it does not tell."""
        question, content = {"userAddress": address}, b""
        try:
            async with self.client.stream(UrlFile(source.nonce), userdata=question, max_bytes=NONCE_BYTES) as answer:
                async for chunk in answer.chunks():
                    content += chunk
            value = Decimal(str(json.loads(content)["nonce"]))
            return int(value.to_integral_value("ROUND_CEILING")) if value < Decimal(10) ** 30 else 0
        except (OutgoingError, ValueError, KeyError, TypeError, InvalidOperation, RecursionError):
            return 0  # the clock alone is good unless somebody signs with a faster one
