"""A metadata store (Aquarius) beside the own index: what it says of an asset, and how much of that can be believed.

Two things only a store knows. The document of an asset that was encrypted for others: its bytes must have the hash that
the newest metadata event carries, so nothing in it is taken on trust. And whether the asset is in purgatory, which no
chain knows: that is the store's own word. State, owner and all else come from the chain. A store that does not answer,
or answers nonsense, is left alone for a while; then the own index decides.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from dataclasses import dataclass
from typing import Any

import httpx
import structlog

from ocean.kit.bounded_json import read_bounded

log = structlog.get_logger(__name__)

PATH = "/api/aquarius/assets/ddo/"
PAUSE_SECONDS = 5.0  # how long a store that failed is not asked again
ADDED = frozenset({"nft", "datatokens", "event", "stats", "purgatory"})  # fields that are not the publisher's


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """`document` without the fields that stores add. Nothing in it is checked yet."""

    document: dict[str, Any]
    in_purgatory: bool
    purgatory_reason: str


class StoreFailed(RuntimeError):
    """The store did not answer as one; `reason` is a short code."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the metadata store failed: {reason}")
        self.reason = reason


class MetadataStore:
    """`url` is the operator's own choice, so the guard of strangers' addresses does not apply; redirects are not
    followed. `timeout_seconds` is for a whole answer, `max_bytes` its largest size."""

    def __init__(self, url: str, *, timeout_seconds: float = 4.0, max_bytes: int = 8 * 1024 * 1024) -> None:
        self._url = url.rstrip("/").removesuffix("/api/aquarius")
        self._timeout_seconds, self._max_bytes = timeout_seconds, max_bytes
        self._client = httpx.AsyncClient(timeout=timeout_seconds, follow_redirects=False, trust_env=False)
        self._paused_until = 0.0

    async def close(self) -> None:
        await self._client.aclose()

    async def find(self, did: str) -> StoreAnswer | None:
        """What the store says of a DID; None when it knows none, or cannot be asked. `did` is a well-formed one."""
        if time.monotonic() < self._paused_until:
            return None
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return _answer(await self._body(did))
        except (StoreFailed, TimeoutError, httpx.HTTPError) as exc:
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            log.warning("metadata_store_failed", reason=getattr(exc, "reason", type(exc).__name__))
            return None

    async def _body(self, did: str) -> bytes | None:
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        body = bytearray()
        async with self._client.stream("GET", f"{self._url}{PATH}{did}", headers=headers) as response:
            if response.status_code == 404:
                return None
            if response.status_code != 200:
                raise StoreFailed(f"status_{response.status_code}")
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > self._max_bytes:
                    raise StoreFailed("too_large")
        return bytes(body)


def published_bytes(document: dict[str, Any], digest: bytes) -> bytes | None:
    """The bytes that were published, if this is the document with that SHA-256; None if it is another.

    A store hands out a parsed document, so its bytes are made again in the ways in which clients write JSON: without
    blanks (all of them) or with, other letters than ASCII escaped (ocean.py) or not (ocean.js). Order of keys and
    spelling of numbers must be as published. The fields that stores add are left out before; so an asset that was
    updated with ocean.py, which puts some of them on chain, is not recognised.
    """
    for separators in ((",", ":"), (", ", ": ")):
        for ascii_only in (True, False):
            text = json.dumps(document, separators=separators, ensure_ascii=ascii_only)
            try:
                raw = text.encode()
            except UnicodeEncodeError:
                continue  # half a surrogate pair, which only escapes can spell
            if hashlib.sha256(raw).digest() == digest:
                return raw
    return None


def _answer(body: bytes | None) -> StoreAnswer | None:
    if body is None:
        return None
    try:
        said = read_bounded(body)
    except ValueError as exc:
        raise StoreFailed("not_json") from exc
    if not isinstance(said, dict):
        raise StoreFailed("not_a_document")
    purgatory = said.get("purgatory")
    flags = purgatory if isinstance(purgatory, dict) else {}
    return StoreAnswer(
        document={name: value for name, value in said.items() if name not in ADDED},
        in_purgatory=flags.get("state") is True,
        purgatory_reason=flags["reason"] if isinstance(flags.get("reason"), str) else "",
    )
