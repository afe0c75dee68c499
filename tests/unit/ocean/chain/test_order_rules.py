"""The rules of an order as a table: a good order, and one change each that makes it bad."""

from __future__ import annotations

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
    fee_carrier,
    normal_hash,
)
from ocean.fees import Quote, make_quote
from tests.support.chain import order_reused_log, order_started_log, provider_fee_log

pytestmark = pytest.mark.unit

PROVIDER = Account.from_key("0x" + "51" * 32)  # any key
OTHER = Account.from_key("0x" + "52" * 32)
NFT, TOKEN, OCEAN, FACTORY = ("0x" + digit * 40 for digit in "1234")
CONSUMER, ENVIRONMENT, STRANGER = ("0x" + digit * 40 for digit in "567")
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
    links = zip(hashes, hashes[1:], strict=False)
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


OLD = {"valid_until": 0}  # never expires, so that only the time limit of the service is judged

ACCEPTED: list[tuple[str, OrderRequest, Evidence, float]] = [
    ("consumer himself", replace(REQUEST, sender=ENVIRONMENT), evidence(GOOD), 1_200),
    ("no consumer required", replace(REQUEST, required_consumer=None), evidence(receipt(started(consumer=STRANGER), fee())), 1_200),
    ("service id in other case", replace(REQUEST, service_id="SVC"), evidence(GOOD), 1_200),
    ("just before the fee ends", REQUEST, evidence(GOOD), VALID_UNTIL - 1),
    ("last second of grace", REQUEST, evidence(GOOD), 1_789),
    ("expired, but lenient", replace(REQUEST, lenient=True), evidence(GOOD), 1_790),
    ("for ever", replace(REQUEST, timeout=0), evidence(receipt(started(at=0), fee(quote(**OLD)))), 10**9),
    ("last second of the time limit", REQUEST, evidence(receipt(started(), fee(quote(**OLD)))), ORDERED + 3600),
    ("download without environment", replace(REQUEST, environment=None), evidence(receipt(started(), fee(quote(environment=None)))), 1_200),
    ("second of two in one transaction", REQUEST, evidence(receipt(started(1), fee(), started(0), fee())), 1_200),
    ("first of two in one transaction", REQUEST, evidence(receipt(started(0), fee(), started(1), fee(quote(OTHER)))), 1_200),
    ("logs of others around it", REQUEST, evidence(receipt(started(9, address=NFT), started(), fee(address=OCEAN), fee())), 1_200),
    ("bundle through the factory", REQUEST, evidence(receipt(started(payer=FACTORY), fee())), 1_200),
    ("reuse", REQUEST, evidence(*reuse_chain(1)), 1_200),
    ("reuse of a reuse", REQUEST, evidence(*reuse_chain(2)), 1_200),
    ("longest chain", REQUEST, evidence(*reuse_chain(LONGEST_REUSE_CHAIN)), 1_200),
    ("reuse by the consumer", REQUEST, evidence(BOUGHT, receipt(reused(caller=ENVIRONMENT), fee())), 1_200),
    ("reuse through the factory", REQUEST, evidence(BOUGHT, receipt(reused(caller=FACTORY), fee())), 1_200),
]  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "known", "now"), [case[1:] for case in ACCEPTED], ids=[case[0] for case in ACCEPTED]
)
def test_accepted(request_: OrderRequest, known: Evidence, now: float) -> None:
    assert check_order(request_, known, now).fee_amount == 7


FORGED = quote()
REFUSED: list[tuple[str, str, OrderRequest, Evidence, float]] = [
    ("nft of nobody", "not_of_factory", REQUEST, evidence(GOOD, of_factory=False), 1_200),
    ("datatoken of another nft", "not_deployed", REQUEST, evidence(GOOD, deployed=False), 1_200),
    ("unknown hash", "order_not_found", REQUEST, evidence(), 1_200),
    ("malformed hash", "hash_malformed", replace(REQUEST, tx_hash="0x12"), evidence(GOOD), 1_200),
    ("reverted", "transaction_failed", REQUEST, evidence(receipt(started(), fee(), succeeded=False)), 1_200),
    ("nothing logged", "no_order", REQUEST, evidence(receipt()), 1_200),
    ("logged by another contract", "no_order", REQUEST, evidence(receipt(started(address=NFT), fee(address=NFT))), 1_200),
    ("only the fee is of the datatoken", "no_order", REQUEST, evidence(receipt(started(address=NFT), fee())), 1_200),
    ("only the order is of the datatoken", "no_provider_fee", REQUEST, evidence(receipt(started(), fee(address=NFT))), 1_200),
    ("fee before the order", "no_provider_fee", REQUEST, evidence(receipt(fee(), started())), 1_200),
    ("fee belongs to the next order", "service_mismatch", REQUEST, evidence(receipt(started(), started(1), fee())), 1_200),
    ("another service", "service_mismatch", replace(REQUEST, service_index=1), evidence(GOOD), 1_200),
    ("quote for another service", "quote_mismatch", replace(REQUEST, service_id="other"), evidence(GOOD), 1_200),
    ("quote for another datatoken", "quote_mismatch", REQUEST, evidence(receipt(started(), fee(quote(datatoken=NFT)))), 1_200),
    ("quote that is no JSON", "quote_malformed", REQUEST, evidence(receipt(started(), fee(replace(FORGED, provider_data=b"{")))), 1_200),
    ("quote for another environment", "environment_mismatch", replace(REQUEST, environment="paid"), evidence(GOOD), 1_200),
    ("quote of a download", "environment_mismatch", REQUEST, evidence(receipt(started(), fee(quote(environment=None)))), 1_200),
    ("fee to another provider", "foreign_fee", REQUEST, evidence(receipt(started(), fee(quote(OTHER)))), 1_200),
    ("fee to nobody", "foreign_fee", replace(REQUEST, fee_address=ZERO), evidence(receipt(started(), fee(replace(FORGED, fee_address=ZERO)))), 1_200),
    ("fee in another token", "fee_token_mismatch", replace(REQUEST, fee_token=NFT), evidence(GOOD), 1_200),
    ("amount altered", "fee_signature_invalid", REQUEST, evidence(receipt(started(), fee(replace(FORGED, amount=8)))), 1_200),
    ("validity altered", "fee_signature_invalid", REQUEST, evidence(receipt(started(), fee(replace(FORGED, valid_until=9_999)))), 1_200),
    ("v of 0", "fee_signature_invalid", REQUEST, evidence(receipt(started(), fee(replace(FORGED, v=0)))), 1_200),
    ("r of 0", "fee_signature_invalid", REQUEST, evidence(receipt(started(), fee(replace(FORGED, r=bytes(32))))), 1_200),
    ("first second after the grace", "fee_expired", REQUEST, evidence(GOOD), 1_790),
    ("no time of quote: no endless grace", "fee_expired", REQUEST, evidence(receipt(started(), fee(quote(now=0)))), VALID_UNTIL + 91),
    ("time limit over", "order_expired", REQUEST, evidence(receipt(started(), fee(quote(**OLD)))), ORDERED + 3601),
    ("stranger", "sender_mismatch", replace(REQUEST, sender=STRANGER), evidence(GOOD), 1_200),
    ("environment cannot download", "consumer_mismatch", REQUEST, evidence(receipt(started(consumer=CONSUMER), fee())), 1_200),
    ("somebody else's bundle", "sender_mismatch", REQUEST, evidence(receipt(started(payer=FACTORY), fee(), sender=STRANGER)), 1_200),
    ("reuse of nothing", "reuse_of_other_order", REQUEST, evidence(receipt(reused(), fee())), 1_200),
    ("reuse of another datatoken's", "reuse_of_other_order", REQUEST, evidence(receipt(started(address=NFT), tx=START), receipt(reused(), fee())), 1_200),
    ("reuse of another service", "reuse_of_other_order", REQUEST, evidence(receipt(started(1), tx=START), receipt(reused(), fee())), 1_200),
    ("reuse of a reverted order", "reuse_of_other_order", REQUEST, evidence(replace(BOUGHT, succeeded=False), receipt(reused(), fee())), 1_200),
    ("reuse of itself", "reuse_chain_too_long", REQUEST, evidence(receipt(reused(TX), fee())), 1_200),
    ("reuse by a stranger", "reuse_by_stranger", REQUEST, evidence(BOUGHT, receipt(reused(caller=STRANGER), fee())), 1_200),
    ("stranger within the chain", "reuse_by_stranger", REQUEST, evidence(BOUGHT, receipt(reused(caller=STRANGER), fee(), tx="0x" + "cc" * 32), receipt(reused("0x" + "cc" * 32), fee())), 1_200),
    ("reuse with an ended fee", "fee_expired", REQUEST, evidence(*reuse_chain(1)), 1_790),
    ("reuse does not renew the limit", "order_expired", replace(REQUEST, timeout=600), evidence(*reuse_chain(1)), 1_200),
    ("chain too long", "reuse_chain_too_long", REQUEST, evidence(*reuse_chain(LONGEST_REUSE_CHAIN + 1)), 1_200),
]  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "request_", "known", "now"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_refused(reason: str, request_: OrderRequest, known: Evidence, now: float) -> None:
    with pytest.raises(OrderInvalid) as caught:
        check_order(request_, known, now)
    assert caught.value.reason == reason
    assert reason in REASONS


def test_less_than_one_datatoken() -> None:
    topics, data = order_started_log(ENVIRONMENT, CONSUMER, 0, ORDERED)
    short = data[:32] + (10**18 - 1).to_bytes(32, "big") + data[64:]
    with pytest.raises(OrderInvalid) as caught:
        check_order(REQUEST, evidence(receipt(log((topics, short)), fee())), 1_200)
    assert caught.value.reason == "amount_too_small"


@pytest.mark.parametrize("data", [b"", b"\xff" * 31, b"\xff" * 160, b"\xff" * 1000])
@pytest.mark.parametrize("name", ["OrderStarted", "OrderReused", "ProviderFee"])
def test_logs_with_broken_data_are_refused_not_a_crash(name: str, data: bytes) -> None:
    kind = event("ERC20Template", name)
    broken = Log(TOKEN, (kind.topic, *("0x" + "ff" * 32 for _ in kind.indexed)), data, TX, 1, 0)
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
    assert [reason for reason in REASONS if OrderInvalid(reason).passing] == ["order_not_found", "not_confirmed"]


def bought(fee_amount: int, tx: str) -> Order:
    return replace(check_order(REQUEST, evidence(GOOD), 1_200), fee_amount=fee_amount, tx_hash=tx)


@pytest.mark.parametrize(
    ("fees", "algorithm_fee", "required", "carrier"),
    [
        ([0, 0], 0, 0, "first"),
        ([0, 0], None, 0, "first"),
        ([10, 0], 0, 10, "first"),
        ([0, 10], 0, 10, "second"),
        ([5, 5], 0, 10, None),
        ([0, 0], 10, 10, "algorithm"),
        ([10, 20], 30, 10, "first"),
        ([0, 0], 0, 10, None),
    ],
)
def test_who_carries_the_fee(fees: list[int], algorithm_fee: int | None, required: int, carrier: str | None) -> None:
    scale = 10**18
    datasets = [bought(amount * scale, tx) for amount, tx in zip(fees, ("first", "second"), strict=True)]
    algorithm = None if algorithm_fee is None else bought(algorithm_fee * scale, "algorithm")
    found = fee_carrier(datasets, algorithm, required * scale, 18)
    assert (found.tx_hash if found else None) == carrier


def test_addresses_are_compared_in_any_spelling() -> None:
    shouting = replace(REQUEST, sender=CONSUMER.upper().replace("0X", "0x"), fee_address=canonical(PROVIDER.address))
    assert check_order(shouting, evidence(GOOD), 1_200).tx_hash == TX
