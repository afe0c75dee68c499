"""A client for strangers' URLs: redirects checked hop by hop, downloads that can be resumed, digests."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpx

from ocean.outgoing.download import Download, opened, passed_on
from ocean.outgoing.errors import OutgoingFailed, OutgoingRefused
from ocean.outgoing.requests import Hop, HttpFile, first_hop, is_same_origin, next_hop
from ocean.outgoing.transport import GuardedTransport

MAX_REDIRECTS = 5

__all__ = ["Download", "FileDigest", "OutgoingClient"]


class FileDigest(NamedTuple):
    """SHA-256 (lower-case hex) and size of a file, and the validator by which its server tells versions apart."""

    digest: str
    size: int
    etag: str | None


class OutgoingClient:
    """Made by `OutgoingGuard.client`. Its connections may serve several files; cookies are never kept."""

    def __init__(self, transport: GuardedTransport, timeouts: Mapping[str, float], open_seconds: float) -> None:
        self._transport = transport
        self._timeouts = dict(timeouts)
        self._open_seconds = open_seconds

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._transport.aclose()

    @property
    def calls_under_way(self) -> int:
        """Those whose answers are not closed yet."""
        return self._transport.under_way

    @property
    def calls_refused(self) -> int:
        """How many have failed as `busy`."""
        return self._transport.refused

    @asynccontextmanager
    async def open(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        same_origin: bool = False,
        publisher: str | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """The last hop's response with any status, its body not read (`aiter_raw`). Headers are not repeated to
        another origin; `same_origin`: redirects lead to no other one. `publisher`: the owner of the asset that names
        the URL; without one the guard's exceptions for publishers do not hold. Raises OutgoingRefused, OutgoingFailed.
        """
        hop = first_hop(method, url, headers or {}, content)
        response = await self._followed(hop, same_origin=same_origin, publisher=publisher)
        try:
            yield response
        finally:
            with suppress(OutgoingFailed):
                await response.aclose()

    @asynccontextmanager
    async def stream(
        self,
        file: HttpFile,
        *,
        userdata: Any = None,
        offset: int = 0,
        validator: str | None = None,
        max_bytes: int | None = None,
        same_origin: bool = False,
        refusal_bytes: int = 0,
        publisher: str | None = None,
    ) -> AsyncIterator[Download]:
        """Open a file for download.

        To resume, pass how many bytes are there and the validator of the download they came from: if the server
        still has the same version, the download's `start` is the offset, otherwise it is 0 and the bytes that are
        there must be thrown away. Without a validator, and for POST, a download always begins at 0.
        `userdata` (object or its JSON text) goes into the query for GET, and is the JSON body for POST. `max_bytes`
        bounds the whole file. `same_origin`: redirects lead to no other origin. `refusal_bytes`: how much of an error
        answer its OutgoingFailed shall carry. `publisher` as for `open`. Raises OutgoingRefused, OutgoingFailed.
        """
        hop = first_hop(file.method, file.url, file.headers, None, userdata=userdata)
        if offset and validator and file.method == "GET":
            hop = hop.with_range(offset, validator)
        else:
            offset = 0
        response = await self._followed(hop, same_origin=same_origin, publisher=publisher)
        try:
            try:
                download = opened(response, offset, max_bytes)
            except OutgoingFailed as failure:
                if refusal_bytes and failure.reason == "status":
                    failure.content = await self._beginning(response, refusal_bytes)
                raise
            yield download
        finally:
            with suppress(OutgoingFailed):
                await response.aclose()

    @asynccontextmanager
    async def fetch(
        self,
        file: HttpFile,
        *,
        userdata: Any = None,
        wanted: Mapping[str, str] | None = None,
        publisher: str | None = None,
    ) -> AsyncIterator[Download]:
        """Open a file to hand it on: one request. `wanted`: somebody's headers `range` and `if-range`. The server
        decides whether it answers the whole (status 200), the part (206) or that there is none such (416, no content).

        Raises OutgoingRefused, OutgoingFailed.
        """
        hop = first_hop(file.method, file.url, file.headers, None, userdata=userdata)
        hop = replace(hop, range=dict(wanted or {}))
        response = await self._followed(hop, publisher=publisher)
        try:
            yield passed_on(response)
        finally:
            with suppress(OutgoingFailed):
                await response.aclose()

    async def sha256_of(
        self,
        file: HttpFile,
        max_bytes: int,
        *,
        userdata: Any = None,
        total_seconds: float = 60.0,
        publisher: str | None = None,
        counted: Callable[[int], None] = lambda count: None,
    ) -> FileDigest:
        """Digest of a file's bytes. `counted` is told of the bytes as they come, and may end it by raising.

        Raises OutgoingRefused, OutgoingFailed (`too_large`, `timeout`, …) and what `counted` raises."""
        digest, size = hashlib.sha256(), 0
        try:
            async with asyncio.timeout(total_seconds):
                async with self.stream(file, userdata=userdata, max_bytes=max_bytes, publisher=publisher) as download:
                    async for chunk in download.chunks():
                        counted(len(chunk))
                        digest.update(chunk)
                        size += len(chunk)
        except TimeoutError:
            raise OutgoingFailed("timeout", retriable=True) from None
        return FileDigest(digest.hexdigest(), size, download.validator)

    async def _beginning(self, response: httpx.Response, count: int) -> bytes:
        """Up to `count` bytes of an answer; fewer if the rest does not come."""
        content = b""
        with suppress(OutgoingFailed, TimeoutError):
            async with asyncio.timeout(self._open_seconds):
                async for chunk in response.aiter_raw():
                    content += chunk
                    if len(content) >= count:
                        break
        return content[:count]

    async def _followed(self, hop: Hop, *, same_origin: bool = False, publisher: str | None = None) -> httpx.Response:
        try:
            async with asyncio.timeout(self._open_seconds):
                for _ in range(MAX_REDIRECTS + 1):
                    response = await self._transport.handle_async_request(self._request(hop, publisher))
                    if not response.has_redirect_location:
                        return response
                    await response.aclose()
                    previous, hop = hop, next_hop(hop, response)
                    if same_origin and not is_same_origin(previous.url, hop.url):
                        raise OutgoingFailed("redirects", retriable=False)
        except TimeoutError:
            raise OutgoingFailed("timeout", retriable=True) from None
        raise OutgoingFailed("redirects", retriable=False)

    def _request(self, hop: Hop, publisher: str | None) -> httpx.Request:
        try:
            return httpx.Request(
                hop.method,
                hop.url,
                headers=dict(hop.headers),
                content=hop.content,
                extensions={"timeout": self._timeouts, "publisher": publisher},
            )
        except (httpx.InvalidURL, UnicodeError, ValueError, TypeError):
            raise OutgoingRefused("headers") from None
