"""Rules about algorithms on one dataset: which ones its publisher trusts. They concern compute services only: an access
service has no policy about algorithms, and trusted lists do not restrict raw ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ocean.addresses import AddressInvalid, canonical
from ocean.trust import container_checksum, files_checksum
from provider_api.access.asset_rules import is_compute
from provider_api.access.container import published_container
from provider_api.access.facts import AssetFacts, ComputeFacts
from provider_api.access.refusal import Refusal

ANYBODY = "*"


def publisher_is_trusted(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """The owner of the algorithm's NFT, read from the chain now, in any letter case."""
    trusted = _publishers(item)
    if facts.algorithm is None or not is_compute(item) or not trusted or ANYBODY in trusted:
        return None
    owner = facts.algorithm.ddo.nft.owner if facts.algorithm.ddo is not None and facts.algorithm.ddo.nft else ""
    if _spelled(owner) and _spelled(owner) in {_spelled(address) for address in trusted}:
        return None
    return Refusal(item.place, "not_trusted_algo_publisher")


def algorithm_is_trusted(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """The lists of DIDs, with the checksums that came with the trust."""
    if facts.algorithm is None or not is_compute(item):
        return None
    listed = _algorithms(item)
    if not listed:
        closed = not _publishers(item) and facts.policy.trusted_lists_empty == "deny"
        return Refusal(item.place, "not_trusted_algo") if closed else None
    if ANYBODY in listed:
        return None
    entries = [entry for entry in listed if isinstance(entry, Mapping) and entry.get("did")]
    if len(entries) != len(listed):
        return Refusal(item.place, "no_publisherTrustedAlgorithms")
    entry = next((entry for entry in entries if entry["did"] == facts.algorithm.request.document_id), None)
    if entry is None:
        return Refusal(item.place, "not_trusted_algo")
    return _checksums_match(facts, item, facts.algorithm, entry)


def _checksums_match(
    facts: ComputeFacts, item: AssetFacts, algorithm: AssetFacts, entry: Mapping[str, Any]
) -> Refusal | None:
    expected_files, expected_container = entry.get("filesChecksum"), entry.get("containerSectionChecksum")
    if expected_files or facts.policy.require_checksums:
        actual = files_checksum(algorithm.digests or ())
        if not isinstance(expected_files, str) or expected_files.lower() != actual:
            return Refusal(item.place, "algorithm_file_checksum_mismatch")
    if expected_container or facts.policy.require_checksums:
        container = published_container(algorithm.ddo)
        actual = container_checksum(container.entrypoint, container.checksum) if container is not None else ""
        if expected_container != actual:
            return Refusal(item.place, "algorithm_container_checksum_mismatch")
    return None


def raw_algorithm_is_allowed(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """Only the literal true allows (the peer takes null, 0 and text for a yes)."""
    if facts.algorithm is not None or not is_compute(item):
        return None
    compute = item.service.compute if item.service is not None else None
    allowed = compute is not None and compute.allow_raw_algorithm is True
    return None if allowed else Refusal(item.place, "no_raw_algo_allowed")


RULES = (publisher_is_trusted, algorithm_is_trusted, raw_algorithm_is_allowed)


def network_is_allowed(facts: ComputeFacts) -> bool:
    """Whether every compute dataset says allowNetworkAccess, literally true. Nobody enforces it in the peer."""
    sections = [item.service.compute for item in facts.datasets if is_compute(item) and item.service is not None]
    return bool(sections) and all(section is not None and section.allow_network_access is True for section in sections)


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
