"""The documents of all assets, held in memory for searches.

An asset is read anew when the index has seen an event of it, and after a while at any rate: an owner may change without
one. Reading is shared by all who search, has a bounded rate, and goes on when nobody waits for it any more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ocean.kit.single_flight import SingleFlight
from ocean.kit.together import each_to_its_end, together
from provider_api.chains.chains import Chain, Chains
from provider_api.http.errors import NeighbourAway

AT_ONCE = 8
KEPT_SECONDS = 60.0
READS_PER_SECOND = 10.0  # of documents that no event has touched
WAIT_SECONDS = 20.0


class Catalogues:
    """One per chain. `await close()` at the end."""

    def __init__(self, chains: Chains, retry_after_seconds: int) -> None:
        self._of_chains = [Catalogue(chain) for chain in chains.all()]
        self._retry_after = retry_after_seconds

    async def documents(self) -> list[Mapping[str, Any]]:
        """Of all chains, oldest first. Raises ChainUnavailable; NeighbourAway while they are first read."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                found = await together(*(each.documents() for each in self._of_chains))
        except TimeoutError:
            raise NeighbourAway("The assets are being read; ask again.", self._retry_after) from None
        return [document for documents in found for document in documents]

    async def close(self) -> None:
        await each_to_its_end(*(each.close() for each in self._of_chains))


@dataclass(frozen=True, slots=True)
class _Read:
    mark: Any
    at: float
    document: Mapping[str, Any] | None  # None: there is none to show


class Catalogue:
    """The documents of one chain."""

    def __init__(self, chain: Chain, clock: Callable[[], float] = time.monotonic) -> None:
        self._chain, self._clock = chain, clock
        self._known: dict[str, _Read] = {}
        self._reading = SingleFlight[None, None]()

    async def documents(self) -> list[Mapping[str, Any]]:
        """Raises ChainUnavailable."""
        await self._reading.run(None, self._read)
        return [read.document for read in self._known.values() if read.document is not None]

    async def close(self) -> None:
        await self._reading.close()

    async def _read(self) -> None:
        listing = await self._chain.listing()
        self._known = {did: self._known[did] for did in self._known if did in listing}
        kept = max(KEPT_SECONDS, len(listing) / READS_PER_SECOND)
        now = self._clock()
        wanted = [
            did
            for did, mark in listing.items()
            if (read := self._known.get(did)) is None or read.mark != mark or now - read.at > kept
        ]
        turns = asyncio.Semaphore(AT_ONCE)

        async def read_one(did: str) -> None:
            async with turns:
                ddo = await self._chain.resolve(did)
            self._known[did] = _Read(listing[did], self._clock(), None if ddo is None else ddo.document())

        outcomes = await asyncio.gather(*(read_one(did) for did in wanted), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
