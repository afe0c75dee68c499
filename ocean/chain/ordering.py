"""A consumer's transactions: approve the fee token, start an order, reuse one. Each answers the transaction hash."""

from __future__ import annotations

from dataclasses import dataclass

from eth_account.signers.local import LocalAccount

from ocean.addresses import ZERO, checksum
from ocean.chain.network import Network
from ocean.chain.transactions import account_of, send
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
) -> str:
    """Buy: one datatoken and the fees leave the account of `key`, the payer; `consumer` may use the order too.

    For a compute job the consumer is the environment's address. Approves the provider fee first where needed.
    Raises TransactionFailed (too few datatokens, fee tokens, …), ChainUnavailable.
    """
    fee = market_fee or MarketFee()
    await _allow(network, key, datatoken, quote)
    market = (checksum(fee.address), checksum(fee.token), fee.amount)
    values = (checksum(consumer), service_index, quote.tuple(), market)
    return (await send(network, key, network.function("ERC20Template", datatoken, "startOrder", *values))).tx_hash


async def reuse_order(network: Network, key: LocalAccount | str, datatoken: str, order_tx: str, quote: Quote) -> str:
    """Pay a new provider fee for an order of before; its time limit goes on. Raises as `start_order`."""
    await _allow(network, key, datatoken, quote)
    values = (bytes.fromhex(order_tx.removeprefix("0x")), quote.tuple())
    return (await send(network, key, network.function("ERC20Template", datatoken, "reuseOrder", *values))).tx_hash


async def approve(network: Network, key: LocalAccount | str, token: str, spender: str, amount: int) -> str:
    """Let `spender` take `amount` base units of `token`."""
    call = network.function("ERC20Template", token, "approve", checksum(spender), amount)
    return (await send(network, key, call)).tx_hash


async def _allow(network: Network, key: LocalAccount | str, datatoken: str, quote: Quote) -> None:
    if quote.amount == 0 or quote.fee_token == ZERO:
        return
    owner = account_of(key).address
    call = network.function("ERC20Template", quote.fee_token, "allowance", owner, checksum(datatoken))
    (allowed,) = await network.read(call)
    if allowed is None or allowed < quote.amount:
        await approve(network, key, quote.fee_token, datatoken, quote.amount)
