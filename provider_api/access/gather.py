"""Find out everything the rules judge, side by side: documents and states, files, orders, digests.

What cannot be known is left out of the facts. Only a neighbour that does not answer ends the gathering
(ChainUnavailable, ArgoError): then nobody can judge. Nothing is judged here but the file of a raw algorithm, which is
fetched when all other rules have been passed.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable
from contextlib import AbstractContextManager
from dataclasses import replace

import structlog

from ocean.addresses import ZERO, AddressInvalid, canonical
from ocean.chain.orders import Order, OrderInvalid, OrderRequest
from ocean.ddo import DDO, Service
from ocean.kit.together import together
from provider_api.access.accepted import AcceptedStart
from provider_api.access.algorithm_rules import raw_algorithm_is_available
from provider_api.access.contents import Contents, Found
from provider_api.access.facts import AssetFacts, ComputeFacts
from provider_api.access.other_providers import OtherProvider, OtherProviders
from provider_api.access.refusal import Refusal
from provider_api.access.request import AssetRequest, ComputeRequest
from provider_api.access.starts import StartsUnderWay
from provider_api.chains.chains import Chain, Chains
from provider_api.environments.catalogue import Environments
from provider_api.environments.environment import Environment
from provider_api.files.files import Files
from provider_api.keys import ProviderKeys
from provider_api.settings import Settings
from provider_api.strangers.asking import unpaid
from results.ipfs import SCHEMES as IPFS_SCHEMES

log = structlog.get_logger(__name__)


class FactFinder:
    """Knows whom to ask. One for the whole service."""

    def __init__(
        self,
        settings: Settings,
        keys: ProviderKeys,
        chains: Chains,
        environments: Environments,
        files: Files,
        others: OtherProviders,
    ) -> None:
        self._settings, self._keys = settings, keys
        self._chains, self._environments, self._others = chains, environments, others
        self._contents = Contents(settings.policy, keys, files, others)
        self._starts = StartsUnderWay()

    def starting(self, request: ComputeRequest) -> AbstractContextManager[None]:
        """Around a start, which is not yet among the jobs that Argo knows while its facts are judged."""
        return self._starts.one(request)

    def earlier_starts(self, request: ComputeRequest) -> int:
        """How many starts in the same environment this process began before this one, and has not ended yet."""
        return self._starts.earlier(request)

    async def for_start(self, request: ComputeRequest) -> ComputeFacts:
        """Facts about a start, without the digests of a raw algorithm. Raises ChainUnavailable, ArgoError."""
        return await self._gather(request, with_orders=True, with_credentials=True, patient=True)

    async def with_raw_algorithm(self, accepted: AcceptedStart) -> AcceptedStart | Refusal:
        """The start with the digests of its raw algorithm, if it has one. The URL of such an algorithm leads anywhere,
        so it is fetched only for those who have paid and may run one."""
        facts = accepted.facts
        if facts.algorithm is not None:
            return accepted
        facts = replace(facts, raw_digests=await self._contents.raw_digests(facts.request))
        return raw_algorithm_is_available(facts) or replace(accepted, facts=facts)

    async def for_quotes(self, request: ComputeRequest) -> ComputeFacts:
        """Facts about a request for quotes: orders are looked at leniently and are not demanded.

        ocean.py sends its environment's address as the consumer there. That says nothing about who will start the job,
        so credentials are not judged for it; the start judges them for the real consumer.
        """
        named = not await self._environments.is_consumer_address(request.consumer)
        return await self._gather(request, with_orders=False, with_credentials=named)

    async def for_why_not(self, request: ComputeRequest) -> ComputeFacts:
        """Facts about a start that is not meant yet: whatever can be found out. Orders are judged if one is named."""
        named = any(asset.transfer_tx_id for asset in (*request.datasets, request.algorithm.asset))
        return await self._gather(request, with_orders=named, with_credentials=True, everything=True)

    async def _gather(
        self,
        request: ComputeRequest,
        *,
        with_orders: bool,
        with_credentials: bool,
        everything: bool = False,
        patient: bool = False,
    ) -> ComputeFacts:
        now = time.time()
        facts = ComputeFacts(
            request=request,
            environment=await self._environments.find(request.environment),
            datasets=tuple(AssetFacts(asset) for asset in request.datasets),
            algorithm=None if request.algorithm.is_raw else AssetFacts(request.algorithm.asset),
            policy=self._settings.policy,
            now=now,
            minimum_paid_seconds=self._settings.limits.minimum_paid_seconds,
            max_datasets=self._settings.limits.datasets,
            with_orders=with_orders,
            with_credentials=with_credentials,
            can_hold=not self._settings.results_url().startswith(tuple(IPFS_SCHEMES)),
        )
        if len(facts.datasets) > facts.max_datasets or (facts.environment is None and not everything):
            return replace(facts, gathered=False)  # refused by the first rules; not worth a question to anybody
        about_assets = together(
            *(
                self._asset(request, item, facts.environment, now, lenient=not with_orders, patient=patient)
                for item in facts.assets()
            )
        )
        assets, unfinished, own = await together(
            about_assets, self._unfinished_jobs(facts.environment), self._own_unfinished_jobs(facts)
        )
        raw_sources, raw_digests = (
            await self._contents.sources_of_raw_algorithm(request) if facts.algorithm is None else ((), ())
        )
        count = len(facts.datasets)
        return replace(
            facts,
            datasets=tuple(assets[:count]),
            algorithm=assets[count] if facts.algorithm is not None else None,
            raw_sources=raw_sources,
            raw_digests=raw_digests,
            unfinished_jobs=unfinished,
            own_unfinished_jobs=own,
        )

    async def _unfinished_jobs(self, environment: Environment | None) -> int | None:
        return None if environment is None else await self._environments.unfinished_jobs(environment.id)

    async def _own_unfinished_jobs(self, facts: ComputeFacts) -> int | None:
        """Only where there is a limit, and where somebody has said who will start the job."""
        environment = facts.environment
        if environment is None or environment.max_jobs_per_account is None or not facts.with_credentials:
            return None
        known = await self._environments.unfinished_jobs(environment.id, facts.request.consumer)
        return known + self._starts.earlier_of_account(facts.request)

    async def _asset(
        self,
        request: ComputeRequest,
        item: AssetFacts,
        environment: Environment | None,
        now: float,
        *,
        lenient: bool,
        patient: bool,
    ) -> AssetFacts:
        found = await self._chains.resolve(item.request.document_id) if item.request.document_id else None
        if found is None:
            return item
        chain, ddo = found
        service = ddo.service(item.request.service_id) if item.request.service_id else None
        item = replace(item, ddo=ddo, service=service, free=chain.fee_token == ZERO)
        if service is None:
            return item
        files = self._contents.opened(ddo, service)
        other = None
        if files is None:
            other = await self._other(request, service, chain, ddo.publisher)
        hashed = item.request is request.algorithm.asset
        awaiting = lenient and self._contents.await_parameters(item.request, service, files)

        def contents() -> Awaitable[Found]:
            if other is None:
                return self._contents.sources_of_own_asset(
                    item.request, ddo, service, None if awaiting else files, hashed=hashed
                )
            return self._contents.sources_of_remote_asset(other, item.request, ddo, service, hashed=hashed)

        ordering = self._order(
            request, item.request, ddo, service, environment, chain, now, other, lenient=lenient, patient=patient
        )
        if hashed and not lenient:
            # Anybody has a key to sign a start with. Who has not ordered has a file hashed as a stranger.
            ordered, decimals = await together(ordering, chain.fee_decimals())
            with contextlib.nullcontext() if isinstance(ordered, Order) else unpaid():
                sources, digests = await contents()
        else:
            (sources, digests), ordered, decimals = await together(contents(), ordering, chain.fee_decimals())
        order = ordered if isinstance(ordered, Order) else None
        problem = "" if isinstance(ordered, Order) else ordered
        return replace(
            item,
            files=files,
            other_provider=other,
            sources=sources,
            digests=digests,
            awaits_parameters=awaiting,
            order=order,
            order_problem=problem,
            fee_decimals=decimals,
        )

    async def _other(
        self, request: ComputeRequest, service: Service, chain: Chain, publisher: str
    ) -> OtherProvider | None:
        """Whose files these are, if they may be used here: access services are anybody's, a compute service must be the
        provider's that starts the job."""
        if service.type != "access" and request.terms is None:
            return None
        other = await self._others.find(service.service_endpoint, chain.chain_id, publisher)
        if other is None or service.type == "access" or request.terms is None:
            return other
        return other if canonical(other.address) in request.terms.addresses else None

    async def _order(
        self,
        request: ComputeRequest,
        asset: AssetRequest,
        ddo: DDO,
        service: Service,
        environment: Environment | None,
        chain: Chain,
        now: float,
        other: OtherProvider | None,
        *,
        lenient: bool,
        patient: bool,
    ) -> Order | str:
        """The verified order, or the code of what is wrong with it. An order at another provider is one for a download:
        it carries that one's fee, in any token and for no environment, and only the service's time limit ends it."""
        if not asset.transfer_tx_id:
            return "no_transaction"
        if environment is None:
            return "no_environment"
        callers = request.terms.addresses if request.terms is not None else frozenset()
        download = other is not None and canonical(other.address) not in callers
        question = OrderRequest(
            tx_hash=asset.transfer_tx_id,
            nft=ddo.nft_address,
            datatoken=service.datatoken_address,
            service_id=service.id,
            service_index=ddo.service_index(service.id) or 0,
            timeout=service.timeout,
            sender=request.consumer,
            fee_address=self._keys.address if other is None else other.address,
            fee_token=chain.fee_token if other is None else None,
            environment=None if download else environment.id,
            required_consumer=environment.consumer_address,
            lenient=lenient or download,
            patient=patient,
        )
        try:
            return await chain.verify_order(question, now)
        except OrderInvalid as exc:
            log.info("order_refused", did=ddo.id, service_id=service.id, reason=exc.reason)
            return exc.reason
        except AddressInvalid:
            return "address_malformed"
