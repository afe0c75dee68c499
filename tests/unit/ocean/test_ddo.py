import json
from typing import Any

import pytest

from ocean.ddo import DDO, DDOMalformed

pytestmark = pytest.mark.unit

DOCUMENT: dict[str, Any] = {
    "@context": ["https://w3id.org/did/v1"],
    "id": "did:op:09bd86fd19b7120a0307dbd3ea5751810f346e64e74ac3ba4ec2511c37c0e3a9",
    "version": "4.1.0",
    "chainId": 8996,
    "nftAddress": "0x32467b43BFa67273FC7dDda0999Ee9A12F2AaA08",
    "metadata": {
        "created": "2026-01-01T00:00:00",
        "name": "rain",
        "type": "algorithm",
        "x-mine": {"a": [1]},
        "algorithm": {
            "language": "python",
            "container": {"entrypoint": "python $ALGO", "image": "i", "tag": "t", "checksum": "sha256:00", "z": 1},
            "consumerParameters": ['{"name": "p"}'],
        },
    },
    "services": [
        {"id": "a1", "type": "access", "files": "0x04", "datatokenAddress": "0x1", "timeout": 0},
        {
            "id": "c1",
            "type": "compute",
            "files": "0x04",
            "datatokenAddress": "0x1",
            "serviceEndpoint": "http://127.0.0.1:8030",
            "timeout": 3600,
            "compute": {
                "allowRawAlgorithm": False,
                "allowNetworkAccess": True,
                "publisherTrustedAlgorithms": [{"did": "did:op:1"}],
                "publisherTrustedAlgorithmPublishers": None,
                "namespace": "n",
            },
            "consumerParameters": [{"name": "p"}],
        },
        {"id": "c1", "type": "compute", "timeout": 1},
    ],
    "credentials": {"allow": [], "deny": []},
    "nft": {"address": "0x2", "state": 0, "owner": "0x3", "created": "now"},
    "datatokens": [{"address": "0x1"}],
    "event": {"tx": "0x4"},
    "stats": {"orders": 1},
    "purgatory": {"state": False},
    "unknown": [1, {"deep": None}],
}


@pytest.mark.parametrize("source", [DOCUMENT, json.dumps(DOCUMENT), json.dumps(DOCUMENT).encode()])
def test_a_whole_document(source: Any) -> None:
    ddo = DDO.parse(source)
    assert (ddo.id, ddo.version, ddo.chain_id) == (DOCUMENT["id"], "4.1.0", 8996)
    assert ddo.nft_address == DOCUMENT["nftAddress"]
    assert ddo.metadata is not None
    assert ddo.metadata.algorithm is not None
    assert ddo.metadata.algorithm.container is not None
    assert ddo.metadata.algorithm.container.entrypoint == "python $ALGO"
    assert ddo.metadata.algorithm.consumer_parameters == ['{"name": "p"}']
    compute = ddo.services[1].compute
    assert compute is not None
    assert compute.allow_raw_algorithm is False
    assert compute.allow_network_access is True
    assert compute.publisher_trusted_algorithms == [{"did": "did:op:1"}]
    assert compute.publisher_trusted_algorithm_publishers is None
    assert ddo.services[0].compute is None
    assert ddo.nft is not None
    assert (ddo.nft.state, ddo.nft.owner) == (0, "0x3")
    assert ddo.model_extra == {"@context": DOCUMENT["@context"], "unknown": DOCUMENT["unknown"]}
    assert ddo.document() == DOCUMENT
    assert list(ddo.document()) == list(DOCUMENT)


def test_the_document_cannot_be_changed_through_the_value() -> None:
    source = json.loads(json.dumps(DOCUMENT))
    ddo = DDO.parse(source)
    source["id"] = "x"
    ddo.document()["services"].clear()
    assert ddo.document() == DOCUMENT


def test_services_are_found_by_id_first_match() -> None:
    ddo = DDO.parse(DOCUMENT)
    assert ddo.service_index("c1") == 1
    assert ddo.service("c1") is ddo.services[1]
    assert ddo.service_index("C1") is None
    assert ddo.service("") is None


@pytest.mark.parametrize("value", [None, 0, "false", True, False, [], {}, 1.5])
def test_rules_see_the_very_value(value: Any) -> None:
    compute = {"allowRawAlgorithm": value, "publisherTrustedAlgorithms": value}
    service = {"id": "c", "timeout": 1, "compute": compute}
    parsed = DDO.parse({"id": "x", "services": [service], "credentials": value}).services[0].compute
    assert parsed is not None
    assert parsed.allow_raw_algorithm is value
    assert parsed.publisher_trusted_algorithms == value


@pytest.mark.parametrize(
    "change",
    [
        {"metadata": None},
        {"metadata": "text"},
        {"metadata": {"type": 5, "algorithm": []}},
        {"metadata": {"algorithm": {"container": {"entrypoint": None, "image": 7}}}},
        {"metadata": {"algorithm": {"container": "text"}}},
        {"services": None},
        {"services": []},
        {"services": [{"timeout": 3, "id": 5, "files": None, "compute": "text"}]},
        {"nft": 5},
        {"nft": {"state": "0", "address": None}},
        {"chainId": "8996"},
        {"chainId": True},
        {"credentials": '{"allow": []}'},
        {"version": None},
    ],
)
def test_odd_values_are_left_to_the_rules(change: dict[str, Any]) -> None:
    document = DOCUMENT | change
    ddo = DDO.parse(document)
    assert ddo.document() == document
    assert ddo.chain_id in (8996, None)
    assert ddo.version in ("4.1.0", "4.0.0")


def test_a_document_without_version_is_of_the_first() -> None:
    assert DDO.parse({"id": "x"}).version == "4.0.0"


@pytest.mark.parametrize(
    ("source", "where"),
    [
        (b"", "JSON"),
        (b"\xff", "JSON"),
        ("{", "JSON"),
        ('{"id": "x", "n": NaN}', "JSON"),
        ("[" * 200_000, "JSON"),
        ('{"id": "x", "deep": ' + "[" * 400 + "]" * 400 + "}", "document"),
        ('{"id": "x", "n": 1e999}', "document"),
        ('{"id": "x", "many": [' + "1," * 200_000 + "1]}", "document"),
        ("[]", "document"),
        ("null", "document"),
        ({}, "id"),
        ({"id": 5}, "id"),
        ({"id": "x", "services": {}}, "services"),
        ({"id": "x", "services": [7]}, "services.0"),
        ({"id": "x", "services": [{"id": "s"}]}, "services.0.timeout"),
        ({"id": "x", "services": [{"timeout": -1}]}, "services.0.timeout"),
        ({"id": "x", "services": [{"timeout": True}]}, "services.0.timeout"),
        ({"id": "x", "services": [{"timeout": None}]}, "services.0.timeout"),
        ({"id": "x", "services": [{"timeout": 0}, {"timeout": "soon"}]}, "services.1.timeout"),
    ],
)
def test_what_nobody_could_judge_is_refused(source: Any, where: str) -> None:
    with pytest.raises(DDOMalformed) as caught:
        DDO.parse(source)
    assert caught.value.where == where


def test_a_value_made_by_hand_has_a_document_too() -> None:
    ddo = DDO(id="x", chain_id=1)
    assert ddo.document() == {"id": "x", "version": "4.0.0", "chainId": 1, "nftAddress": "", "services": []}


def test_added_fields_can_be_renewed() -> None:
    ddo = DDO.parse(DOCUMENT)
    later = ddo.with_added(stats={"orders": 7}, purgatory={"state": True})
    assert (later.stats, later.purgatory) == ({"orders": 7}, {"state": True})
    assert later.document() == DOCUMENT | {"stats": {"orders": 7}, "purgatory": {"state": True}}
    assert later.services == ddo.services
    assert ddo.document() == DOCUMENT
    assert DDO(id="x").with_added(stats={}, purgatory={}).document()["id"] == "x"


def test_a_repr_does_not_show_encrypted_files() -> None:
    assert "files" not in repr(DDO.parse(DOCUMENT).services[0])
