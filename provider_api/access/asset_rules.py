"""Rules about one asset: does it exist, may this consumer use it, is it ours to serve, has it been ordered."""

from __future__ import annotations

from ocean import credentials, parameters
from ocean.addresses import AddressInvalid
from provider_api.access.facts import AssetFacts, ComputeFacts
from provider_api.access.refusal import Refusal

CONSUMABLE_STATES = frozenset({0, 5})  # active, unlisted
_MALFORMED = "Asset malformed or disabled."


def request_is_complete(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    if not item.request.document_id:
        return Refusal(f"{item.place}.documentId", "missing")
    if facts.with_orders and not item.request.transfer_tx_id:
        return Refusal(f"{item.place}.transferTxId", "missing")
    if not item.request.service_id:
        return Refusal(f"{item.place}.serviceId", "missing")
    return None


def did_resolves(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    return Refusal(f"{item.place}.documentId", "did_not_found") if item.ddo is None else None


def is_no_duplicate(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """Ours: one input would overwrite the other."""
    for earlier in facts.datasets:
        if earlier is item:
            return None
        if _identity(earlier) == _identity(item):
            return Refusal(item.place, "duplicate")
    return None


def _identity(item: AssetFacts) -> tuple[str, str]:
    return item.request.document_id, item.request.service_id


def service_exists(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    if state_refuses(item):
        return None  # deprecated and revoked assets have no services; the next rule says so
    return Refusal(f"{item.place}.serviceId", "not_found") if item.service is None else None


def is_consumable(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    text = consumable_problem(facts, item)
    return None if text is None else Refusal(item.place, text)


def state_refuses(item: AssetFacts) -> bool:
    nft = item.ddo.nft if item.ddo is not None else None
    return nft is not None and nft.state is not None and nft.state not in CONSUMABLE_STATES


def consumable_problem(facts: ComputeFacts, item: AssetFacts) -> str | None:
    """Why this consumer may not use the asset, in the peer's words; None if he may."""
    ddo = item.ddo
    if ddo is None or ddo.nft is None or not ddo.nft.address or ddo.chain_id is None:
        return _MALFORMED
    if ddo.nft.state not in CONSUMABLE_STATES:
        return "Asset is not consumable."
    if ddo.metadata is None:
        return _denied(ddo.id, "ASSET_DISABLED")
    if facts.policy.respect_purgatory and isinstance(ddo.purgatory, dict) and ddo.purgatory.get("state") is True:
        return _denied(ddo.id, "ASSET_DISABLED")
    if not facts.with_credentials:
        return None
    try:
        denial = credentials.denial(ddo.credentials, facts.request.consumer)
    except (credentials.CredentialsMalformed, AddressInvalid):
        return _MALFORMED
    return None if denial is None else _denied(ddo.id, denial)


def _denied(did: str, code: str) -> str:
    return f"Error: Access to asset {did} was denied with code: ConsumableCodes.{code}."


def service_type_is_known(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    known = item.service is not None and item.service.type in ("access", "compute")
    return None if known else Refusal(f"{item.place}.serviceId", "service_not_access_compute")


def main_service_is_compute(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    if item is facts.datasets[0] and not is_compute(item):
        return Refusal(f"{item.place}.serviceId", "main_service_compute")
    return None


def compute_section_exists(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """Ours: the peer crashes."""
    missing = is_compute(item) and item.service is not None and item.service.compute is None
    return Refusal(item.place, "no_compute_section") if missing else None


def files_are_ours(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """A compute service must be readable with our key. Ours: so must an access service, until inputs of other
    providers can be fetched; the peer lets such a job start and fail."""
    if item.files:
        return None
    code = "compute_services_not_in_same_provider" if is_compute(item) else "remote_provider_unavailable"
    return Refusal(f"{item.place}.serviceId", code)


def parameters_fit(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """Ours: what the publisher of a dataset asks its consumers for."""
    if item.service is None or not facts.with_orders:
        return None
    try:
        parameters.completed(item.service.consumer_parameters, item.request.userdata)
    except parameters.ParameterRefused as refused:
        return Refusal(f"{item.place}.userdata", str(refused))
    return None


def is_ordered(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    if not facts.with_orders or item.order is not None:
        return None
    return Refusal(f"{item.place}.serviceId", "order_invalid")


def is_compute(item: AssetFacts) -> bool:
    return item.service is not None and item.service.type == "compute"
