"""How one datatoken can be had: from an exchange for a price, from a dispenser for nothing. For publishers who offer,
and consumers who take.

A datatoken names its exchanges and dispensers itself, and its publisher may have it name anything. So only those are
taken whose contract stands in Ocean's address file: others would be given leave to take the consumer's tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from eth_account.signers.local import LocalAccount

from ocean.addresses import ZERO, canonical, checksum
from ocean.chain.network import Network
from ocean.chain.transactions import Call, account_of, send

ONE: Final = 10**18  # base units of one datatoken, which pays one order
ENTERPRISE: Final = 2  # the template whose datatokens are sold only together with an order
_MOST: Final = 20  # of each kind that are looked at: the publisher may have made any number


@dataclass(frozen=True, slots=True)
class Offer:
    """One datatoken for `amount` base units of `base_token`, all fees of the exchange included; for nothing from a
    dispenser, which has no `exchange_id`. `with_order`: it is had only together with an order of it."""

    contract: str
    exchange_id: bytes | None
    base_token: str
    amount: int
    with_order: bool


async def find_offer(network: Network, datatoken: str, account: str) -> Offer | None:
    """The cheapest that this account may take, a dispenser before any exchange; None: it can be had from nobody but
    who mints it. Exchanges that take different tokens are not compared: the first is taken. Raises ChainUnavailable."""
    view, trusted = network.view, _trusted(network)
    identity, exchanges, dispensers = await network.read(
        view("ERC20Template", datatoken, "getId"),
        view("ERC20Template", datatoken, "getFixedRates"),
        view("ERC20Template", datatoken, "getDispensers"),
    )
    combined = identity == ENTERPRISE
    for address in (dispensers or ())[:_MOST]:
        if canonical(address) in trusted and await _gives(network, address, datatoken, account, combined=combined):
            return Offer(checksum(address), None, ZERO, 0, combined)
    found = [
        offer
        for address, identifier in (exchanges or ())[:_MOST]
        if canonical(address) in trusted
        and (offer := await _sale(network, address, identifier, datatoken, account, combined=combined)) is not None
    ]
    same = [offer for offer in found if offer.base_token == found[0].base_token]
    return min(same, key=lambda offer: offer.amount, default=None)


async def take(network: Network, key: LocalAccount | str, datatoken: str, offer: Offer) -> None:
    """Get one datatoken. Raises ValueError for an offer that is had with an order only, TransactionFailed,
    ChainUnavailable."""
    if offer.with_order:
        raise ValueError("this datatoken is had together with an order only")
    if offer.exchange_id is None:
        receiver = account_of(key).address
        given: Call = network.function("Dispenser", offer.contract, "dispense", checksum(datatoken), ONE, receiver)
    else:
        await allow(network, key, offer.base_token, offer.contract, offer.amount)
        bought = (offer.exchange_id, ONE, offer.amount, ZERO, 0)
        given = network.function("FixedRateExchange", offer.contract, "buyDT", *bought)
    await send(network, key, given)


async def allow(network: Network, key: LocalAccount | str, token: str, spender: str, amount: int) -> None:
    """Let a contract take `amount` base units of a token, if it may not yet. Raises TransactionFailed,
    ChainUnavailable."""
    if amount == 0 or token == ZERO:
        return
    owner = account_of(key).address
    (allowed,) = await network.read(network.function("ERC20Template", token, "allowance", owner, checksum(spender)))
    if allowed is None or allowed < amount:
        await send(network, key, network.function("ERC20Template", token, "approve", checksum(spender), amount))


async def give_away(network: Network, key: LocalAccount | str, datatoken: str) -> None:
    """A dispenser that mints, one datatoken at a time, for everybody. Raises TransactionFailed, ChainUnavailable."""
    arguments = (checksum(network.addresses["Dispenser"]), ONE, ONE, True, ZERO)
    await send(network, key, network.function("ERC20Template", datatoken, "createDispenser", *arguments))


async def sell(network: Network, key: LocalAccount | str, datatoken: str, rate: int, base_token: str = "") -> bytes:
    """An exchange that mints, paid to the account of `key`; its id. `rate`: whole base tokens for one datatoken, with
    18 digits behind the point. `base_token`: "" for the chain's Ocean token. Raises TransactionFailed,
    ChainUnavailable."""
    owner, paid = account_of(key).address, checksum(base_token or network.ocean)
    decimals = await network.token_decimals(paid)
    contract = checksum(network.addresses["FixedPrice"])
    call = network.function(
        "ERC20Template",
        datatoken,
        "createFixedRate",
        contract,
        [paid, owner, owner, ZERO],
        [decimals, 18, rate, 0, 1],
    )
    await send(network, key, call)
    (identifier,) = await network.read(
        network.view("FixedRateExchange", contract, "generateExchangeId", paid, checksum(datatoken))
    )
    return bytes(identifier)


def _trusted(network: Network) -> set[str]:
    named = (network.addresses.get(name) for name in ("FixedPrice", "FixedPriceEnterprise", "Dispenser"))
    return {canonical(address) for address in named if isinstance(address, str) and address}


async def _gives(network: Network, dispenser: str, datatoken: str, account: str, *, combined: bool) -> bool:
    (status,) = await network.read(network.view("Dispenser", dispenser, "status", checksum(datatoken)))
    if status is None:
        return False
    active, _, mints, most, most_balance, balance, swapper = status
    (held,) = await network.read(network.view("ERC20Template", datatoken, "balanceOf", checksum(account)))
    room = combined or (held or 0) < most_balance  # what the account has already counts
    return bool(active and (mints or balance >= ONE) and most >= ONE and room) and _may(
        swapper, datatoken, account, combined=combined
    )


async def _sale(
    network: Network, exchange: str, identifier: bytes, datatoken: str, account: str, *, combined: bool
) -> Offer | None:
    found, price, swapper = await network.read(
        network.view("FixedRateExchange", exchange, "getExchange", identifier),
        network.view("FixedRateExchange", exchange, "calcBaseInGivenOutDT", identifier, ONE, 0),
        network.view("FixedRateExchange", exchange, "getAllowedSwapper", identifier),
    )
    if found is None or price is None or swapper is None:
        return None
    _, sold, _, base_token, _, _, active, supply, *_ = found
    if not active or canonical(sold) != canonical(datatoken) or supply < ONE:
        return None
    if not _may(swapper, datatoken, account, combined=combined):
        return None
    return Offer(checksum(exchange), bytes(identifier), checksum(base_token), int(price[0]), combined)


def _may(swapper: Any, datatoken: str, account: str, *, combined: bool) -> bool:
    """Whether this is open to the account itself or, for what is had with an order, to the datatoken."""
    taker = datatoken if combined else account
    return canonical(swapper) in (ZERO, canonical(taker))
