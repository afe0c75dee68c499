"""Rules about one asset: does it exist, may this consumer use it, is it ours to serve, has it been ordered."""

from __future__ import annotations

from ocean import credentials
from ocean.addresses import AddressInvalid, canonical
from ocean.chain.documents import STATES_WITH_DOCUMENT
from provider_api.access.facts import AssetFacts, ComputeFacts
from provider_api.access.refusal import Refusal, Who
from provider_api.access.rule import rule

CONSUMABLE_STATES = frozenset({0, 5})  # active, unlisted
_STATES = {0: "active", 1: "end of life", 2: "deprecated", 3: "revoked", 4: "ordering disabled", 5: "unlisted"}
_MALFORMED = "Asset malformed or disabled."


# --- what must be known ----------------------------------------------------------------------------------------------


def did_given(facts: ComputeFacts, item: AssetFacts) -> bool:
    return bool(item.request.document_id)


def looked_up(facts: ComputeFacts, item: AssetFacts) -> bool:
    return facts.gathered and did_given(facts, item)


def document_known(facts: ComputeFacts, item: AssetFacts) -> bool:
    return item.ddo is not None


def well_formed(facts: ComputeFacts, item: AssetFacts) -> bool:
    ddo = item.ddo
    return ddo is not None and ddo.nft is not None and bool(ddo.nft.address) and ddo.chain_id is not None


def document_shown(facts: ComputeFacts, item: AssetFacts) -> bool:
    """Deprecated and revoked assets have neither metadata nor services; the rule about states says so."""
    nft = item.ddo.nft if item.ddo is not None else None
    return item.ddo is not None and (nft is None or nft.state is None or nft.state in STATES_WITH_DOCUMENT)


def service_known(facts: ComputeFacts, item: AssetFacts) -> bool:
    return item.service is not None


def type_known(facts: ComputeFacts, item: AssetFacts) -> bool:
    return item.service is not None and item.service.type in ("access", "compute")


def order_looked_up(facts: ComputeFacts, item: AssetFacts) -> bool:
    """Without orders there is nothing to know about them."""
    known = item.service is not None and facts.environment is not None and bool(item.request.transfer_tx_id)
    return not facts.with_orders or known


def fee_owner_known(facts: ComputeFacts, item: AssetFacts) -> bool:
    """While another provider does not answer, nobody knows whose fee an order of its asset must carry."""
    return not facts.with_orders or item.is_served or is_compute(item)


# --- is it named, and is it there -------------------------------------------------------------------------------------


@rule("consumer")
def did_is_given(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    return None if item.request.document_id else Refusal(f"{item.place}.documentId", "missing", "a DID")


@rule("consumer")
def order_is_given(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    if not facts.with_orders or item.request.transfer_tx_id:
        return None
    return Refusal(f"{item.place}.transferTxId", "missing", "the transaction of an order")


@rule("consumer")
def service_is_given(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    return None if item.request.service_id else Refusal(f"{item.place}.serviceId", "missing", "a service id")


@rule("consumer", looked_up)
def did_resolves(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    if item.ddo is not None:
        return None
    expected = "a DID whose document can be read from a chain of this provider"
    return Refusal(f"{item.place}.documentId", "did_not_found", expected, item.request.document_id)


@rule("consumer", did_given)
def is_no_duplicate(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """Not a rule of Ocean Provider: one input would overwrite the other."""
    for earlier in facts.datasets:
        if earlier is item:
            return None
        if _identity(earlier) == _identity(item):
            expected = "each service of a dataset once"
            return Refusal(item.place, "duplicate", expected, f"the same as {earlier.place}")
    return None


def _identity(item: AssetFacts) -> tuple[str, str]:
    return item.request.document_id, item.request.service_id


def _service_given(facts: ComputeFacts, item: AssetFacts) -> bool:
    return bool(item.request.service_id)


@rule("consumer", document_known, document_shown, _service_given)
def service_exists(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    if item.service is not None or item.ddo is None:
        return None
    ids = [service.id for service in item.ddo.services]
    return Refusal(f"{item.place}.serviceId", "not_found", ids, item.request.service_id)


# --- may this consumer use it: these also judge the algorithm --------------------------------------------------------


@rule("publisher", document_known)
def is_well_formed(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    if well_formed(facts, item):
        return None
    return _unusable(item, _MALFORMED, "a document with its NFT and chain", "a document without them")


@rule("publisher", well_formed)
def state_allows_use(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    state = item.ddo.nft.state if item.ddo is not None and item.ddo.nft is not None else None
    if state in CONSUMABLE_STATES:
        return None
    found = "unknown" if state is None else f"{state} ({_STATES.get(state, 'unknown')})"
    return _unusable(item, "Asset is not consumable.", ["0 (active)", "5 (unlisted)"], found)


@rule("publisher", well_formed, document_shown)
def metadata_is_there(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    if item.ddo is not None and item.ddo.metadata is not None:
        return None
    return _denied(item, "ASSET_DISABLED", "a document with metadata", "a document without metadata")


@rule("operator", well_formed)
def is_not_in_purgatory(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """A policy of ours: Ocean Provider does not look at it."""
    purgatory = item.ddo.purgatory if item.ddo is not None else None
    if facts.policy.respect_purgatory and isinstance(purgatory, dict) and purgatory.get("state") is True:
        return _denied(item, "ASSET_DISABLED", "an asset that is not in purgatory", "in purgatory")
    return None


@rule("publisher", well_formed, document_shown)
def consumer_is_allowed(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    if not facts.with_credentials or item.ddo is None:
        return None
    try:
        denial = credentials.denial(item.ddo.credentials, facts.request.consumer)
    except (credentials.CredentialsMalformed, AddressInvalid):
        return _unusable(item, _MALFORMED, "credentials with types and values", "credentials that cannot be judged")
    if denial is None:
        return None
    return _denied(item, denial, "a consumer whom the asset's credentials allow", facts.request.consumer)


@rule("publisher", well_formed, document_shown)
def environment_is_allowed(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """Not a rule of Ocean Provider: another provider will judge the environment's address, which downloads; better
    refused than failed."""
    if item.other_provider is None or facts.environment is None or item.ddo is None:
        return None
    address = facts.environment.consumer_address
    try:
        denial = credentials.denial(item.ddo.credentials, address)
    except (credentials.CredentialsMalformed, AddressInvalid):
        return None  # the rule about the consumer says so
    if denial is None:
        return None
    return _denied(item, denial, "credentials that allow the environment, which downloads", address)


CONSUMABLE = (
    is_well_formed,
    state_allows_use,
    metadata_is_there,
    is_not_in_purgatory,
    consumer_is_allowed,
    environment_is_allowed,
)


def _denied(item: AssetFacts, code: str, expected: str, found: str) -> Refusal:
    did = item.ddo.id if item.ddo is not None else item.request.document_id
    text = f"Error: Access to asset {did} was denied with code: ConsumableCodes.{code}."
    return _unusable(item, text, expected, found)


def _unusable(item: AssetFacts, text: str, expected: str | list[str], found: str) -> Refusal:
    algorithm = item.place == "algorithm"
    who: Who | None = "algorithm_publisher" if algorithm else None
    return Refusal("algorithm.credentials" if algorithm else item.place, text, expected, found, who)


# --- can it be served ------------------------------------------------------------------------------------------------


@rule("consumer", service_known)
def service_type_is_known(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    if type_known(facts, item):
        return None
    found = item.service.type if item.service is not None else None
    return Refusal(f"{item.place}.serviceId", "service_not_access_compute", ["access", "compute"], found)


@rule("consumer", type_known)
def main_service_is_compute(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    if item is not facts.datasets[0] or is_compute(item):
        return None
    found = item.service.type if item.service is not None else None
    return Refusal(f"{item.place}.serviceId", "main_service_compute", "compute", found)


@rule("publisher", service_known)
def compute_section_exists(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """Differs from Ocean Provider, which crashes."""
    if compute_known(facts, item):
        return None
    return Refusal(item.place, "no_compute_section", "a compute service that says what it allows", "no such section")


def compute_known(facts: ComputeFacts, item: AssetFacts) -> bool:
    """Need of the rules about algorithms: an access service has no policy about them."""
    return item.service is not None and (not is_compute(item) or item.service.compute is not None)


@rule("publisher", type_known)
def files_are_ours(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """A compute service must be readable with our key, an access service may be another provider's. Differs from Ocean
    Provider: that one must answer and have the files now; Ocean Provider lets such a job start and fail."""
    place, expected = f"{item.place}.serviceId", "files that this provider can open and fetch"
    if is_compute(item) and not item.files and not is_of_caller(facts, item):
        found = "files that do not open with this provider's key"
        return Refusal(place, "compute_services_not_in_same_provider", expected, found)
    if not item.is_served or (item.other_provider is not None and not item.sources):
        expected = "files of this provider, or of another one that answers and has them"
        found = "files that do not open with this provider's key, and cannot be had from another one"
        return Refusal(place, "remote_provider_unavailable", expected, found)
    if not item.sources and not item.awaits_parameters:
        return Refusal(place, "files_unavailable", expected, "a kind of file that cannot be had here", "operator")
    return None


# --- has it been ordered properly -------------------------------------------------------------------------------------


@rule("consumer", order_looked_up, fee_owner_known)
def is_ordered(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    if not facts.with_orders or item.order is not None:
        return None
    return Refusal(f"{item.place}.serviceId", "order_invalid", wanted_order(facts), item.order_problem or None)


def wanted_order(facts: ComputeFacts) -> str:
    environment = facts.environment.id if facts.environment is not None else ""
    return f"an order of this service by the consumer for environment {environment}, whose fee is not over"


def is_of_caller(facts: ComputeFacts, item: AssetFacts) -> bool:
    """The asset is served by the provider that starts the job here for its consumer."""
    terms, other = facts.request.terms, item.other_provider
    return terms is not None and other is not None and canonical(other.address) in terms.addresses


def is_compute(item: AssetFacts) -> bool:
    return item.service is not None and item.service.type == "compute"
