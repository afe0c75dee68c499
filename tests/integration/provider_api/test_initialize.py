"""initialize: what a consumer must order before a download, and whether it is worth it."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ocean.fees import Quote, quote_signer, read_provider_data
from tests.support import provider_facts as facts
from tests.support.file_shop import Shop
from tests.support.http_server import HttpServer, Reply, Request
from tests.support.provider_neighbours import STRANGER_KEY, World, transaction

pytestmark = pytest.mark.integration

PATH = "/api/services/initialize"


def answer(request: Request) -> Reply:
    return Reply(200, b"day,mm\n", {"content-type": "text/csv"}) if "rain" in request.target else Reply(404)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with Shop.open(tmp_path, answer) as opened:
        yield opened


FIELDS: list[tuple[dict[str, str], dict[str, list[str]]]] = [
    (
        {},
        {
            "documentId": ["The documentId field is required."],
            "serviceId": ["The serviceId field is required."],
            "consumerAddress": ["The consumerAddress field is required."],
        },
    ),
    ({"consumerAddress": "0x1"}, {"consumerAddress": ["The consumerAddress format is invalid."]}),
    ({"fileIndex": "x"}, {"fileIndex": ["The fileIndex must be an integer."]}),
    ({"fileIndex": "-1"}, {"fileIndex": ["The fileIndex must be at least 0."]}),
    ({"fileIndex": "1.0"}, {"fileIndex": ["The fileIndex must be an integer."]}),
]


@pytest.mark.parametrize(("query", "errors"), FIELDS)
async def test_fields(shop: Shop, query: dict[str, str], errors: dict[str, list[str]]) -> None:
    good = {"documentId": shop.publish(shop.file()), "serviceId": "svc", "consumerAddress": facts.CONSUMER}
    refused = await shop.world.http.get(PATH, params=(good | query) if query else {})
    assert (refused.status_code, refused.json()["errors"]) == (400, errors)


async def test_a_quote(shop: Shop) -> None:
    """Of nothing, for ever, for no environment; signed by the provider."""
    before = time.time()
    told = await shop.initialize(shop.publish(shop.file()), environment="small", validUntil="5")
    assert told.status_code == 200
    assert list(told.json()) == ["datatoken", "nonce", "providerFee"]
    assert (told.json()["datatoken"], told.json()["nonce"]) == (facts.TOKEN, None)
    fee = told.json()["providerFee"]
    assert (fee["providerFeeAmount"], fee["validUntil"], fee["providerFeeToken"]) == ("0", 0, facts.TOKEN)
    quote = Quote.from_json(fee)
    assert quote_signer(quote) == fee["providerFeeAddress"] == shop.world.keys.address
    data = read_provider_data(quote.provider_data)
    assert (data.environment, data.datatoken, data.service_id) == (None, facts.TOKEN, "svc")
    assert before - 1 < float(data.timestamp) < time.time() + 1
    assert shop.server.requests == []


async def test_the_nonce_is_the_stored_text(shop: Shop) -> None:
    did = shop.publish(shop.file())
    assert (await shop.download(did, "4.50")).status_code == 200
    assert (await shop.initialize(did)).json()["nonce"] == "4.50"


async def test_an_order_that_is_still_good(shop: Shop) -> None:
    """Also one whose fee is over: a download costs none."""
    did = shop.publish(shop.file())
    for order in (
        shop.world.order(),
        shop.world.order(valid_until=int(time.time()) - 5),
        shop.world.order(environment=None),
    ):
        told = await shop.initialize(did, transferTxId=order)
        assert (told.status_code, told.json()) == (200, {"validOrder": order})


async def test_an_order_that_is_not_good(shop: Shop) -> None:
    did = shop.publish(shop.file())
    foreign = shop.world.order(payer=facts.PUBLISHER, consumer=facts.PUBLISHER)
    for order in (transaction(77), foreign, "rubbish", "0x" + "é" * 5):
        told = await shop.initialize(did, transferTxId=order)
        assert (told.status_code, "providerFee" in told.json()) == (200, True), order


async def test_the_file_is_looked_at(shop: Shop) -> None:
    did = shop.publish(shop.file(), shop.file("/none"))
    assert (await shop.initialize(did, fileIndex="0")).status_code == 200
    gone = await shop.initialize(did, fileIndex="1")
    payload = json.dumps({"documentId": did, "fileIndex": 1, "serviceId": "svc"})
    text = f"Provider Ganache: Asset URL not found, not available or invalid. Payload was: {payload}"
    assert (gone.status_code, gone.json()) == (400, {"error": text})
    for index in ("2", "9" * 30):
        beyond = await shop.initialize(did, fileIndex=index)
        assert (beyond.status_code, beyond.json()) == (400, {"error": f"Provider Ganache: No such fileIndex {index}"})


async def test_the_file_is_looked_at_with_the_consumers_parameters(shop: Shop) -> None:
    asked = [
        {"name": "station", "type": "text", "required": True},
        {"name": "unit", "type": "text", "required": False, "default": "mm"},
    ]
    did = shop.publish(shop.file(), service={"consumerParameters": asked})
    given = json.dumps({"station": "north"})
    assert (await shop.initialize(did, fileIndex="0", userdata=given)).status_code == 200
    assert shop.server.requests[-1].target == "/rain.csv?station=north&unit=mm"
    assert (await shop.initialize(did)).status_code == 200, "they can be told at the download"


@pytest.mark.parametrize("userdata", [{}, {"userdata": ""}, {"userdata": "{}"}, {"userdata": '{"station": ""}'}])
async def test_a_price_needs_no_parameters(shop: Shop, userdata: dict[str, str]) -> None:
    """Portals ask with a file index and send parameters with the download; the file cannot be looked at before."""
    asked = [{"name": "station", "type": "text", "required": True, "default": ""}]
    did = shop.publish(shop.file("/none"), service={"consumerParameters": asked})
    before = len(shop.server.requests)
    told = await shop.initialize(did, fileIndex="0", **userdata)
    assert (told.status_code, "providerFee" in told.json()) == (200, True)
    assert len(shop.server.requests) == before
    gone = await shop.initialize(did, fileIndex="0", userdata='{"station": "north"}')
    assert (gone.status_code, len(shop.server.requests)) == (400, before + 1)


async def test_parameters_that_do_not_fit_are_named(shop: Shop) -> None:
    asked = [{"name": "year", "type": "number", "required": True}]
    did = shop.publish(shop.file(), service={"consumerParameters": asked})
    refused = await shop.initialize(did, fileIndex="0", userdata='{"year": "MMXX"}')
    text = "Provider Ganache: The consumer parameters do not fit, invalid:year. The publisher asks for a number."
    assert (refused.status_code, refused.json()) == (400, {"error": text})


async def test_the_price_of_a_contracts_answer_needs_no_arguments(shop: Shop) -> None:
    abi = {"inputs": [{"name": "who", "type": "address"}], "name": "f", "outputs": [{"type": "uint256"}],
           "stateMutability": "view", "type": "function"}  # fmt: skip
    did = shop.publish({"type": "smartcontract", "chainId": 8996, "address": facts.NFT, "abi": abi})
    assert (await shop.initialize(did, fileIndex="0")).status_code == 200
    wrong = await shop.initialize(did, fileIndex="0", userdata='{"whom": 1}')
    assert (wrong.status_code, wrong.json()) == (400, {"error": "Missing userparams: who"})


async def test_unknown_assets_and_services(shop: Shop) -> None:
    did = shop.publish(shop.file())
    unknown = await shop.initialize(facts.did(9))
    assert (unknown.status_code, unknown.json()) == (400, {"error": "Cannot resolve DID"})
    service = await shop.initialize(did, serviceId="SVC")
    assert (service.status_code, service.json()) == (400, {"error": "Provider Ganache: Invalid serviceId."})


async def test_a_compute_service(shop: Shop) -> None:
    refused = await shop.initialize(shop.publish(shop.file(), service={"type": "compute", "compute": {}}))
    text = "Provider Ganache: Use the initializeCompute endpoint to initialize compute jobs."
    assert (refused.status_code, refused.json()) == (400, {"error": text})


NOT_CONSUMABLE = "Provider Ganache: Asset is not consumable."
DENIED = "Provider Ganache: Error: Access to asset {did} was denied with code: ConsumableCodes.{code}."


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"nft": {"address": facts.NFT, "state": 3, "owner": facts.PUBLISHER}}, NOT_CONSUMABLE),
        ({"nft": {"address": facts.NFT, "state": 4, "owner": facts.PUBLISHER}}, NOT_CONSUMABLE),
        ({"nft": None}, "Provider Ganache: Asset malformed or disabled."),
        ({"metadata": None}, DENIED.replace("{code}", "ASSET_DISABLED")),
        ({"purgatory": {"state": True}}, DENIED.replace("{code}", "ASSET_DISABLED")),
        (
            {"credentials": {"allow": [{"type": "address", "values": [facts.PUBLISHER]}]}},
            DENIED.replace("{code}", "CREDENTIAL_NOT_IN_ALLOW_LIST"),
        ),
        (
            {"credentials": {"deny": [{"type": "address", "values": ["{consumer}"]}]}},
            DENIED.replace("{code}", "CREDENTIAL_IN_DENY_LIST"),
        ),
        ({"credentials": {"allow": [{"type": "address"}]}}, "Provider Ganache: Asset malformed or disabled."),
    ],
)  # fmt: skip
async def test_who_may_not_have_it(shop: Shop, changes: dict[str, Any], text: str) -> None:
    """The same for a download, even with an order."""
    spelled = json.loads(
        json.dumps(changes).replace("{consumer}", shop.world.consumer.address.upper().replace("X", "x", 1))
    )
    did = shop.publish(shop.file(), **spelled)
    for refused in (await shop.initialize(did), await shop.download(did, 5)):
        assert (refused.status_code, refused.json()) == (400, {"error": text.replace("{did}", did)})
    assert await shop.world.nonce() == "1"


async def test_purgatory_and_unbound_files_are_settings(tmp_path: Path) -> None:
    lenient = {"respect_purgatory": False, "allow_unbound_files": True}
    async with Shop.open(tmp_path / "a", answer, policy=lenient) as shop:
        did = shop.publish(shop.file(), purgatory={"state": True}, version="4.0.0")
        assert (await shop.initialize(did, fileIndex="0")).status_code == 200
        assert (await shop.download(did, 5)).content == b"day,mm\n"
    async with Shop.open(tmp_path / "b", answer) as shop:
        refused = await shop.initialize(shop.publish(shop.file(), version="4.0.0"), fileIndex="0")
        assert refused.json() == {"error": "Provider Ganache: Unable to get dataset files"}


async def test_access_control_is_asked(tmp_path: Path) -> None:
    said = {"answer": b"true"}
    asked: list[dict[str, Any]] = []

    def judge(request: Request) -> Reply:
        asked.append(json.loads(request.body))
        return Reply(200, said["answer"])

    async with HttpServer(judge) as control:
        access = {"rbac_url": f"http://127.0.0.1:{control.port}/"}
        async with Shop.open(tmp_path, answer, access=access) as shop:
            did = shop.publish(shop.file())
            assert (await shop.initialize(did)).status_code == 200
            assert (await shop.download(did, 5)).status_code == 200
            assert [one["eventType"] for one in asked] == ["initialize", "access"]
            assert all(one["dids"] == [{"did": did, "serviceId": "svc"}] for one in asked)
            said["answer"] = b"false"
            for refused in (await shop.initialize(did), await shop.download(did, 6)):
                assert (refused.status_code, list(refused.json()["errors"])) == (400, ["RBAC"])
            assert await shop.world.nonce() == "5"
            await shop.download(did, 7, key=STRANGER_KEY, consumerAddress=shop.world.consumer.address)
            assert len(asked) == 4, "nobody is asked about who has not signed"


async def test_a_chain_that_is_away(shop: Shop) -> None:
    world: World = shop.world
    did = shop.publish(shop.file())
    world.chain.away = True
    refused = await shop.initialize(did)
    assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
