"""The rules of an order as a table: a good order, and one change each that makes it bad."""

from __future__ import annotations

import itertools
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from eth_account import Account

from ocean.addresses import ZERO, canonical
from ocean.chain.contracts import event
from ocean.chain.logs import Log, Receipt
from ocean.chain.order_rules import LONGEST_REUSE_CHAIN, check_order, references
from ocean.chain.order_values import (
    REASONS,
    Evidence,
    Order,
    OrderInvalid,
    OrderRequest,
    normal_hash,
)
from ocean.fees import Quote, make_quote
from tests.support.chain import order_reused_log, order_started_log, provider_fee_log

pytestmark = pytest.mark.unit

PROVIDER = Account.from_key("0x" + "51" * 32)  # any key
OTHER = Account.from_key("0x" + "52" * 32)
NFT, TOKEN, OCEAN, FACTORY = ("0x" + digit * 40 for digit in "1234")
CONSUMER, ENVIRONMENT, STRANGER, SENDER = ("0x" + digit * 40 for digit in "5678")
AS_STRANGER = {"sender": STRANGER}
TRANSFER = event("ERC20Template", "Transfer").topic
TX, START = "0x" + "aa" * 32, "0x" + "bb" * 32
QUOTED, ORDERED, VALID_UNTIL = 1_000, 1_100, 1_600

REQUEST = OrderRequest(
    tx_hash=TX,
    nft=NFT,
    datatoken=TOKEN,
    service_id="svc",
    service_index=0,
    timeout=3600,
    sender=CONSUMER,
    fee_address=PROVIDER.address,
    fee_token=OCEAN,
    environment="free",
    required_consumer=ENVIRONMENT,
)


def quote(key: Any = PROVIDER, **changes: Any) -> Quote:
    details = {"environment": "free", "datatoken": TOKEN, "service_id": "svc", "fee_token": OCEAN}
    numbers = {"amount": 7, "valid_until": VALID_UNTIL, "now": QUOTED}
    return make_quote(key, **(details | numbers | changes))


def log(forged: tuple[list[bytes], bytes], index: int = 0, address: str = TOKEN) -> Log:
    topics, data = forged
    return Log(address, tuple("0x" + topic.hex() for topic in topics), data, TX, 1, index)


def receipt(*logs: Log, tx: str = TX, succeeded: bool = True, sender: str = CONSUMER) -> Receipt:
    return Receipt(tx, succeeded, sender, 1, None, logs)


def started(
    index: int = 0, *, consumer: str = ENVIRONMENT, payer: str = CONSUMER, at: int = ORDERED, **where: Any
) -> Log:
    return log(order_started_log(consumer, payer, index, at), **where)


def reused(order_tx: str = START, caller: str = CONSUMER, at: int = ORDERED) -> Log:
    return log(order_reused_log(order_tx, caller, at))


def taken(owner: str = CONSUMER, to: str = FACTORY, amount: int = 10**18, token: str = TOKEN) -> Log:
    """A transfer as the token itself logs it."""
    topics = [bytes.fromhex(word.removeprefix("0x")).rjust(32, b"\0") for word in (TRANSFER, owner, to)]
    return log((topics, amount.to_bytes(32)), address=token)


def fee(made: Quote | None = None, **where: Any) -> Log:
    return log(provider_fee_log(made or quote()), **where)


def evidence(*receipts: Receipt, **changes: Any) -> Evidence:
    known = {item.tx_hash: item for item in receipts}
    return replace(Evidence(True, True, FACTORY, known), **changes)


GOOD = receipt(started(), fee())
BOUGHT = receipt(started(at=500), fee(), tx=START)


def reuse_chain(length: int) -> list[Receipt]:
    """`length` reuses, each of the one before, the first of START; the last one is TX."""
    hashes = [START, *("0x" + f"{number:064x}" for number in range(1, length)), TX]
    links = itertools.pairwise(hashes)
    return [BOUGHT, *(receipt(reused(old), fee(), tx=new) for old, new in links)]


def test_good_order_with_all_its_facts() -> None:
    order = check_order(REQUEST, evidence(GOOD), now=1_200)
    assert order == Order(
        tx_hash=TX,
        start_tx_hash=TX,
        datatoken=TOKEN,
        service_index=0,
        consumer=ENVIRONMENT,
        payer=CONSUMER,
        amount=10**18,
        timestamp=ORDERED,
        fee_amount=7,
        fee_token=OCEAN,
        valid_until=VALID_UNTIL,
        environment="free",
        quote_timestamp=Decimal(QUOTED),
        block_timestamp=ORDERED,
    )


NOW = 1_200
OLD = {"valid_until": 0}  # never expires, so that only the time limit of the service is judged
REUSE = receipt(reused(), fee())
LINK = "0x" + "cc" * 32


def seen(*logs: Log, **changes: Any) -> Evidence:
    """The transaction logged just these."""
    return evidence(receipt(*logs, **changes))


def quoted(*args: Any, **changes: Any) -> Evidence:
    """A good order, but for its quote."""
    return seen(started(), fee(quote(*args, **changes)))


def altered(**changes: Any) -> Evidence:
    """A good order whose quote was altered after it was signed."""
    return seen(started(), fee(replace(quote(), **changes)))


def bundled(*logs: Log) -> Evidence:
    """Somebody else sent it, who owns nothing of it."""
    return seen(*logs, sender=SENDER)


# Each buyer's datatoken is taken just before his order.
TWO_BUYERS = (taken(STRANGER), started(payer=FACTORY), fee(), taken(), started(payer=FACTORY), fee())
# what it is, what the chain says, what is asked for differently, when
ACCEPTED: list[tuple[str, Evidence, dict[str, Any], float]] = [
    ("consumer himself", evidence(GOOD), {"sender": ENVIRONMENT}, NOW),
    ("no consumer required", seen(started(consumer=STRANGER), fee()), {"required_consumer": None}, NOW),
    ("service id in other case", evidence(GOOD), {"service_id": "SVC"}, NOW),
    ("just before the fee ends", evidence(GOOD), {}, VALID_UNTIL - 1),
    ("last second of grace", evidence(GOOD), {}, 1_789),
    ("expired, but lenient", evidence(GOOD), {"lenient": True}, 1_790),
    ("for ever", seen(started(at=0), fee(quote(**OLD))), {"timeout": 0}, 10**9),
    ("last second of the time limit", quoted(**OLD), {}, ORDERED + 3600),
    ("download without environment", quoted(environment=None), {"environment": None}, NOW),
    ("second of two in one transaction", seen(started(1), fee(), started(0), fee()), {}, NOW),
    ("first of two in one transaction", seen(started(0), fee(), started(1), fee(quote(OTHER))), {}, NOW),
    ("logs of others around it", seen(started(9, address=NFT), started(), fee(address=OCEAN), fee()), {}, NOW),
    ("in any token, where that does not matter", quoted(fee_token=NFT), {"fee_token": None}, NOW),
    ("bundle through the factory", seen(started(payer=FACTORY), fee()), {}, NOW),
    ("bundle that a stranger sends", bundled(taken(), started(payer=FACTORY), fee()), {}, NOW),
    ("his transfer before it", bundled(taken(STRANGER), taken(), started(payer=FACTORY), fee()), {}, NOW),
    ("his transfer after it", bundled(taken(), started(payer=FACTORY), taken(STRANGER), fee()), {}, NOW),
    ("his small change", bundled(taken(), taken(STRANGER, amount=1), started(payer=FACTORY), fee()), {}, NOW),
    ("second of two buyers", bundled(*TWO_BUYERS), {}, NOW),
    ("first of two buyers", bundled(*TWO_BUYERS), {"sender": STRANGER}, NOW),
    ("reuse", evidence(*reuse_chain(1)), {}, NOW),
    ("reuse of a reuse", evidence(*reuse_chain(2)), {}, NOW),
    ("longest chain", evidence(*reuse_chain(LONGEST_REUSE_CHAIN)), {}, NOW),
    ("reuse by the consumer", evidence(BOUGHT, receipt(reused(caller=ENVIRONMENT), fee())), {}, NOW),
    ("reuse through the factory", evidence(BOUGHT, receipt(reused(caller=FACTORY), fee())), {}, NOW),
]


@pytest.mark.parametrize(("known", "asked", "now"), [case[1:] for case in ACCEPTED], ids=[case[0] for case in ACCEPTED])
def test_accepted(known: Evidence, asked: dict[str, Any], now: float) -> None:
    assert check_order(replace(REQUEST, **asked), known, now).fee_amount == 7


REFUSED: dict[str, list[tuple[str, Evidence, dict[str, Any], float]]] = {
    "not_of_factory": [("nft of nobody", evidence(GOOD, of_factory=False), {}, NOW)],
    "not_deployed": [("datatoken of another nft", evidence(GOOD, deployed=False), {}, NOW)],
    "order_not_found": [("unknown hash", evidence(), {}, NOW)],
    "hash_malformed": [("short hash", evidence(GOOD), {"tx_hash": "0x12"}, NOW)],
    "transaction_failed": [("reverted", seen(started(), fee(), succeeded=False), {}, NOW)],
    "no_order": [
        ("nothing logged", seen(), {}, NOW),
        ("logged by another contract", seen(started(address=NFT), fee(address=NFT)), {}, NOW),
        ("only the fee is of the datatoken", seen(started(address=NFT), fee()), {}, NOW),
    ],
    "no_provider_fee": [
        ("only the order is of the datatoken", seen(started(), fee(address=NFT)), {}, NOW),
        ("fee before the order", seen(fee(), started()), {}, NOW),
    ],
    "service_mismatch": [
        ("another service", evidence(GOOD), {"service_index": 1}, NOW),
        ("fee belongs to the next order", seen(started(), started(1), fee()), {}, NOW),
    ],
    "quote_mismatch": [
        ("for another service", evidence(GOOD), {"service_id": "other"}, NOW),
        ("for another datatoken", quoted(datatoken=NFT), {}, NOW),
    ],
    "quote_malformed": [("no JSON", altered(provider_data=b"{"), {}, NOW)],
    "environment_mismatch": [
        ("for another environment", evidence(GOOD), {"environment": "paid"}, NOW),
        ("for a download", quoted(environment=None), {}, NOW),
    ],
    "foreign_fee": [
        ("to another provider", quoted(OTHER), {}, NOW),
        ("to nobody", altered(fee_address=ZERO), {"fee_address": ZERO}, NOW),
    ],
    "fee_token_mismatch": [("in another token", evidence(GOOD), {"fee_token": NFT}, NOW)],
    "fee_signature_invalid": [
        ("amount altered", altered(amount=8), {}, NOW),
        ("validity altered", altered(valid_until=9_999), {}, NOW),
        ("v of 0", altered(v=0), {}, NOW),
        ("r of 0", altered(r=bytes(32)), {}, NOW),
    ],
    "fee_expired": [
        ("first second after the grace", evidence(GOOD), {}, 1_790),
        ("no endless grace without a time of quote", quoted(now=0), {}, VALID_UNTIL + 91),
        ("fee of a reuse", evidence(*reuse_chain(1)), {}, 1_790),
    ],
    "order_expired": [
        ("time limit over", quoted(**OLD), {}, ORDERED + 3601),
        ("not renewed by a reuse", evidence(*reuse_chain(1)), {"timeout": 600}, NOW),
    ],
    "sender_mismatch": [
        ("stranger", evidence(GOOD), {"sender": STRANGER}, NOW),
        ("somebody else's bundle", seen(started(payer=FACTORY), fee(), sender=STRANGER), {}, NOW),
        ("who sends a bundle", bundled(taken(), started(payer=FACTORY), fee()), {"sender": SENDER}, NOW),
        ("who transfers before", bundled(taken(STRANGER), taken(), started(payer=FACTORY), fee()), AS_STRANGER, NOW),
        ("who transfers after", bundled(taken(), started(payer=FACTORY), taken(STRANGER), fee()), AS_STRANGER, NOW),
        ("of another token", bundled(taken(token=OCEAN), taken(STRANGER), started(payer=FACTORY), fee()), {}, NOW),
        ("too little", bundled(taken(amount=10**18 - 1), started(payer=FACTORY), fee()), {}, NOW),
        ("too much", bundled(taken(amount=10**18 + 1), started(payer=FACTORY), fee()), {}, NOW),
        ("for the order before", bundled(taken(), started(1, payer=FACTORY), started(payer=FACTORY), fee()), {}, NOW),
        ("to somebody else", bundled(taken(to=OCEAN), taken(STRANGER), started(payer=FACTORY), fee()), {}, NOW),
        ("of a false factory", bundled(taken(to=OCEAN), started(payer=OCEAN), fee()), {}, NOW),
        ("to the factory, for an order of its own", bundled(taken(), started(payer=STRANGER), fee()), {}, NOW),
    ],
    "consumer_mismatch": [("environment cannot download", seen(started(consumer=CONSUMER), fee()), {}, NOW)],
    "reuse_of_other_order": [
        ("nothing", evidence(REUSE), {}, NOW),
        ("another datatoken's", evidence(receipt(started(address=NFT), tx=START), REUSE), {}, NOW),
        ("another service's", evidence(receipt(started(1), tx=START), REUSE), {}, NOW),
        ("a reverted order", evidence(replace(BOUGHT, succeeded=False), REUSE), {}, NOW),
    ],
    "reuse_by_stranger": [
        ("directly", evidence(BOUGHT, receipt(reused(caller=STRANGER), fee())), {}, NOW),
        (
            "within the chain",
            evidence(BOUGHT, receipt(reused(caller=STRANGER), fee(), tx=LINK), receipt(reused(LINK), fee())),
            {},
            NOW,
        ),
    ],
    "reuse_chain_too_long": [
        ("reuse of itself", seen(reused(TX), fee()), {}, NOW),
        ("one too many", evidence(*reuse_chain(LONGEST_REUSE_CHAIN + 1)), {}, NOW),
    ],
}


@pytest.mark.parametrize(
    ("reason", "known", "asked", "now"),
    [pytest.param(reason, *case[1:], id=f"{reason}: {case[0]}") for reason, cases in REFUSED.items() for case in cases],
)
def test_refused(reason: str, known: Evidence, asked: dict[str, Any], now: float) -> None:
    with pytest.raises(OrderInvalid) as caught:
        check_order(replace(REQUEST, **asked), known, now)
    assert caught.value.reason == reason


def test_each_reason_that_the_rules_can_give_has_a_case() -> None:
    elsewhere = {"amount_too_small", "not_confirmed"}  # below; and `verify_order`, before the rules
    assert set(REASONS) - set(REFUSED) == elsewhere


def test_less_than_one_datatoken() -> None:
    topics, data = order_started_log(ENVIRONMENT, CONSUMER, 0, ORDERED)
    short = data[:32] + (10**18 - 1).to_bytes(32, "big") + data[64:]
    with pytest.raises(OrderInvalid) as caught:
        check_order(REQUEST, evidence(receipt(log((topics, short)), fee())), 1_200)
    assert caught.value.reason == "amount_too_small"


@pytest.mark.parametrize("data", [b"", b"\xff" * 31, b"\xff" * 160, b"\xff" * 1000])
@pytest.mark.parametrize(("name", "indexed"), [("OrderStarted", 2), ("OrderReused", 0), ("ProviderFee", 2)])
def test_logs_with_broken_data_are_refused_not_a_crash(name: str, indexed: int, data: bytes) -> None:
    topics = (event("ERC20Template", name).topic, *["0x" + "ff" * 32] * indexed)
    broken = Log(TOKEN, topics, data, TX, 1, 0)
    with pytest.raises(OrderInvalid):
        check_order(REQUEST, evidence(receipt(started(1), broken, broken)), 1_200)


def test_references_are_those_of_the_datatoken_only() -> None:
    foreign = log(order_reused_log("0x" + "dd" * 32, CONSUMER, 1), address=NFT)
    assert references(receipt(foreign, reused()), TOKEN.upper().replace("0X", "0x")) == [START]


@pytest.mark.parametrize(
    "text", ["", "0x", "aa" * 31, "aa" * 33, "0x" + "zz" * 32, "0x" + "aa" * 31 + " a", None, b"aa" * 32]
)
def test_malformed_hashes(text: Any) -> None:
    with pytest.raises(OrderInvalid, match="hash_malformed"):
        normal_hash(text)


def test_passing_reasons() -> None:
    assert [reason for reason in REASONS if OrderInvalid(reason).transient] == ["order_not_found", "not_confirmed"]


def test_addresses_are_compared_in_any_spelling() -> None:
    shouting = replace(REQUEST, sender=CONSUMER.upper().replace("0X", "0x"), fee_address=canonical(PROVIDER.address))
    assert check_order(shouting, evidence(GOOD), 1_200).tx_hash == TX
