"""A consumer's transactions: start an order, with or without the datatoken's purchase, and reuse one. Each answers the
transaction hash."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from eth_account.signers.local import LocalAccount

from ocean.addresses import ZERO, canonical, checksum
from ocean.chain.network import Network
from ocean.chain.offers import Offer, allow
from ocean.chain.transactions import Call, send
from ocean.fees import Quote


@dataclass(frozen=True, slots=True)
class MarketFee:
    """What a market that shows the asset takes for an order; `amount` in base units of `token`."""

    address: str = ZERO
    token: str = ZERO
    amount: int = 0


async def start_order(
    network: Network,
    key: LocalAccount | str,
    datatoken: str,
    consumer: str,
    service_index: int,
    quote: Quote,
    market_fee: MarketFee | None = None,
    signed: Callable[[str], None] | None = None,
) -> str:
    """Buy: one datatoken and the fees leave the account of `key`, the payer; `consumer` may use the order too.

    For a compute job the consumer is the environment's address. Approves the provider fee first where needed.
    `signed` is told the order's hash before it is sent.
    Raises TransactionFailed (too few datatokens, fee tokens, …), ChainUnavailable.
    """
    await _allow(network, key, datatoken, {quote.fee_token: quote.amount})
    values = _order(consumer, service_index, quote, market_fee)
    call = network.function("ERC20Template", datatoken, "startOrder", *values)
    return (await send(network, key, call, signed=signed)).tx_hash


async def buy_and_order(
    network: Network,
    key: LocalAccount | str,
    datatoken: str,
    consumer: str,
    service_index: int,
    quote: Quote,
    offer: Offer,
    market_fee: MarketFee | None = None,
    signed: Callable[[str], None] | None = None,
) -> str:
    """As `start_order`, of a datatoken that is had with an order only: the one transaction pays for both."""
    amounts = {quote.fee_token: quote.amount}
    amounts[offer.base_token] = amounts.get(offer.base_token, 0) + offer.amount
    await _allow(network, key, datatoken, amounts)
    order, template = _order(consumer, service_index, quote, market_fee), "ERC20TemplateEnterprise"
    if offer.exchange_id is None:
        call: Call = network.function(template, datatoken, "buyFromDispenserAndOrder", order, offer.contract)
    else:
        bought = (offer.contract, offer.exchange_id, offer.amount, 0, ZERO)
        call = network.function(template, datatoken, "buyFromFreAndOrder", order, bought)
    return (await send(network, key, call, signed=signed)).tx_hash


async def reuse_order(
    network: Network,
    key: LocalAccount | str,
    datatoken: str,
    order_tx: str,
    quote: Quote,
    signed: Callable[[str], None] | None = None,
) -> str:
    """Pay a new provider fee for an order of before; its time limit goes on. Raises as `start_order`."""
    await allow(network, key, quote.fee_token, datatoken, quote.amount)
    values = (bytes.fromhex(order_tx.removeprefix("0x")), quote.tuple())
    call = network.function("ERC20Template", datatoken, "reuseOrder", *values)
    return (await send(network, key, call, signed=signed)).tx_hash


def _order(consumer: str, service_index: int, quote: Quote, market_fee: MarketFee | None) -> tuple[Any, ...]:
    fee = market_fee or MarketFee()
    market = (checksum(fee.address), checksum(fee.token), fee.amount)
    return checksum(consumer), service_index, quote.tuple(), market


async def _allow(network: Network, key: LocalAccount | str, datatoken: str, amounts: Mapping[str, int]) -> None:
    """Let the datatoken take what the order costs, the publishing market's fee among it."""
    wanted = {canonical(token): amount for token, amount in amounts.items()}
    (fee,) = await network.read(network.view("ERC20Template", datatoken, "getPublishingMarketFee"))
    if fee is not None and fee[2]:
        wanted[canonical(fee[1])] = wanted.get(canonical(fee[1]), 0) + int(fee[2])
    for token, amount in wanted.items():
        await allow(network, key, token, datatoken, amount)
