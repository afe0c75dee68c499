"""Rules about the algorithm: is it named without doubt, can its files and container be had, is it ordered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from provider_api.access.asset_rules import (
    document_known,
    document_shown,
    fee_owner_known,
    is_compute,
    is_of_caller,
    looked_up,
    wanted_order,
)
from provider_api.access.facts import AssetFacts, ComputeFacts
from provider_api.access.image import container_of, hashable, problem
from provider_api.access.refusal import Refusal, Who
from provider_api.access.rule import rule

_CONTAINER = {
    "missing_entrypoint_image_checksum": "entrypoint, image and checksum",
    "checksum_prefix": "a checksum that begins with sha256:",
    "invalid_checksum": "sha256: and 64 hexadecimal digits",
    "invalid_image": "the name of an image, without tag or digest",
}


# --- before the datasets ---------------------------------------------------------------------------------------------


def _comparable(facts: ComputeFacts) -> bool:
    """What `meta` beside a DID says can be compared once the asset is known."""
    algorithm = facts.algorithm
    return algorithm is None or facts.request.algorithm.meta is None or algorithm.ddo is not None


@rule("consumer", _comparable)
def algorithm_is_unambiguous(facts: ComputeFacts) -> Refusal | None:
    """Differs from Ocean Provider, which crashes when both a DID and a raw algorithm are given, and on `meta` that is
    no JSON. Clients send what an asset says of its algorithm along with its DID: that is ignored, other words are
    another algorithm."""
    algorithm = facts.request.algorithm
    if algorithm.meta_broken:
        return Refusal("algorithm", "invalid", "either documentId or meta", "meta that is no JSON object")
    if facts.algorithm is None or algorithm.meta is None:
        return None
    place = next(_differences(algorithm.meta, _published_section(facts.algorithm)), None)
    if place is None:
        return None
    expected = "documentId, and no meta but what the asset itself says of its algorithm"
    return Refusal("algorithm", "invalid", expected, f"other values in {'.'.join(['meta', *place])}")


def _published_section(item: AssetFacts) -> Mapping[str, Any]:
    metadata = item.ddo.shared().get("metadata") if item.ddo is not None else None
    section = metadata.get("algorithm") if isinstance(metadata, Mapping) else None
    return section if isinstance(section, Mapping) else {}


def _differences(said: Mapping[str, Any], published: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Where something is said that is not published so. Nothing said of a place is no contradiction."""
    for name, value in said.items():
        there = published.get(name)
        if isinstance(value, Mapping) and isinstance(there, Mapping):
            yield from ((name, *further) for further in _differences(value, there))
        elif value not in (None, "", [], {}) and value != there:
            yield (name,)


def _meta_readable(facts: ComputeFacts) -> bool:
    return not facts.request.algorithm.meta_broken


@rule("consumer", _meta_readable)
def algorithm_is_given(facts: ComputeFacts) -> Refusal | None:
    algorithm = facts.request.algorithm
    missing = algorithm.is_raw and algorithm.meta is None
    return Refusal("algorithm", "missing_meta_documentId", "either documentId or meta") if missing else None


@rule("consumer", looked_up)
def algorithm_resolves(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """Differs from Ocean Provider, which crashes."""
    if item.ddo is not None:
        return None
    expected = "a DID whose document can be read from a chain of this provider"
    return Refusal("algorithm.documentId", "did_not_found", expected, item.request.document_id)


@rule("consumer", document_known, document_shown)
def algorithm_is_an_algorithm(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    metadata = item.ddo.metadata if item.ddo is not None else None
    found = metadata.type if metadata is not None else None
    return None if found == "algorithm" else Refusal("algorithm", "not_algo", "algorithm", found)


@rule("consumer")
def algorithm_service_is_named(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    return None if item.request.service_id else Refusal("algorithm.serviceId", "missing", "a service id")


def _service_named(facts: ComputeFacts, item: AssetFacts) -> bool:
    return bool(item.request.service_id)


@rule("algorithm_publisher", document_known, document_shown, _service_named)
def algorithm_is_available(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """The service exists, its files can be opened, fetched and hashed, and the container can be hashed. An access
    service may be another provider's, which then tells the checksums; the pod compares the bytes with them."""
    if item.service is None:
        found = "no service with this id"
    elif not item.files and not is_of_caller(facts, item) and (is_compute(item) or not item.is_served):
        found = "files that do not open with this provider's key, and cannot be had from another one"
    elif item.digests is None and not item.awaits_parameters:
        found = "files that cannot be fetched or are too large"
    elif not hashable(item.ddo):
        found = "a container without entrypoint or checksum"
    else:
        return None
    who: Who | None = "consumer" if item.service is None else None
    return Refusal("algorithm", "file_unavailable", "a service with files and container that can be had", found, who)


# --- after the datasets ----------------------------------------------------------------------------------------------


def _order_looked_up(facts: ComputeFacts, item: AssetFacts) -> bool:
    return not facts.with_orders or (item.service is not None and facts.environment is not None)


@rule("consumer", _order_looked_up, fee_owner_known)
def algorithm_is_ordered(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """A missing transaction has no code of its own here."""
    if not facts.with_orders or item.order is not None:
        return None
    return Refusal("algorithm", "in_use_or_not_on_chain", wanted_order(facts), item.order_problem or None)


def _raw_given(facts: ComputeFacts) -> bool:
    algorithm = facts.request.algorithm
    return not algorithm.is_raw or algorithm.meta is not None


@rule("consumer", _raw_given)
def raw_algorithm_has_code(facts: ComputeFacts) -> Refusal | None:
    algorithm = facts.request.algorithm
    if not algorithm.is_raw or algorithm.text("rawcode") or algorithm.text("url"):
        return None
    return Refusal("algorithm", "meta_oneof_url_rawcode_remote", ["rawcode", "url"])


@rule("consumer")
def raw_algorithm_is_available(facts: ComputeFacts) -> Refusal | None:
    """Not a rule of Ocean Provider: the file of a raw algorithm is hashed like a published one."""
    if facts.raw_digests is not None:
        return None
    return Refusal("algorithm", "file_unavailable", "a file that can be fetched", "a file that cannot")


def _container_known(facts: ComputeFacts) -> bool:
    """A published container without entrypoint or checksum is a matter of `algorithm_is_available`."""
    return _raw_given(facts) and (facts.algorithm is None or hashable(facts.algorithm.ddo))


@rule("consumer", _container_known)
def container_is_usable(facts: ComputeFacts) -> Refusal | None:
    """Ocean Provider asks for the three values and the prefix; ours also for a whole digest and a plain image name."""
    container = container_of(facts)
    code = "missing_entrypoint_image_checksum" if container is None else problem(container)
    if code is None:
        assert container is not None  # noqa: S101  (else there is a code)
        return _image_there(facts, container.reference())
    found = [container.entrypoint, container.image, container.checksum] if container is not None else None
    who: Who | None = "algorithm_publisher" if facts.algorithm is not None else None
    return Refusal("algorithm.container", code, _CONTAINER[code], found, who)


def _image_there(facts: ComputeFacts, reference: str) -> Refusal | None:
    """Not a rule of Ocean Provider: where nothing is pulled, an image that is not there is refused before anybody pays
    for the wait."""
    images = facts.environment.images if facts.environment is not None else None
    if images is None or reference in images:
        return None
    return Refusal("algorithm.container", "image_unavailable", f"one of {', '.join(images.names)}", reference)
