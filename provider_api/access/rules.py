"""The rules of a start, in the order of Ocean's Provider, with its places and codes. Ours are marked so.

Each is a function of the facts that answers a refusal or None. Rules of one group presuppose the ones before, so a
group ends at its first refusal; the first refusal of all groups is the answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from ocean import parameters
from provider_api.access import asset_rules as asset
from provider_api.access import payment, trust_rules
from provider_api.access.container import AlgorithmContainer, problem, published_container
from provider_api.access.facts import AssetFacts, ComputeFacts
from provider_api.access.refusal import Refusal

Rule = Callable[[ComputeFacts], Refusal | None]
AssetRule = Callable[[ComputeFacts, AssetFacts], Refusal | None]


# --- the request as a whole ----------------------------------------------------------------------------------------


def additional_datasets_are_a_list(facts: ComputeFacts) -> Refusal | None:
    """Also ours: each entry is an object."""
    return Refusal("additional_input", "invalid") if facts.request.additional_invalid else None


def not_too_many_datasets(facts: ComputeFacts) -> Refusal | None:
    """Ours: every dataset costs reads of a chain."""
    return Refusal("additional_input", "too_many") if len(facts.datasets) > facts.max_datasets else None


def environment_exists(facts: ComputeFacts) -> Refusal | None:
    """Ours: the peer starts jobs in environments that do not exist."""
    return Refusal("environment", "not_found") if facts.environment is None else None


def environment_serves_the_chains(facts: ComputeFacts) -> Refusal | None:
    """Ours: an environment may be restricted to some chains."""
    allowed = facts.environment.allowed_chains if facts.environment is not None else ()
    if allowed and any(item.ddo is not None and item.chain_id not in allowed for item in facts.assets()):
        return Refusal("environment", "chain_not_allowed")
    return None


# --- the algorithm, before the datasets ----------------------------------------------------------------------------


def algorithm_is_unambiguous(facts: ComputeFacts) -> Refusal | None:
    """Ours: the peer crashes when both a DID and a raw algorithm are given, and on `meta` that is no JSON."""
    algorithm = facts.request.algorithm
    both = bool(algorithm.asset.document_id) and (algorithm.meta is not None or algorithm.meta_broken)
    return Refusal("algorithm", "invalid") if both or algorithm.meta_broken else None


def algorithm_is_given(facts: ComputeFacts) -> Refusal | None:
    algorithm = facts.request.algorithm
    missing = algorithm.is_raw and algorithm.meta is None
    return Refusal("algorithm", "missing_meta_documentId") if missing else None


def algorithm_resolves(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """Ours: the peer crashes."""
    return Refusal("algorithm.documentId", "did_not_found") if item.ddo is None else None


def algorithm_is_an_algorithm(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    metadata = item.ddo.metadata if item.ddo is not None else None
    if metadata is None and asset.state_refuses(item):
        return None  # deprecated and revoked assets have no metadata; the next rules say so
    is_algorithm = metadata is not None and metadata.type == "algorithm"
    return None if is_algorithm else Refusal("algorithm", "not_algo")


def algorithm_service_is_named(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    return None if item.request.service_id else Refusal("algorithm.serviceId", "missing")


def algorithm_is_available(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """The service exists, its files can be opened, fetched and hashed, and the container can be hashed."""
    if asset.state_refuses(item):
        return None  # nothing of it was fetched; the next rule says why
    container = published_container(item.ddo)
    hashable = container is not None and bool(container.entrypoint) and bool(container.checksum)
    available = item.service is not None and bool(item.files) and item.digests is not None and hashable
    return None if available else Refusal("algorithm", "file_unavailable")


def algorithm_is_consumable(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    text = asset.consumable_problem(facts, item)
    return None if text is None else Refusal("algorithm.credentials", text)


# --- the algorithm, after the datasets -----------------------------------------------------------------------------


def algorithm_is_ordered(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    if not facts.with_orders or item.order is not None:
        return None
    return Refusal("algorithm", "in_use_or_not_on_chain")


def raw_algorithm_has_code(facts: ComputeFacts) -> Refusal | None:
    algorithm = facts.request.algorithm
    if not algorithm.is_raw or algorithm.text("rawcode") or algorithm.text("url"):
        return None
    return Refusal("algorithm", "meta_oneof_url_rawcode_remote")


def raw_algorithm_is_available(facts: ComputeFacts) -> Refusal | None:
    """Ours: the file of a raw algorithm is hashed like a published one."""
    return Refusal("algorithm", "file_unavailable") if facts.raw_digests is None else None


def container_is_usable(facts: ComputeFacts) -> Refusal | None:
    """The peer asks for the three values and the prefix; ours also for a whole digest and a plain image name."""
    container = container_of(facts)
    code = "missing_entrypoint_image_checksum" if container is None else problem(container)
    return None if code is None else Refusal("algorithm.container", code)


def algorithm_parameters_fit(facts: ComputeFacts) -> Refusal | None:
    """Ours: what the publisher of an algorithm asks its consumers for."""
    item = facts.algorithm
    if item is None or item.service is None or item.ddo is None or not facts.with_orders:
        return None
    metadata = item.ddo.metadata.algorithm if item.ddo.metadata is not None else None
    questions = [
        ("algorithm.userdata", item.service.consumer_parameters, item.request.userdata),
        ("algorithm.algocustomdata", metadata and metadata.consumer_parameters, facts.request.algorithm.custom_data),
    ]
    for place, definitions, values in questions:
        try:
            parameters.completed(definitions, values)
        except parameters.ParameterRefused as refused:
            return Refusal(place, str(refused))
    return None


# --- payment and output --------------------------------------------------------------------------------------------


def fee_is_paid(facts: ComputeFacts) -> Refusal | None:
    return Refusal("order", "fees_not_paid") if facts.with_orders and carrier_of(facts) is None else None


def time_is_left(facts: ComputeFacts) -> Refusal | None:
    """Ours: a job that would be out of paid time at once is refused while its order can still be renewed."""
    carrier = carrier_of(facts) if facts.with_orders else None
    if carrier is None or carrier.paid_until is None or carrier.paid_until - facts.now >= facts.minimum_paid_seconds:
        return None
    return Refusal("order", "paid_time_over")


def output_is_json(facts: ComputeFacts) -> Refusal | None:
    """The output section is ignored, but text must be JSON."""
    output = facts.request.output
    if not isinstance(output, str) or not output:
        return None
    try:
        json.loads(output)
    except (ValueError, RecursionError):
        return Refusal("output", "invalid")
    return None


# --- in order ------------------------------------------------------------------------------------------------------

GENERAL: tuple[tuple[Rule, ...], ...] = (
    (additional_datasets_are_a_list,),
    (not_too_many_datasets,),
    (environment_exists, environment_serves_the_chains),
    (algorithm_is_unambiguous, algorithm_is_given),
)
PUBLISHED_ALGORITHM: tuple[AssetRule, ...] = (
    algorithm_resolves,
    algorithm_is_an_algorithm,
    algorithm_service_is_named,
    algorithm_is_available,
    algorithm_is_consumable,
)
DATASET: tuple[AssetRule, ...] = (
    asset.request_is_complete,
    asset.did_resolves,
    asset.is_no_duplicate,
    asset.service_exists,
    asset.is_consumable,
    asset.service_type_is_known,
    asset.main_service_is_compute,
    asset.compute_section_exists,
    asset.files_are_ours,
    *trust_rules.RULES,
    asset.parameters_fit,
    asset.is_ordered,
)
LAST: tuple[tuple[Rule, ...], ...] = (
    (raw_algorithm_has_code, raw_algorithm_is_available, container_is_usable),
    (algorithm_parameters_fit,),
    (fee_is_paid, time_is_left),
    (output_is_json,),
)


def refusals(facts: ComputeFacts) -> Iterator[Refusal]:
    """Every refusal that does not merely follow from another one, in order."""
    for general in GENERAL:
        yield from _first(rule(facts) for rule in general)
    if facts.algorithm is not None:
        yield from _first(rule(facts, facts.algorithm) for rule in PUBLISHED_ALGORITHM)
    for item in facts.datasets:
        yield from _first(rule(facts, item) for rule in DATASET)
    if facts.algorithm is not None:
        yield from _first([algorithm_is_ordered(facts, facts.algorithm)])
    for last in LAST:
        yield from _first(rule(facts) for rule in last)


def judge(facts: ComputeFacts) -> Refusal | None:
    """The first refusal: the answer to a start."""
    return next(refusals(facts), None)


def judge_all(facts: ComputeFacts) -> list[Refusal]:
    """All refusals at once: why a job may not start."""
    return list(refusals(facts))


def _first(results: Iterator[Refusal | None] | list[Refusal | None]) -> Iterator[Refusal]:
    found = next((refusal for refusal in results if refusal is not None), None)
    if found is not None:
        yield found


# --- values that the rules, and whoever acts on them, derive from the facts ----------------------------------------


def container_of(facts: ComputeFacts) -> AlgorithmContainer | None:
    """The container that the job would run in."""
    if facts.algorithm is not None:
        return published_container(facts.algorithm.ddo)
    given = facts.request.algorithm.container()
    texts = [value if isinstance(value := given.get(name), str) else "" for name in ("entrypoint", "image", "checksum")]
    return AlgorithmContainer(*texts)


def carrier_of(facts: ComputeFacts) -> payment.Carrier | None:
    if facts.environment is None:
        return None
    price = facts.environment.price_per_minute
    return payment.find_carrier(price, facts.assets(), facts.now, facts.minimum_paid_seconds)
