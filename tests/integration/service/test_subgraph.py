"""The subgraph's questions of nautilus and of the portal, asked of the running service right after transactions."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from eth_account.signers.local import LocalAccount

from ocean.addresses import ZERO, canonical
from ocean.chain.network import Network
from ocean.chain.offers import give_away, sell
from ocean.chain.ordering import reuse_order, start_order
from ocean.chain.publishing import mint
from ocean.ddo import DDO
from ocean.fees import make_quote
from provider_api.deploy.file_server import FileServer
from tests.support.chain import consumer, provider, publisher, set_state
from tests.support.market import ONE, SUBGRAPH, TOKEN_PRICE, ask, set_rate
from tests.support.service import FREE, Buyer, Service

pytestmark = pytest.mark.integration

ACCOUNT = canonical(consumer.address)


@dataclass
class Shop:
    """A fresh asset, its publisher, and a client of the subgraph."""

    buyer: Buyer
    asset: DDO
    http: httpx.AsyncClient

    @property
    def network(self) -> Network:
        return self.buyer.network

    @property
    def token(self) -> str:
        return canonical(self.asset.services[0].datatoken_address)

    def quote(self, amount: int = 0) -> Any:
        now = time.time()
        details = {"datatoken": self.token, "service_id": self.asset.services[0].id, "fee_token": self.network.ocean}
        return make_quote(provider, environment=FREE, amount=amount, valid_until=int(now) + 3600, now=now, **details)

    async def order(self, key: LocalAccount = consumer) -> str:
        await mint(self.network, publisher, self.token, key.address)
        return await start_order(self.network, key, self.token, key.address, 0, self.quote())

    async def price_query(self, account: str = ACCOUNT) -> dict[str, Any]:
        data = await ask(self.http, TOKEN_PRICE, datatokenId=self.token, account=account)
        return dict(data["token"])

    async def document(self) -> dict[str, Any]:
        answer = await self.http.get(f"/api/aquarius/assets/ddo/{self.asset.id}")
        return dict(answer.raise_for_status().json())


@pytest.fixture
async def shop(service: Service, buyer: Buyer, files: FileServer) -> AsyncIterator[Shop]:
    asset = await buyer.publish(files.urls["rain.csv"])
    async with httpx.AsyncClient(base_url=service.url, timeout=240, trust_env=False) as http:
        yield Shop(buyer, asset, http)


async def test_a_free_asset_is_seen_at_once_and_each_order_too(shop: Shop) -> None:
    seen = await shop.price_query()
    assert (seen["dispensers"], seen["fixedRateExchanges"], seen["orders"]) == ([], [], [])
    assert "value" not in (await shop.document())["stats"]["price"]

    await give_away(shop.network, publisher, shop.token)
    seen = await shop.price_query()
    dispenser = canonical(shop.network.addresses["Dispenser"])
    assert seen == {
        "id": shop.token,
        "symbol": seen["symbol"],
        "name": seen["name"],
        "templateId": 1,
        "publishMarketFeeAddress": seen["publishMarketFeeAddress"],
        "publishMarketFeeToken": canonical(shop.network.ocean),
        "publishMarketFeeAmount": "0",
        "orders": [],
        "dispensers": [
            {
                "id": f"{dispenser}-{shop.token}",
                "active": True,
                "isMinter": True,
                "maxBalance": "1",
                "token": {"id": shop.token, "name": seen["name"], "symbol": seen["symbol"]},
            }
        ],
        "fixedRateExchanges": [],
    }
    assert seen["name"]
    document = await shop.document()
    assert (document["stats"]["price"], document["stats"]["orders"]) == ({"value": 0}, 0)

    order = await shop.order()
    (listed,) = (await shop.price_query())["orders"]
    assert (listed["tx"], listed["serviceIndex"], listed["reuses"]) == (order, 0, [])
    fee = json.loads(listed["providerFee"])
    assert (fee["providerFeeAmount"], fee["providerFeeToken"]) == ("0", canonical(shop.network.ocean))
    assert int(fee["validUntil"]) > time.time()
    assert (await shop.document())["stats"]["orders"] == 1

    for number in (1, 2):
        renewal = await reuse_order(shop.network, consumer, shop.token, order, shop.quote())
        ((listed,),) = [(await shop.price_query())["orders"]]
        assert listed["reuses"][0]["tx"] == renewal
        assert len(listed["reuses"]) == number
        assert listed["reuses"][0]["caller"] == ACCOUNT


async def test_a_price_and_its_change_are_seen_at_once(shop: Shop) -> None:
    exchange = "0x" + (await sell(shop.network, publisher, shop.token, 5 * ONE // 2)).hex()
    (seen,) = (await shop.price_query())["fixedRateExchanges"]
    ocean = canonical(shop.network.ocean)
    assert (seen["exchangeId"], seen["price"], seen["active"]) == (exchange, "2.5", True)
    assert seen["id"] == f"{canonical(shop.network.addresses['FixedPrice'])}-{exchange}"
    assert seen["baseToken"] == {"symbol": "OCEAN", "name": "Ocean Token", "address": ocean, "decimals": 18}
    price = (await shop.document())["stats"]["price"]
    assert price == {"value": 2.5, "tokenAddress": ocean, "tokenSymbol": "OCEAN"}

    await set_rate(shop.network, publisher, exchange, 13 * ONE // 4)
    seen = await shop.price_query("")  # whoever changes a price asks without an account
    assert (seen["orders"], seen["fixedRateExchanges"][0]["price"]) == ([], "3.25")
    assert (await shop.document())["stats"]["price"]["value"] == 3.25


async def test_what_is_no_datatoken_is_null(shop: Shop) -> None:
    for address in (ZERO, canonical(shop.network.ocean), consumer.address, "", "x"):
        assert await ask(shop.http, TOKEN_PRICE, datatokenId=address, account=ACCOUNT) == {"token": None}


async def test_the_lists_of_an_account_and_of_an_asset(shop: Shop) -> None:
    orders = """query ComputeOrdersByDatatokenAddress($user: String!, $datatokenAddress: String!) {
      orders(orderBy: createdTimestamp orderDirection: desc where: {payer: $user, datatoken: $datatokenAddress}) {
        id serviceIndex datatoken { address } tx createdTimestamp consumer { id }
      }
    }"""
    of_asset = {"user": ACCOUNT, "datatokenAddress": shop.token}
    assert await ask(shop.http, orders, **of_asset) == {"orders": []}
    first, second = await shop.order(), await shop.order()
    listed = (await ask(shop.http, orders, **of_asset))["orders"]
    assert [order["tx"] for order in listed] == [second, first]
    assert {order["datatoken"]["address"] for order in listed} == {shop.token}

    of_account = """query ComputeOrders($user: String!) {
      orders(orderBy: createdTimestamp, orderDirection: desc, where: {payer: $user}, first: 1) { tx }
    }"""
    assert await ask(shop.http, of_account, user=ACCOUNT) == {"orders": [{"tx": second}]}


async def test_the_history_of_an_asset(shop: Shop) -> None:
    history = """query NftUpdate($address: String!) {
      nftUpdates(where: {nft: $address} orderBy: timestamp orderDirection: desc) {
        id nft { address owner { id } } tx timestamp type
      }
    }"""
    nft = canonical(shop.asset.nft_address)
    (created,) = (await ask(shop.http, history, address=nft))["nftUpdates"]
    assert created["type"] == "METADATA_CREATED"
    assert created["nft"] == {"address": nft, "owner": {"id": canonical(publisher.address)}}
    await set_state(shop.network, publisher, nft, 5)
    listed = (await ask(shop.http, history, address=nft))["nftUpdates"]
    assert [update["type"] for update in listed] == ["STATE_UPDATED", "METADATA_CREATED"]
    assert await ask(shop.http, history, address=consumer.address) == {"nftUpdates": []}


async def test_what_the_portal_asks_on_every_page(shop: Shop) -> None:
    fees = """query { opc(id: 1) { swapOceanFee swapNonOceanFee id approvedTokens { address: id symbol name decimals } }
      opcs { approvedTokens { address: id symbol } } }"""
    data = await ask(shop.http, fees)
    assert data["opc"]["id"] == "1"
    ocean = {"address": canonical(shop.network.ocean), "symbol": "OCEAN", "name": "Ocean Token", "decimals": 18}
    assert ocean in data["opc"]["approvedTokens"]
    assert {"address": ocean["address"], "symbol": "OCEAN"} in data["opcs"][0]["approvedTokens"]
    head = await shop.network.head()
    meta = "query Meta { _meta { block { number } deployment hasIndexingErrors } }"
    assert (await ask(shop.http, meta))["_meta"]["block"]["number"] >= head


async def test_a_chain_may_be_named_before_the_path(shop: Shop) -> None:
    meta = "{ _meta { block { number } } }"
    assert await ask(shop.http, meta, f"/chains/8996{SUBGRAPH}")
    answer = await shop.http.post(f"/chains/32456{SUBGRAPH}", json={"query": meta})
    assert answer.status_code == 404
    assert answer.json() == {"errors": [{"message": "This chain is not served. Served: 8996."}]}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("{ token(id: 1) { id price } }", "Cannot query field 'price' on type 'Token'"),
        ("{ pools { id } }", "Cannot query field 'pools'"),
        ("{ token { id } }", "is required"),
        ("{ token(id: 1) { id }", "Syntax Error"),
        ("mutation { a }", "not configured to execute|mutation"),
        ("{ orders(where: {}) { id } }", "must name a payer"),
        ('{ orders(where: {payer: "0x1"} first: 5000) { id } }', "from 0 to 1000"),
        ("{" + " ".join(f"a{n}: opcs {{ id }}" for n in range(300)) + "}", "at most 400|Document contains more"),
        ('{ orders(where: {payer: "a"}) ' + "{ datatoken { orders " * 5 + "{ id }" + "} }" * 5 + "}", "levels deep"),
        ("{" * 900, "Syntax Error|nested"),
        ("{ a" * 600, "Syntax Error|nested"),
        ("query A { opcs { id } } query B { opcs { id } }", "operation"),
    ],
)
async def test_what_cannot_be_answered_is_refused_as_graphql_does(shop: Shop, query: str, said: str) -> None:
    answer = await shop.http.post(SUBGRAPH, json={"query": query})
    assert answer.status_code == 200
    texts = " ".join(error["message"] for error in answer.json()["errors"])
    assert re.search(said, texts), texts


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"query": 1}', b'{"query": "{a}", "variables": []}', b"\xff"])
async def test_what_is_no_question_is_a_bad_request(shop: Shop, body: bytes) -> None:
    answer = await shop.http.post(SUBGRAPH, content=body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["message"]


async def test_assets_are_searched_as_clients_do(shop: Shop) -> None:
    by_id = {"query": {"bool": {"filter": [{"ids": {"values": [shop.asset.id]}}]}}}
    hits = (await shop.http.post("/api/aquarius/assets/query", json=by_id)).json()["hits"]
    assert [hit["_source"] for hit in hits["hits"]] == [await shop.document()]

    await give_away(shop.network, publisher, shop.token)
    by_token: dict[str, Any] = {
        "size": 1000,
        "query": {
            "bool": {
                "filter": [
                    {"terms": {"services.datatokenAddress": [shop.token]}},
                    {"term": {"services.type": "compute"}},
                    {"term": {"metadata.type": "dataset"}},
                    {"terms": {"chainId": [8996]}},
                ]
            }
        },
    }
    (hit,) = (await shop.http.post("/api/aquarius/assets/query", json=by_token)).json()["hits"]["hits"]
    assert hit["_source"]["id"] == shop.asset.id
    assert hit["_source"]["stats"]["price"] == {"value": 0}

    await shop.order()
    (hit,) = (await shop.http.post("/api/aquarius/assets/query", json=by_token)).json()["hits"]["hits"]
    assert hit["_source"]["stats"]["orders"] == 1

    refused = await shop.http.post("/api/aquarius/assets/query", json={"query": {"query_string": {"query": "*"}}})
    assert refused.status_code == 400
    assert "Supported: bool, exists, ids" in refused.json()["error"]
