"""Starting a job exactly once.

    signature -> known request? answer with its job -> nonce -> rules -> claim -> submit

A job's name follows from its request, and a claim (nonce and orders, taken together or not at all) stands before its
submission. So whatever is repeated, raced or killed:

* the identical request meets its own claim and is answered with its job, before any rule (its order may be over now);
* a claim whose submission has an unknown outcome stays open; who repeats the request submits again by name, and
  Argo's "already exists" is success;
* a claim that certainly was not submitted is released: the identical request opens it again, and a new request with the
  next nonce may use the same orders;
* "submitted, but unknown to Argo" is never started again: it ran, and its record has expired.

Taking a claim is in `claiming`, submitting in `submitting`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import structlog

from contract import names
from ocean.kit.single_flight import SingleFlight
from provider_api.access import rules
from provider_api.access.gather import FactFinder
from provider_api.access.refusal import Refusal
from provider_api.access.request import ComputeRequest
from provider_api.calls.signature import require_fresh
from provider_api.http.errors import InvalidRequest, NeighbourAway, Refused
from provider_api.jobs.claiming import ATTEMPTS, Claiming
from provider_api.jobs.identity import JobIdentity
from provider_api.jobs.places import places_in_line
from provider_api.jobs.records import Argo, find_workflow
from provider_api.jobs.specification import PreparedJob, prepare
from provider_api.jobs.submitting import Started, Submitter
from provider_api.jobs.turns import Turns
from provider_api.keys import ProviderKeys
from provider_api.settings import Settings
from provider_api.storage.claims import AlreadyClaimed, Claim, Claims
from provider_api.storage.nonces import Nonces
from provider_api.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StartRequest:
    """A start whose signature is good."""

    identity: JobIdentity
    content: ComputeRequest
    owner_text: str  # the consumer as spelled in the request


class JobStarter:
    """One for the whole service. Raises ApiError, ArgoError, ChainUnavailable."""

    def __init__(
        self,
        settings: Settings,
        keys: ProviderKeys,
        facts: FactFinder,
        argo: Argo,
        nonces: Nonces,
        claims: Claims,
        turns: Turns,
        metrics: Metrics,
    ) -> None:
        self._settings, self._keys, self._facts = settings, keys, facts
        self._argo, self._nonces, self._claims, self._turns, self._metrics = argo, nonces, claims, turns, metrics
        self._submitter = Submitter(settings, argo, claims, turns, metrics)
        self._claiming = Claiming(settings, argo, claims, metrics, self._submitter.watch)
        self._running = SingleFlight[str, Started]()  # by job id

    async def start(self, request: StartRequest) -> Started:
        """Start the job, or find it. Identical requests that arrive together share one run, and so one answer; it goes
        on although the one who asked first hangs up."""
        return await self._running.run(request.identity.job_id, lambda: self._start(request))

    async def close(self) -> None:
        """Let starts that are under way end."""
        await self._running.drain()
        await self._submitter.close()

    async def _start(self, request: StartRequest) -> Started:
        with self._facts.starting(request.content):
            return await self._start_once(request)

    async def _start_once(self, request: StartRequest) -> Started:
        for _ in range(ATTEMPTS):
            claim = await self._claims.find(request.identity.job_id)
            try:
                if claim is None:
                    return await self._start_new(request)
                return await self._continue(request, claim)
            except AlreadyClaimed:
                continue  # somebody else took or changed the claim between our two looks
        raise NeighbourAway("The same job is being started by another request.", 1)

    async def _start_new(self, request: StartRequest) -> Started:
        identity = request.identity
        if identity.counted:
            await self._require_fresh(identity)
        await self._claiming.refuse_used(identity, request.content)
        prepared = await self._prepared(request)
        began = time.monotonic()
        await self._claiming.take(identity, prepared)
        return await self._submitter.submit(prepared, began)

    async def _require_fresh(self, identity: JobIdentity) -> None:
        """Raises InvalidRequest, AlreadyClaimed."""
        try:
            require_fresh(await self._nonces.find(identity.consumer), identity.nonce_text)
        except InvalidRequest:
            if await self._claims.find(identity.job_id) is not None:  # the identical request was quicker, just now
                raise AlreadyClaimed from None
            self._metrics.start("refused", "nonce")
            raise

    async def _continue(self, request: StartRequest, claim: Claim) -> Started:
        """The identical request has been here before."""
        workflow = await find_workflow(self._argo, claim.job_id)
        if workflow is not None and (claim.state != "released" or workflow.finished):
            if claim.state == "open":
                await self._claims.mark(claim.job_id, "open", "submitted")
            self._metrics.start("repeated")
            return Started(workflow)
        if workflow is not None:
            raise await self._submitter.withdrawn(claim.job_id)  # it came after its claim had been given up
        if claim.state in ("submitted", "closed"):
            raise Refused(
                f"Job {claim.job_id} has been started before and is no longer known. It is not started again."
            )
        prepared = await self._prepared(request)
        if (prepared.chain_id, prepared.agreement_id) != claim.agreement:
            raise Refused({"order": "changed"})  # another of the same orders pays by now; a new nonce can claim it
        began = time.monotonic()
        await self._claiming.reopen(claim, prepared, request.identity)
        return await self._submitter.submit(prepared, began)

    async def _prepared(self, request: StartRequest) -> PreparedJob:
        """Rules, then everything that may still fail without a trace. Argo's absence shows here."""
        facts = await self._facts.for_start(request.content)  # counts jobs, hence within `starting`
        judged = rules.judge_start(facts)
        if not isinstance(judged, Refusal):
            judged = await self._facts.with_raw_algorithm(judged)
        if isinstance(judged, Refusal):
            self._metrics.start("refused", judged.code.partition(":")[0])  # behind it stand names without number
            log.info("start_refused", place=judged.place, code=judged.code, job_id=request.identity.job_id)
            raise judged.error()
        prepared = prepare(judged, request.identity.job_id, request.owner_text, self._settings, self._keys)
        ahead = (facts.unfinished_jobs or 0) + self._facts.earlier_starts(request.content)
        others_wait = judged.environment.id in self._turns.waiting
        waits = others_wait or ahead >= places_in_line(judged.environment)
        if waits and judged.environment.has_queue:
            labels = {**prepared.workflow.labels, names.FROM_QUEUE: "true"}
            waiting = replace(prepared.workflow, entrypoint=names.QUEUED, labels=labels)
            prepared = replace(prepared, workflow=waiting)
        return replace(prepared, ahead=ahead)
