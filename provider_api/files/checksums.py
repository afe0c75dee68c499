"""Digests of algorithm files, remembered for a while.

A remembered digest is believed for some seconds without asking; after that the server is asked with its own entity tag
whether the file is still the same, and only a changed file is fetched again. A digest that is out of date does no harm
in the end: the pod compares the bytes it runs with the digest that the rules have seen.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from dataclasses import dataclass

import structlog

from ocean.file_requests import Fetch
from ocean.outgoing import OutgoingClient, OutgoingError
from provider_api.settings import OutgoingSettings

log = structlog.get_logger(__name__)

_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class _Known:
    digest: str
    validator: str | None
    asked_at: float  # monotonic


class FileChecksums:
    def __init__(self, client: OutgoingClient, settings: OutgoingSettings) -> None:
        self._client = client
        self._settings = settings
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._asking: dict[str, asyncio.Task[str | None]] = {}

    async def of(self, fetch: Fetch) -> str | None:
        """SHA-256 (lower-case hex) of a file as the pod will fetch it; None if it cannot be had, or is too big.

        All who want the same file at the same time share one request.
        """
        key = json.dumps([fetch.file.to_json(), fetch.userdata], sort_keys=True, default=str)
        task = self._asking.get(key)
        if task is None:
            task = asyncio.create_task(self._digest(key, fetch))
            self._asking[key] = task
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(task)

    async def _digest(self, key: str, fetch: Fetch) -> str | None:
        known = self._known.get(key)
        if known is not None and time.monotonic() - known.asked_at < self._settings.checksum_seconds:
            return known.digest
        try:
            if known is not None and fetch.userdata is None and await self._is_unchanged(fetch, known):
                return self._remember(key, known.digest, known.validator)
            found = await self._client.sha256_of(
                fetch.file,
                self._settings.max_algorithm_bytes,
                userdata=fetch.userdata,
                total_seconds=self._settings.timeout_seconds,
            )
        except OutgoingError as exc:
            log.info("algorithm_file_unavailable", reason=str(exc))
            return None
        return self._remember(key, found.digest, found.etag)

    async def _is_unchanged(self, fetch: Fetch, known: _Known) -> bool:
        file = fetch.file
        if file.method != "GET" or known.validator is None or not known.validator.startswith('"'):
            return False
        headers = {**file.headers, "If-None-Match": known.validator}
        async with (
            asyncio.timeout(self._settings.timeout_seconds),
            self._client.open("GET", file.url, headers=headers) as r,
        ):
            return r.status_code == 304

    def _remember(self, key: str, digest: str, validator: str | None) -> str:
        self._known[key] = _Known(digest, validator, time.monotonic())
        self._known.move_to_end(key)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return digest
