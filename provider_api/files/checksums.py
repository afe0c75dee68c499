"""Digests of published files, remembered for a while.

A remembered digest is believed for some seconds without asking; after that the server is asked with its own entity tag
whether the file is still the same, and only a changed file is fetched again. A digest that is out of date does no harm
in the end: the pod compares the bytes it runs with the digest that the rules have seen.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from dataclasses import dataclass

import structlog
from cachetools import LRUCache

from ocean.files.requests import Fetch
from ocean.kit.single_flight import SingleFlight
from ocean.outgoing import FileDigest, OutgoingClient, OutgoingError, OutgoingFailed
from provider_api.http.errors import SourcesBusy
from provider_api.settings import OutgoingSettings
from provider_api.strangers.asking import OutgoingPools, asker, count_bytes

log = structlog.get_logger(__name__)

_REMEMBERED = 4096  # entries, each of less than a kilobyte
_LONGEST_VALIDATOR = 256


@dataclass(frozen=True, slots=True)
class _Known:
    found: FileDigest
    asked_at: float  # monotonic


@dataclass(frozen=True, slots=True)
class Asked:
    """A file to be hashed. `publisher`: whose it is, None for a URL that a consumer sends along."""

    fetch: Fetch
    most_bytes: int
    publisher: str | None

    def key(self) -> str:
        """Short, whatever the publisher wrote and the consumer sent."""
        fetch = self.fetch
        told = [fetch.url, fetch.method, dict(fetch.headers), fetch.userdata, self.most_bytes, self.publisher]
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


class FileChecksums:
    def __init__(self, pools: OutgoingPools, settings: OutgoingSettings) -> None:
        self._pools = pools
        self._settings = settings
        self._known = LRUCache[str, _Known](_REMEMBERED)  # by no time: an old digest can be confirmed
        self._asking = SingleFlight[tuple[str, bool], FileDigest]()

    async def of(self, asked: Asked) -> FileDigest | None:
        """SHA-256 (lower-case hex) and size of a file as the pod will fetch it; None if it cannot be had or is too big.

        Raises SourcesBusy, TooMuchAsked.
        """
        try:
            return await self.found(asked)
        except OutgoingError as exc:
            if isinstance(exc, OutgoingFailed) and exc.reason == "busy":
                raise SourcesBusy from None
            log.info("file_not_hashed", reason=str(exc))
            return None

    async def found(self, asked: Asked) -> FileDigest:
        """The same, with the reason why there is none. All who want the same file at the same time share one request;
        but strangers do so among themselves, because theirs may have to wait, or end for want of budget.

        Raises OutgoingError, TooMuchAsked.
        """
        key = asked.key()
        known = self._known.get(key)
        if known is not None and time.monotonic() - known.asked_at < self._settings.checksum_seconds:
            return known.found
        return await self._asking.run((key, asker() is not None), lambda: self._looked_up(key, known, asked))

    async def _looked_up(self, key: str, known: _Known | None, asked: Asked) -> FileDigest:
        client = self._pools.asking()
        if known is not None and await self._is_unchanged(client, asked, known.found.etag):
            return self._remember(key, known.found)
        found = await client.sha256_of(
            asked.fetch,
            asked.most_bytes,
            userdata=asked.fetch.userdata,
            total_seconds=self._settings.timeout_seconds,
            publisher=asked.publisher,
            counted=count_bytes,
        )
        return self._remember(key, found)

    async def _is_unchanged(self, client: OutgoingClient, asked: Asked, validator: str | None) -> bool:
        """Raises OutgoingError."""
        fetch = asked.fetch
        if fetch.method != "GET" or fetch.userdata is not None:
            return False
        if validator is None or not validator.startswith('"') or len(validator) > _LONGEST_VALIDATOR:
            return False
        headers = {**fetch.headers, "If-None-Match": validator}
        try:
            async with (
                asyncio.timeout(self._settings.timeout_seconds),
                client.open("GET", fetch.url, headers=headers, publisher=asked.publisher) as response,
            ):
                return response.status_code == 304
        except TimeoutError:
            raise OutgoingFailed("timeout", retriable=True) from None

    def _remember(self, key: str, found: FileDigest) -> FileDigest:
        if found.etag is not None and len(found.etag) > _LONGEST_VALIDATOR:
            found = found._replace(etag=None)
        self._known[key] = _Known(found, time.monotonic())
        return found
