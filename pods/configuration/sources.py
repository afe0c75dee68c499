"""How a source of the job spec becomes a request. Files of other providers are asked for as the environment.

Another provider checks a signature over the asset and a nonce that must grow. Several downloads of one environment
share its account there, in this pod and in others, and the later nonce makes the earlier one useless. So a pod opens
one file of a provider after the other, each with the clock in nanoseconds or with what the provider says was used last,
plus one, and asks again when another pod was faster. What one provider says of nonces counts for that provider only:
otherwise it could make the environment use up the nonces of all others.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal, InvalidOperation
from typing import Any

from contract.job_spec import ProviderSource, UrlSource
from ocean.files.requests import Fetch
from ocean.keys import address_of
from ocean.kit.compact_json import compact_json
from ocean.outgoing import Download, OutgoingClient, OutgoingError, OutgoingFailed
from ocean.signing import download_message, sign

NONCE_BYTES = 4096  # of an answer that tells a nonce
_LARGEST_NONCE = Decimal(10) ** 30
_STALE = re.compile(r"expected nonce \(([^()]{1,80})\)")


class Sources:
    """Opens the files of one job. `key`: of the environment's Ethereum account, None if the pod has none."""

    def __init__(self, client: OutgoingClient, key: bytes | None) -> None:
        self._client = client
        self._key = key
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)  # by the address that tells the nonce
        self._last: defaultdict[str, int] = defaultdict(int)

    @asynccontextmanager
    async def open(
        self,
        source: UrlSource | ProviderSource,
        *,
        publisher: str | None = None,
        offset: int,
        validator: str | None,
        max_bytes: int,
    ) -> AsyncIterator[Download]:
        """As OutgoingClient.stream. Raises OutgoingError, with the reason `nonce` when another pod was faster."""
        async with AsyncExitStack() as stack:
            if isinstance(source, UrlSource):
                stream = self._client.stream(
                    source,
                    userdata=source.userdata,
                    offset=offset,
                    validator=validator,
                    max_bytes=max_bytes,
                    publisher=publisher,
                )
                yield await stack.enter_async_context(stream)
                return
            async with self._turns[source.nonce]:  # until the answer has begun: then the nonce is used up
                stream = self._client.stream(
                    Fetch(source.download),
                    userdata=await self._signed(source, publisher),
                    offset=offset,
                    validator=validator,
                    max_bytes=max_bytes,
                    same_origin=True,
                    refusal_bytes=NONCE_BYTES,
                    publisher=publisher,
                )
                try:
                    opened = await stack.enter_async_context(stream)
                except OutgoingFailed as failure:
                    raise self._overtaken(source, failure) or failure from None
            yield opened

    async def _signed(self, source: ProviderSource, publisher: str | None) -> dict[str, Any]:
        """The parameters of one download."""
        if self._key is None:
            raise OutgoingFailed("key", retriable=False)
        address = address_of(self._key)
        nonce = await self._next_nonce(source, address, publisher)
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
            query["userdata"] = compact_json(source.userdata)
        return query

    def _overtaken(self, source: ProviderSource, failure: OutgoingFailed) -> OutgoingFailed | None:
        """What a refusal comes to that speaks of the nonce: it tells which one was used, and is worth another try."""
        told = _STALE.search(failure.content.decode(errors="replace")) if failure.status == 400 else None
        if told is None:
            return None
        self._last[source.nonce] = max(self._last[source.nonce], _rounded_up(told[1]))
        return OutgoingFailed("nonce", retriable=True, status=400)

    async def _next_nonce(self, source: ProviderSource, address: str, publisher: str | None) -> str:
        last = self._last[source.nonce] or await self._used_nonce(source, address, publisher)
        self._last[source.nonce] = max(time.time_ns(), last + 1)
        return str(self._last[source.nonce])

    async def _used_nonce(self, source: ProviderSource, address: str, publisher: str | None) -> int:
        """The nonce that the provider has seen last of this account, rounded up; 0 if it does not tell."""
        question, content = {"userAddress": address}, b""
        try:
            async with self._client.stream(
                Fetch(source.nonce),
                userdata=question,
                max_bytes=NONCE_BYTES,
                same_origin=True,
                publisher=publisher,
            ) as answer:
                async for chunk in answer.chunks():
                    content += chunk
            return _rounded_up(str(json.loads(content)["nonce"]))
        except (OutgoingError, ValueError, KeyError, TypeError, RecursionError):
            return 0  # the clock alone is good unless somebody signs with a faster one


def _rounded_up(text: str) -> int:
    """A nonce as a whole number; 0 for what is none, or larger than anybody's clock."""
    try:
        value = Decimal(text)
        return int(value.to_integral_value("ROUND_CEILING")) if 0 <= value < _LARGEST_NONCE else 0
    except InvalidOperation:
        return 0
