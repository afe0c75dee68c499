"""Results that wait for the owners of their datasets: what each has decided, and what follows.

The store is the truth. A word on a job's results is an object beside the manifest, one for each dataset whose rules ask
for it, written once: the decision of its owner, a copy of what he has said about the algorithm before (`trusts`), or
the service's statement that nobody decided in time. It is signed by the owner, and by this service, which looked at the
chain when it received it. Whoever delivers verifies the signatures. All owners have to release; one refusal, or no word
until the deadline, refuses.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

import structlog
from cachetools import LRUCache, TTLCache

from argo.client.records import Workflow
from contract import names
from contract.provenance import StartRecord
from ocean.addresses import canonical, checksum
from ocean.chain.errors import ChainUnavailable
from ocean.keys import Key, address_of
from ocean.kit.together import together
from provider_api.http.errors import Refused
from provider_api.jobs.expiry import is_expired, kept_seconds
from provider_api.jobs.received import CLOCK_SECONDS, MOST_BYTES, OwnerOf, Received
from provider_api.jobs.start_record import record_of
from provider_api.jobs.status import JobStatus
from provider_api.jobs.trusts import Trusts, kept_trust
from records.decision import Decision, decision_of, statement_of
from records.envelope import sign_payload, signed_again
from records.statement import StatementInvalid
from records.trust import is_trust
from records.verify import NotVerified, read_signed
from results import store as pod_store
from results.object_names import decision_key

log = structlog.get_logger(__name__)

DEFAULT_SECONDS: Final = 7 * 86_400  # that results wait where no rule says how long
_REMEMBERED: Final = 10_000
_UNTRUSTED_SECONDS: Final = 30.0  # that nobody asks again who the owner is, and whether he trusts an algorithm

Standing = Literal["held", "released", "refused"]


@dataclass(frozen=True, slots=True)
class Finished:
    """A job that is over, as far as a word on its results is about it. `program` is asked for only where it matters:
    the digest of what ran, "" where nobody can trust it by that."""

    workflow: Workflow
    manifest_digest: str
    program: Callable[[], Awaitable[str]]

    @property
    def job_id(self) -> str:
        return self.workflow.name

    @property
    def ended(self) -> float:
        """Unix seconds."""
        return (self.workflow.finished_at or self.workflow.created_at).timestamp()


@dataclass(frozen=True, slots=True)
class Word:
    """What is said for good about one dataset's part in the results of a job, by its owner, by what he has said about
    the algorithm before, or by nobody in time."""

    released: bool
    by: Literal["owner", "trust", "nobody"]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Approval:
    """Where the results of a job stand. `until`: Unix seconds, the deadline. `decided`: by DID of the dataset."""

    standing: Standing
    until: float
    datasets: tuple[str, ...]  # DIDs whose owners have to decide
    decided: dict[str, Word]

    @property
    def waiting_for(self) -> tuple[str, ...]:
        return tuple(did for did in self.datasets if did not in self.decided)


class Approvals:
    """One for each result store. `key` is the service's own. Every method raises StoreUnavailable."""

    def __init__(self, store: pod_store.Store, key: Key, owner_of: OwnerOf) -> None:
        self._store, self._key, self._account = store, key, address_of(key)
        self._owner_of = owner_of
        self.trusts = Trusts(store, key)
        self._known = LRUCache[tuple[str, str], Word](_REMEMBERED)  # by job and DID: a word is never changed
        self._untrusted: TTLCache[tuple[str, str], bool] = TTLCache(_REMEMBERED, _UNTRUSTED_SECONDS)
        self._owners: TTLCache[str, str] = TTLCache(_REMEMBERED, _UNTRUSTED_SECONDS)

    async def of(self, job: Finished) -> Approval | None:
        """None for a job whose results wait for nobody."""
        record = record_of(job.workflow)
        if record is None or not record.approvers:
            if job.workflow.labels.get(names.APPROVAL) != "owner":
                return None
            # The record is of a later version: which owners that are is not known here.
            return Approval("held", job.ended + DEFAULT_SECONDS, (), {})
        approval = _judged(job, record, await self._words(job, record.approvers, self._word))
        if approval.standing == "held":
            late = time.time() >= approval.until
            more = await self._words(job, approval.waiting_for, self._lapsed if late else self._by_trust)
            approval = _judged(job, record, approval.decided | more)
        return approval

    async def decide(self, job: Finished, approval: Approval, received: Received[Decision]) -> None:
        """Keep an owner's decision. The same once more changes nothing.

        Raises Refused: 400 for what is no decision on these results, 403 for one of somebody else, 409 for one that
        comes too late or contradicts. Raises ChainUnavailable.
        """
        decision = received.said
        _require_about(decision, job, approval)
        await received.require_owner(decision.account, decision.did, self._owner_of)
        known = approval.decided.get(decision.did)
        if known is None and approval.standing == "held":
            kept = signed_again(received.envelope, self._key).encoded()
            if await pod_store.put_new(self._store, decision_key(job.job_id, decision.did), kept):
                log.info("results_decided", job_id=job.job_id, did=decision.did, released=decision.released)
                return
            known = await self._word(job, decision.did)
        if known is None or known.by == "nobody":
            standing = "refused" if approval.standing == "held" else approval.standing
            raise Refused(f"The results are {standing} already; a decision comes too late.", 409)
        if known.released != decision.released:
            said = "released" if known.released else "refused"
            raise Refused(f"The results are {said} already for {decision.did}, for good.", 409)

    async def _words(
        self, job: Finished, dids: Iterable[str], ask: Callable[[Finished, str], Awaitable[Word | None]]
    ) -> dict[str, Word]:
        asked = tuple(dict.fromkeys(dids))
        found = await together(*(ask(job, did) for did in asked))
        return {did: word for did, word in zip(asked, found, strict=True) if word is not None}

    async def _word(self, job: Finished, did: str) -> Word | None:
        """What is kept, if it is what it should be."""
        known = self._known.get((job.job_id, did))
        if known is not None:
            return known
        encoded = await pod_store.read_small(self._store, decision_key(job.job_id, did), most=2 * MOST_BYTES)
        if encoded is None:
            return None
        word = await self._read(job, did, encoded)
        if word is not None:
            self._known[job.job_id, did] = word
        return word

    async def _read(self, job: Finished, did: str, encoded: bytes) -> Word | None:
        try:
            signed = read_signed(encoded)
            if is_trust(signed.statement):
                trust = kept_trust(signed, self._account)
                return Word(released=True, by="trust") if trust.covers(did, await job.program(), job.ended) else None
            decision = decision_of(signed.statement)
        except (NotVerified, StatementInvalid) as exc:
            log.warning("decision_unreadable", job_id=job.job_id, did=did, reason=str(exc))
            return None
        about = (decision.job_id, decision.did, decision.manifest_digest) == (job.job_id, did, job.manifest_digest)
        if not about or not {decision.account, self._account} <= set(signed.signers):
            log.warning("decision_of_somebody_else", job_id=job.job_id, did=did)
            return None
        by: Literal["owner", "nobody"] = "nobody" if signed.signers == (self._account,) else "owner"
        return Word(decision.released, by, decision.reason)

    async def _by_trust(self, job: Finished, did: str) -> Word | None:
        """Whether the owner has released results of this algorithm before it ran; said for good when it is first asked
        for. While the chain is away nobody knows who the owner is, and the results wait."""
        asked = (job.job_id, did)
        if asked in self._untrusted or not (program := await job.program()):
            return None
        try:
            owner = await self._owner_lately(did)
            kept = await self.trusts.last(did, program, owner)
            if kept is None or not kept.trust.covers(did, program, job.ended):
                self._untrusted[asked] = True
                return None
            if canonical(await self._owner_of(did)) != canonical(owner):
                return None
        except (Refused, ChainUnavailable) as exc:
            log.info("owner_not_known", job_id=job.job_id, did=did, reason=str(exc))
            return None
        return await self._said(job, did, kept.encoded)

    async def _owner_lately(self, did: str) -> str:
        """Checksum address of the owner, up to half a minute ago: enough to say that there is no trust. Raises Refused,
        ChainUnavailable."""
        known = self._owners.get(did)
        if known is None:
            known = self._owners[did] = checksum(await self._owner_of(did))
        return known

    async def _lapsed(self, job: Finished, did: str) -> Word | None:
        """Say that nobody decided in time, so that a decision which arrives now is too late for everybody. Where the
        results are gone anyway, nothing is written any more."""
        if is_expired(job.workflow, time.time()):
            return _NOBODY
        nobody = Decision(
            job.job_id,
            job.manifest_digest,
            did,
            self._account,
            released=False,
            at=int(time.time()),
            reason=_NOBODY.reason,
        )
        kept = sign_payload(statement_of(nobody).encoded(), self._key).encoded()
        return await self._said(job, did, kept) or _NOBODY  # what lies there is no word of anybody

    async def _said(self, job: Finished, did: str, encoded: bytes) -> Word | None:
        """Keep a word, unless there is another one meanwhile: the one that is kept."""
        if await pod_store.put_new(self._store, decision_key(job.job_id, did), encoded):
            log.info("results_decided", job_id=job.job_id, did=did, by="service")
        return await self._word(job, did)


_NOBODY: Final = Word(released=False, by="nobody", reason="nobody decided in time")


def _judged(job: Finished, record: StartRecord, decided: dict[str, Word]) -> Approval:
    if any(not word.released for word in decided.values()):
        standing: Standing = "refused"
    else:
        standing = "released" if set(record.approvers) <= decided.keys() else "held"
    return Approval(standing, deadline_of(job.workflow, record), record.approvers, decided)


def _require_about(decision: Decision, job: Finished, approval: Approval) -> None:
    if (decision.job_id, decision.manifest_digest) != (job.job_id, job.manifest_digest):
        raise Refused("The decision is about the results of another job.")
    if decision.did not in approval.datasets:
        raise Refused("The decision is about a dataset whose owner is not asked.")
    if not job.ended - CLOCK_SECONDS <= decision.at <= time.time() + CLOCK_SECONDS:
        raise Refused("The decision was not made after the job and before now: look at the clock, and sign it anew.")


def deadline_of(workflow: Workflow, record: StartRecord) -> float:
    """Unix seconds; never later than the results are kept."""
    ended = (workflow.finished_at or workflow.created_at).timestamp()
    kept = kept_seconds(workflow)
    waits = record.release.approval_seconds or DEFAULT_SECONDS
    return ended + (min(waits, kept) if kept else waits)


def with_approval(status: JobStatus, approval: Approval | None) -> JobStatus:
    """The status of a job that is over, by where its results stand. To an old client it still publishes while they are
    held."""
    if approval is None or approval.standing == "released":
        return status
    if approval.standing == "held":
        return replace(status, number=60, reason="", finished_at=None)
    return replace(status, number=41, reason="refused")
