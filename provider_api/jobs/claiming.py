"""Taking a claim, where jobs that are over may still hold its orders or its account's places.

Nobody is told when a job ends. Who needs what it holds asks Argo, and frees it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog

from ocean.kit.together import together
from provider_api.access.request import ComputeRequest
from provider_api.access.request_rules import account_is_full
from provider_api.calls.signature import stale
from provider_api.http.errors import NeighbourAway, Refused
from provider_api.jobs.identity import JobIdentity
from provider_api.jobs.records import Argo, find_workflow
from provider_api.jobs.specification import PreparedJob
from provider_api.settings import Settings
from provider_api.storage.claims import AlreadyClaimed, Claim, Claims, Order, OrderTaken, PlacesTaken
from provider_api.storage.nonces import NonceRefused
from provider_api.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)
T = TypeVar("T")

ATTEMPTS = 4  # to take a claim, when others change the same rows


class Claiming:
    """`given_up`: called with the job of each claim that is released while its submission may still be under way."""

    def __init__(
        self, settings: Settings, argo: Argo, claims: Claims, metrics: Metrics, given_up: Callable[[str], None]
    ) -> None:
        self._settings, self._argo, self._claims, self._metrics = settings, argo, claims, metrics
        self._given_up = given_up

    async def refuse_used(self, identity: JobIdentity, content: ComputeRequest) -> None:
        """Refuse what would be refused at its end, before the chain is asked: an order of the same consumer's that a
        job uses now. Whether this is a good order at all is not known here.

        Raises Refused, ArgoError; AlreadyClaimed when the identical request was quicker, just now.
        """
        assets = (*content.datasets, content.algorithm.asset)
        named = {asset.transfer_tx_id.lower() for asset in assets if asset.transfer_tx_id}
        if not named or len(named) > self._settings.limits.datasets + 1:  # as the first rule will say
            return
        for order, holder in await self._claims.held_by(identity.consumer, named):
            if holder == identity.job_id:
                raise AlreadyClaimed
            workflow = await find_workflow(self._argo, holder)
            if workflow is not None and not workflow.finished:
                raise self._in_use(order)

    async def take(self, identity: JobIdentity, prepared: PreparedJob) -> None:
        """Raises Refused (order in use, stale nonce, account full), AlreadyClaimed, NeighbourAway."""
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

    async def reopen(self, claim: Claim, prepared: PreparedJob, identity: JobIdentity) -> None:
        """The same for a claim that exists. Raises AlreadyClaimed when somebody else changed it meanwhile."""
        opened = await self._with_room(
            lambda: self._claims.reopen(claim, prepared.orders, _counted(identity), prepared.places), identity.job_id
        )
        if not opened:
            raise AlreadyClaimed

    async def _with_room(self, take: Callable[[], Awaitable[T]], job_id: str) -> T:
        """Take a claim; where jobs that are over are in its way, again without them. Raises Refused, NeighbourAway."""
        for _ in range(ATTEMPTS):
            try:
                return await take()
            except NonceRefused as exc:
                raise stale(exc) from None
            except OrderTaken as exc:
                await self._free(exc.holders)
            except PlacesTaken as exc:
                await self._make_room(exc.holders, exc.most, job_id)
        self._metrics.start("refused", "order_in_use")
        raise NeighbourAway("Others are starting jobs with the same orders. Repeat the same request.", 1)

    async def _free(self, holders: Sequence[tuple[Order, Claim]]) -> None:
        """Free the orders of jobs that are over. Raises Refused while one is not, NeighbourAway while nobody knows."""
        for order, holder in {holder.job_id: (order, holder) for order, holder in holders}.values():
            left = await self._ended(holder)
            if left == math.inf:
                raise self._in_use(order[1])
            if left is not None:
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
                self._given_up(holder.job_id)
            return None
        await self._claims.change(holder, "closed")
        return None

    def _in_use(self, order: str) -> Refused:
        self._metrics.start("refused", "order_in_use")
        return Refused(f"agreementId {order} is already in use for other job.")


def _counted(identity: JobIdentity) -> str | None:
    """The nonce to be taken with a claim."""
    return identity.nonce_text if identity.counted else None
