"""Results that wait for the owners of their datasets: what each has decided, and what follows.

The store is the truth. A decision is an object beside the manifest, one for each dataset whose rules ask for it,
written once; it is signed by the owner, and by this service, which looked at the chain when it received it. Whoever
delivers verifies both signatures. All owners have to release; one refusal, or no word until the deadline, refuses.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, Literal

import structlog
from cachetools import LRUCache

from argo.client.records import Workflow
from contract.provenance import StartRecord
from ocean.addresses import canonical
from ocean.keys import Key, address_of
from ocean.kit.together import together
from provider_api.http.errors import Refused
from provider_api.jobs.expiry import kept_seconds
from provider_api.jobs.start_record import record_of
from provider_api.jobs.status import JobStatus
from records.decision import Decision, decision_of
from records.envelope import Envelope, parse_envelope, signed_again
from records.statement import StatementInvalid
from records.verify import NotVerified, read_signed
from results import store as pod_store
from results.object_names import decision_key

log = structlog.get_logger(__name__)

DEFAULT_SECONDS: Final = 7 * 86_400  # that results wait where no rule says how long
CLOCK_SECONDS: Final = 300  # that an owner's clock may be ahead of ours
MOST_BYTES: Final = 16 * 1024  # of a decision
_REMEMBERED: Final = 10_000

Standing = Literal["held", "released", "refused"]


@dataclass(frozen=True, slots=True)
class Approval:
    """Where the results of a job stand. `until`: Unix seconds, the deadline. `decided`: by DID of the dataset."""

    standing: Standing
    until: float
    datasets: tuple[str, ...]  # DIDs whose owners have to decide
    decided: dict[str, Decision]

    @property
    def waiting_for(self) -> tuple[str, ...]:
        return tuple(did for did in self.datasets if did not in self.decided)


@dataclass(frozen=True, slots=True)
class Received:
    """A decision as somebody sent it. Its signatures hold; whether they are the right ones is not judged yet."""

    envelope: Envelope
    signers: tuple[str, ...]  # checksum addresses
    decision: Decision


class Approvals:
    """One for each result store. `key` is the service's own."""

    def __init__(self, store: pod_store.Store, key: Key) -> None:
        self._store, self._key, self._account = store, key, address_of(key)
        self._known = LRUCache[tuple[str, str], Decision](_REMEMBERED)  # by job and DID: a decision is never changed

    async def of(self, workflow: Workflow, manifest_digest: str) -> Approval | None:
        """None for a job whose results wait for nobody. Raises StoreUnavailable."""
        record = record_with_approvers(workflow)
        if record is None:
            return None
        asked = record.approvers
        found = await together(*(self._decision(workflow.name, did, manifest_digest) for did in asked))
        decided = {did: decision for did, decision in zip(asked, found, strict=True) if decision is not None}
        until = deadline_of(workflow, record)
        if any(not decision.released for decision in decided.values()):
            standing: Standing = "refused"
        elif len(decided) == len(set(asked)):
            standing = "released"
        else:
            standing = "held" if time.time() < until else "refused"
        return Approval(standing, until, asked, decided)

    async def decide(
        self,
        workflow: Workflow,
        approval: Approval,
        manifest_digest: str,
        received: Received,
        owner_of: Callable[[str], Awaitable[str]],
    ) -> None:
        """Keep an owner's decision. The same once more changes nothing.

        Raises Refused: 400 for what is no decision on these results, 403 for one of somebody else, 409 for one that
        comes too late or contradicts. Raises StoreUnavailable, and what `owner_of` raises.
        """
        decision = received.decision
        _require_about(decision, workflow, approval, manifest_digest)
        if decision.account not in received.signers:
            raise Refused("The decision is not signed by the account that it names.")
        if canonical(await owner_of(decision.did)) != canonical(decision.account):
            raise Refused(f"{decision.account} does not own the data NFT of {decision.did}.", 403)
        known = approval.decided.get(decision.did)
        if known is None and approval.standing == "held":
            kept = signed_again(received.envelope, self._key).encoded()
            if await pod_store.put_new(self._store, decision_key(workflow.name, decision.did), kept):
                log.info("results_decided", job_id=workflow.name, did=decision.did, released=decision.released)
                return
            known = await self._decision(workflow.name, decision.did, manifest_digest)
        if known is None:
            raise Refused(f"The results are {approval.standing} already; a decision comes too late.", 409)
        if known.released != decision.released:
            said = "released" if known.released else "refused"
            raise Refused(f"The owner of {decision.did} has {said} these results already, for good.", 409)

    async def _decision(self, job_id: str, did: str, manifest_digest: str) -> Decision | None:
        """What is kept, if it is what it should be. Raises StoreUnavailable."""
        known = self._known.get((job_id, did))
        if known is not None:
            return known
        encoded = await pod_store.read_small(self._store, decision_key(job_id, did), most=2 * MOST_BYTES)
        if encoded is None:
            return None
        try:
            signed = read_signed(encoded)
            decision = decision_of(signed.statement)
        except (NotVerified, StatementInvalid) as exc:
            log.warning("decision_unreadable", job_id=job_id, did=did, reason=str(exc))
            return None
        about = decision.job_id == job_id and decision.did == did and decision.manifest_digest == manifest_digest
        if not about or not {decision.account, self._account} <= set(signed.signers):
            log.warning("decision_of_somebody_else", job_id=job_id, did=did)
            return None
        self._known[job_id, did] = decision
        return decision


def _require_about(decision: Decision, workflow: Workflow, approval: Approval, manifest_digest: str) -> None:
    ended = workflow.finished_at or workflow.created_at
    if (decision.job_id, decision.manifest_digest) != (workflow.name, manifest_digest):
        raise Refused("The decision is about the results of another job.")
    if decision.did not in approval.datasets:
        raise Refused("The decision is about a dataset whose owner is not asked.")
    if not ended.timestamp() - CLOCK_SECONDS <= decision.at <= time.time() + CLOCK_SECONDS:
        raise Refused("The decision was not made after the job and before now: look at the clock, and sign it anew.")


def record_with_approvers(workflow: Workflow) -> StartRecord | None:
    record = record_of(workflow)
    return record if record is not None and record.approvers else None


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


def read_decision(encoded: bytes) -> Received:
    """Raises Refused (400)."""
    if len(encoded) > MOST_BYTES:
        raise Refused(f"A decision has at most {MOST_BYTES} bytes.")
    try:
        signed = read_signed(encoded)
        return Received(parse_envelope(encoded), signed.signers, decision_of(signed.statement))
    except (NotVerified, StatementInvalid) as exc:
        raise Refused(f"This is no signed decision: {exc}.") from exc
