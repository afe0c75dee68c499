"""Find out everything the rules judge, side by side: documents and states, files, orders, digests.

Nothing is judged here, and what cannot be known is left out of the facts. Only a neighbour that does not answer ends
the gathering (ChainUnavailable, ArgoError): then nobody can judge.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import structlog

from ocean import parameters
from ocean.addresses import ZERO, AddressInvalid
from ocean.chain.orders import Order, OrderInvalid, OrderRequest, normal_hash
from ocean.ddo import DDO, Service
from ocean.file_lists import FilesUnreadable, decode_files
from ocean.files import File, FileObjectInvalid, parse_file
from pods.job_spec import ProviderSource, Source
from provider_api.access.facts import AssetFacts, ComputeFacts
from provider_api.access.other_providers import OtherProvider, OtherProviders
from provider_api.access.request import AssetRequest, ComputeRequest
from provider_api.chains import Chain, Chains
from provider_api.files.files import Files
from provider_api.jobs.environment import Environment
from provider_api.jobs.environments import Environments
from provider_api.keys import ProviderKeys
from provider_api.settings import Settings

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
        self._chains, self._environments, self._files, self._others = chains, environments, files, others

    async def for_start(self, request: ComputeRequest) -> ComputeFacts:
        """Facts about a start. Raises ChainUnavailable, ArgoError."""
        return await self._gather(request, with_orders=True, with_credentials=True)

    async def for_quotes(self, request: ComputeRequest) -> ComputeFacts:
        """Facts about a request for quotes: orders are looked at leniently and are not demanded.

        ocean.py sends its environment's address as the consumer there. That says nothing about who will start the job,
        so credentials are not judged for it; the start judges them for the real consumer. How many jobs an environment
        has is known from its last look at Argo; the start asks again.
        """
        named = not await self._environments.is_consumer_address(request.consumer)
        facts = await self._gather(request, with_orders=False, with_credentials=named)
        jobs = (await self._environments.current()).jobs
        return replace(facts, unfinished_jobs=jobs.get(facts.environment.id) if facts.environment is not None else None)

    async def for_why_not(self, request: ComputeRequest) -> ComputeFacts:
        """Facts about a start that is not meant yet: whatever can be found out. Orders are judged if one is named."""
        named = any(asset.transfer_tx_id for asset in (*request.datasets, request.algorithm.asset))
        return await self._gather(request, with_orders=named, with_credentials=True, everything=True)

    async def _gather(
        self, request: ComputeRequest, *, with_orders: bool, with_credentials: bool, everything: bool = False
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
        )
        if len(facts.datasets) > facts.max_datasets or (facts.environment is None and not everything):
            return replace(facts, gathered=False)  # refused by the first rules; not worth a question to anybody
        assets = await asyncio.gather(
            *(self._asset(request, item, facts.environment, now, lenient=not with_orders) for item in facts.assets())
        )
        raw_sources, raw_digests = await self._raw(request) if facts.algorithm is None else ((), ())
        count = len(facts.datasets)
        return replace(
            facts,
            datasets=tuple(assets[:count]),
            algorithm=assets[count] if facts.algorithm is not None else None,
            raw_sources=raw_sources,
            raw_digests=raw_digests,
        )

    async def _asset(
        self, request: ComputeRequest, item: AssetFacts, environment: Environment | None, now: float, *, lenient: bool
    ) -> AssetFacts:
        found = await self._chains.resolve(item.request.document_id) if item.request.document_id else None
        if found is None:
            return item
        chain, ddo = found
        service = ddo.service(item.request.service_id) if item.request.service_id else None
        item = replace(item, ddo=ddo, service=service, free=chain.fee_token == ZERO)
        if service is None:
            return item
        files = self._decoded(ddo, service)
        other = None
        if files is None and service.type == "access":
            other = await self._others.find(service.service_endpoint, chain.chain_id)
        contents = (
            self._contents(request, item.request, service, files)
            if other is None
            else self._contents_of(other, request, item.request, ddo, service)
        )
        (sources, digests), ordered, decimals = await asyncio.gather(
            contents,
            self._order(request, item.request, ddo, service, environment, chain, now, other, lenient=lenient),
            chain.fee_decimals(),
        )
        order = ordered if isinstance(ordered, Order) else None
        problem = "" if isinstance(ordered, Order) else ordered
        return replace(
            item,
            files=files,
            other_provider=other,
            sources=sources,
            digests=digests,
            order=order,
            order_problem=problem,
            fee_decimals=decimals,
        )

    def _decoded(self, ddo: DDO, service: Service) -> tuple[File, ...] | None:
        try:
            return decode_files(
                service.files,
                version=ddo.version,
                datatoken=service.datatoken_address,
                nft=ddo.nft_address,
                private_key=self._keys.private_key,
                allow_unbound=self._settings.policy.allow_unbound_files,
            )
        except FilesUnreadable as exc:
            log.info("files_unreadable", did=ddo.id, service_id=service.id, reason=exc.reason)
            return None

    async def _contents(
        self, request: ComputeRequest, asset: AssetRequest, service: Service, files: tuple[File, ...] | None
    ) -> tuple[tuple[Source, ...] | None, tuple[str, ...] | None]:
        """(where the job gets the files, digests of an algorithm's); None for what cannot be had."""
        if not files:
            return None, None
        try:
            userdata = file_parameters(service, asset.userdata)
        except parameters.ParameterRefused:
            userdata = None  # a rule will say so
        is_algorithm = asset is request.algorithm.asset
        sources, digests = await asyncio.gather(
            self._files.sources(files, userdata),
            self._files.digests(files, userdata) if is_algorithm else _nothing(),
        )
        return sources, digests

    async def _contents_of(
        self, other: OtherProvider, request: ComputeRequest, asset: AssetRequest, ddo: DDO, service: Service
    ) -> tuple[tuple[Source, ...] | None, tuple[str, ...] | None]:
        """The same for files of another provider: the job asks it for each of them, as the environment."""
        try:
            userdata = file_parameters(service, asset.userdata)
        except parameters.ParameterRefused:
            userdata = None  # a rule will say so
        wanted = asset is request.algorithm.asset
        told = await self._others.digests(other, ddo.id, service.id, userdata, wanted=wanted)
        if told is None:
            return None, None
        try:
            tx_hash = normal_hash(asset.transfer_tx_id)
        except OrderInvalid:
            tx_hash = ""  # a rule will say so, or these are facts for quotes
        sources = tuple(
            ProviderSource(
                download=other.download,
                nonce=other.nonce,
                did=ddo.id,
                service_id=service.id,
                tx=tx_hash,
                index=index,
                userdata=userdata,
            )
            for index in range(len(told))
        )
        digests = tuple(digest for digest in told if digest is not None)
        return sources, digests if wanted and len(digests) == len(told) else None

    async def _raw(self, request: ComputeRequest) -> tuple[tuple[Source, ...], tuple[str, ...] | None]:
        """The file of a raw algorithm and its digest; both () if it brings its code along."""
        algorithm = request.algorithm
        if algorithm.text("rawcode") or not algorithm.text("url"):
            return (), ()
        try:
            file = parse_file({"type": "url", "url": algorithm.text("url")})
        except FileObjectInvalid:
            return (), None
        userdata = object_of(algorithm.asset.userdata)
        sources = await self._files.sources([file], userdata)
        return sources or (), await self._files.digests([file], userdata)

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
    ) -> Order | str:
        """The verified order, or the code of what is wrong with it. An order at another provider is one for a download:
        it carries that one's fee, in any token and for no environment, and only the service's time limit ends it."""
        if not asset.transfer_tx_id:
            return "no_transaction"
        if environment is None:
            return "no_environment"
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
            environment=environment.id if other is None else None,
            required_consumer=environment.consumer_address,
            lenient=lenient or other is not None,
        )
        try:
            return await chain.verify_order(question, now)
        except OrderInvalid as exc:
            log.info("order_refused", did=ddo.id, service_id=service.id, reason=exc.reason)
            return exc.reason
        except AddressInvalid:
            return "address_malformed"


async def _nothing() -> None:
    return None


def file_parameters(service: Service, userdata: Any) -> dict[str, Any] | None:
    """Parameters that go with each download of a service's files, defaults filled in. Raises ParameterRefused."""
    return object_of(parameters.completed(service.consumer_parameters, userdata))


def object_of(values: Any) -> dict[str, Any] | None:
    """User data as the pods take it: an object (or its JSON text) with something in it, else nothing."""
    found = parameters.read_values(values)
    return found if isinstance(found, dict) and found else None
