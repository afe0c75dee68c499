"""Results whose job is gone: they lie in the store for ever, because nothing leads to them any more.

A workflow may go before its results: somebody deletes it by hand, Argo's TTL comes while the service is away, a delete
dies between the two. So the store itself is looked through, and what is removed there is only what certainly nobody can
ask for:

* the claims say that the job was ours and was submitted: another service may use the same store;
* its Argo Server is in the settings, answers, and does not know the job, neither live nor archived;
* nothing has been written for it for `keep_seconds`.

Of assets made of results nothing is touched: their folders bear no job's name. Several processes may do this at once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

import structlog

from argo.client.errors import ArgoError
from provider_api.http.errors import ApiError
from provider_api.jobs.records import JOB_ID, Argo, find_workflow
from provider_api.storage.claims import Claim
from results.store import Stored

log = structlog.get_logger(__name__)

_SUBMITTED = ("submitted", "closed")


class StoredResults(Protocol):
    """What is asked of the result store here. Both raise NeighbourAway, NeighbourFailed."""

    def stored(self) -> AsyncIterator[Stored]: ...

    async def delete(self, job_id: str) -> None: ...


class KnownClaims(Protocol):
    async def find(self, job_id: str) -> Claim | None: ...


class Orphans:
    """`keep_seconds` 0: nothing is ever removed."""

    def __init__(self, argo: Argo, results: StoredResults, claims: KnownClaims, keep_seconds: int) -> None:
        self._argo, self._results, self._claims = argo, results, claims
        self._keep_seconds = keep_seconds

    async def sweep(self, now: float) -> int:
        """How many jobs' results were removed. Raises NeighbourAway, NeighbourFailed, StorageUnavailable."""
        if self._keep_seconds == 0:
            return 0
        removed, away = 0, set[str]()
        async for found in self._results.stored():
            job_id = found.job_id
            if found.written_at > now - self._keep_seconds or not JOB_ID.fullmatch(job_id) or job_id[:2] in away:
                continue
            try:
                gone = await self._is_gone(job_id)
            except ArgoError as exc:
                away.add(job_id[:2])
                log.warning("orphans_left", server=job_id[:2], reason=type(exc).__name__)
                continue
            if not gone:
                continue
            try:
                await self._results.delete(job_id)
            except ApiError as exc:
                log.warning("results_not_removed", job_id=job_id, reason=str(exc))
                continue
            removed += 1
            log.info("orphaned_results_removed", job_id=job_id, written_at=int(found.written_at))
        return removed

    async def _is_gone(self, job_id: str) -> bool:
        """Raises ArgoError, StorageUnavailable."""
        if not self._argo.serves(job_id):
            return False
        claim = await self._claims.find(job_id)
        if claim is None or claim.state not in _SUBMITTED:
            return False
        return await find_workflow(self._argo, job_id) is None
