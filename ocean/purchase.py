"""Buying what a compute job needs: the orders that a provider's answer to `initializeCompute` asks for, and the
datatokens for them where the account has none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_account.signers.local import LocalAccount

from ocean.chain.errors import NotForSale as NotForSale
from ocean.chain.network import Network
from ocean.chain.offers import ONE, Offer, find_offer, take
from ocean.chain.ordering import buy_and_order, reuse_order, start_order
from ocean.chain.transactions import account_of
from ocean.ddo import DDO
from ocean.fees import Quote
from ocean.kit.together import each_to_its_end


@dataclass(frozen=True)
class Wish:
    """One asset that a job shall use, through one of its services; `transfer_tx` when it was bought before."""

    ddo: DDO
    service_id: str
    transfer_tx: str | None = None
    userdata: Mapping[str, Any] | None = None

    def reference(self, transfer_tx: str | None = None) -> dict[str, Any]:
        """As requests name it."""
        tx = transfer_tx or self.transfer_tx
        reference: dict[str, Any] = {"documentId": self.ddo.id, "serviceId": self.service_id}
        if tx is not None:
            reference["transferTxId"] = tx
        if self.userdata is not None:
            reference["userdata"] = dict(self.userdata)
        return reference


@dataclass(frozen=True, slots=True)
class Purchase:
    """What one asset needs. `quote`: the provider's fee to pay; None: `order` is valid as it is. `order`: to reuse, or
    None for a new one. `offer`: how to come by the datatoken; None where the account has one, or none is needed."""

    wish: Wish
    datatoken: str
    service_index: int
    quote: Quote | None
    order: str | None
    offer: Offer | None

    @property
    def costs(self) -> dict[str, int]:
        """Base units by token's address."""
        found: dict[str, int] = {}
        for token, amount in (
            *(((self.quote.fee_token, self.quote.amount),) if self.quote is not None else ()),
            *(((self.offer.base_token, self.offer.amount),) if self.offer is not None else ()),
        ):
            if amount:
                found[token] = found.get(token, 0) + amount
        return found


async def plan(
    network: Network, account: str, wishes: Sequence[Wish], answers: Sequence[Mapping[str, Any]]
) -> list[Purchase]:
    """What has to be bought by an account (address) for each wish, by the provider's answer to it; nothing is bought.

    Raises NotForSale, ChainUnavailable, LookupError (an asset without that service), QuoteMalformed, ValueError.
    """
    if len(wishes) != len(answers):
        raise ValueError(f"{len(answers)} answers for {len(wishes)} assets")
    left: dict[str, int] = {}  # of each datatoken that several of them may need
    found = []
    for wish, answer in zip(wishes, answers, strict=True):
        datatoken, index = _service(wish)
        order, fee = answer.get("validOrder"), answer.get("providerFee")
        order = order if isinstance(order, str) and order else None
        if fee is None and order is None:
            raise ValueError("the answer asks for nothing and names no order")
        quote = None if fee is None else Quote.from_json(fee)
        offer = None
        if quote is not None and order is None:
            if datatoken not in left:
                left[datatoken] = await network.balance(datatoken, account)
            left[datatoken] -= ONE
            if left[datatoken] < 0:
                offer = await find_offer(network, datatoken, account)
                if offer is None:
                    raise NotForSale(wish.ddo.id, datatoken)
        found.append(Purchase(wish, datatoken, index, quote, order, offer))
    return found


async def carry_out(
    network: Network,
    key: LocalAccount | str,
    consumer: str,
    purchase: Purchase,
    *,
    signed: Callable[[str], None] | None = None,
) -> str:
    """Buy what is missing; the order's transaction. `consumer`: the environment's address, which will download.
    `signed` is told the transaction's hash before it is sent, so that nothing that was paid is ever forgotten.

    Raises TransactionFailed, ChainUnavailable.
    """
    if purchase.quote is None:
        return str(purchase.order)
    if purchase.order is not None:
        return await reuse_order(network, key, purchase.datatoken, purchase.order, purchase.quote, signed)
    order = (network, key, purchase.datatoken, consumer, purchase.service_index, purchase.quote)
    if purchase.offer is not None and purchase.offer.with_order:
        return await buy_and_order(*order, purchase.offer, signed=signed)
    if purchase.offer is not None:
        await take(network, key, purchase.datatoken, purchase.offer)
    return await start_order(*order, signed=signed)


async def order_all(
    network: Network,
    key: LocalAccount | str,
    environment_consumer: str,
    wishes: Sequence[Wish],
    answers: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Do for each wish what the provider's answer to it asks for; references with `transferTxId`, in order.

    The account of `key` pays, the environment is the consumer, because it will download. Raises as `plan` and
    `carry_out` do.
    """
    purchases = await plan(network, account_of(key).address, wishes, answers)
    # Sent one after the other (nonces), waited for together.
    hashes = await each_to_its_end(*(carry_out(network, key, environment_consumer, each) for each in purchases))
    return [wish.reference(tx) for wish, tx in zip(wishes, hashes, strict=True)]


def _service(wish: Wish) -> tuple[str, int]:
    """Its datatoken and its place in the document. Raises LookupError."""
    index = wish.ddo.service_index(wish.service_id)
    if index is None:
        raise LookupError(f"{wish.ddo.id} has no service {wish.service_id}")
    return wish.ddo.services[index].datatoken_address, index
