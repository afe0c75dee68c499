"""Datatokens that are sold, given away, or not to be had: both templates, real exchanges and dispensers."""

from __future__ import annotations

from typing import Any

import pytest

from ocean.addresses import ZERO, canonical, checksum
from ocean.chain.offers import ONE, Offer, find_offer, give_away, sell, take
from ocean.chain.orders import verify_order
from ocean.chain.transactions import send
from ocean.purchase import NotForSale, Wish, order_all, plan
from tests.support.chain import Asset, Chain, consumer, environment, publisher, stranger

pytestmark = pytest.mark.integration
TEMPLATES = (1, 2)


async def offer_of(chain: Chain, asset: Asset, account: str = consumer.address) -> Offer | None:
    return await find_offer(chain.network, asset.datatoken, account)


async def bought(chain: Chain, asset: Asset, amount: int = 0) -> tuple[str, dict[str, int]]:
    """Order it as a consumer who has no datatoken; the transaction, and what `plan` has said that it costs."""
    wishes, answers = [Wish(asset.ddo, "main")], [{"providerFee": chain.quote(asset, amount=amount).to_json()}]
    (purchase,) = await plan(chain.network, consumer.address, wishes, answers)
    (reference,) = await order_all(chain.network, consumer, environment.address, wishes, answers)
    return reference["transferTxId"], purchase.costs


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("fee", [0, 3 * ONE])
async def test_a_datatoken_that_is_sold(chain: Chain, template: int, fee: int) -> None:
    asset = await chain.publish(template=template)
    await sell(chain.network, publisher, asset.datatoken, 5 * ONE // 2)
    before = await chain.network.balance(chain.network.ocean, consumer.address)
    tx, costs = await bought(chain, asset, fee)
    assert (await verify_order(chain.network, chain.request(asset, tx))).payer == consumer.address
    paid = before - await chain.network.balance(chain.network.ocean, consumer.address)
    assert costs == {chain.network.ocean: paid}
    assert 5 * ONE // 2 + fee <= paid < 26 * ONE // 10 + fee


@pytest.mark.parametrize("template", TEMPLATES)
async def test_a_datatoken_that_is_given_away(chain: Chain, template: int) -> None:
    asset = await chain.publish(template=template)
    await give_away(chain.network, publisher, asset.datatoken)
    tx, costs = await bought(chain, asset)
    assert costs == {}
    assert (await verify_order(chain.network, chain.request(asset, tx))).payer == consumer.address


async def test_who_has_a_datatoken_buys_none(chain: Chain) -> None:
    asset = await chain.publish()
    await sell(chain.network, publisher, asset.datatoken, ONE)
    await chain.give(asset)
    _, costs = await bought(chain, asset)
    assert costs == {}


async def test_a_gift_goes_before_a_price(chain: Chain) -> None:
    asset = await chain.publish()
    await sell(chain.network, publisher, asset.datatoken, ONE)
    await give_away(chain.network, publisher, asset.datatoken)
    offer = await offer_of(chain, asset)
    assert offer is not None
    assert (offer.amount, offer.exchange_id, offer.base_token) == (0, None, ZERO)


async def test_nothing_is_offered(chain: Chain) -> None:
    asset = await chain.publish()
    assert await offer_of(chain, asset) is None
    with pytest.raises(NotForSale) as caught:
        await bought(chain, asset)
    assert caught.value.datatoken == asset.datatoken


async def test_an_exchange_that_is_closed(chain: Chain) -> None:
    asset = await chain.publish()
    identifier = await sell(chain.network, publisher, asset.datatoken, ONE)
    contract = chain.network.addresses["FixedPrice"]
    switch = chain.network.function("FixedRateExchange", contract, "toggleExchangeState", identifier)
    await send(chain.network, publisher, switch)
    assert await offer_of(chain, asset) is None


@pytest.mark.parametrize("kind", ["exchange", "dispenser"])
async def test_what_is_open_to_one_account_only(chain: Chain, kind: str) -> None:
    asset = await chain.publish()
    addresses, function = chain.network.addresses, chain.network.function
    if kind == "exchange":
        owners = [chain.network.ocean, publisher.address, publisher.address, stranger.address]
        given: tuple[Any, ...] = (checksum(addresses["FixedPrice"]), owners, [18, 18, ONE, 0, 1])
        call = function("ERC20Template", asset.datatoken, "createFixedRate", *given)
    else:
        given = (checksum(addresses["Dispenser"]), ONE, ONE, True, stranger.address)
        call = function("ERC20Template", asset.datatoken, "createDispenser", *given)
    await send(chain.network, publisher, call)
    assert await offer_of(chain, asset) is None
    assert await offer_of(chain, asset, stranger.address) is not None


async def test_a_contract_that_the_address_file_does_not_name(chain: Chain) -> None:
    """A datatoken may name any exchange; one that nobody knows would be given leave to take the consumer's tokens."""
    asset = await chain.publish()
    await sell(chain.network, publisher, asset.datatoken, ONE)
    known = dict(chain.network.addresses)
    try:
        chain.network.addresses["FixedPrice"] = stranger.address
        assert await offer_of(chain, asset) is None
    finally:
        chain.network.addresses.update(known)


async def test_only_the_price_is_allowed_to_be_taken(chain: Chain) -> None:
    asset = await chain.publish()
    await sell(chain.network, publisher, asset.datatoken, ONE)
    offer = await offer_of(chain, asset)
    assert offer is not None
    await take(chain.network, consumer, asset.datatoken, offer)
    allowance = chain.network.view(
        "ERC20Template", chain.network.ocean, "allowance", consumer.address, checksum(offer.contract)
    )
    (left,) = await chain.network.read(allowance)
    assert left == 0
    assert canonical(offer.contract) == canonical(chain.network.addresses["FixedPrice"])
    assert await chain.network.balance(asset.datatoken, consumer.address) == ONE
