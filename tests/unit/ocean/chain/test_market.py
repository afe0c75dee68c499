"""What is worked out from the events of datatokens: recorded logs with the answers that a client needed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean.addresses import canonical
from ocean.chain.logs import Log
from ocean.chain.market import Market, Price, decimal_text
from ocean.chain.market_events import MarketReader
from ocean.chain.market_store import TABLE, TABLES, MarketStore, Part
from tests.support.market import log_of

pytestmark = pytest.mark.unit

RECORDED = json.loads((Path(__file__).parents[3] / "recordings" / "clients" / "token-price-query.json").read_text())
CASES = {case["name"]: case for case in RECORDED["cases"]}
STRANGER = "0x" + "ab" * 20


def logs_of(case: dict[str, Any]) -> list[Log]:
    return [log_of(entry) for entry in case["logs"]]


def store_of(logs: Iterable[Log]) -> MarketStore:
    db = sqlite3.connect(":memory:")
    db.executescript(TABLES)
    store = MarketStore(db)
    reader = MarketReader(RECORDED["addresses"])
    store.add(event for log in logs if (event := reader.read(log)) is not None)
    return store


def roll_back(store: MarketStore, block: int) -> None:
    """What the index does with each of its tables."""
    store._db.execute(f"DELETE FROM {TABLE} WHERE block > ?", (block,))  # noqa: S608 - a constant name


def answer_of(store: MarketStore, variables: dict[str, str]) -> dict[str, Any]:
    """Those fields of a recorded answer that come from events alone."""
    address = variables["datatokenId"]
    market = Market(store)
    token = market.datatoken(address)
    assert token is not None
    orders = store.orders(datatoken=address, payer=variables["account"]) if variables["account"] else []
    return {
        "symbol": token.symbol,
        "name": token.name,
        "templateId": token.template,
        "publishMarketFeeAmount": decimal_text(token.fee_amount),
        "orders": [(order.tx, [reuse.tx for reuse in store.renewals(order)]) for order in orders],
        "dispensers": [
            (f"{each.contract}-{address}", each.active, each.is_minter, decimal_text(each.max_balance))
            for each in market.dispensers(address)
        ],
        "fixedRateExchanges": [
            (f"{each.contract}-{each.id}", decimal_text(each.rate), decimal_text(each.swap_fee), each.active)
            for each in market.exchanges(address)
        ],
    }


def recorded_answer(case: dict[str, Any]) -> dict[str, Any]:
    token = case["answer"]["data"]["token"]
    return {
        **{name: token[name] for name in ("symbol", "name", "templateId", "publishMarketFeeAmount")},
        "orders": [(order["tx"], [reuse["tx"] for reuse in order["reuses"]]) for order in token["orders"]],
        "dispensers": [
            (each["id"], each["active"], each["isMinter"], each["maxBalance"]) for each in token["dispensers"]
        ],
        "fixedRateExchanges": [
            (each["id"], each["price"], each["publishMarketSwapFee"], each["active"])
            for each in token["fixedRateExchanges"]
        ],
    }


@pytest.mark.parametrize("name", CASES)
def test_recorded_logs_give_the_recorded_answer(name: str) -> None:
    case = CASES[name]
    assert answer_of(store_of(logs_of(case)), case["variables"]) == recorded_answer(case)


@pytest.mark.parametrize("name", CASES)
def test_the_same_logs_again_change_nothing_whatever_their_order(name: str) -> None:
    case = CASES[name]
    logs = logs_of(case)
    assert answer_of(store_of([*logs, *reversed(logs)]), case["variables"]) == recorded_answer(case)


def test_going_back_before_a_change_of_price_forgets_it() -> None:
    case = CASES["fixed-rate asset after one order and a change of price"]
    store = store_of(logs_of(case))
    token = case["variables"]["datatokenId"]
    ocean = canonical(RECORDED["addresses"]["Ocean"])
    assert Market(store).price(token) == Price(3_250_000_000_000_000_000, ocean)
    roll_back(store, 87)
    assert Market(store).price(token) == Price(2_500_000_000_000_000_000, ocean)
    assert len(store.orders(datatoken=token)) == 1
    roll_back(store, 83)
    assert Market(store).price(token) is None


def test_what_a_dispenser_gives_costs_nothing() -> None:
    case = CASES["dispenser asset, nothing ordered"]
    assert Market(store_of(logs_of(case))).price(case["variables"]["datatokenId"]) == Price(0, None)


@pytest.mark.parametrize("contract", ["ERC721Factory", "FixedRateExchange", "ERC20Template (the datatoken)"])
def test_logs_of_a_contract_that_has_no_say_count_for_nothing(contract: str) -> None:
    case = CASES["fixed-rate asset after one order and a change of price"]
    forged = [
        log_of({**entry, "address": STRANGER}) if entry["contract"] == contract else log_of(entry)
        for entry in case["logs"]
    ]
    store, token = store_of(forged), case["variables"]["datatokenId"]
    if contract == "ERC721Factory":
        assert Market(store).datatoken(token) is None
        assert store.orders(datatoken=token) == []  # nobody says that it is a datatoken
    elif contract == "FixedRateExchange":
        assert Market(store).exchanges(token) == []
    else:
        assert store.orders(datatoken=token) == []
        assert store.orders(datatoken=STRANGER) == []


def test_lists_are_answered_in_parts_from_either_end() -> None:
    case = CASES["dispenser asset whose order was reused twice"]
    store = store_of(logs_of(case))
    (order,) = store.orders(datatoken=case["variables"]["datatokenId"])
    newest_first = store.renewals(order)
    assert [event.block for event in newest_first] == [65, 63]
    assert store.renewals(order, Part(oldest_first=True)) == newest_first[::-1]
    assert store.renewals(order, Part(limit=1)) == newest_first[:1]
    assert store.renewals(order, Part(limit=1, skip=1)) == newest_first[1:]


@pytest.mark.parametrize(
    ("amount", "decimals", "text"),
    [
        (0, 18, "0"),
        (1, 18, "0.000000000000000001"),
        (2_500_000_000_000_000_000, 18, "2.5"),
        (10**18, 18, "1"),
        (10**20, 18, "100"),
        (1_500_000, 6, "1.5"),
        (100, 0, "100"),
        (2**256 - 1, 18, "115792089237316195423570985008687907853269984665640564039457.584007913129639935"),
    ],
)
def test_amounts_are_texts_of_whole_tokens(amount: int, decimals: int, text: str) -> None:
    assert decimal_text(amount, decimals) == text


@given(amount=st.integers(0, 2**256 - 1), decimals=st.integers(0, 77))
def test_no_digit_of_an_amount_is_lost(amount: int, decimals: int) -> None:
    text = decimal_text(amount, decimals)
    whole, _, rest = text.partition(".")
    assert int(whole) * 10**decimals + int(rest.ljust(decimals, "0") or "0") == amount
    assert not rest.endswith("0")
