"""Every rule of a start: the exact place and message of each refusal, and what must pass."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from argo.local.pods.images import ImageNames
from ocean.ddo import DDO
from provider_api.access.asset_rules import CONSUMABLE
from provider_api.access.facts import AssetFacts, ComputeFacts
from provider_api.access.request import AlgorithmRequest, AssetRequest, ComputeRequest
from provider_api.access.rules import RulesLeftOut, all_refusals, first_refusal, in_order
from provider_api.access.trust_rules import network_is_allowed, notes
from provider_api.settings import PolicySettings
from tests.support.provider_facts import (
    ALGORITHM_DID,
    CHECKSUM,
    CONSUMER,
    DIGEST,
    ENVIRONMENT_ADDRESS,
    PUBLISHER,
    RIGHT_CONTAINER_CHECKSUM,
    algorithm,
    asset,
    dataset,
    did,
    document,
    environment,
    facts,
    of_another,
    order,
    raw,
)

pytestmark = pytest.mark.unit

Change = Callable[[dict[str, Any]], Any]


def spoiled(change: Change, number: int = 0, **changes: Any) -> AssetFacts:
    """A dataset whose document was changed."""
    source = document(did(number))
    change(source)
    return asset("dataset" if number == 0 else f"datasets[{number}]", source, **changes)


def spoiled_algorithm(change: Change, **changes: Any) -> AssetFacts:
    source = document(ALGORITHM_DID, "algorithm")
    change(source)
    return asset("algorithm", source, **changes)


def asked(item: AssetFacts, **changes: Any) -> AssetFacts:
    return replace(item, request=replace(item.request, **changes))


def compute(**section: Any) -> AssetFacts:
    return spoiled(lambda d: d["services"][0]["compute"].update(section))


def with_request(given: ComputeFacts, **changes: Any) -> ComputeFacts:
    return replace(given, request=replace(given.request, **changes))


def trusting(**entry: Any) -> ComputeFacts:
    return facts((compute(publisherTrustedAlgorithms=[entry]),))


def raw_allowed() -> AssetFacts:
    return compute(allowRawAlgorithm=True)


def credentials(**section: Any) -> Change:
    return lambda d: d.update(credentials=section)


def denied(asset_did: str, code: str) -> str:
    return f"Error: Access to asset {asset_did} was denied with code: ConsumableCodes.{code}."


def foreign(change: Change = lambda d: None, **changes: Any) -> AssetFacts:
    """An access dataset of another provider, the second of a job."""

    def access(d: dict[str, Any]) -> None:
        d["services"][0].update(type="access")
        change(d)

    return replace(of_another(spoiled(access, 1)), **changes)


def trusting_all(*entries: dict[str, Any]) -> ComputeFacts:
    return facts((compute(publisherTrustedAlgorithms=list(entries)),))


def of_either(section: dict[str, Any]) -> ComputeFacts:
    return facts((compute(**section),), policy=PolicySettings(trusted_lists="any"))


ALL_WILD = {"did": "*", "filesChecksum": "*", "containerSectionChecksum": "*"}
WILDCARDS: dict[str, dict[str, Any]] = {
    "entry": {"publisherTrustedAlgorithms": ["*"]},
    "list": {"publisherTrustedAlgorithms": "*"},
    "values": {"publisherTrustedAlgorithms": [ALL_WILD]},
    "values and service": {"publisherTrustedAlgorithms": [ALL_WILD | {"serviceId": "*"}]},
    "values, spaced": {"publisherTrustedAlgorithms": [{name: " * " for name in ALL_WILD}]},
    "one object": {"publisherTrustedAlgorithms": ALL_WILD},
    "beside others": {"publisherTrustedAlgorithms": [{"did": did(9)}, ALL_WILD]},
    "checksums": {"publisherTrustedAlgorithms": [ALL_WILD | {"did": ALGORITHM_DID}]},
    "did": {"publisherTrustedAlgorithms": [
        {"did": "*", "filesChecksum": DIGEST, "containerSectionChecksum": RIGHT_CONTAINER_CHECKSUM}]},
    "publishers": {"publisherTrustedAlgorithmPublishers": ["*"]},
    "list of publishers": {"publisherTrustedAlgorithmPublishers": "*"},
    "both": {"publisherTrustedAlgorithms": [ALL_WILD], "publisherTrustedAlgorithmPublishers": ["0x1", "*"]},
}  # fmt: skip
OTHERS, LISTED = ["0x" + "d" * 40], [{"did": ALGORITHM_DID}]
CHANGED = [{"did": ALGORITHM_DID, "filesChecksum": "00" * 32}]
EITHER_ACCEPTED: dict[str, dict[str, Any]] = {
    "listed": {"publisherTrustedAlgorithms": LISTED, "publisherTrustedAlgorithmPublishers": OTHERS},
    "all are listed": {"publisherTrustedAlgorithms": ["*"], "publisherTrustedAlgorithmPublishers": OTHERS},
    "publisher": {
        "publisherTrustedAlgorithms": [{"did": did(9)}], "publisherTrustedAlgorithmPublishers": [PUBLISHER]},
    "publisher, listed with other files": {
        "publisherTrustedAlgorithms": CHANGED, "publisherTrustedAlgorithmPublishers": [PUBLISHER]},
    "publisher, entry without did": {
        "publisherTrustedAlgorithms": [{}, {"a": 1}], "publisherTrustedAlgorithmPublishers": ["*"]},
    "both": {"publisherTrustedAlgorithms": LISTED, "publisherTrustedAlgorithmPublishers": [PUBLISHER]},
    "listed alone": {"publisherTrustedAlgorithms": LISTED},
    "publisher alone": {"publisherTrustedAlgorithmPublishers": [PUBLISHER]},
    "none": {},
}  # fmt: skip
EITHER_REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "neither": (
        {"publisherTrustedAlgorithms": [{"did": did(9)}], "publisherTrustedAlgorithmPublishers": OTHERS},
        "not_trusted_algo_publisher"),
    "listed with other files": (
        {"publisherTrustedAlgorithms": CHANGED, "publisherTrustedAlgorithmPublishers": OTHERS},
        "algorithm_file_checksum_mismatch"),
    "an empty list is not enough, publishers": (
        {"publisherTrustedAlgorithms": [], "publisherTrustedAlgorithmPublishers": OTHERS},
        "not_trusted_algo_publisher"),
    "an empty list is not enough, algorithms": (
        {"publisherTrustedAlgorithms": [{"did": did(9)}], "publisherTrustedAlgorithmPublishers": []},
        "not_trusted_algo"),
}  # fmt: skip


def with_meta(meta: dict[str, Any]) -> ComputeFacts:
    """A published algorithm's DID, and `meta` beside it."""
    return facts(raw_algorithm=AlgorithmRequest(algorithm().request, meta), published=algorithm())


OWN_SECTION = document(ALGORITHM_DID, "algorithm")["metadata"]["algorithm"]
THE_ENVIRONMENT = [{"type": "address", "values": [ENVIRONMENT_ADDRESS]}]
SOMEBODY = [{"type": "address", "values": ["0x" + "d" * 40]}]
ME = [{"type": "address", "values": [CONSUMER.upper().replace("0X", "0x")]}]
DENY = PolicySettings(trusted_lists_empty="deny")
NOTHING = AssetFacts(AssetRequest("dataset", did(0), "svc", "0x1"))
LOST_ALGORITHM = AssetFacts(AssetRequest("algorithm", ALGORITHM_DID, "svc", "0x1"))

# name: (facts, place, message). The names say which check of Ocean Provider's order it is.
REFUSED: dict[str, tuple[ComputeFacts, str, str]] = {
    "A additional datasets no list": (with_request(facts(), additional_invalid=True), "additional_input", "invalid"),
    "ours too many datasets": (replace(facts(), max_datasets=0), "additional_input", "too_many"),
    "ours environment unknown": (facts(environment=None), "environment", "not_found"),
    "ours environment of another chain": (
        facts(environment=environment(allowed_chains=(137,))), "environment", "chain_not_allowed"),
    "ours did and meta": (
        facts(raw_algorithm=AlgorithmRequest(algorithm().request, {"rawcode": "x"}), published=algorithm()),
        "algorithm", "invalid"),
    "ours did and other container": (with_meta({"container": {"image": "other"}}), "algorithm", "invalid"),
    "ours did and one more word": (
        with_meta({"container": {"image": "python", "runtime": "x"}}), "algorithm", "invalid"),
    "ours did and code": (with_meta({"rawcode": "print()"}), "algorithm", "invalid"),
    "ours did and url": (with_meta({"url": "http://x/"}), "algorithm", "invalid"),
    "ours did and other shape": (with_meta({"container": ["python"]}), "algorithm", "invalid"),
    "ours did and broken meta": (
        facts(raw_algorithm=AlgorithmRequest(algorithm().request, meta_broken=True), published=algorithm()),
        "algorithm", "invalid"),
    "ours meta no json": (
        facts(raw_algorithm=AlgorithmRequest(AssetRequest("algorithm"), meta_broken=True)), "algorithm", "invalid"),
    "B1 no algorithm": (
        facts(raw_algorithm=AlgorithmRequest(AssetRequest("algorithm"))), "algorithm", "missing_meta_documentId"),
    "ours algorithm unknown": (facts(published=LOST_ALGORITHM), "algorithm.documentId", "did_not_found"),
    "B3 dataset as algorithm": (
        facts(published=asset("algorithm", document(ALGORITHM_DID))), "algorithm", "not_algo"),
    "ours algorithm without type": (
        facts(published=spoiled_algorithm(lambda d: d["metadata"].pop("type"))), "algorithm", "not_algo"),
    "B4 no service": (
        facts(published=asked(algorithm(), service_id="")), "algorithm.serviceId", "missing"),
    "B5 service unknown": (facts(published=replace(algorithm(), service=None)), "algorithm", "file_unavailable"),
    "B5 files of another key": (facts(published=replace(algorithm(), files=None)), "algorithm", "file_unavailable"),
    "B5 file gone or too big": (facts(published=replace(algorithm(), digests=None)), "algorithm", "file_unavailable"),
    "B5 no container": (
        facts(published=spoiled_algorithm(lambda d: d["metadata"].pop("algorithm"))), "algorithm", "file_unavailable"),
    "B5 no entrypoint": (
        facts(published=spoiled_algorithm(lambda d: d["metadata"]["algorithm"]["container"].pop("entrypoint"))),
        "algorithm", "file_unavailable"),
    "B5 no checksum": (
        facts(published=spoiled_algorithm(lambda d: d["metadata"]["algorithm"]["container"].pop("checksum"))),
        "algorithm", "file_unavailable"),
    "B6 algorithm revoked": (
        facts(published=spoiled_algorithm(lambda d: (d["nft"].update(state=3), d.pop("metadata"), d.pop("services")))),
        "algorithm.credentials", "Asset is not consumable."),
    "B6 algorithm not for me": (
        facts(published=spoiled_algorithm(credentials(allow=SOMEBODY))),
        "algorithm.credentials", denied(ALGORITHM_DID, "CREDENTIAL_NOT_IN_ALLOW_LIST")),
    "C1 no did": (facts((asked(dataset(), document_id=""),)), "dataset.documentId", "missing"),
    "C1 no order": (facts((asked(dataset(), transfer_tx_id=""),)), "dataset.transferTxId", "missing"),
    "C2 no service": (facts((asked(dataset(), service_id=""),)), "dataset.serviceId", "missing"),
    "C3 did unknown": (facts((NOTHING,)), "dataset.documentId", "did_not_found"),
    "ours the same twice": (
        facts((dataset(), asked(dataset(1), document_id=did(0)))), "datasets[1]", "duplicate"),
    "C4 service unknown": (facts((replace(dataset(), service=None),)), "dataset.serviceId", "not_found"),
    "C5a no nft": (facts((spoiled(lambda d: d.pop("nft")),)), "dataset", "Asset malformed or disabled."),
    "C5a no chain": (facts((spoiled(lambda d: d.pop("chainId")),)), "dataset", "Asset malformed or disabled."),
    "C5b ended": (facts((spoiled(lambda d: d["nft"].update(state=1)),)), "dataset", "Asset is not consumable."),
    "C5b revoked": (
        facts((replace(spoiled(lambda d: d["nft"].update(state=3)), service=None),)), "dataset",
        "Asset is not consumable."),
    "C5b ordering disabled": (
        facts((spoiled(lambda d: d["nft"].update(state=4)),)), "dataset", "Asset is not consumable."),
    "C5b state unknown": (
        facts((spoiled(lambda d: d["nft"].update(state=9)),)), "dataset", "Asset is not consumable."),
    "C5c no metadata": (
        facts((spoiled(lambda d: d.pop("metadata")),)), "dataset", denied(did(0), "ASSET_DISABLED")),
    "ours purgatory": (
        facts((spoiled(lambda d: d.update(purgatory={"state": True})),)), "dataset", denied(did(0), "ASSET_DISABLED")),
    "C5d not allowed": (
        facts((spoiled(credentials(allow=SOMEBODY)),)), "dataset", denied(did(0), "CREDENTIAL_NOT_IN_ALLOW_LIST")),
    "C5d denied": (
        facts((spoiled(credentials(deny=ME)),)), "dataset", denied(did(0), "CREDENTIAL_IN_DENY_LIST")),
    "ours denied although allowed": (
        facts((spoiled(credentials(allow=ME, deny=ME)),)), "dataset", denied(did(0), "CREDENTIAL_IN_DENY_LIST")),
    "ours unknown credential type": (
        facts((spoiled(credentials(allow=[{"type": "passport", "values": ["x"]}])),)), "dataset",
        denied(did(0), "CREDENTIAL_NOT_IN_ALLOW_LIST")),
    "ours credential without values": (
        facts((spoiled(credentials(allow=[{"type": "address"}])),)), "dataset", "Asset malformed or disabled."),
    "C6 other service type": (
        facts((spoiled(lambda d: d["services"][0].update(type="wss")),)), "dataset.serviceId",
        "service_not_access_compute"),
    "C7 main access": (
        facts((spoiled(lambda d: d["services"][0].update(type="access")),)), "dataset.serviceId",
        "main_service_compute"),
    "ours no compute section": (
        facts((spoiled(lambda d: d["services"][0].pop("compute")),)), "dataset", "no_compute_section"),
    "C8 foreign files": (
        facts((replace(dataset(), files=None, sources=None),)), "dataset.serviceId",
        "compute_services_not_in_same_provider"),
    "C8 no files": (
        facts((replace(dataset(), files=(), sources=()),)), "dataset.serviceId",
        "compute_services_not_in_same_provider"),
    "C8 foreign files, second": (
        facts((dataset(), replace(dataset(1), files=None, sources=None))), "datasets[1].serviceId",
        "compute_services_not_in_same_provider"),
    "ours foreign access": (
        facts((dataset(), replace(spoiled(lambda d: d["services"][0].update(type="access"), 1), files=None))),
        "datasets[1].serviceId", "remote_provider_unavailable"),
    "ours another provider has no such files": (
        facts((dataset(), foreign(sources=None))), "datasets[1].serviceId", "remote_provider_unavailable"),
    "ours another provider's dataset is not ordered": (
        facts((dataset(), foreign(order=None))), "datasets[1].serviceId", "order_invalid"),
    "ours another provider's compute service": (
        facts((dataset(), of_another(dataset(1)))), "datasets[1].serviceId", "compute_services_not_in_same_provider"),
    "ours another provider's main dataset": (
        facts((of_another(dataset()),)), "dataset.serviceId", "compute_services_not_in_same_provider"),
    "ours the environment may not download": (
        facts((dataset(), foreign(credentials(deny=THE_ENVIRONMENT)))), "datasets[1]",
        denied(did(1), "CREDENTIAL_IN_DENY_LIST")),
    "ours only the consumer may use it": (
        facts((dataset(), foreign(credentials(allow=ME)))), "datasets[1]",
        denied(did(1), "CREDENTIAL_NOT_IN_ALLOW_LIST")),
    "ours another provider's algorithm without checksums": (
        facts(published=of_another(algorithm(digests=None))), "algorithm", "file_unavailable"),
    "ours another provider's algorithm of a compute service": (
        facts(published=of_another(
            spoiled_algorithm(lambda d: d["services"][0].update(type="compute", compute={})))),
        "algorithm", "file_unavailable"),
    "ours another provider's algorithm is not ordered": (
        facts(published=replace(of_another(algorithm()), order=None)), "algorithm", "in_use_or_not_on_chain"),
    "ours another provider's algorithm has changed": (
        replace(trusting(did=ALGORITHM_DID, filesChecksum="00" * 32), algorithm=of_another(algorithm())), "dataset",
        "algorithm_file_checksum_mismatch"),
    "C9 publisher": (
        facts((compute(publisherTrustedAlgorithmPublishers=["0x" + "d" * 40]),)), "dataset",
        "not_trusted_algo_publisher"),
    "C9 both lists must hold": (
        facts((compute(publisherTrustedAlgorithmPublishers=["0x" + "d" * 40],
                       publisherTrustedAlgorithms=[{"did": ALGORITHM_DID}]),)), "dataset",
        "not_trusted_algo_publisher"),
    "C10 entry without did": (trusting(filesChecksum="x"), "dataset", "no_publisherTrustedAlgorithms"),
    "C11 other did": (trusting(did=did(7)), "dataset", "not_trusted_algo"),
    "C11 did in other case": (trusting(did=ALGORITHM_DID.upper()), "dataset", "not_trusted_algo"),
    "C11 nothing trusted": (facts(policy=DENY), "dataset", "not_trusted_algo"),
    "C12 file changed": (
        trusting(did=ALGORITHM_DID, filesChecksum="00" * 32), "dataset", "algorithm_file_checksum_mismatch"),
    "ours checksums demanded": (
        replace(trusting(did=ALGORITHM_DID), policy=PolicySettings(require_checksums=True)), "dataset",
        "algorithm_file_checksum_mismatch"),
    "C13 container changed": (
        trusting(did=ALGORITHM_DID, containerSectionChecksum="00" * 32), "dataset",
        "algorithm_container_checksum_mismatch"),
    "C13 upper case": (
        trusting(did=ALGORITHM_DID, containerSectionChecksum=RIGHT_CONTAINER_CHECKSUM.upper()), "dataset",
        "algorithm_container_checksum_mismatch"),
    "ours another service of it is trusted": (
        trusting(did=ALGORITHM_DID, serviceId="other"), "dataset", "not_trusted_algo"),
    "any DID, other files": (
        trusting(did="*", filesChecksum="00" * 32), "dataset", "algorithm_file_checksum_mismatch"),
    "any files, other container": (
        trusting(did=ALGORITHM_DID, filesChecksum="*", containerSectionChecksum="00" * 32), "dataset",
        "algorithm_container_checksum_mismatch"),
    "files of one entry, container of another": (
        trusting_all({"did": ALGORITHM_DID, "filesChecksum": DIGEST, "containerSectionChecksum": "00" * 32},
                     {"did": "*", "filesChecksum": "00" * 32, "containerSectionChecksum": "*"}),
        "dataset", "algorithm_container_checksum_mismatch"),
    "a part is no wildcard": (trusting(did="did:op:*"), "dataset", "not_trusted_algo"),
    **{f"either list: {name}": (of_either(section), "dataset", code)
       for name, (section, code) in EITHER_REFUSED.items()},
    "C14 raw": (facts(raw_algorithm=raw()), "dataset", "no_raw_algo_allowed"),
    "C14 raw null": (
        facts((compute(allowRawAlgorithm=None),), raw_algorithm=raw()), "dataset", "no_raw_algo_allowed"),
    "C14 raw 0": (facts((compute(allowRawAlgorithm=0),), raw_algorithm=raw()), "dataset", "no_raw_algo_allowed"),
    "C14 raw 1": (facts((compute(allowRawAlgorithm=1),), raw_algorithm=raw()), "dataset", "no_raw_algo_allowed"),
    "C14 raw text": (
        facts((compute(allowRawAlgorithm="true"),), raw_algorithm=raw()), "dataset", "no_raw_algo_allowed"),
    "C14 raw, second": (
        facts((raw_allowed(), dataset(1)), raw_algorithm=raw()), "datasets[1]", "no_raw_algo_allowed"),
    "ours dataset parameter": (
        facts((spoiled(lambda d: d["services"][0].update(
            consumerParameters=[{"name": "year", "type": "number", "required": True}])),)),
        "dataset.userdata", "missing:year"),
    "C15 order": (facts((replace(dataset(), order=None),)), "dataset.serviceId", "order_invalid"),
    "C15 order, second": (
        facts((dataset(), replace(dataset(1), order=None))), "datasets[1].serviceId", "order_invalid"),
    "E another provider's orders pay for nothing": (
        facts((dataset(), foreign(order=order(fee_amount=10**24, valid_until=1_700_000_600))),
              of_another(algorithm(), ), environment=environment(price_per_minute=1)),
        "order", "fees_not_paid"),
    "D1 algorithm order": (facts(published=replace(algorithm(), order=None)), "algorithm", "in_use_or_not_on_chain"),
    "D3 raw without code": (
        facts((raw_allowed(),), raw_algorithm=raw(rawcode="", remote="x")), "algorithm",
        "meta_oneof_url_rawcode_remote"),
    "ours raw file gone": (
        replace(facts((raw_allowed(),), raw_algorithm=raw(rawcode="", url="http://x/")), raw_digests=None),
        "algorithm", "file_unavailable"),
    "D4 raw without container": (
        facts((raw_allowed(),), raw_algorithm=raw(container=None)), "algorithm.container",
        "missing_entrypoint_image_checksum"),
    "D4 blank entrypoint": (
        facts((raw_allowed(),), raw_algorithm=raw(container={"entrypoint": " ", "image": "a", "checksum": CHECKSUM})),
        "algorithm.container", "missing_entrypoint_image_checksum"),
    "D4 published without image": (
        facts(published=spoiled_algorithm(lambda d: d["metadata"]["algorithm"]["container"].pop("image"))),
        "algorithm.container", "missing_entrypoint_image_checksum"),
    "D5 prefix": (
        facts((raw_allowed(),), raw_algorithm=raw(container={"entrypoint": "x", "image": "a", "checksum": "md5:1"})),
        "algorithm.container", "checksum_prefix"),
    "ours prefix alone": (
        facts((raw_allowed(),), raw_algorithm=raw(container={"entrypoint": "x", "image": "a", "checksum": "sha256:"})),
        "algorithm.container", "invalid_checksum"),
    "ours image is no name": (
        facts((raw_allowed(),),
              raw_algorithm=raw(container={"entrypoint": "x", "image": "a{{=1+1}}", "checksum": CHECKSUM})),
        "algorithm.container", "invalid_image"),
    "ours published image is not there, where none is pulled": (
        facts(environment=environment(images=ImageNames(["nobody-has-this"]))),
        "algorithm.container", "image_unavailable"),
    "ours algorithm parameter": (
        facts(published=spoiled_algorithm(lambda d: d["metadata"]["algorithm"].update(
            consumerParameters=[{"name": "epochs", "type": "number", "required": True}]))),
        "algorithm.algocustomdata", "missing:epochs"),
    "ours algorithm user data": (
        facts(published=spoiled_algorithm(lambda d: d["services"][0].update(
            consumerParameters=[{"name": "key", "type": "text", "required": True}]))),
        "algorithm.userdata", "missing:key"),
    "E not paid": (facts(environment=environment(price_per_minute=1)), "order", "fees_not_paid"),
    "E halves are not added up": (
        facts((replace(dataset(), order=order(fee_amount=5 * 10**18)),
               replace(dataset(1), order=order(fee_amount=5 * 10**18))), environment=environment(price_per_minute=1)),
        "order", "fees_not_paid"),
    "ours no time left": (
        facts((replace(dataset(), order=order(valid_until=1_700_000_003, quote_timestamp=0)),),
              published=replace(algorithm(), order=order(valid_until=1_700_000_003, quote_timestamp=0))),
        "order", "paid_time_over"),
    "F output": (with_request(facts(), output="{"), "output", "invalid"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    given, place, message = REFUSED[name]
    refusal = first_refusal(given)
    assert refusal is not None
    assert (refusal.place, refusal.code) == (place, message)
    assert refusal.error().body() == {"error": {place: message}}


ACCEPTED: dict[str, ComputeFacts] = {
    "good": facts(),
    "several datasets": facts((dataset(), dataset(1), dataset(2))),
    "unlisted": facts((spoiled(lambda d: d["nft"].update(state=5)),)),
    "allowed in other letters": facts((spoiled(credentials(allow=ME)),)),
    "second address entry": facts((spoiled(credentials(allow=SOMEBODY + ME)),)),
    "access service beside": facts((dataset(), spoiled(lambda d: d["services"][0].update(type="access"), 1))),
    "dataset of another provider": facts((dataset(), foreign())),
    "both of another provider": facts((dataset(), foreign(), dataset(2)), of_another(algorithm())),
    "trusted algorithm of another provider": replace(
        trusting(did=ALGORITHM_DID, filesChecksum=DIGEST), algorithm=of_another(algorithm())
    ),
    "the environment is not judged for our own assets": facts((spoiled(credentials(allow=ME)),)),
    "paid beside another provider's order": facts(
        (replace(dataset(), order=order(fee_amount=10**19)), foreign()),
        of_another(algorithm()),
        environment=environment(price_per_minute=1),
    ),
    "access services have no policy": facts(
        (
            raw_allowed(),
            spoiled(lambda d: (d["services"][0].update(type="access"), d["services"][0].pop("compute")), 1),
        ),
        raw_algorithm=raw(),
    ),
    "trusted publisher in lower case": facts((compute(publisherTrustedAlgorithmPublishers=[PUBLISHER.lower()]),)),
    "any publisher": facts((compute(publisherTrustedAlgorithmPublishers=["*"]),)),
    "any algorithm": facts((compute(publisherTrustedAlgorithms=["*"]),), policy=DENY),
    "trusted publisher, empty list of algorithms, strict": facts(
        (compute(publisherTrustedAlgorithmPublishers=[PUBLISHER]),), policy=DENY
    ),
    "both lists null": facts((compute(publisherTrustedAlgorithms=None, publisherTrustedAlgorithmPublishers=None),)),
    "trusted with checksums": trusting(
        did=ALGORITHM_DID, filesChecksum=DIGEST, containerSectionChecksum=RIGHT_CONTAINER_CHECKSUM
    ),
    "files checksum in upper case": trusting(did=ALGORITHM_DID, filesChecksum=DIGEST.upper()),
    "empty checksums": trusting(did=ALGORITHM_DID, filesChecksum="", containerSectionChecksum=""),
    "trusted lists do not concern raw algorithms": facts(
        (compute(allowRawAlgorithm=True, publisherTrustedAlgorithms=[{"did": did(7)}]),), raw_algorithm=raw()
    ),
    "raw": facts((raw_allowed(),), raw_algorithm=raw()),
    "compute service of an algorithm": facts(
        published=spoiled_algorithm(lambda d: d["services"][0].update(type="compute", compute={}))
    ),
    "paid": facts((replace(dataset(), order=order(fee_amount=10**19)),), environment=environment(price_per_minute=1)),
    "paid by the algorithm": facts(
        published=replace(algorithm(), order=order(fee_amount=10**19)), environment=environment(price_per_minute=1)
    ),
    "free chain": facts(
        (replace(dataset(), free=True),), replace(algorithm(), free=True), environment=environment(price_per_minute=1)
    ),
    "purgatory ignored": facts(
        (spoiled(lambda d: d.update(purgatory={"state": True})),), policy=PolicySettings(respect_purgatory=False)
    ),
    "did and all of its own section": with_meta(OWN_SECTION),
    "did and a part of its own section": with_meta({"container": {"image": "python"}}),
    "did and empty words": with_meta({**OWN_SECTION, "rawcode": "", "language": "", "url": None, "remote": {}}),
    "did and nothing": with_meta({}),
    **{
        f"wildcard {name}": replace(
            facts((compute(**section),)), policy=PolicySettings(require_checksums=True, trusted_lists_empty="deny")
        )
        for name, section in WILDCARDS.items()
    },
    **{f"either list: {name}": of_either(section) for name, section in EITHER_ACCEPTED.items()},
    "the second entry fits": trusting_all(
        {"did": "*", "filesChecksum": "00" * 32}, {"did": ALGORITHM_DID, "filesChecksum": DIGEST}
    ),
    "the algorithm's service is trusted": trusting(did=ALGORITHM_DID, serviceId="svc"),
    "any of its services is trusted": trusting(did=ALGORITHM_DID, serviceId="*"),
    "output object": with_request(facts(), output={"publishOutput": True}),
    "output json text": with_request(facts(), output="{}"),
    "output empty": with_request(facts(), output=""),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name: str) -> None:
    assert first_refusal(ACCEPTED[name]) is None


def test_an_absent_provider_is_named_once() -> None:
    """Whose fee an order must carry is not known then."""
    away = foreign(other_provider=None, sources=None, order=None)
    (refusal,) = all_refusals(facts((dataset(), away)))
    assert (refusal.rule, refusal.place) == ("files_are_ours", "datasets[1].serviceId")
    gone = replace(of_another(algorithm()), other_provider=None, sources=None, digests=None, order=None)
    (refusal,) = all_refusals(facts(published=gone))
    assert (refusal.rule, refusal.place) == ("algorithm_is_available", "algorithm")


def test_quotes_need_no_orders() -> None:
    given = facts((asked(replace(dataset(), order=None), transfer_tx_id=""),), replace(algorithm(), order=None))
    assert first_refusal(replace(given, with_orders=False)) is None


def test_nobody_named_nobody_judged() -> None:
    given = facts((spoiled(credentials(allow=SOMEBODY)),))
    assert first_refusal(replace(given, with_credentials=False)) is None


def all_of(given: ComputeFacts) -> list[tuple[str, str]]:
    return [(refusal.place, refusal.code) for refusal in all_refusals(given)]


def test_why_not_names_everything_at_once() -> None:
    lost = AssetFacts(AssetRequest("datasets[1]", did(1), "svc", "0x1"))
    given = facts(
        (spoiled(lambda d: (d["nft"].update(state=4), d.update(credentials={"deny": ME}),
                            d["services"][0]["compute"].update(publisherTrustedAlgorithms=[{"did": did(9)}])),
                 order=None, order_problem="order_expired"), lost),
        published=replace(algorithm(), digests=None, order=None), unfinished_jobs=101,
    )  # fmt: skip
    assert all_of(with_request(given, output="{")) == [
        ("algorithm", "file_unavailable"),
        ("dataset", "Asset is not consumable."),
        ("dataset", denied(did(0), "CREDENTIAL_IN_DENY_LIST")),
        ("dataset", "not_trusted_algo"),
        ("dataset.serviceId", "order_invalid"),
        ("datasets[1].documentId", "did_not_found"),
        ("algorithm", "in_use_or_not_on_chain"),
        ("output", "invalid"),
        ("environment", "queue_full"),
    ]


def test_why_not_does_not_repeat_itself() -> None:
    lost = AssetFacts(AssetRequest("dataset", did(0), "svc", "0x1"))
    assert all_of(facts((lost,))) == [("dataset.documentId", "did_not_found")]
    assert all_of(facts(published=LOST_ALGORITHM)) == [("algorithm.documentId", "did_not_found")]
    revoked = replace(spoiled(lambda d: (d["nft"].update(state=3), d.pop("metadata"), d.pop("services"))),
                      service=None, files=None, sources=None, order=None)  # fmt: skip
    assert all_of(facts((revoked,))) == [("dataset", "Asset is not consumable.")]
    nameless = AssetFacts(AssetRequest("dataset"))
    assert all_of(facts((nameless,))) == [
        ("dataset.documentId", "missing"), ("dataset.transferTxId", "missing"), ("dataset.serviceId", "missing"),
    ]  # fmt: skip
    nowhere = facts((asked(NOTHING),), LOST_ALGORITHM, environment=None, gathered=False)
    assert all_of(nowhere) == [("environment", "not_found")]


def test_a_refusal_says_who_can_change_what() -> None:
    given = facts((compute(publisherTrustedAlgorithms=[{"did": did(9)}]),),
                  spoiled_algorithm(lambda d: d["nft"].update(state=3)))  # fmt: skip
    state, trust = all_refusals(given)
    assert state.reason() == {
        "place": "algorithm.credentials", "rule": "state_allows_use", "code": "Asset is not consumable.",
        "expected": ["0 (active)", "5 (unlisted)"], "found": "3 (revoked)", "who": "algorithm_publisher",
    }  # fmt: skip
    assert trust.reason() == {
        "place": "dataset", "rule": "algorithm_is_trusted", "code": "not_trusted_algo",
        "expected": [did(9)], "found": ALGORITHM_DID, "who": "publisher",
    }  # fmt: skip


def test_long_values_are_cut() -> None:
    given = facts((compute(publisherTrustedAlgorithmPublishers=["x" * 1000] * 1000),))
    (refusal,) = all_refusals(given)
    expected = refusal.reason()["expected"]
    assert len(expected) == 20
    assert {len(text) for text in expected} == {201}


def test_nothing_is_accepted_when_a_rule_was_left_out() -> None:
    """Facts that no gathering makes: the environment is there, but nothing was asked about the assets."""
    with pytest.raises(RulesLeftOut):
        first_refusal(facts(gathered=False))


@pytest.mark.parametrize(
    ("values", "allowed"),
    [([True], True), ([True, True], True), ([True, False], False), ([None], False), (["true"], False), ([1], False)],
)
def test_network_only_if_every_dataset_says_so(values: list[Any], allowed: bool) -> None:
    datasets = tuple(
        spoiled(lambda d, v=value: d["services"][0]["compute"].update(allowNetworkAccess=v), number)  # type: ignore[misc]
        for number, value in enumerate(values)
    )
    assert network_is_allowed(facts(datasets)) is allowed


def test_access_datasets_do_not_decide_about_the_network() -> None:
    beside = spoiled(lambda d: d["services"][0].update(type="access"), 1)
    assert network_is_allowed(facts((compute(allowNetworkAccess=True), beside)))


def test_values_are_what_they_say() -> None:
    given = facts()
    assert isinstance(given.request, ComputeRequest)
    assert isinstance(given.datasets[0].ddo, DDO)


def test_the_how_to_lists_every_rule_in_order() -> None:
    text = (Path(__file__).parents[3] / "docs/how-to/why-not.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \| (consumer|publisher|algorithm_publisher|operator) \|", text, re.MULTILINE)
    names = {rule.name: rule.who for rule, _ in in_order(facts((dataset(),)))}
    asked_again = len(CONSUMABLE)  # first about the algorithm
    order = list(names.items())
    start = next(index for index, (name, _) in enumerate(order) if name == CONSUMABLE[0].name)
    shared = order[start : start + asked_again]
    rest = order[:start] + order[start + asked_again :]
    place = [name for name, _ in rest].index("service_exists") + 1
    assert listed == rest[:place] + shared + rest[place:]


def test_why_not_says_what_lists_of_trust_mean() -> None:
    """Although they refuse nothing."""
    both = compute(publisherTrustedAlgorithms=LISTED, publisherTrustedAlgorithmPublishers=[PUBLISHER])
    either, all_ = PolicySettings(trusted_lists="any"), PolicySettings()
    told = {
        "empty": (facts(), "every published algorithm may run on this dataset (C2D_POLICY__TRUSTED_LISTS_EMPTY=allow)"),
        "empty, strict": (facts(policy=DENY), "no published algorithm may run"),
        "all": (facts((both,), policy=all_), "both must trust an algorithm (C2D_POLICY__TRUSTED_LISTS=all)"),
        "any": (facts((both,), policy=either), "either of them is enough (C2D_POLICY__TRUSTED_LISTS=any)"),
    }
    for given, text in told.values():
        (note,) = notes(given)
        assert note["place"] == "dataset"
        assert text in note["note"]
    assert notes(facts((compute(publisherTrustedAlgorithms=LISTED),))) == []
    assert notes(facts((compute(publisherTrustedAlgorithmPublishers=[PUBLISHER]),))) == []
    beside = spoiled(lambda d: d["services"][0].update(type="access"), 1)
    assert [note["place"] for note in notes(facts((both, beside)))] == ["dataset"]
