"""Rules about algorithms on one dataset: which ones its publisher trusts. They concern compute services only: an access
service has no policy about algorithms, and trusted lists do not restrict raw ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ocean.addresses import AddressInvalid, canonical
from ocean.trust import container_checksum, files_checksum
from provider_api.access.asset_rules import compute_known, is_compute
from provider_api.access.container import hashable, published_container
from provider_api.access.facts import AssetFacts, ComputeFacts
from provider_api.access.refusal import Refusal
from provider_api.access.rule import rule

ANYBODY = "*"


# --- what must be known ----------------------------------------------------------------------------------------------


def algorithm_known(facts: ComputeFacts, item: AssetFacts) -> bool:
    """Published, or given in the request."""
    if facts.algorithm is not None:
        return facts.algorithm.ddo is not None
    return facts.request.algorithm.meta is not None


def policy_known(facts: ComputeFacts, item: AssetFacts) -> bool:
    return compute_known(facts, item) and algorithm_known(facts, item)


def algorithm_hashed(facts: ComputeFacts, item: AssetFacts) -> bool:
    algorithm = facts.algorithm
    return algorithm is None or algorithm.digests is not None or algorithm.awaits_parameters


def container_hashed(facts: ComputeFacts, item: AssetFacts) -> bool:
    return facts.algorithm is None or hashable(facts.algorithm.ddo)


# --- rules -----------------------------------------------------------------------------------------------------------


@rule("publisher", policy_known)
def publisher_is_trusted(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """The owner of the algorithm's NFT, read from the chain now, in any letter case."""
    trusted = _publishers(item)
    if facts.algorithm is None or not is_compute(item) or not trusted or ANYBODY in trusted:
        return None
    owner = facts.algorithm.ddo.nft.owner if facts.algorithm.ddo is not None and facts.algorithm.ddo.nft else ""
    if _spelled(owner) and _spelled(owner) in {_spelled(address) for address in trusted}:
        return None
    return Refusal(item.place, "not_trusted_algo_publisher", trusted, owner)


@rule("publisher", policy_known)
def algorithm_is_trusted(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """The list of DIDs."""
    if facts.algorithm is None or not is_compute(item):
        return None
    found = facts.algorithm.request.document_id
    listed = _algorithms(item)
    if not listed:
        closed = not _publishers(item) and facts.policy.trusted_lists_empty == "deny"
        return Refusal(item.place, "not_trusted_algo", [], found) if closed else None
    if ANYBODY in listed:
        return None
    entries = [entry for entry in listed if isinstance(entry, Mapping) and entry.get("did")]
    if len(entries) != len(listed):
        expected = "entries with a DID in publisherTrustedAlgorithms"
        return Refusal(item.place, "no_publisherTrustedAlgorithms", expected, "an entry without one")
    if _entry(facts, item) is None:
        return Refusal(item.place, "not_trusted_algo", [str(entry["did"]) for entry in entries], found)
    return None


@rule("publisher", policy_known, algorithm_hashed)
def algorithm_files_are_trusted(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """The files must be those that the publisher has trusted. Their checksum itself is not told."""
    entry = _entry(facts, item)
    if facts.algorithm is None or entry is None or facts.algorithm.awaits_parameters:
        return None
    expected = entry.get("filesChecksum")
    if not expected and not facts.policy.require_checksums:
        return None
    if isinstance(expected, str) and expected.lower() == files_checksum(facts.algorithm.digests or ()):
        return None
    found = "other files" if expected else "no checksum in the entry"
    return Refusal(item.place, "algorithm_file_checksum_mismatch", expected or "a checksum of the files", found)


@rule("publisher", policy_known, container_hashed)
def algorithm_container_is_trusted(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """So must its container; this checksum is compared in its very letter case."""
    entry = _entry(facts, item)
    if facts.algorithm is None or entry is None:
        return None
    expected = entry.get("containerSectionChecksum")
    if not expected and not facts.policy.require_checksums:
        return None
    container = published_container(facts.algorithm.ddo)
    found = container_checksum(container.entrypoint, container.checksum) if container is not None else ""
    if expected == found:
        return None
    return Refusal(
        item.place, "algorithm_container_checksum_mismatch", expected or "a checksum of the container", found
    )


@rule("publisher", policy_known)
def raw_algorithm_is_allowed(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """Only the literal true allows (the peer takes null, 0 and text for a yes)."""
    if facts.algorithm is not None or not is_compute(item):
        return None
    compute = item.service.compute if item.service is not None else None
    said = compute.allow_raw_algorithm if compute is not None else None
    return None if said is True else Refusal(item.place, "no_raw_algo_allowed", True, said)


RULES = (
    publisher_is_trusted,
    algorithm_is_trusted,
    algorithm_files_are_trusted,
    algorithm_container_is_trusted,
    raw_algorithm_is_allowed,
)


def network_is_allowed(facts: ComputeFacts) -> bool:
    """Whether every compute dataset says allowNetworkAccess, literally true. Nobody enforces it in the peer."""
    sections = [item.service.compute for item in facts.datasets if is_compute(item) and item.service is not None]
    return bool(sections) and all(section is not None and section.allow_network_access is True for section in sections)


def _entry(facts: ComputeFacts, item: AssetFacts) -> Mapping[str, Any] | None:
    """The entry that trusts this algorithm by its DID."""
    if facts.algorithm is None or not is_compute(item) or ANYBODY in _algorithms(item):
        return None
    did = facts.algorithm.request.document_id
    entries = (entry for entry in _algorithms(item) if isinstance(entry, Mapping) and entry.get("did"))
    return next((entry for entry in entries if entry["did"] == did), None)


def _publishers(item: AssetFacts) -> list[Any]:
    compute = item.service.compute if item.service is not None else None
    return _listed(compute.publisher_trusted_algorithm_publishers) if compute is not None else []


def _algorithms(item: AssetFacts) -> list[Any]:
    compute = item.service.compute if item.service is not None else None
    return _listed(compute.publisher_trusted_algorithms) if compute is not None else []


def _listed(value: Any) -> list[Any]:
    """A list as published; a single value counts as a list of it, so a malformed one fits nothing."""
    if not value:
        return []
    return value if isinstance(value, list) else [value]


def _spelled(value: Any) -> str:
    try:
        return canonical(value) if isinstance(value, str) else ""
    except AddressInvalid:
        return ""
