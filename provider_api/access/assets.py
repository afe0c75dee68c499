"""One asset outside of a job: is it known, may this consumer use it, what are its files, has it been ordered?

For fileinfo, initialize and download. The rules about an asset are those of a job; the texts are Ocean Provider's, most
of them begin with the name of the asset's network.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import structlog

from ocean import parameters
from ocean.addresses import AddressInvalid
from ocean.chain.order_values import REASONS
from ocean.chain.orders import Order, OrderInvalid, OrderRequest
from ocean.ddo import DDO, Service
from ocean.file_lists import FilesUnreadable, files_of
from ocean.files import File
from provider_api.access.asset_rules import CONSUMABLE
from provider_api.access.facts import AssetFacts, ComputeFacts
from provider_api.access.request import AlgorithmRequest, AssetRequest, ComputeRequest
from provider_api.chains.chains import Chain, Chains
from provider_api.http.errors import Refused
from provider_api.keys import ProviderKeys
from provider_api.settings import Settings

log = structlog.get_logger(__name__)

_ORDER_TEXTS = {"order_expired": "The order has expired."}


@dataclass(frozen=True, slots=True)
class Asset:
    """A resolved asset and the chain it lives on."""

    chain: Chain
    ddo: DDO

    @property
    def publisher(self) -> str:
        """The owner of its data NFT, canonical."""
        return self.ddo.publisher

    def refused(self, text: str) -> Refused:
        """A refusal as clients know it."""
        return Refused(f"Provider {self.chain.name}: {text}")

    def service(self, service_id: str) -> Service:
        """Raises Refused."""
        found = self.ddo.service(service_id)
        if found is None:
            raise self.refused("Invalid serviceId.")
        return found

    def userdata(self, service: Service, given: Any) -> Any:
        """A consumer's parameters with the defaults of the service's `consumerParameters`; as given where it asks for
        nothing. Raises Refused."""
        try:
            complete = parameters.completed(service.consumer_parameters, given)
        except parameters.ParameterRefused as exc:
            text = f"The consumer parameters do not fit, {exc}. The publisher asks for {exc.allowed}."
            raise self.refused(text) from None
        return given if complete is None else complete


class Assets:
    """One for the whole service. Every method may raise Refused and ChainUnavailable."""

    def __init__(self, settings: Settings, keys: ProviderKeys, chains: Chains) -> None:
        self._settings, self._keys, self._chains = settings, keys, chains

    async def find(self, did: str) -> Asset:
        found = await self._chains.resolve(did)
        if found is None:
            raise Refused("Cannot resolve DID")
        return Asset(*found)

    async def owner(self, did: str) -> str:
        """Who owns the data NFT of an asset now, canonical."""
        return (await self.find(did)).publisher

    def require_consumable(self, asset: Asset, consumer: str) -> None:
        """State, purgatory and credentials, for the canonical address of a consumer."""
        item = AssetFacts(AssetRequest("dataset", asset.ddo.id), asset.ddo)
        facts = ComputeFacts(
            request=ComputeRequest((item.request,), AlgorithmRequest(AssetRequest("algorithm")), "", consumer),
            environment=None,
            datasets=(item,),
            algorithm=None,
            policy=self._settings.policy,
            now=time.time(),
            minimum_paid_seconds=0,
            max_datasets=1,
        )
        for rule in CONSUMABLE:
            if (refusal := rule(facts, item) if rule.can_judge(facts, item) else None) is not None:
                log.info("use_refused", did=asset.ddo.id, rule=refusal.rule)
                raise asset.refused(refusal.code)

    def files(self, asset: Asset, service: Service) -> tuple[File, ...]:
        try:
            allowed = self._settings.policy.allow_unbound_files
            return files_of(asset.ddo, service, self._keys.private_key, allow_unbound=allowed)
        except FilesUnreadable as exc:
            log.info("files_unreadable", did=asset.ddo.id, service_id=service.id, reason=exc.reason)
            raise (Refused(exc.told) if exc.told else asset.refused("Unable to get dataset files")) from None

    async def order(
        self, asset: Asset, service: Service, tx_hash: str, consumer: str, *, patient: bool = False
    ) -> Order:
        """The consumer's own order of this service, whatever environment its fee was quoted for and however long ago:
        only the service's own time limit counts. `patient`: as in OrderRequest. Raises OrderInvalid."""
        question = OrderRequest(
            tx_hash=tx_hash,
            nft=asset.ddo.nft_address,
            datatoken=service.datatoken_address,
            service_id=service.id,
            service_index=asset.ddo.service_index(service.id) or 0,
            timeout=service.timeout,
            sender=consumer,
            fee_address=self._keys.address,
            fee_token=asset.chain.fee_token,
            environment=None,
            lenient=True,
            patient=patient,
        )
        try:
            return await asset.chain.verify_order(question, time.time())
        except AddressInvalid:
            raise OrderInvalid("not_deployed") from None

    async def require_order(self, asset: Asset, service: Service, tx_hash: str, consumer: str) -> Order:
        """`order`, with the text of a download."""
        try:
            return await self.order(asset, service, tx_hash, consumer, patient=True)
        except OrderInvalid as exc:
            log.info("order_refused", did=asset.ddo.id, service_id=service.id, reason=exc.reason)
            text = _ORDER_TEXTS.get(exc.reason) or REASONS.get(exc.reason, exc.reason)
            shown = tx_hash[:80]
            raise asset.refused(f"Order with tx_id {shown} could not be validated due to error: {text}") from None
