"""The metadata store's calls under /api/aquarius of the running service, and its proofs on the real contracts."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import pytest

from ocean.chain.metadata import pack
from ocean.chain.publishing import create_nft, set_packed
from ocean.chain.transactions import TransactionFailed
from ocean.ddo import DDO
from ocean.did import did_of
from ocean.metadata_proof import MetadataProof
from provider_api.deploy.file_server import FileServer
from tests.support.chain import mined_at, provider, publisher, set_state
from tests.support.raw_http import cpu_seconds
from tests.support.service import Buyer, Service, raw_python

pytestmark = pytest.mark.integration

UNKNOWN = "did:op:" + "0" * 64
OCTETS = {"content-type": "application/octet-stream"}


@pytest.fixture
async def store(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{service.url}/api/aquarius/", timeout=240) as client:
        yield client


async def document_of(store: httpx.AsyncClient, did: str) -> dict[str, Any]:
    answer = await store.get(f"assets/ddo/{did}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return dict(answer.json())


def compact(document: Any) -> bytes:
    """As ocean.py sends it, and hashes it."""
    return json.dumps(document, separators=(",", ":")).encode()


async def validate(store: httpx.AsyncClient, body: bytes, **headers: str) -> httpx.Response:
    return await store.post("assets/ddo/validate", content=body, headers=headers or OCTETS)


async def draft(buyer: Buyer, **changes: Any) -> dict[str, Any]:
    """A document for a fresh NFT, not published yet."""
    nft, datatoken = await create_nft(buyer.network, publisher, "face")
    service = {
        "id": "main",
        "type": "access",
        "files": "0x04" + "ab" * 100,
        "datatokenAddress": datatoken,
        "serviceEndpoint": buyer.service.url,
        "timeout": 0,
    }
    return {
        "@context": ["https://w3id.org/did/v1"],
        "id": did_of(nft, buyer.network.chain_id),
        "version": "4.1.0",
        "chainId": buyer.network.chain_id,
        "nftAddress": nft,
        "metadata": {"name": "Régen", "type": "dataset", "description": "d", "author": "a", "license": "CC0"},
        "services": [service],
    } | changes


async def test_a_document_with_the_fields_of_a_store(store: httpx.AsyncClient, buyer: Buyer, files: FileServer) -> None:
    asset = await buyer.publish(files.urls["rain.csv"])
    document = await document_of(store, asset.id)
    assert {name: document[name] for name in asset.document()} == asset.document()
    nft, event = document["nft"], document["event"]
    assert nft.keys() == {"address", "name", "symbol", "state", "tokenURI", "owner", "created"}
    assert (nft["address"], nft["state"], nft["owner"]) == (asset.nft_address, 0, publisher.address)
    assert event.keys() == {"tx", "txid", "block", "from", "contract", "datetime"}
    assert event["txid"] == event["tx"], "ocean.py waits for the one, ocean.js for the other"
    receipt = await buyer.network.receipt(event["tx"])
    assert receipt is not None
    assert (event["block"], event["from"], event["contract"]) == (
        receipt.block_number,
        publisher.address,
        asset.nft_address,
    )
    mined = await mined_at(buyer.network, receipt.tx_hash)
    moment = datetime.fromisoformat(event["datetime"])
    assert moment.tzinfo is None
    assert (moment - datetime(1970, 1, 1)).total_seconds() == mined  # noqa: DTZ001  it says UTC without a zone
    assert document["datatokens"] == [
        {
            "address": asset.services[0].datatoken_address,
            "name": "test dataset",
            "symbol": "C2D",
            "serviceId": asset.services[0].id,
        }
    ]
    assert document["stats"] == {"orders": 0, "price": {}, "allocated": 0}
    assert document["purgatory"] == {"state": False}
    metadata = await store.get(f"assets/metadata/{asset.id}")
    assert (metadata.status_code, metadata.json()) == (200, asset.document()["metadata"])


async def test_orders_are_counted(store: httpx.AsyncClient, buyer: Buyer, open_dataset: DDO) -> None:
    before = (await document_of(store, open_dataset.id))["stats"]["orders"]
    await buyer.order([open_dataset], raw_python("1"))
    assert (await document_of(store, open_dataset.id))["stats"]["orders"] == before + 1


async def test_what_is_not_there(store: httpx.AsyncClient) -> None:
    answer = await store.get(f"assets/ddo/{UNKNOWN}")
    assert answer.status_code == 404
    assert answer.json()["error"] == f"Asset DID {UNKNOWN} not found in Elasticsearch."
    assert list(answer.json()) == ["error", "wanted"]
    answer = await store.get(f"assets/metadata/{UNKNOWN}")
    assert (answer.status_code, list(answer.json())) == (404, ["error", "wanted"])


@pytest.mark.parametrize(
    "did", ["x", "did:op:", "did:op:" + "A" * 64, UNKNOWN + "0", "%00", "%F0%9F", "%ED%A0%80", "a" * 9000, "..%2f.."]
)
async def test_malformed_dids(store: httpx.AsyncClient, did: str) -> None:
    """(That nothing is waited for: tests/integration/ocean/chain/test_index.py.)"""
    for kind in ("ddo", "metadata"):
        answer = await store.get(f"assets/{kind}/{did}")
        assert answer.status_code == 404
        assert "error" in answer.json()


@pytest.mark.parametrize(("state", "shown"), [(1, True), (2, False), (3, False), (4, True), (5, True)])
async def test_states(store: httpx.AsyncClient, buyer: Buyer, files: FileServer, state: int, shown: bool) -> None:
    """Of a deprecated or revoked asset only the added fields are left, and what names it."""
    asset = await buyer.publish(files.urls["rain.csv"])
    await set_state(buyer.network, publisher, asset.nft_address, state)
    document = await document_of(store, asset.id)
    assert document["nft"]["state"] == state
    assert document["datatokens"][0]["serviceId"] == asset.services[0].id
    if not shown:
        assert document.keys() == {
            *("id", "chainId", "nftAddress", "nft", "datatokens", "event", "stats", "purgatory"),
        }
    assert (await store.get(f"assets/metadata/{asset.id}")).status_code == (200 if shown else 404)


async def test_a_fresh_document_and_its_update_are_there_at_once(
    store: httpx.AsyncClient, buyer: Buyer, files: FileServer
) -> None:
    """The first answer after the transaction has it."""
    for _ in range(3):
        document = await draft(buyer)
        await store.get(f"assets/ddo/{document['id']}")  # the service has just looked and found nothing
        for name in ("first", "second"):
            document["metadata"]["name"] = name
            packed = pack(compact(document), 1)
            tx = await set_packed(
                buyer.network, publisher, document["nftAddress"], packed, provider_url=buyer.service.url
            )
            found = await document_of(store, document["id"])
            assert (found["event"]["tx"], found["metadata"]["name"]) == (tx, name)


async def test_a_client_that_polls_for_an_unknown_asset_sees_it_soon(store: httpx.AsyncClient, buyer: Buyer) -> None:
    document = await draft(buyer)
    missed, published = 0, asyncio.Event()

    async def publish_later() -> None:
        while missed < 3:
            await asyncio.sleep(0.02)
        packed = pack(compact(document), 1)
        await set_packed(buyer.network, publisher, document["nftAddress"], packed, provider_url=buyer.service.url)
        published.set()

    publishing, late = asyncio.create_task(publish_later()), 0
    while True:
        late += published.is_set()
        answer = await store.get(f"assets/ddo/{document['id']}")
        if answer.status_code == 200:
            break
        assert "not found in Elasticsearch" in answer.text
        assert late == 0, "the first answer to a question after the transaction has it"
        missed += 1
        await asyncio.sleep(0.2)
    await publishing


async def test_a_document_with_half_a_character_is_served(store: httpx.AsyncClient, buyer: Buyer) -> None:
    document = await draft(buyer)
    document["metadata"]["name"] = "half \ud83c"
    packed = pack(compact(document), 0)
    await set_packed(buyer.network, publisher, document["nftAddress"], packed, provider_url=buyer.service.url)
    assert (await document_of(store, document["id"]))["metadata"]["name"] == "half \ud83c"
    answer = await store.post("assets/names", json={"didList": [document["id"]]})
    assert answer.json() == {document["id"]: "half \ud83c"}


async def test_a_document_nested_deeply_is_not_found(store: httpx.AsyncClient, buyer: Buyer) -> None:
    nested: Any = []
    for _ in range(500):
        nested = [nested]
    document = await draft(buyer)
    document["metadata"]["additionalInformation"] = nested
    packed = pack(compact(document), 1)
    await set_packed(buyer.network, publisher, document["nftAddress"], packed, provider_url=buyer.service.url)
    assert (await store.get(f"assets/ddo/{document['id']}")).status_code == 404


async def test_names(store: httpx.AsyncClient, open_dataset: DDO) -> None:
    answer = await store.post("assets/names", json={"didList": [open_dataset.id, UNKNOWN]})
    assert (answer.status_code, answer.json()) == (200, {open_dataset.id: "test dataset", UNKNOWN: ""})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"didList": []}',
        b'{"didList": "did:op:x"}',
        b'{"didList": [7]}',
        b'{"didList": ["\\ud800"]}',
        json.dumps({"didList": [UNKNOWN] * 101}).encode(),
    ],
    ids=lambda body: repr(body[:20]),
)
async def test_bad_lists_of_names(store: httpx.AsyncClient, body: bytes) -> None:
    answer = await store.post("assets/names", content=body)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])


async def test_a_proof_that_the_contract_takes(store: httpx.AsyncClient, buyer: Buyer) -> None:
    document = await draft(buyer)
    plain = compact(document)
    answer = await validate(store, plain)
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert said.keys() == {"hash", "publicKey", "v", "r", "s"}
    assert said["hash"] == "0x" + hashlib.sha256(plain).hexdigest()
    assert said["publicKey"] == provider.address
    assert said["v"] in (27, 28)
    r, s = (bytes.fromhex(said[name][0][2:]) for name in ("r", "s"))
    proof = MetadataProof(said["publicKey"], b"", said["v"], r, s)
    where = {"provider_url": buyer.service.url, "proofs": [proof]}
    nft, packed = document["nftAddress"], pack(plain, 1)
    with pytest.raises(TransactionFailed, match="Invalid proof signer"):
        await set_packed(buyer.network, publisher, nft, pack(plain + b" ", 1), **where)
    tx = await set_packed(buyer.network, publisher, nft, packed, **where)
    assert (await document_of(store, document["id"]))["event"]["tx"] == tx


async def test_a_proof_is_of_the_bytes_as_sent(store: httpx.AsyncClient, buyer: Buyer) -> None:
    document = await draft(buyer)
    for body in (json.dumps(document, indent=2).encode(), json.dumps(document, ensure_ascii=False).encode()):
        answer = await validate(store, body)
        assert answer.json()["hash"] == "0x" + hashlib.sha256(body).hexdigest()


async def test_a_bad_document_is_told_all_that_is_wrong(store: httpx.AsyncClient, buyer: Buyer) -> None:
    document = await draft(buyer, chainId="8996")
    document["metadata"].pop("name")
    answer = await validate(store, compact(document))
    assert answer.status_code == 400
    assert answer.json() == {"errors": {"chainId": "must be an integer", "metadata.name": "is required"}}


async def test_other_refusals_of_validation(store: httpx.AsyncClient, buyer: Buyer) -> None:
    plain = compact(await draft(buyer))
    answer = await validate(store, plain, **{"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json() == {"error": "Invalid request content type: should be application/octet-stream"}
    answer = await validate(store, compact(await draft(buyer, version="")))
    assert (answer.status_code, answer.json()) == (400, [{"message": "no version provided for DDO."}])
    answer = await validate(store, compact(await draft(buyer, version="3.0.0")))
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["version"])


@pytest.mark.parametrize(
    "body",
    [b"", b"not json", b"\xff\xfe", b'{"a": NaN}', b'{"a": ' + b"9" * 5000 + b"}", b"[" * 1_000_000, b'"\x00"'],
    ids=lambda body: repr(body[:12]),
)
async def test_bodies_that_are_no_json(store: httpx.AsyncClient, service: Service, body: bytes) -> None:
    before = computed_seconds(service)
    answer = await validate(store, body)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert computed_seconds(service) - before < 2


def computed_seconds(service: Service) -> float:
    pid = service.machine.child("api").pid
    assert pid is not None
    return cpu_seconds(pid)


async def test_large_bodies(store: httpx.AsyncClient, service: Service) -> None:
    """Up to the limit they are judged at little cost, beside other requests; beyond it they are not read."""
    body = json.dumps({"version": "4.1.0", "services": [{}] * 900_000}).encode()
    before = computed_seconds(service)
    judged, root = await asyncio.gather(validate(store, body), store.get(service.url))
    assert (judged.status_code, judged.json()) == (400, {"errors": {"document": "too many values"}})
    assert root.status_code == 200
    assert computed_seconds(service) - before < 6
    assert (await validate(store, b" " * (5 * 1024 * 1024))).status_code == 413


async def test_chains(store: httpx.AsyncClient, buyer: Buyer, open_dataset: DDO) -> None:
    assert (await store.get("chains/list")).json() == {"8996": True}
    await document_of(store, open_dataset.id)
    status = (await store.get("chains/status/8996")).json()
    assert status.keys() == {"last_block"}
    assert 0 < status["last_block"] <= await buyer.network.head()
    for other in ("1", "x", "-8996", "08996", "8996.0", "9" * 5000):
        answer = await store.get(f"chains/status/{other}")
        assert (answer.status_code, answer.json()) == (404, {"error": f"Chain {other} is not indexed."})


async def test_schemas(store: httpx.AsyncClient) -> None:
    newest = (await store.get("validation/schema")).json()
    assert newest["properties"]["version"] == {"const": "4.5.0"}
    older = (await store.get("validation/schema", params={"version": "4.1.0"})).json()
    assert older["properties"]["version"] == {"const": "4.1.0"}
    answer = await store.get("validation/schema", params={"version": "../4.1.0"})
    assert (answer.status_code, answer.json()) == (404, {"error": "Schema version not found."})


async def test_other_methods_and_paths(store: httpx.AsyncClient, open_dataset: DDO) -> None:
    assert (await store.post(f"assets/ddo/{open_dataset.id}")).status_code == 405
    assert (await store.get("assets/query")).status_code == 405
    assert (await store.get("assets/search")).status_code == 404
    answer = await store.head(f"assets/ddo/{open_dataset.id}")
    assert (answer.status_code, answer.content) == (200, b"")
