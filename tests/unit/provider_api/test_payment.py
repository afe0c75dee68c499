"""Whose order pays for a job, when some orders were made at another provider."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from contract import names
from ocean.chain.orders import Order
from ocean.ddo import DDO
from provider_api.access.accepted import Accepted, AcceptedStart
from provider_api.access.facts import AssetFacts
from provider_api.access.payment import carrier_of, find_carrier, last_valid_until, own_orders, pays
from provider_api.access.quotes import make_quotes
from provider_api.chains.chains import Chains
from provider_api.jobs.specification import prepare
from provider_api.keys import keys_of
from provider_api.settings import ProviderSettings, Settings
from tests.support.provider_facts import NOW, TOKEN, algorithm, dataset, environment, facts, of_another, order
from tests.support.provider_neighbours import PROVIDER_KEY, MemoryChain

pytestmark = pytest.mark.unit

PRICE = Decimal(1)
RICH = order(fee_amount=10**24, valid_until=int(NOW) + 60, tx_hash="0x" + "f" * 64)
PAYING = order(fee_amount=10**19, valid_until=int(NOW) + 600, tx_hash="0x" + "e" * 64)


def foreign(**changes: object) -> AssetFacts:
    """The second dataset, of another provider, with an order that would pay for anything."""
    item = of_another(dataset(1))
    assert item.ddo is not None
    source = item.ddo.document()
    source["services"][0]["type"] = "access"
    ddo = DDO.parse(source)
    return replace(item, ddo=ddo, service=ddo.service("svc"), order=RICH, **changes)  # type: ignore[arg-type]


def test_anothers_order_never_pays() -> None:
    assert not pays(PRICE, foreign(), int(NOW) + 60, NOW)
    assert not pays(Decimal(0), foreign(), int(NOW) + 60, NOW)
    assert not pays(PRICE, foreign(free=True), int(NOW) + 60, NOW)
    assert find_carrier(PRICE, [foreign()], NOW, 10) is None
    assert find_carrier(Decimal(0), [foreign()], NOW, 10) is None


@pytest.mark.parametrize("free", [True, False])
def test_ours_carries_wherever_it_stands(free: bool) -> None:
    """The other provider's order comes first, pays more and ends later."""
    ours = dataset(order=PAYING)
    late = replace(foreign(), order=replace(RICH, valid_until=int(NOW) + 10**6))
    carrier = find_carrier(Decimal(0) if free else PRICE, [late, ours], NOW, 10)
    assert carrier is not None
    assert (carrier.order, carrier.paid_until) == (PAYING, int(NOW) + 600)


@pytest.mark.parametrize(
    ("fees", "algorithm_fee", "price", "carrier"),
    [
        ([0, 0], 0, 0, "first"),
        ([0, 0], None, 0, "first"),
        ([10, 0], 0, 1, "first"),
        ([0, 10], 0, 1, "second"),
        ([5, 5], 0, 1, None),
        ([0, 0], 10, 1, "algorithm"),
        ([10, 20], 30, 1, "first"),
        ([0, 0], 0, 1, None),
    ],
)
def test_who_carries_the_fee(fees: list[int], algorithm_fee: int | None, price: int, carrier: str | None) -> None:
    """Ten minutes are asked for. Amounts are not added up; datasets come before the algorithm."""

    def bought(tokens: int, tx: str) -> Order:
        return order(fee_amount=tokens * 10**18, valid_until=int(NOW) + 600, tx_hash=tx)

    assets = [dataset(order=bought(amount, tx)) for amount, tx in zip(fees, ("first", "second"), strict=True)]
    if algorithm_fee is not None:
        assets.append(algorithm(order=bought(algorithm_fee, "algorithm")))
    found = find_carrier(Decimal(price), assets, NOW, 10)
    assert (found.order.tx_hash if found else None) == carrier


def test_the_end_is_that_of_our_orders() -> None:
    assets = [dataset(order=PAYING), replace(foreign(), order=replace(RICH, valid_until=0))]
    assert last_valid_until(own_orders(assets)) == int(NOW) + 600


def test_the_job_is_ours_by_our_order() -> None:
    """Agreement, end and chain; the pod gets the other provider's files with the other order."""
    given = facts(
        (dataset(order=PAYING), foreign()), of_another(algorithm()), environment=environment(price_per_minute=1)
    )
    keys = keys_of(PROVIDER_KEY)
    made = prepare(
        AcceptedStart.of(given), "1" * 32, "0x1", Settings(provider=ProviderSettings(key=PROVIDER_KEY)), keys
    )  # type: ignore[arg-type]
    assert made.agreement_id == PAYING.tx_hash
    assert made.workflow.annotations[names.VALID_UNTIL] == str(int(NOW) + 600)
    carrier = carrier_of(given)
    assert carrier is not None
    assert carrier.order == PAYING


def test_only_ours_is_asked_to_carry_the_fee() -> None:
    """Although the other provider's order exists, and ends before the job does."""
    given = facts(
        (replace(dataset(), order=None), foreign()),
        of_another(algorithm()),
        environment=environment(price_per_minute=1),
        with_orders=False,
    )
    answer = make_quotes(
        Accepted.of(given), int(NOW) + 600, "7", keys_of(PROVIDER_KEY), Chains({8996: MemoryChain()}), {}
    )
    assert int(answer["datasets"][0]["providerFee"]["providerFeeAmount"]) == 10**19
    assert answer["datasets"][1] == {"datatoken": TOKEN, "nonce": "7", "validOrder": RICH.tx_hash}
    assert set(answer["algorithm"]) == {"datatoken", "nonce", "validOrder"}


def test_no_fee_of_ours_is_quoted_for_anothers_asset() -> None:
    given = facts((dataset(), replace(foreign(), order=None)), algorithm(), with_orders=False)
    with pytest.raises(LookupError):
        make_quotes(Accepted.of(given), int(NOW) + 600, "7", keys_of(PROVIDER_KEY), Chains({8996: MemoryChain()}), {})
