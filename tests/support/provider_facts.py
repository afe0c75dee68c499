"""Facts about a good compute request, to be spoiled one by one."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from nacl.public import PrivateKey

from contract.job_spec import ProviderSource, UrlSource
from ocean.chain.orders import Order
from ocean.ddo import DDO
from ocean.files import UrlFile
from ocean.trust import container_checksum
from provider_api.access.facts import AssetFacts, ComputeFacts
from provider_api.access.other_providers import OtherProvider
from provider_api.access.request import AlgorithmRequest, AssetRequest, ComputeRequest
from provider_api.environments.environment import Environment
from provider_api.settings import PolicySettings

NOW = 1_700_000_000.0
CONSUMER = "0x" + "c" * 40
PUBLISHER = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"
ENVIRONMENT_ADDRESS = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
CHECKSUM = "sha256:" + "ab" * 32
ENTRYPOINT = "python $ALGO"
DIGEST = "ca" * 32
ALGORITHM_DID = "did:op:" + "a" * 64
NFT = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
TOKEN = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
OTHER = OtherProvider(
    address="0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65",
    download="http://other.example/api/services/download",
    nonce="http://other.example/api/services/nonce",
    fileinfo="http://other.example/api/services/fileinfo",
    initialize="http://other.example/api/services/initialize",
)


def did(number: int) -> str:
    return f"did:op:{number:064x}"


def environment(**changes: Any) -> Environment:
    values: dict[str, Any] = {
        "id": "small",
        "consumer_address": ENVIRONMENT_ADDRESS,
        "box_key": PrivateKey.generate().public_key,
        "max_job_duration": 3600,
    }
    return Environment(**(values | changes))


def order(**changes: Any) -> Order:
    values: dict[str, Any] = {
        "tx_hash": "0x" + "1" * 64,
        "start_tx_hash": "0x" + "1" * 64,
        "datatoken": TOKEN,
        "service_index": 0,
        "consumer": ENVIRONMENT_ADDRESS,
        "payer": CONSUMER,
        "amount": 10**18,
        "timestamp": int(NOW) - 20,
        "fee_amount": 0,
        "fee_token": TOKEN,
        "valid_until": int(NOW) + 600,
        "environment": "small",
        "quote_timestamp": Decimal(int(NOW) - 30),
        "block_timestamp": int(NOW) - 20,
    }
    return Order(**(values | changes))


def document(asset_did: str, kind: str = "dataset", *, service: dict[str, Any] | None = None) -> dict[str, Any]:
    """A DDO with the fields an index adds; a dataset has a compute service, an algorithm an access service."""
    base: dict[str, Any] = {
        "id": "svc",
        "type": "compute" if kind == "dataset" else "access",
        "datatokenAddress": TOKEN,
        "serviceEndpoint": "http://127.0.0.1:8030",
        "files": "0x04",
        "timeout": 3600,
    }
    metadata: dict[str, Any] = {"type": kind, "name": "n", "description": "d", "author": "a", "license": "CC0"}
    if kind == "dataset":
        base["compute"] = {
            "allowRawAlgorithm": False,
            "allowNetworkAccess": False,
            "publisherTrustedAlgorithms": [],
            "publisherTrustedAlgorithmPublishers": [],
        }
    else:
        metadata["algorithm"] = {
            "container": {"entrypoint": ENTRYPOINT, "image": "python", "tag": "3.12", "checksum": CHECKSUM}
        }
    return {
        "@context": ["https://w3id.org/did/v1"],
        "id": asset_did,
        "version": "4.1.0",
        "chainId": 8996,
        "nftAddress": NFT,
        "metadata": metadata,
        "services": [base | (service or {})],
        "credentials": {"allow": [], "deny": []},
        "nft": {"address": NFT, "state": 0, "owner": PUBLISHER},
        "purgatory": {"state": False},
    }


def asset(place: str, source: dict[str, Any], **changes: Any) -> AssetFacts:
    ddo = DDO.parse(source)
    request = AssetRequest(place, ddo.id, "svc", "0x" + "1" * 64)
    facts = AssetFacts(
        request,
        ddo=ddo,
        service=ddo.service("svc"),
        files=(UrlFile("http://example.com/x"),),
        sources=(UrlSource(url="http://example.com/x"),),
        digests=(DIGEST,) if place == "algorithm" else None,
        order=order(),
    )
    return replace(facts, **changes)


def dataset(number: int = 0, **changes: Any) -> AssetFacts:
    return asset("dataset" if number == 0 else f"datasets[{number}]", document(did(number)), **changes)


def algorithm(**changes: Any) -> AssetFacts:
    return asset("algorithm", document(ALGORITHM_DID, "algorithm"), **changes)


def of_another(item: AssetFacts, **changes: Any) -> AssetFacts:
    """An asset of another provider, with an order made there: for a download, without an end."""
    if item.ddo is None:
        raise LookupError("an asset of another provider has a document")
    source = ProviderSource(
        download=OTHER.download, nonce=OTHER.nonce, did=item.ddo.id, service_id="svc", tx="0x" + "1" * 64, index=0
    )
    bought = order(environment=None, valid_until=0)
    return replace(item, files=None, other_provider=OTHER, sources=(source,), order=bought, **changes)


def raw(**changes: Any) -> AlgorithmRequest:
    meta = {
        "rawcode": "print('hello')",
        "container": {"entrypoint": ENTRYPOINT, "image": "python", "tag": "3.12", "checksum": CHECKSUM},
    }
    return AlgorithmRequest(AssetRequest("algorithm"), meta | changes)


def facts(
    datasets: tuple[AssetFacts, ...] | None = None,
    published: AssetFacts | None = None,
    raw_algorithm: AlgorithmRequest | None = None,
    **changes: Any,
) -> ComputeFacts:
    """A start that every rule lets pass: one dataset, a published algorithm, or the raw one given."""
    datasets = (dataset(),) if datasets is None else datasets
    if raw_algorithm is None:
        published = algorithm() if published is None else published
        raw_algorithm = AlgorithmRequest(published.request)
    request = ComputeRequest(tuple(item.request for item in datasets), raw_algorithm, "small", CONSUMER)
    values: dict[str, Any] = {
        "request": request,
        "environment": environment(),
        "datasets": datasets,
        "algorithm": published,
        "policy": PolicySettings(),
        "now": NOW,
        "minimum_paid_seconds": 10,
        "max_datasets": 20,
    }
    return ComputeFacts(**(values | changes))


RIGHT_CONTAINER_CHECKSUM = container_checksum(ENTRYPOINT, CHECKSUM)
