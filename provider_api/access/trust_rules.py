"""Rules about algorithms on one dataset: which ones its publisher trusts. They concern compute services only: an access
service has no policy about algorithms, and trusted lists do not restrict raw ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ocean.trust import container_checksum, files_checksum
from provider_api.access.asset_rules import compute_known, is_compute
from provider_api.access.facts import AssetFacts, ComputeFacts
from provider_api.access.image import hashable, published_container
from provider_api.access.refusal import Refusal
from provider_api.access.rule import rule
from provider_api.access.trusted_lists import TrustedLists, is_anything

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
    """The owner of the algorithm's NFT, read from the chain now, in any letter case. Where either list is enough, an
    algorithm that is listed needs no trusted publisher."""
    lists = TrustedLists.of(item.service)
    if facts.algorithm is None or not lists.publishers or _trusts_owner(facts, lists):
        return None
    if _either(facts, lists) and (lists.every_algorithm or _entries(facts, item)):
        return None
    return Refusal(item.place, "not_trusted_algo_publisher", list(lists.publishers), _owner(facts))


@rule("publisher", policy_known)
def algorithm_is_trusted(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """The list of DIDs."""
    lists = TrustedLists.of(item.service)
    if facts.algorithm is None or not is_compute(item) or _publisher_is_enough(facts, lists):
        return None
    found = facts.algorithm.request.document_id
    if not lists.algorithms:
        closed = lists.are_empty and facts.policy.trusted_lists_empty == "deny"
        return Refusal(item.place, "not_trusted_algo", [], found) if closed else None
    if lists.malformed:
        expected = "entries with a DID in publisherTrustedAlgorithms"
        return Refusal(item.place, "no_publisherTrustedAlgorithms", expected, "an entry without one")
    if not lists.every_algorithm and not _entries(facts, item):
        return Refusal(item.place, "not_trusted_algo", lists.dids(), found)
    return None


@rule("publisher", policy_known, algorithm_hashed)
def algorithm_files_are_trusted(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """The files must be those that the publisher has trusted. Their checksum itself is not told."""
    entries = _entries(facts, item)
    if facts.algorithm is None or facts.algorithm.awaits_parameters or not entries:
        return None
    if any(_files_fit(facts, entry) for entry in entries):
        return None
    expected = entries[0].get("filesChecksum")
    found = "other files" if expected else "no checksum in the entry"
    return Refusal(item.place, "algorithm_file_checksum_mismatch", expected or "a checksum of the files", found)


@rule("publisher", policy_known, container_hashed)
def algorithm_container_is_trusted(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """So must its container, by an entry whose files fit; this checksum is compared in its very letter case."""
    entries = _entries(facts, item)
    if facts.algorithm is None or not entries:
        return None
    entries = [entry for entry in entries if _files_fit(facts, entry)] or entries
    container = published_container(facts.algorithm.ddo)
    found = container_checksum(container.entrypoint, container.checksum) if container is not None else ""
    if any(_container_fits(facts, entry, found) for entry in entries):
        return None
    expected = entries[0].get("containerSectionChecksum")
    return Refusal(
        item.place, "algorithm_container_checksum_mismatch", expected or "a checksum of the container", found
    )


@rule("publisher", policy_known)
def raw_algorithm_is_allowed(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """Only the literal true allows (Ocean Provider takes null, 0 and text for a yes)."""
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
    """Whether every compute dataset says allowNetworkAccess, literally true. Nobody enforces it in Ocean Provider."""
    sections = [item.service.compute for item in facts.datasets if is_compute(item) and item.service is not None]
    return bool(sections) and all(section is not None and section.allow_network_access is True for section in sections)


def notes(facts: ComputeFacts) -> list[dict[str, str]]:
    """What a publisher should know of his lists although it refuses nothing, by the dataset's place."""
    found = {item.place: _note(facts, TrustedLists.of(item.service)) for item in facts.datasets if is_compute(item)}
    return [{"place": place, "note": note} for place, note in found.items() if note]


def _note(facts: ComputeFacts, lists: TrustedLists) -> str:
    if lists.are_empty:
        who = "every" if facts.policy.trusted_lists_empty == "allow" else "no"
        means = f"{who} published algorithm may run on this dataset"
        setting = f"C2D_POLICY__TRUSTED_LISTS_EMPTY={facts.policy.trusted_lists_empty}"
        return f"Both lists of trusted algorithms are empty: {means} ({setting})."
    if lists.are_both_used:
        needed = "either of them is enough" if facts.policy.trusted_lists == "any" else "both must trust an algorithm"
        return f"There are two lists of trust, {needed} (C2D_POLICY__TRUSTED_LISTS={facts.policy.trusted_lists})."
    return ""


def _either(facts: ComputeFacts, lists: TrustedLists) -> bool:
    """One of two lists is enough. A list that is empty says nothing, so it is not enough."""
    return facts.policy.trusted_lists == "any" and lists.are_both_used


def _owner(facts: ComputeFacts) -> str:
    ddo = facts.algorithm.ddo if facts.algorithm is not None else None
    return ddo.nft.owner if ddo is not None and ddo.nft is not None else ""


def _trusts_owner(facts: ComputeFacts, lists: TrustedLists) -> bool:
    return lists.trust_publisher(_owner(facts))


def _publisher_is_enough(facts: ComputeFacts, lists: TrustedLists) -> bool:
    return _either(facts, lists) and _trusts_owner(facts, lists)


def _entries(facts: ComputeFacts, item: AssetFacts) -> list[Mapping[str, Any]]:
    """The entries that trust this algorithm; none where nobody looks at them."""
    lists = TrustedLists.of(item.service)
    if facts.algorithm is None or lists.every_algorithm or _publisher_is_enough(facts, lists):
        return []
    asked = facts.algorithm.request
    return lists.entries_for(asked.document_id, asked.service_id)


def _files_fit(facts: ComputeFacts, entry: Mapping[str, Any]) -> bool:
    expected = entry.get("filesChecksum")
    if is_anything(expected) or (not expected and not facts.policy.require_checksums):
        return True
    digests = facts.algorithm.digests if facts.algorithm is not None else None
    return isinstance(expected, str) and digests is not None and expected.lower() == files_checksum(digests)


def _container_fits(facts: ComputeFacts, entry: Mapping[str, Any], found: str) -> bool:
    expected = entry.get("containerSectionChecksum")
    return is_anything(expected) or (not expected and not facts.policy.require_checksums) or expected == found
