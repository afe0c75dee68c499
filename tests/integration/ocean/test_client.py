"""A consumer's calls and purchases, against a provider double and the real contracts."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from ocean.chain.orders import verify_order
from ocean.client import Consumer, ConsumerError
from ocean.ecies import decrypt
from ocean.purchase import Wish, order_all
from provider_api.deploy.addresses import free_port
from tests.support.chain import ONE, Asset, Chain, consumer, environment, provider
from tests.support.http_server import HttpServer, Reply, Request
from tests.support.provider_double import provider_double

pytestmark = pytest.mark.integration

DATASET = {"documentId": "did:op:1", "serviceId": "main", "transferTxId": "0x1"}
ALGORITHM = {"meta": {"rawcode": "print(1)"}}


async def test_a_jobs_whole_way(tmp_path: Path) -> None:
    async with provider_double() as double, Consumer(double.url + "/", consumer) as client:
        assert (await client.root())["providerAddresses"]["8996"] == provider.address
        assert decrypt(provider, await client.encrypt(b"secret", 8996)) == b"secret"
        assert await client.environments(8996) == [{"id": "free"}]
        asked = (await client.initialize_compute([DATASET], ALGORITHM, "free", 99))["asked"]
        assert asked["compute"] == {"env": "free", "validUntil": 99}
        request = await client.start_request("free", [DATASET, DATASET], ALGORITHM)
        job = await client.start(request)
        assert double.started == [request]
        assert request["additionalDatasets"] == [DATASET]
        assert (await client.status(job["jobId"]))[0]["jobId"] == job["jobId"]
        assert (await client.stop(job["jobId"], "did:op:1"))[0]["stopreq"] == 1
        assert await client.result(job["jobId"], 0, tmp_path / "out") == len(double.result)
        assert (tmp_path / "out").read_bytes() == double.result


async def test_errors_carry_status_and_body(tmp_path: Path) -> None:
    async with provider_double() as double, Consumer(double.url, consumer) as client:
        with pytest.raises(ConsumerError) as caught:
            await client.result("1" * 32, 9, tmp_path / "none")
        assert (caught.value.status, caught.value.body) == (404, {"error": "No such index"})
        assert not (tmp_path / "none").exists()
        request = await client.start_request("free", [DATASET], ALGORITHM, nonce=1)
        with pytest.raises(ConsumerError) as caught:
            await client.start(request)
        assert caught.value.status == 400
        double.status = 503
        with pytest.raises(ConsumerError) as caught:
            await client.nonce()
        assert caught.value.headers["retry-after"] == "7"
    async with Consumer(f"http://127.0.0.1:{free_port()}", consumer) as client:
        with pytest.raises(httpx.TransportError):
            await client.root()


async def test_nonces_grow_even_before_they_are_used() -> None:
    async with provider_double() as double, Consumer(double.url, consumer) as client:
        nonces = [await client.next_nonce() for _ in range(3)]
        assert nonces == sorted(set(nonces))


def fee(chain: Chain, asset: Asset, **changes: Any) -> dict[str, Any]:
    return {"datatoken": asset.datatoken, "providerFee": chain.quote(asset, **changes).to_json()}


async def test_purchase_by_the_three_forms_of_answer(chain: Chain) -> None:
    fresh, renewed, valid = [await chain.publish() for _ in range(3)]
    for asset in (fresh, renewed, valid):
        await chain.give(asset)
    old, good = await chain.order(renewed), await chain.order(valid)
    answers = [
        fee(chain, fresh, amount=3 * ONE),
        fee(chain, renewed, amount=2 * ONE, valid_until=int(time.time()) + 9999) | {"validOrder": old},
        {"validOrder": good},
    ]
    wishes = [Wish(fresh.ddo, "main", userdata={"a": 1}), Wish(renewed.ddo, "main"), Wish(valid.ddo, "main")]
    bought = await order_all(chain.network, consumer, environment.address, wishes, answers)
    assert bought[0] | {"transferTxId": ""} == {
        "documentId": fresh.ddo.id,
        "serviceId": "main",
        "userdata": {"a": 1},
        "transferTxId": "",
    }
    orders = [
        await verify_order(chain.network, chain.request(asset, reference["transferTxId"]))
        for asset, reference in zip((fresh, renewed, valid), bought, strict=True)
    ]
    assert [order.fee_amount for order in orders] == [3 * ONE, 2 * ONE, 0]
    assert (orders[1].start_tx_hash, orders[2].tx_hash) == (old, good)


async def test_answers_that_cannot_be_followed(chain: Chain) -> None:
    asset = await chain.publish()
    with pytest.raises(ValueError, match="names no order"):
        await order_all(chain.network, consumer, environment.address, [Wish(asset.ddo, "main")], [{}])
    with pytest.raises(ValueError, match="0 answers for 1"):
        await order_all(chain.network, consumer, environment.address, [Wish(asset.ddo, "main")], [])
    with pytest.raises(LookupError):
        await order_all(chain.network, consumer, environment.address, [Wish(asset.ddo, "x")], [fee(chain, asset)])


@pytest.mark.parametrize(
    ("told", "following"),
    [
        (1, 2),
        ("1", 2),
        (57.5, 58),
        ("1764360000000000001", 1764360000000000002),
        ("1.1111111111111111e+23", 111111111111111110000001),
        ("9" * 200, 10**200),
    ],
)
async def test_nonces_are_whole_numbers_of_any_size(told: object, following: int) -> None:
    def answer(request: Request) -> Reply:
        root = {"serviceEndpoints": {"nonce": ["GET", "/api/services/nonce"]}}
        return Reply(body=json.dumps(root if request.target == "/" else {"nonce": told}).encode())

    async with HttpServer(answer) as server, Consumer(f"http://127.0.0.1:{server.port}", consumer) as client:
        assert await client.next_nonce() == following
        assert await client.next_nonce() == following + 1
