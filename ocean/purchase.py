"""Buying what a compute job needs: the orders that a provider's answer to `initializeCompute` asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_account.signers.local import LocalAccount

from ocean.chain.network import Network
from ocean.chain.ordering import reuse_order, start_order
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


async def order_all(
    network: Network,
    key: LocalAccount | str,
    environment_consumer: str,
    wishes: Sequence[Wish],
    answers: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Do for each wish what the provider's answer to it asks for; references with `transferTxId`, in order.

    The account of `key` pays, the environment is the consumer, because it will download. Datatokens must be there.
    Raises TransactionFailed, ChainUnavailable, LookupError (an asset without that service), QuoteMalformed.
    """
    if len(wishes) != len(answers):
        raise ValueError(f"{len(answers)} answers for {len(wishes)} assets")
    # Sent one after the other (nonces), waited for together.
    hashes = await each_to_its_end(
        *(
            order_one(network, key, environment_consumer, wish, answer)
            for wish, answer in zip(wishes, answers, strict=True)
        )
    )
    return [wish.reference(tx) for wish, tx in zip(wishes, hashes, strict=True)]


async def order_one(
    network: Network, key: LocalAccount | str, environment_consumer: str, wish: Wish, answer: Mapping[str, Any]
) -> str:
    """The hash to use: a valid order needs nothing, one with a new fee is renewed, anything else is bought."""
    valid_order, fee = answer.get("validOrder"), answer.get("providerFee")
    if fee is None:
        if not isinstance(valid_order, str):
            raise ValueError("the answer asks for nothing and names no order")
        return valid_order
    quote, index = Quote.from_json(fee), wish.ddo.service_index(wish.service_id)
    if index is None:
        raise LookupError(f"{wish.ddo.id} has no service {wish.service_id}")
    datatoken = wish.ddo.services[index].datatoken_address
    if valid_order:
        return await reuse_order(network, key, datatoken, valid_order, quote)
    return await start_order(network, key, datatoken, environment_consumer, index, quote)
