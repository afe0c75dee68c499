"""Starting a job exactly once.

    signature -> known request? answer with its job -> nonce -> rules -> claim -> submit

A job's name follows from its request, and a claim (nonce and order, taken together or not at all) stands before its
submission. So whatever is repeated, raced or killed:

* the identical request meets its own claim and is answered with its job, before any rule (its order may be over now);
* a claim whose submission has an unknown outcome stays open; who repeats the request submits again by name, and
  Argo's "already exists" is success;
* a claim that certainly was not submitted is released: the identical request opens it again, and a new request with the
  next nonce may use the same orders;
* "submitted, but unknown to Argo" is never started again: it ran, and its record has expired.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import structlog

from argo.client import errors as argo_errors
from argo.client.records import Workflow
from provider_api.access import rules
from provider_api.access.gather import FactFinder
from provider_api.access.request import ComputeRequest
from provider_api.access.signature import require_fresh, stale
from provider_api.errors import InvalidRequest, NeighbourAway, NeighbourFailed, Refused
from provider_api.jobs.identity import JobIdentity
from provider_api.jobs.records import Argo, find_workflow
from provider_api.jobs.specification import Submission, prepare
from provider_api.keys import ProviderKeys
from provider_api.metrics import Metrics
from provider_api.settings import Settings
from provider_api.storage.claims import AgreementTaken, AlreadyClaimed, Claim, Claims
from provider_api.storage.nonces import Nonces, NonceStale

log = structlog.get_logger(__name__)

_ATTEMPTS = 4  # to take a claim, when others change the same rows


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
        metrics: Metrics,
    ) -> None:
        self._settings, self._keys, self._facts = settings, keys, facts
        self._argo = argo
        self._nonces, self._claims, self._metrics = nonces, claims, metrics
        self._running: dict[str, asyncio.Task[Workflow]] = {}

    async def start(self, request: StartRequest) -> Workflow:
        """The job's workflow. Identical requests that arrive together share one run, and so one answer; it goes on
        although the one who asked first hangs up."""
        job_id = request.identity.job_id
        task = self._running.get(job_id)
        if task is None:
            task = asyncio.create_task(self._start(request))
            self._running[job_id] = task
            task.add_done_callback(lambda _: self._running.pop(job_id, None))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Let starts that are under way end."""
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _start(self, request: StartRequest) -> Workflow:
        with self._facts.starting(request.content):
            return await self._start_once(request)

    async def _start_once(self, request: StartRequest) -> Workflow:
        for _ in range(_ATTEMPTS):
            claim = await self._claims.find(request.identity.job_id)
            try:
                if claim is None:
                    return await self._start_new(request)
                return await self._continue(request, claim)
            except AlreadyClaimed:
                continue  # somebody else took or changed the claim between our two looks
        raise NeighbourAway("The same job is being started by another request.", 1)

    async def _start_new(self, request: StartRequest) -> Workflow:
        identity = request.identity
        if identity.counted:
            await self._require_fresh(identity)
        submission = await self._prepared(request)
        await self._take(identity, submission)
        return await self._submit(submission)

    async def _require_fresh(self, identity: JobIdentity) -> None:
        """Raises InvalidRequest, AlreadyClaimed."""
        try:
            require_fresh(await self._nonces.find(identity.consumer), identity.nonce_text)
        except InvalidRequest:
            if await self._claims.find(identity.job_id) is not None:  # the identical request was quicker, just now
                raise AlreadyClaimed from None
            self._metrics.start("refused", "nonce")
            raise

    async def _continue(self, request: StartRequest, claim: Claim) -> Workflow:
        """The identical request has been here before."""
        workflow = await find_workflow(self._argo, claim.job_id)
        if workflow is not None:
            if claim.state == "open":
                await self._claims.mark(claim.job_id, "open", "submitted")
            self._metrics.start("repeated")
            return workflow
        if claim.state in ("submitted", "closed"):
            raise Refused(
                f"Job {claim.job_id} has been started before and is no longer known. It is not started again."
            )
        submission = await self._prepared(request)
        if (submission.chain_id, submission.agreement_id) != (claim.chain_id, claim.agreement_id):
            raise Refused({"order": "changed"})  # another of the same orders pays by now; a new nonce can claim it
        await self._reopen(claim, request.identity)
        return await self._submit(submission)

    async def _prepared(self, request: StartRequest) -> Submission:
        """Rules, then everything that may still fail without a trace. Argo's absence shows here."""
        facts = await self._facts.for_start(request.content)  # counts jobs, hence within `starting`
        refusal = rules.judge(facts)
        if refusal is not None:
            self._metrics.start("refused", refusal.code.partition(":")[0])  # behind it stand names without number
            log.info("start_refused", place=refusal.place, code=refusal.code, job_id=request.identity.job_id)
            raise refusal.error()
        return prepare(facts, request.identity.job_id, request.owner_text, self._settings, self._keys)

    # --- claims ------------------------------------------------------------------------------------------------------

    async def _take(self, identity: JobIdentity, submission: Submission) -> None:
        """Raises Refused (order in use, stale nonce), AlreadyClaimed."""
        claim = Claim(
            job_id=identity.job_id,
            consumer=identity.consumer,
            nonce=identity.nonce,
            digest=identity.digest,
            chain_id=submission.chain_id,
            agreement_id=submission.agreement_id,
        )
        for _ in range(_ATTEMPTS):
            try:
                return await self._claims.claim(claim, _counted(identity))
            except NonceStale as exc:
                raise stale(exc) from None
            except AgreementTaken as exc:
                await self._free(exc.holder)
        raise self._in_use(submission.agreement_id)

    async def _reopen(self, claim: Claim, identity: JobIdentity) -> None:
        """Raises Refused, AlreadyClaimed when somebody else changed the claim meanwhile."""
        for _ in range(_ATTEMPTS):
            try:
                if await self._claims.reopen(claim, _counted(identity)):
                    return
                raise AlreadyClaimed
            except NonceStale as exc:
                raise stale(exc) from None
            except AgreementTaken as exc:
                await self._free(exc.holder)
        raise self._in_use(claim.agreement_id)

    async def _free(self, holder: Claim) -> None:
        """Free the order of a job that is over. Raises Refused while it is not.

        Nobody is told when a job ends; who needs its order asks.
        """
        workflow = await find_workflow(self._argo, holder.job_id)
        if workflow is not None and not workflow.finished:
            raise self._in_use(holder.agreement_id)
        if workflow is None and holder.state == "open":
            left = holder.changed_at + self._settings.limits.claim_lease_seconds - time.time()
            if left > 0:  # its submission may still be on the way
                raise NeighbourAway("The order is being used by a start whose outcome is not known yet.", int(left) + 1)
            await self._claims.change(holder, "released")
            return
        await self._claims.change(holder, "closed")

    def _in_use(self, agreement_id: str) -> Refused:
        self._metrics.start("refused", "order_in_use")
        return Refused(f"agreementId {agreement_id} is already in use for other job.")

    # --- submission --------------------------------------------------------------------------------------------------

    async def _submit(self, submission: Submission) -> Workflow:
        """Submit a claimed job. Raises NeighbourAway, NeighbourFailed."""
        job_id, retry = submission.job_id, self._settings.limits.retry_after_seconds
        try:
            workflow = await self._argo.submit(
                job_id,
                submission.template,
                arguments=submission.arguments,
                labels=submission.labels,
                annotations=submission.annotations,
            )
        except argo_errors.WorkflowExists:
            workflow = await self._argo.get(job_id)
        except argo_errors.SubmissionRefused as exc:
            await self._claims.mark(job_id, "open", "released")
            self._metrics.start("failed", "submission_refused")
            log.warning("submission_refused", job_id=job_id, status=exc.status, message=exc.message)
            raise NeighbourFailed("The compute service refused the job.") from exc
        except argo_errors.ArgoUnavailable as exc:
            self._metrics.start("failed", "argo_unavailable")
            log.warning("submission_failed", job_id=job_id, definite=exc.definite, reason=exc.reason)
            if exc.definite:
                await self._claims.mark(job_id, "open", "released")
                raise NeighbourAway("The compute service does not answer at the moment.", retry) from exc
            workflow = await self._after_doubt(job_id)
        await self._claims.mark(job_id, "open", "submitted")
        self._metrics.start("started")
        log.info("job_submitted", job_id=job_id, environment=submission.template)
        return workflow

    async def _after_doubt(self, job_id: str) -> Workflow:
        """The submission may have had an effect. Its claim stays open unless Argo has the job."""
        retry = self._settings.limits.retry_after_seconds
        try:
            workflow = await find_workflow(self._argo, job_id)
        except argo_errors.ArgoError:
            workflow = None
        if workflow is None:
            raise NeighbourAway("It is not known whether the job was started. Repeat the same request.", retry)
        return workflow


def _counted(identity: JobIdentity) -> str | None:
    """The nonce to be taken with a claim."""
    return identity.nonce_text if identity.counted else None
