"""The flows of nautilus 1.1.0 as it was recorded: publish, access, compute, results, and its search for assets."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from ocean.addresses import canonical
from ocean.chain.metadata import PackedDocument
from ocean.chain.network import Network
from ocean.chain.offers import give_away
from ocean.chain.ordering import start_order
from ocean.chain.publishing import create_nft, mint, set_packed
from ocean.did import did_of
from ocean.fees import Quote
from ocean.metadata_proof import MetadataProof
from provider_api.deploy.file_server import FileServer
from tests.support.chain import publisher
from tests.support.client_replay import ClientReplay
from tests.support.ocean_js import account_of, provide
from tests.support.service import Service

pytestmark = pytest.mark.integration

CONSUMER = account_of("nautilus 1.1.0")
# Numbers of the exchanges in which documents are validated.
ACCESS, ALGORITHM, COMPUTE = 6, 37, 73
NAMED = "did:op:a31a0ad9ec272b9ee2c559e8d726a55e2a76256008437ac9f04284f6c7409fae"  # another dataset, used in its stead
NAMED_SERVICE, NAMED_TOKEN = (
    "8b47d456361f25e9e0f8656867b9eb886c9ed87f767bd2cd31640e3c176a46b7",
    "0x0a200434A7186CE40Bb554dBd05246eb7AC9fC32",
)


@pytest.fixture
async def network(service: Service) -> AsyncIterator[Network]:
    await provide(service, [CONSUMER.address])
    opened = await service.network()
    yield opened
    await opened.close()


@pytest.fixture
async def replay(service: Service, files: FileServer) -> AsyncIterator[ClientReplay]:
    async with httpx.AsyncClient(base_url=service.url, timeout=240, trust_env=False) as http:
        made = ClientReplay.of("nautilus-1.1.0.json", http, CONSUMER)
        made.replace("http://provider", service.url)
        for name, ours in (("rain.csv", "rain.csv"), ("wind.csv", "wind.csv"), ("algo.py", "algorithm.py")):
            made.replace(f"http://files/{name}", files.urls[ours])
        yield made


async def publish(replay: ClientReplay, network: Network, number: int) -> dict[str, Any]:
    """What nautilus asks to publish an asset; the exchanges lie around `number`, the validation of its document."""
    document = replay.exchanges[number]["request"]["json"]
    nft, datatoken = await create_nft(network, publisher, "nautilus")
    did = did_of(nft, network.chain_id)
    replay.replace(document["nftAddress"], nft)
    replay.replace(document["services"][0]["datatokenAddress"], datatoken)
    replay.replace(document["id"], did)
    # The files lie on a private address here, which is open to what is published there and to nothing else.
    (file,) = await replay.send(number - 3, alike=False)
    assert (file["valid"], file["type"]) == (False, "url")
    ours = replay.recorded(number)
    ours["services"][0]["files"] = await replay.send(number - 1)
    text = json.dumps(ours, separators=(",", ":"))

    octets = {"content-type": "application/octet-stream"}
    validated = await replay.http.post("/api/aquarius/assets/ddo/validate", content=text, headers=octets)
    said = validated.raise_for_status().json()
    encrypted = await replay.http.post("/api/services/encrypt", params={"chainId": 8996}, content=text, headers=octets)
    assert encrypted.status_code == 201
    digest = hashlib.sha256(text.encode()).digest()
    assert said["hash"] == "0x" + digest.hex()
    proof = MetadataProof(
        digest=digest,
        validator=said["publicKey"],
        v=said["v"],
        r=bytes.fromhex(said["r"][0][2:]),
        s=bytes.fromhex(said["s"][0][2:]),
    )
    packed = PackedDocument(b"\x02", bytes.fromhex(encrypted.text[2:]), digest)
    url = ours["services"][0]["serviceEndpoint"]
    await set_packed(network, publisher, nft, packed, provider_url=url, proofs=[proof])
    await give_away(network, publisher, datatoken)
    return dict(ours)


async def order(network: Network, asked: dict[str, Any], consumer: str) -> str:
    """What nautilus does on the chain with an answer of initialize."""
    fee, token = asked["providerFee"], asked["datatoken"]
    await mint(network, publisher, token, CONSUMER.address)
    quote = Quote(
        fee_address=fee["providerFeeAddress"],
        fee_token=fee["providerFeeToken"],
        amount=int(fee["providerFeeAmount"]),
        provider_data=bytes.fromhex(fee["providerData"][2:]),
        v=fee["v"],
        r=bytes.fromhex(fee["r"][2:]),
        s=bytes.fromhex(fee["s"][2:]),
        valid_until=fee["validUntil"],
    )
    return await start_order(network, CONSUMER, token, consumer, 0, quote)


async def test_publish_and_access(replay: ClientReplay, network: Network) -> None:
    document = await publish(replay, network, ACCESS)
    shown = await replay.send(10)
    assert shown["metadata"] == document["metadata"]
    seen = (await replay.send(11))["data"]["token"]
    assert (seen["orders"], len(seen["dispensers"])) == ([], 1)
    asked = await replay.send(13)
    assert canonical(asked["datatoken"]) == seen["id"]
    tx = await order(network, asked, CONSUMER.address)
    listed = (await replay.send(11))["data"]["token"]["orders"]
    assert [entry["tx"] for entry in listed] == [tx], "it would order again"
    assert await replay.send(16, transferTxId=tx) == "day,mm\n1,3\n2,0\n"


async def test_publish_and_compute(replay: ClientReplay, network: Network) -> None:
    algorithm = await publish(replay, network, ALGORITHM)
    dataset = await publish(replay, network, COMPUTE)
    replay.replace(NAMED, dataset["id"])
    replay.replace(NAMED_SERVICE, dataset["services"][0]["id"])
    replay.replace(NAMED_TOKEN, dataset["services"][0]["datatokenAddress"])

    hits = (await replay.http.post("/api/aquarius/assets/query", json=replay.recorded(303))).json()["hits"]["hits"]
    assert dataset["id"] in [hit["_source"]["id"] for hit in hits]
    for number in (78, 79, 80, 81):
        await replay.send(number)
    listed = (await replay.send(83))["8996"]
    environment = listed[0]
    assert (environment["id"], environment["priceMin"]) == ("ocean-compute", 0), "it takes the first one"

    until = int(time.time() + environment["maxJobDuration"])
    wanted = {"env": environment["id"], "validUntil": until}
    asked = await replay.send(85, compute=wanted)
    consumer = environment["consumerAddress"]
    orders = [await order(network, each, consumer) for each in (asked["datasets"][0], asked["algorithm"])]
    for entry, tx in zip(("dataset", "algorithm"), orders, strict=True):
        replay.replace(replay.exchanges[88]["request"]["json"][entry]["transferTxId"], tx)
    (started,) = await replay.send(88)
    assert started["agreementId"] == orders[0]
    replay.replace(replay.exchanges[88]["answer"]["json"][0]["jobId"], started["jobId"])
    job = await finished(replay, started["jobId"])
    assert (job["status"], job["statusText"]) == (70, "Job finished")
    index = next(result["index"] for result in job["results"] if result["type"] == "output")
    assert await replay.send(111, index=str(index))

    # Once more, with a further dataset, of which it sends the whole document along.
    second = await publish(replay, network, COMPUTE)
    start = replay.recorded(184)
    (more,) = start["additionalDatasets"]
    assert more["documentId"] == second["id"]
    pair = [{"documentId": each["id"], "serviceId": each["services"][0]["id"]} for each in (dataset, second)]
    ran = {name: start["algorithm"][name] for name in ("documentId", "serviceId")}  # bought anew, as on a first day
    until = int(time.time()) + 300
    question = {**replay.recorded(181), "datasets": pair, "algorithm": ran, "compute": {**wanted, "validUntil": until}}
    asked = (await replay.http.post("/api/services/initializeCompute", json=question)).raise_for_status().json()
    datasets = [
        {**one, "transferTxId": await order(network, answer, consumer), "did": one["documentId"]}
        for one, answer in zip(pair, asked["datasets"], strict=True)
    ]
    ran = {**start["algorithm"], "transferTxId": await order(network, asked["algorithm"], consumer)}
    assert ran["documentId"] == algorithm["id"]
    more = {**more, **datasets[1]}
    (started,) = await replay.send(184, dataset=datasets[0], algorithm=ran, additionalDatasets=[more])
    job = await finished(replay, started["jobId"])
    assert (job["status"], job["inputDID"]) == (70, [dataset["id"], second["id"]])


async def finished(replay: ClientReplay, job_id: str) -> dict[str, Any]:
    async with asyncio.timeout(120):
        while True:
            (job,) = await replay.send(90, jobId=job_id)
            if job["dateFinished"] is not None:
                return dict(job)
            await asyncio.sleep(0.2)
