"""Starting a job exactly once.

    signature -> known request? answer with its job -> nonce -> rules -> claim -> submit

A job's name follows from its request, and a claim (nonce and orders, taken together or not at all) stands before its
submission. So whatever is repeated, raced or killed:

* the identical request meets its own claim and is answered with its job, before any rule (its order may be over now);
* a claim whose submission has an unknown outcome stays open; who repeats the request submits again by name, and
  Argo's "already exists" is success;
* a claim that certainly was not submitted is released: the identical request opens it again, and a new request with the
  next nonce may use the same orders;
* a claim may be lost while its submission is under way, for a lease does not wait for ever: then the orders may serve
  another job by now, and the workflow is withdrawn before anything of it is published;
* "submitted, but unknown to Argo" is never started again: it ran, and its record has expired.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

import structlog

from argo.client import errors as argo_errors
from argo.client.records import Workflow
from ocean.kit.single_flight import SingleFlight
from ocean.kit.together import together
from provider_api.access import rules
from provider_api.access.gather import FactFinder
from provider_api.access.refusal import Refusal
from provider_api.access.request import ComputeRequest
from provider_api.access.request_rules import account_is_full
from provider_api.calls.signature import require_fresh, stale
from provider_api.http.errors import InvalidRequest, NeighbourAway, NeighbourFailed, Refused
from provider_api.jobs.identity import JobIdentity
from provider_api.jobs.records import Argo, find_workflow
from provider_api.jobs.specification import PreparedJob, prepare
from provider_api.jobs.turns import Turns, places_in_line
from provider_api.keys import ProviderKeys
from provider_api.settings import Settings
from provider_api.storage.claims import AlreadyClaimed, Claim, Claims, Order, OrderTaken, PlacesTaken
from provider_api.storage.database import StorageUnavailable
from provider_api.storage.nonces import NonceRefused, Nonces
from provider_api.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)
T = TypeVar("T")

_ATTEMPTS = 4  # to take a claim, when others change the same rows
_LOOK_EVERY_SECONDS = 1.0  # for a workflow that may come late


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
        self._argo = argo
        self._nonces, self._claims, self._turns, self._metrics = nonces, claims, turns, metrics
        self._running = SingleFlight[str, Workflow]()  # by job id
        self._watching: dict[str, asyncio.Task[None]] = {}

    async def start(self, request: StartRequest) -> Workflow:
        """The job's workflow. Identical requests that arrive together share one run, and so one answer; it goes on
        although the one who asked first hangs up."""
        return await self._running.run(request.identity.job_id, lambda: self._start(request))

    async def close(self) -> None:
        """Let starts that are under way end."""
        await self._running.drain()
        watching = list(self._watching.values())
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)

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
        prepared = await self._prepared(request)
        began = time.monotonic()
        await self._take(identity, prepared)
        return await self._submit(prepared, began)

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
        if workflow is not None and (claim.state != "released" or workflow.finished):
            if claim.state == "open":
                await self._claims.mark(claim.job_id, "open", "submitted")
            self._metrics.start("repeated")
            return workflow
        if workflow is not None:
            raise await self._withdrawn(claim.job_id)  # it came after its claim had been given up
        if claim.state in ("submitted", "closed"):
            raise Refused(
                f"Job {claim.job_id} has been started before and is no longer known. It is not started again."
            )
        prepared = await self._prepared(request)
        if (prepared.chain_id, prepared.agreement_id) != claim.agreement:
            raise Refused({"order": "changed"})  # another of the same orders pays by now; a new nonce can claim it
        began = time.monotonic()
        await self._reopen(claim, prepared, request.identity)
        return await self._submit(prepared, began)

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
        others_wait = judged.environment.id in self._turns.suspended
        if ahead < places_in_line(judged.environment) and not others_wait:
            return prepared
        return replace(prepared, workflow=replace(prepared.workflow, suspended=True))

    # --- claims ------------------------------------------------------------------------------------------------------

    async def _take(self, identity: JobIdentity, prepared: PreparedJob) -> None:
        """Raises Refused (order in use, stale nonce), AlreadyClaimed."""
        claim = Claim(
            job_id=identity.job_id,
            consumer=identity.consumer,
            nonce=identity.nonce,
            digest=identity.digest,
            chain_id=prepared.chain_id,
            agreement_id=prepared.agreement_id,
        )
        await self._with_room(
            lambda: self._claims.claim(claim, prepared.orders, _counted(identity), identity.signed, prepared.places),
            identity.job_id,
        )

    async def _reopen(self, claim: Claim, prepared: PreparedJob, identity: JobIdentity) -> None:
        """Raises Refused, AlreadyClaimed when somebody else changed the claim meanwhile."""
        opened = await self._with_room(
            lambda: self._claims.reopen(claim, prepared.orders, _counted(identity), prepared.places), identity.job_id
        )
        if not opened:
            raise AlreadyClaimed

    async def _with_room(self, take: Callable[[], Awaitable[T]], job_id: str) -> T:
        """Take a claim; where jobs that are over are in its way, again without them. Raises Refused, NeighbourAway."""
        for _ in range(_ATTEMPTS):
            try:
                return await take()
            except NonceRefused as exc:
                raise stale(exc) from None
            except OrderTaken as exc:
                await self._free(exc.holders)
            except PlacesTaken as exc:
                await self._make_room(exc.holders, exc.most, job_id)
        raise self._busy()

    async def _free(self, holders: Sequence[tuple[Order, Claim]]) -> None:
        """Free the orders of jobs that are over. Raises Refused while one is not, NeighbourAway while nobody knows.

        Nobody is told when a job ends; who needs its order asks.
        """
        for order, holder in {holder.job_id: (order, holder) for order, holder in holders}.values():
            await self._free_one(order, holder)

    async def _free_one(self, order: Order, holder: Claim) -> None:
        left = await self._ended(holder)
        if left is None:
            return
        if left == math.inf:
            self._metrics.start("refused", "order_in_use")
            raise Refused(f"agreementId {order[1]} is already in use for other job.")
        raise NeighbourAway("The order is being used by a start whose outcome is not known yet.", int(left) + 1)

    async def _make_room(self, holders: Sequence[Claim], most: int, job_id: str) -> None:
        """Free the places of the account's jobs that are over. Raises Refused when none is: the rules have counted too,
        but not the starts of other processes."""
        if None in await together(*(self._ended(holder) for holder in holders)):
            return
        refusal = account_is_full(most, len(holders))
        self._metrics.start("refused", refusal.code.partition(":")[0])
        log.info("start_refused", place=refusal.place, code=refusal.code, job_id=job_id)
        raise refusal.error()

    async def _ended(self, holder: Claim) -> float | None:
        """None when its job is over, and the claim says so now. Else how many seconds it holds on at most."""
        workflow = await find_workflow(self._argo, holder.job_id)
        if workflow is not None and not workflow.finished:
            return math.inf
        if workflow is None and holder.state == "open":
            left = holder.changed_at + self._settings.limits.claim_lease_seconds - time.time()
            if left > 0:  # its submission may still be on the way
                return left
            if await self._claims.change(holder, "released"):
                self._watch(holder.job_id)
            return None
        await self._claims.change(holder, "closed")
        return None

    def _busy(self) -> NeighbourAway:
        self._metrics.start("refused", "order_in_use")
        return NeighbourAway("Others are starting jobs with the same orders. Repeat the same request.", 1)

    # --- submission --------------------------------------------------------------------------------------------------

    async def _submit(self, prepared: PreparedJob, began: float) -> Workflow:
        """Submit a job that was claimed since `began` (monotonic). Raises NeighbourAway, NeighbourFailed."""
        job_id, retry = prepared.workflow.name, self._settings.limits.retry_after_seconds
        left = self._settings.limits.claim_lease_seconds - (time.monotonic() - began)
        if left < self._settings.longest_argo_timeout():  # claiming took so long that the claim might end meanwhile
            await self._claims.mark(job_id, "open", "released")
            self._metrics.start("failed", "storage_slow")
            raise NeighbourAway("The database is too slow at the moment. Repeat the same request.", retry)
        try:
            workflow = await self._argo.submit(prepared.workflow)
        except argo_errors.WorkflowExists:
            workflow = await self._after_doubt(job_id)  # another process may be withdrawing it just now
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
        if not await self._is_held(job_id):
            raise await self._withdrawn(job_id)
        if workflow.suspended:
            self._turns.expect(prepared.workflow.template)
        self._metrics.start("started")
        log.info("job_submitted", job_id=job_id, environment=prepared.workflow.template, suspended=workflow.suspended)
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

    async def _is_held(self, job_id: str) -> bool:
        """Whether the claim of a submitted job still holds its orders; it says then that it is submitted."""
        if await self._claims.mark(job_id, "open", "submitted"):
            return True
        claim = await self._claims.find(job_id)  # the identical request, or a deletion, may have said so before
        return claim is not None and claim.state != "released"

    async def _withdrawn(self, job_id: str) -> NeighbourAway:
        """End a workflow whose claim is lost: nothing of it is published, and nothing stays that a repetition would
        take for the job. Raises ArgoError; then it is tried again for a while."""
        try:
            with suppress(argo_errors.WorkflowFinished, argo_errors.WorkflowNotFound):
                await self._argo.terminate(job_id)
            with suppress(argo_errors.WorkflowNotFound):
                await self._argo.delete(job_id)
        except argo_errors.ArgoError:
            self._watch(job_id)
            raise
        self._metrics.start("failed", "claim_lost")
        log.warning("submission_withdrawn", job_id=job_id)
        text = "The start took so long that its order was given up, and the job was withdrawn. Repeat the same request."
        return NeighbourAway(text, self._settings.limits.retry_after_seconds)

    def _watch(self, job_id: str) -> None:
        """Look for a while whether the workflow of a claim that was given up comes after all."""
        if job_id not in self._watching:
            task = asyncio.create_task(self._withdraw_late(job_id))
            self._watching[job_id] = task
            task.add_done_callback(lambda _: self._watching.pop(job_id, None))

    async def _withdraw_late(self, job_id: str) -> None:
        end = time.monotonic() + 2 * self._settings.limits.claim_lease_seconds
        while time.monotonic() < end:
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
            try:
                claim = await self._claims.find(job_id)
                if claim is None or claim.state != "released":
                    return  # the identical request has taken it up again
                workflow = await find_workflow(self._argo, job_id)
                if workflow is not None:
                    await self._withdrawn(job_id)
                    return
            except (argo_errors.ArgoError, StorageUnavailable) as exc:
                log.warning("late_submission_not_seen", job_id=job_id, reason=str(exc))


def _counted(identity: JobIdentity) -> str | None:
    """The nonce to be taken with a claim."""
    return identity.nonce_text if identity.counted else None
