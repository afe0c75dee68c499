"""Orders that somebody else sends: for contract wallets, through the factory, in one transaction with other things."""

from __future__ import annotations

import pytest

from ocean.addresses import ZERO
from ocean.chain.contracts import event
from ocean.chain.ordering import reuse_order
from ocean.chain.orders import OrderInvalid, verify_order
from ocean.chain.publishing import mint
from ocean.chain.transactions import Call, send
from tests.support.chain import ONE, Asset, Chain, consumer, environment, publisher, stranger
from tests.support.forwarder import deploy_wallet, send_together, through

pytestmark = pytest.mark.integration


async def refusal(chain: Chain, asset: Asset, tx: str, sender: str) -> str:
    with pytest.raises(OrderInvalid) as caught:
        await verify_order(chain.network, chain.request(asset, tx, sender=sender))
    return caught.value.reason


async def payer(chain: Chain, asset: Asset, tx: str, sender: str) -> str:
    return (await verify_order(chain.network, chain.request(asset, tx, sender=sender))).payer


async def wallet_with(chain: Chain, *assets: Asset, each: int = ONE) -> str:
    """A contract wallet that owns datatokens, which the factory may take."""
    wallet = await deploy_wallet(chain.network, stranger)
    for asset in assets:
        await mint(chain.network, publisher, asset.datatoken, wallet, each)
        approve = chain.network.function("ERC20Template", asset.datatoken, "approve", chain.network.factory, each)
        await send_together(chain.network, stranger, [through(wallet, approve)])
    return wallet


def bundle(chain: Chain, *assets: Asset) -> Call:
    orders = [
        (asset.datatoken, environment.address, 0, chain.quote(asset).tuple(), (ZERO, ZERO, 0)) for asset in assets
    ]
    return chain.network.function("ERC721Factory", chain.network.factory, "startMultipleTokenOrder", orders)


def move(chain: Chain, asset: Asset, amount: int = ONE) -> Call:
    """Datatokens to the factory, for nothing."""
    return chain.network.function("ERC20Template", asset.datatoken, "transfer", chain.network.factory, amount)


async def test_a_bundle_for_a_contract_wallet_is_the_wallets(chain: Chain) -> None:
    first, second = await chain.publish(), await chain.publish()
    wallet = await wallet_with(chain, first, second)
    tx = await send_together(chain.network, stranger, [through(wallet, bundle(chain, first, second))])
    for asset in (first, second):
        assert await payer(chain, asset, tx, wallet) == wallet
        assert await refusal(chain, asset, tx, stranger.address) == "sender_mismatch", "who sends it has not paid"


async def test_an_order_by_a_contract_wallet_without_the_factory(chain: Chain) -> None:
    asset = await chain.publish()
    wallet = await wallet_with(chain, asset)
    values = (environment.address, 0, chain.quote(asset).tuple(), (ZERO, ZERO, 0))
    order = chain.network.function("ERC20Template", asset.datatoken, "startOrder", *values)
    tx = await send_together(chain.network, stranger, [through(wallet, order)])
    assert await payer(chain, asset, tx, wallet) == wallet
    assert await refusal(chain, asset, tx, stranger.address) == "sender_mismatch"


@pytest.mark.parametrize("amount", [1, ONE - 1, ONE, 2 * ONE])
@pytest.mark.parametrize("before", [True, False])
async def test_transfers_of_others_in_the_same_transaction_buy_nothing(chain: Chain, before: bool, amount: int) -> None:
    """Who sends the bundle moves datatokens to the factory as well, which is not to pay for the wallet's order."""
    asset = await chain.publish()
    victim, thief = await wallet_with(chain, asset), await wallet_with(chain, asset, each=2 * ONE)
    calls = [through(victim, bundle(chain, asset))]
    calls.insert(0 if before else 1, through(thief, move(chain, asset, amount)))
    tx = await send_together(chain.network, stranger, calls)
    assert await payer(chain, asset, tx, victim) == victim
    for other in (thief, stranger.address):
        assert await refusal(chain, asset, tx, other) == "sender_mismatch"


async def test_a_transfer_of_another_datatoken_buys_nothing(chain: Chain) -> None:
    asset, cheap = await chain.publish(), await chain.attackers_asset()
    victim, thief = await wallet_with(chain, asset), await deploy_wallet(chain.network, stranger)
    await mint(chain.network, stranger, cheap.datatoken, thief)
    calls = [through(thief, move(chain, cheap)), through(victim, bundle(chain, asset))]
    tx = await send_together(chain.network, stranger, calls)
    assert await payer(chain, asset, tx, victim) == victim
    assert await refusal(chain, asset, tx, thief) == "sender_mismatch"


async def test_two_wallets_in_one_transaction_have_an_order_each(chain: Chain) -> None:
    asset = await chain.publish()
    wallets = [await wallet_with(chain, asset) for _ in range(2)]
    tx = await send_together(chain.network, stranger, [through(wallet, bundle(chain, asset)) for wallet in wallets])
    for wallet in wallets:
        assert await payer(chain, asset, tx, wallet) == wallet


async def test_another_contract_is_not_the_factory(chain: Chain) -> None:
    """Whoever takes datatokens and orders with them has an order of his own, not of whom he took them from."""
    asset = await chain.publish()
    false_factory = await deploy_wallet(chain.network, stranger)
    await mint(chain.network, publisher, asset.datatoken, consumer.address)
    give = chain.network.function("ERC20Template", asset.datatoken, "approve", false_factory, ONE)
    await send(chain.network, consumer, give)
    take = chain.network.function(
        "ERC20Template", asset.datatoken, "transferFrom", consumer.address, false_factory, ONE
    )
    values = (environment.address, 0, chain.quote(asset).tuple(), (ZERO, ZERO, 0))
    order = chain.network.function("ERC20Template", asset.datatoken, "startOrder", *values)
    tx = await send_together(chain.network, stranger, [through(false_factory, take), through(false_factory, order)])
    assert await payer(chain, asset, tx, false_factory) == false_factory
    assert await refusal(chain, asset, tx, consumer.address) == "sender_mismatch"


async def test_a_wallets_order_is_reused_by_the_wallet(chain: Chain) -> None:
    asset = await chain.publish()
    wallet = await wallet_with(chain, asset)
    start = await send_together(chain.network, stranger, [through(wallet, bundle(chain, asset))])
    again = (bytes.fromhex(start[2:]), chain.quote(asset).tuple())
    reuse = chain.network.function("ERC20Template", asset.datatoken, "reuseOrder", *again)
    tx = await send_together(chain.network, stranger, [through(wallet, reuse)])
    assert await payer(chain, asset, tx, wallet) == wallet
    stolen = await reuse_order(chain.network, stranger, asset.datatoken, start, chain.quote(asset))
    assert await refusal(chain, asset, stolen, wallet) == "reuse_by_stranger"


# --- Bought and ordered in one transaction ---------------------------------------------------------------------------


def order_values(chain: Chain, asset: Asset) -> tuple[object, ...]:
    return (environment.address, 0, chain.quote(asset).tuple(), (ZERO, ZERO, 0))


async def test_bought_at_the_exchange_with_a_token_of_six_decimals(chain: Chain) -> None:
    network = chain.network
    asset = await chain.publish(template=2)
    usdc, exchange = network.addresses["MockUSDC"], network.addresses["FixedPrice"]
    addresses = [usdc, publisher.address, ZERO, ZERO]
    numbers = [6, 18, 3 * ONE, 0, 1]  # decimals, rate, market fee, minted when it is bought
    create = network.function(
        "ERC20TemplateEnterprise", asset.datatoken, "createFixedRate", exchange, addresses, numbers
    )
    receipt = await send(network, publisher, create)
    made = event("ERC20TemplateEnterprise", "NewFixedRate")
    exchange_id = next(made.decode(log)["exchangeId"] for log in receipt.logs if log.topics[0] == made.topic)
    before = await network.balance(usdc, consumer.address)
    await send(network, consumer, network.function("ERC20Template", usdc, "approve", asset.datatoken, 4 * 10**6))
    buy = (exchange, exchange_id, 4 * 10**6, 0, ZERO)
    values = (order_values(chain, asset), buy)
    call = network.function("ERC20TemplateEnterprise", asset.datatoken, "buyFromFreAndOrder", *values)
    tx = (await send(network, consumer, call)).tx_hash
    order = await verify_order(network, chain.request(asset, tx))
    assert (order.payer, order.amount) == (consumer.address, ONE)
    assert before - await network.balance(usdc, consumer.address) >= 3 * 10**6
    assert await refusal(chain, asset, tx, stranger.address) == "sender_mismatch"


async def test_taken_from_the_dispenser(chain: Chain) -> None:
    network = chain.network
    asset = await chain.publish(template=2)
    dispenser = network.addresses["Dispenser"]
    create = network.function(
        "ERC20TemplateEnterprise", asset.datatoken, "createDispenser", dispenser, ONE, ONE, True, ZERO
    )
    await send(network, publisher, create)
    values = (order_values(chain, asset), dispenser)
    call = network.function("ERC20TemplateEnterprise", asset.datatoken, "buyFromDispenserAndOrder", *values)
    tx = (await send(network, consumer, call)).tx_hash
    assert await payer(chain, asset, tx, consumer.address) == consumer.address
    assert await refusal(chain, asset, tx, stranger.address) == "sender_mismatch"
