"""Which documents may be published: what clients really publish passes, and each broken rule is named by its field."""

from __future__ import annotations

import copy
import json
import time
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ocean.ddo_rules import MAX_ERRORS, MAX_VALUES, VersionMissing, errors_of
from ocean.ddo_schema import VERSIONS, schema_of
from ocean.did import did_of

pytestmark = pytest.mark.unit

NFT, TOKEN = "0x32467b43BFa67273FC7dDda0999Ee9A12F2AaA08", "0xC7EC1970B09224B317c52d92f37F5e1E4fF6B687"
CHAIN = 8996
DID = did_of(NFT, CHAIN)
FILES = "0x04" + "ab" * 200
MISSING = object()

# As ocean.py 3.1.2 publishes a dataset with its defaults (and, when it updates one, with fields of the metadata store).
OCEAN_PY = {
    "@context": ["https://w3id.org/did/v1"],
    "id": DID,
    "version": "4.1.0",
    "chainId": CHAIN,
    "nftAddress": NFT,
    "metadata": {
        "created": "2026-01-02T03:04:05.678901",
        "updated": "2026-01-02T03:04:05.678901",
        "description": "Rain",
        "name": "Rain",
        "type": "dataset",
        "author": "0x90F79",
        "license": "CC0: PublicDomain",
    },
    "nft": {"address": NFT, "state": 0},
    "event": {"tx": "0x" + "1" * 64},
    "services": [
        {
            "name": "Download service",
            "description": "Download service",
            "id": "0",
            "type": "access",
            "files": FILES,
            "datatokenAddress": TOKEN,
            "serviceEndpoint": "http://127.0.0.1:8030",
            "timeout": 3600,
        },
        {
            "compute": {
                "allowRawAlgorithm": False,
                "allowNetworkAccess": True,
                "publisherTrustedAlgorithms": [
                    {"did": DID, "filesChecksum": "a" * 64, "containerSectionChecksum": "b" * 64}
                ],
                "publisherTrustedAlgorithmPublishers": [],
            },
            "name": "Compute service",
            "description": "Compute service",
            "id": "1",
            "type": "compute",
            "files": FILES,
            "datatokenAddress": TOKEN,
            "serviceEndpoint": "http://127.0.0.1:8030",
            "timeout": 3600,
        },
    ],
}

# As an application publishes an algorithm with ocean.js 3, after the examples that come with it.
OCEAN_JS = {
    "@context": ["https://w3id.org/did/v1"],
    "id": DID,
    "version": "4.1.0",
    "chainId": CHAIN,
    "nftAddress": NFT.lower(),
    "metadata": {
        "created": "2021-12-20T14:35:20Z",
        "updated": "2021-12-20T14:35:20Z",
        "type": "algorithm",
        "name": "algorithm-name",
        "description": "Ocean protocol test algorithm description",
        "author": "oceanprotocol-team",
        "license": "https://market.oceanprotocol.com/terms",
        "tags": [""],
        "links": [],
        "additionalInformation": {"termsAndConditions": True},
        "algorithm": {
            "language": "Node.js",
            "version": "1.0.0",
            "container": {
                "entrypoint": "node $ALGO",
                "image": "ubuntu",
                "tag": "latest",
                "checksum": "sha256:42ba2dfce475de1113d55602d40af18415897167d47c2045ec7b6d9746ff148f",
            },
            "consumerParameters": [
                {
                    "name": "rounds",
                    "type": "select",
                    "label": "Rounds",
                    "required": True,
                    "description": "How often",
                    "default": "1",
                    "options": [{"1": "once"}, '{"2": "twice"}'],
                }
            ],
        },
    },
    "services": [
        {
            "id": "db164c1b981e4d2974e90e61bda121512e6909c1035c908d68933ae4cfaba6b0",
            "type": "access",
            "files": FILES,
            "datatokenAddress": TOKEN,
            "serviceEndpoint": "https://v4.provider.oceanprotocol.com",
            "timeout": 0,
        }
    ],
}


def changed(path: str, value: Any, document: dict[str, Any] = OCEAN_PY, version: str = "") -> dict[str, Any]:
    """A copy with one value put at a path, or removed; of another version, if one is given."""
    made = copy.deepcopy(document)
    if version:
        made["version"] = version
    place: Any = made
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in parents:
        place = place[part]
    if value is MISSING:
        del place[last]
    else:
        place[last] = value
    return made


def long_enough(document: dict[str, Any]) -> dict[str, Any]:
    """The same document, with texts as long as version 4.5.0 wants them."""
    made = changed("metadata.description", "Daily rain since 1971", document, "4.5.0")
    return changed("metadata.name", "Rain in Aba", made)


@pytest.mark.parametrize("version", ["4.0.0", "4.1.0", "4.3.0"])
@pytest.mark.parametrize("document", [OCEAN_PY, OCEAN_JS], ids=["ocean.py", "ocean.js"])
def test_what_clients_publish_passes(document: dict[str, Any], version: str) -> None:
    assert errors_of(document | {"version": version}) == {}


@pytest.mark.parametrize("document", [OCEAN_PY, OCEAN_JS], ids=["ocean.py", "ocean.js"])
def test_what_clients_publish_passes_the_newest_rules_when_texts_are_long_enough(document: dict[str, Any]) -> None:
    assert errors_of(long_enough(document)) == {}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("credentials", {"allow": [], "deny": []}),
        ("credentials", {"deny": [{"type": "address", "values": ["0x00"]}]}),
        ("metadata.created", MISSING),
        ("metadata.created", "2026-01-02"),
        ("metadata.additionalInformation", [1, {"a": None}]),
        ("metadata.categories", ["rain"]),
        ("services.0.type", "wss"),
        ("services.0.files", FILES[2:]),
        ("services.0.serviceEndpoint", "https://provider.example/path/"),
        ("services.1.compute.publisherTrustedAlgorithms", ["*"]),
        ("services.1.compute.publisherTrustedAlgorithms", None),
        ("services.1.compute.publisherTrustedAlgorithmPublishers", ["*"]),
        ("services.1.compute.namespace", "any"),
        ("services.0.consumerParameters", []),
        ("@context", {"@vocab": "x"}),
    ],
)
def test_variants_that_pass(path: str, value: Any) -> None:
    assert errors_of(changed(path, value)) == {}


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("@context", MISSING, "is required"),
        ("@context", "https://w3id.org/did/v1", "must be a list or an object"),
        ("id", MISSING, "is required"),
        ("id", "did:op:" + "0" * 64, "must be the DID of this nftAddress and chainId"),
        ("id", "did:op:" + DID[7:].upper(), "must be did:op: and 64 lower-case hexadecimal digits"),
        ("chainId", "8996", "must be an integer"),
        ("chainId", 8996.0, "must be an integer"),
        ("chainId", True, "must be an integer"),
        ("nftAddress", MISSING, "is required"),
        ("nftAddress", NFT[:-1], "must be an address, 0x and 40 hexadecimal digits"),
        ("metadata", MISSING, "is required"),
        ("metadata", [], "must be an object"),
        ("metadata.name", "", "must not be empty"),
        ("metadata.name", 7, "must be a text"),
        ("metadata.description", MISSING, "is required"),
        ("metadata.author", None, "must be a text"),
        ("metadata.license", MISSING, "is required"),
        ("metadata.type", "model", "must be one of dataset, algorithm"),
        ("metadata.created", "yesterday", "must be an ISO 8601 date and time"),
        ("metadata.updated", 1767323045, "must be a text"),
        ("metadata.tags", "rain", "must be a list"),
        ("metadata.tags.0", 7, "must be a text"),
        ("metadata.algorithm", {"container": {}}, "metadata.algorithm.container.checksum: is required"),
        ("services", MISSING, "is required"),
        ("services", [], "must have an entry"),
        ("services", {}, "must be a list"),
        ("services.0", "access", "must be an object"),
        ("services.0.id", "", "must not be empty"),
        ("services.1.id", "0", "must be used once"),
        ("services.0.datatokenAddress", "0x0", "must be an address, 0x and 40 hexadecimal digits"),
        ("services.0.serviceEndpoint", "ftp://x", "must be an http or https address"),
        ("services.0.files", "", "must be encrypted, as hexadecimal digits"),
        ("services.0.files", [{"type": "url"}], "must be a text"),
        ("services.0.timeout", -1, "must be at least 0"),
        ("services.0.timeout", "3600", "must be an integer"),
        ("services.1.compute", MISSING, "is required"),
        ("services.1.compute.allowRawAlgorithm", MISSING, "is required"),
        ("services.1.compute.allowNetworkAccess", "false", "must be true or false"),
        ("services.1.compute.publisherTrustedAlgorithms.0.filesChecksum", MISSING, "is required"),
        ("services.1.compute.publisherTrustedAlgorithms.0", "all", "must be *"),
        ("services.1.compute.publisherTrustedAlgorithmPublishers", [7], "must be a text"),
        ("services.0.consumerParameters", [7], "must be an object"),
        ("credentials", [], "must be an object"),
        ("credentials", {"allow": [{"values": ["0x00"]}]}, "credentials.allow.0.type: is required"),
        ("credentials", {"deny": [{"type": "address", "values": []}]}, "must have an entry"),
        ("version", "4.2.0", "must be one of 4.0.0, 4.1.0, 4.3.0, 4.5.0"),
        ("version", ["4.1.0"], "must be one of 4.0.0, 4.1.0, 4.3.0, 4.5.0"),
    ],
)
def test_broken_rules(path: str, value: Any, text: str) -> None:
    start = changed("metadata.tags", ["a"]) if path.startswith("metadata.tags") else OCEAN_PY
    errors = errors_of(changed(path, value, start))
    found = {f"{field}: {said}" for field, said in errors.items()}
    assert any(line.endswith(text) and line.startswith(path.split(".")[0]) for line in found), found
    assert len(errors) == (3 if "container" in text else 1) or path == "metadata.algorithm", errors


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("metadata.algorithm", MISSING, "is required"),
        ("metadata.algorithm.container", MISSING, "is required"),
        ("metadata.algorithm.container.tag", "", "must not be empty"),
        ("metadata.algorithm.container.checksum", "latest", "must be an image digest, sha256: and hexadecimal digits"),
        ("metadata.algorithm.consumerParameters.0.type", "text[]", "must be one of text, number, boolean, select"),
        ("metadata.algorithm.consumerParameters.0.options", MISSING, "is required"),
        ("metadata.algorithm.consumerParameters.0.default", None, "must be a text or a number or true or false"),
        ("metadata.algorithm.consumerParameters.0.required", "yes", "must be true or false"),
        ("metadata.algorithm.consumerParameters", {}, "must be a list"),
    ],
)
def test_broken_rules_of_algorithms(path: str, value: Any, text: str) -> None:
    assert errors_of(changed(path, value, OCEAN_JS)) == {path: text}


@pytest.mark.parametrize(
    ("path", "length", "text"),
    [
        ("metadata.name", 3, "must have at least 4 characters"),
        ("metadata.name", 513, "must have at most 512 characters"),
        ("metadata.description", 9, "must have at least 10 characters"),
        ("metadata.description", 7001, "must have at most 7000 characters"),
        ("metadata.author", 257, "must have at most 256 characters"),
        ("metadata.license", 257, "must have at most 256 characters"),
        ("metadata.contentLanguage", 257, "must have at most 256 characters"),
        ("metadata.copyrightHolder", 513, "must have at most 512 characters"),
        ("services.0.id", 257, "must have at most 256 characters"),
        ("services.0.type", 257, "must have at most 256 characters"),
        ("services.0.name", 3, "must have at least 4 characters"),
        ("services.0.description", 9, "must have at least 10 characters"),
        ("services.1.compute.publisherTrustedAlgorithms.0.filesChecksum", 1025, "must have at most 1024 characters"),
    ],
)
def test_lengths_bind_the_newest_version_only(path: str, length: int, text: str) -> None:
    assert errors_of(changed(path, "x" * length, long_enough(OCEAN_PY))) == {path: text}
    assert errors_of(changed(path, "x" * length)) == {}


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("services.0.files", "0x" + "ab" * 4096, "must have at most 8192 characters"),
        ("services.0.serviceEndpoint", "http://" + "x" * 2042, "must have at most 2048 characters"),
        ("metadata.tags", ["a"] * 65, "must have at most 64 entries"),
        ("metadata.links", ["a" * 513], "must have at most 512 characters"),
        ("credentials", {"allow": [{"type": "address", "values": ["x" * 1025]}]}, "must have at most 1024 characters"),
    ],
)
def test_further_bounds_of_the_newest_version(path: str, value: Any, text: str) -> None:
    assert list(errors_of(changed(path, value, long_enough(OCEAN_PY))).values()) == [text]
    assert errors_of(changed(path, value)) == {}


def test_number_of_services() -> None:
    first, rest = (
        OCEAN_PY["services"][0],
        [  # type: ignore[index]
            {**OCEAN_PY["services"][0], "id": f"s{number}"}
            for number in range(64)  # type: ignore[index]
        ],
    )
    newest = long_enough(OCEAN_PY)
    assert errors_of(newest | {"services": []}) == {}
    assert errors_of(newest | {"services": rest}) == {}
    assert errors_of(newest | {"services": [first, *rest]}) == {"services": "must have at most 64 entries"}
    assert errors_of(OCEAN_PY | {"services": [first, *rest]}) == {}


def test_all_errors_come_at_once_and_repeat_nothing() -> None:
    broken = changed("metadata.name", ["secret-one"], changed("services.0.timeout", "secret-two", OCEAN_PY))
    broken = changed("chainId", MISSING, broken)
    errors = errors_of(broken)
    assert set(errors) == {"metadata.name", "services.0.timeout", "chainId"}
    assert "secret" not in json.dumps(errors)


@pytest.mark.parametrize("version", [MISSING, "", None, 0])
def test_a_document_without_version(version: Any) -> None:
    with pytest.raises(VersionMissing):
        errors_of(changed("version", version))


@pytest.mark.parametrize("document", [None, [], "text", 7, True])
def test_what_is_no_document(document: Any) -> None:
    assert errors_of(document) == {"document": "must be an object"}


def test_documents_made_to_cost_much_are_refused_at_once() -> None:
    deep: Any = []
    for _ in range(900):
        deep = [deep]
    began = time.process_time()
    assert errors_of(changed("metadata.additionalInformation", deep)) == {"document": "nested too deeply"}
    assert errors_of(changed("services", [{}] * 1_000_000)) == {"document": "too many values"}
    assert errors_of(changed("services", [OCEAN_PY["services"][0]] * 100_000)) == {"document": "too many values"}  # type: ignore[index]
    assert errors_of(changed("metadata.additionalInformation", float("inf"))) == {"document": "a number that is none"}
    assert len(errors_of(changed("services", [{}] * (MAX_VALUES // 2)))) == MAX_ERRORS
    assert time.process_time() - began < 5


@pytest.mark.parametrize("version", VERSIONS)
def test_schemas_are_schemas(version: str) -> None:
    Draft202012Validator.check_schema(schema_of(version))
    assert json.loads(json.dumps(schema_of(version))) == schema_of(version)


def test_no_schema_for_another_version() -> None:
    with pytest.raises(LookupError):
        schema_of("4.2.0")
