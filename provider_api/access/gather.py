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
from ocean.chain.orders import Order, OrderInvalid, OrderRequest
from ocean.ddo import DDO, Service
from ocean.file_lists import FilesUnreadable, decode_files
from ocean.files import FileObjectInvalid, UrlFile, parse_file
from provider_api.access.checksums import FileChecksums
from provider_api.access.facts import AssetFacts, ComputeFacts
from provider_api.access.request import AssetRequest, ComputeRequest
from provider_api.chains import Chain, Chains
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
        checksums: FileChecksums,
    ) -> None:
        self._settings, self._keys = settings, keys
        self._chains, self._environments, self._checksums = chains, environments, checksums

    async def for_start(self, request: ComputeRequest) -> ComputeFacts:
        """Facts about a start. Raises ChainUnavailable, ArgoError."""
        return await self._gather(request, with_orders=True, with_credentials=True)

    async def for_quotes(self, request: ComputeRequest) -> ComputeFacts:
        """Facts about a request for quotes: orders are looked at leniently and are not demanded.

        ocean.py sends its environment's address as the consumer there. That says nothing about who will start the job,
        so credentials are not judged for it; the start judges them for the real consumer.
        """
        named = not await self._environments.is_consumer_address(request.consumer)
        return await self._gather(request, with_orders=False, with_credentials=named)

    async def _gather(self, request: ComputeRequest, *, with_orders: bool, with_credentials: bool) -> ComputeFacts:
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
        if facts.environment is None or len(facts.datasets) > facts.max_datasets:
            return facts  # refused by the first rules; not worth a question to anybody
        assets = await asyncio.gather(
            *(self._asset(request, item, facts.environment, now, lenient=not with_orders) for item in facts.assets())
        )
        raw_digests = await self._raw_digests(request) if facts.algorithm is None else ()
        count = len(facts.datasets)
        algorithm = assets[count] if facts.algorithm is not None else None
        return replace(facts, datasets=tuple(assets[:count]), algorithm=algorithm, raw_digests=raw_digests)

    async def _asset(
        self, request: ComputeRequest, item: AssetFacts, environment: Environment, now: float, *, lenient: bool
    ) -> AssetFacts:
        found = await self._chains.resolve(item.request.document_id) if item.request.document_id else None
        if found is None:
            return item
        chain, ddo = found
        service = ddo.service(item.request.service_id) if item.request.service_id else None
        item = replace(item, ddo=ddo, service=service, free=chain.fee_token == ZERO)
        if service is None:
            return item
        files = self._files(ddo, service)
        digests, ordered, decimals = await asyncio.gather(
            self._digests(request, item.request, service, files),
            self._order(request, item.request, ddo, service, environment, chain, now, lenient=lenient),
            chain.fee_decimals(),
        )
        order = ordered if isinstance(ordered, Order) else None
        problem = "" if isinstance(ordered, Order) else ordered
        return replace(item, files=files, digests=digests, order=order, order_problem=problem, fee_decimals=decimals)

    def _files(self, ddo: DDO, service: Service) -> tuple[UrlFile, ...] | None:
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

    async def _digests(
        self, request: ComputeRequest, asset: AssetRequest, service: Service, files: tuple[UrlFile, ...] | None
    ) -> tuple[str, ...] | None:
        if asset is not request.algorithm.asset or not files:
            return None
        try:
            userdata = file_parameters(service, asset.userdata)
        except parameters.ParameterRefused:
            userdata = None  # a rule will say so
        return await self._checksums.of(files, userdata)

    async def _raw_digests(self, request: ComputeRequest) -> tuple[str, ...] | None:
        """Digest of a raw algorithm's file; () if it brings its code along."""
        algorithm = request.algorithm
        if algorithm.text("rawcode") or not algorithm.text("url"):
            return ()
        file = raw_file(request)
        return None if file is None else await self._checksums.of([file], object_of(algorithm.asset.userdata))

    async def _order(
        self,
        request: ComputeRequest,
        asset: AssetRequest,
        ddo: DDO,
        service: Service,
        environment: Environment,
        chain: Chain,
        now: float,
        *,
        lenient: bool,
    ) -> Order | str:
        """The verified order, or the code of what is wrong with it."""
        if not asset.transfer_tx_id:
            return "no_transaction"
        question = OrderRequest(
            tx_hash=asset.transfer_tx_id,
            nft=ddo.nft_address,
            datatoken=service.datatoken_address,
            service_id=service.id,
            service_index=ddo.service_index(service.id) or 0,
            timeout=service.timeout,
            sender=request.consumer,
            fee_address=self._keys.address,
            fee_token=chain.fee_token,
            environment=environment.id,
            required_consumer=environment.consumer_address,
            lenient=lenient,
        )
        try:
            return await chain.verify_order(question, now)
        except OrderInvalid as exc:
            log.info("order_refused", did=ddo.id, service_id=service.id, reason=exc.reason)
            return exc.reason
        except AddressInvalid:
            return "address_malformed"


def raw_file(request: ComputeRequest) -> UrlFile | None:
    """The file of a raw algorithm that is given by URL; None if the URL is none."""
    try:
        return parse_file({"type": "url", "url": request.algorithm.text("url")})
    except FileObjectInvalid:
        return None


def file_parameters(service: Service, userdata: Any) -> dict[str, Any] | None:
    """Parameters that go with each download of a service's files, defaults filled in. Raises ParameterRefused."""
    return object_of(parameters.completed(service.consumer_parameters, userdata))


def object_of(values: Any) -> dict[str, Any] | None:
    """User data as the pods take it: an object (or its JSON text) with something in it, else nothing."""
    found = parameters.read_values(values)
    return found if isinstance(found, dict) and found else None
