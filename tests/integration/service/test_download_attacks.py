"""Downloads on the real contracts: who has not ordered the file does not get it, however the order looks."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from ocean.chain.publishing import mint
from ocean.ddo import DDO
from ocean.signing import download_message, sign
from provider_api.deploy.file_server import FileServer
from tests.support.chain import Asset, Chain, environment, mined_at, publisher, set_state
from tests.support.service import Buyer, Service
from tests.support.starts import Caller, refused_orders

pytestmark = pytest.mark.integration

DOWNLOAD = "/api/services/download"


@pytest.fixture
async def table(buyer: Buyer, files: FileServer) -> DDO:
    return await buyer.publish(files.urls["rain.csv"], service="access")


async def download(caller: Caller, asset: DDO, order: str, **query: Any) -> httpx.Response:
    nonce = str(await caller.next_nonce())
    asked = {
        "documentId": asset.id,
        "serviceId": asset.services[0].id,
        "consumerAddress": caller.address,
        "transferTxId": order,
        "fileIndex": "0",
        "nonce": nonce,
        "signature": sign(download_message(asset.id, nonce), caller.key),
    }
    return await caller.http.get(DOWNLOAD, params=asked | query)


def free(caller: Caller, asset: DDO) -> Any:
    """A quote as initialize gives it."""
    return caller.quote(asset, environment=None, valid_until=0)


async def require_refused(service: Service, answer: httpx.Response, reason: str) -> None:
    assert answer.status_code == 400, answer.text
    assert "could not be validated due to error: " in answer.json()["error"]
    assert refused_orders(service)[-1] == reason


async def test_orders_that_are_no_good(
    service: Service, attacker: Caller, caller: Caller, tricks: Chain, table: DDO, open_dataset: DDO
) -> None:
    quote = free(attacker, table)
    own = await tricks.attackers_asset()
    other_quote = free(attacker, open_dataset)
    forged = {
        "no_order": [
            await tricks.order_of_own_token(own, quote),
            await tricks.forged_order(Asset(table), quote, payer=attacker.address),
            (await attacker.buy(open_dataset))["transferTxId"],
        ],
        "sender_mismatch": [(await caller.buy(table, free(caller, table), to=caller.address))["transferTxId"]],
        "quote_mismatch": [(await attacker.buy(table, other_quote, to=attacker.address))["transferTxId"]],
        "order_not_found": ["0x" + "17" * 32],
        "hash_malformed": ["0x17"],
    }
    for reason, orders in forged.items():
        for order in orders:
            await require_refused(service, await download(attacker, table, order), reason)
    honest = await attacker.buy(table, quote, to=attacker.address)
    got = await download(attacker, table, honest["transferTxId"])
    assert (got.status_code, got.text) == (200, "day,mm\n1,3\n2,0\n")


async def test_a_captured_download_in_another_letter_case(caller: Caller, table: DDO) -> None:
    order = (await caller.buy(table, free(caller, table), to=caller.address))["transferTxId"]
    nonce = str(await caller.next_nonce())
    signed = {"nonce": nonce, "signature": sign(download_message(table.id, nonce), caller.key)}
    assert (await download(caller, table, order, **signed)).status_code == 200
    for spelled in (caller.address, caller.address.lower(), "0x" + caller.address[2:].upper()):
        again = await download(caller, table, order, **signed, consumerAddress=spelled)
        assert (again.status_code, "expected nonce" in again.json()["errors"]["signature"]) == (400, True)


async def test_an_order_whose_time_is_over(service: Service, buyer: Buyer, caller: Caller, files: FileServer) -> None:
    """Renewing its fee does not renew it."""
    table = await buyer.publish(files.urls["rain.csv"], service="access", timeout=8)
    bought = await caller.buy(table, free(caller, table), to=caller.address)
    assert (await download(caller, table, bought["transferTxId"])).status_code == 200
    await caller.until_over(await mined_at(caller.network, bought["transferTxId"]) + 8.01)
    late = await download(caller, table, bought["transferTxId"])
    assert late.json()["error"].endswith("due to error: The order has expired.")
    renewed = await caller.renew(table, bought, free(caller, table))
    await require_refused(service, await download(caller, table, renewed["transferTxId"]), "order_expired")


async def test_a_renewed_order_and_a_bundle_are_orders(buyer: Buyer, caller: Caller, tricks: Chain, table: DDO) -> None:
    bought = await caller.buy(table, free(caller, table), to=caller.address)
    renewed = await caller.renew(table, bought, free(caller, table))
    assert (await download(caller, table, renewed["transferTxId"])).status_code == 200
    datatoken = table.services[0].datatoken_address
    await mint(caller.network, publisher, datatoken, caller.address)
    bundle = await tricks.order_bundle(Asset(table), free(caller, table), key=caller.key)
    assert (await download(caller, table, bundle)).status_code == 200, "the factory is the payer; who signed counts"


async def test_a_revoked_asset(caller: Caller, table: DDO) -> None:
    order = (await caller.buy(table, free(caller, table), to=caller.address))["transferTxId"]
    await set_state(caller.network, publisher, table.nft_address, 3)
    refused = await download(caller, table, order)
    assert refused.json() == {"error": "Provider Ganache: Asset is not consumable."}
    await set_state(caller.network, publisher, table.nft_address, 0)
    assert (await download(caller, table, order)).status_code == 200


async def test_the_account_of_an_environment_fetches_files_of_compute_services(
    service: Service, caller: Caller, open_dataset: DDO
) -> None:
    order = (await caller.buy(open_dataset))["transferTxId"]
    refused = await download(caller, open_dataset, order)
    assert refused.json()["error"].endswith("is not an access service.")
    async with Caller.open(service, environment) as pod:
        assert (await download(pod, open_dataset, order)).text == "day,mm\n1,3\n2,0\n"
