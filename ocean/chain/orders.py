"""Verify an order: ask the chain once or twice, then judge by `order_rules`. Never waits for a transaction."""

from __future__ import annotations

import time
from dataclasses import replace

from ocean.chain.logs import Receipt
from ocean.chain.network import Network
from ocean.chain.order_rules import LONGEST_REUSE_CHAIN, check_order, references
from ocean.chain.order_values import (
    REASONS,
    Evidence,
    Order,
    OrderInvalid,
    OrderRequest,
    normal_hash,
)

__all__ = [
    "REASONS",
    "Order",
    "OrderInvalid",
    "OrderRequest",
    "check_order",
    "normal_hash",
    "verify_order",
]


async def verify_order(network: Network, request: OrderRequest, *, now: float | None = None) -> Order:
    """The order behind `request.tx_hash`; one round trip, one more for each link of a chain of reuses.

    `now`: Unix seconds, the clock if None. Raises OrderInvalid with the first broken rule, ChainUnavailable.
    """
    request = replace(request, tx_hash=normal_hash(request.tx_hash))
    reading = await network.read_order(request.nft, request.datatoken, request.tx_hash)
    receipts: dict[str, Receipt] = {}
    if reading.receipt is not None:
        if reading.head - reading.receipt.block_number + 1 < network.confirmations:
            raise OrderInvalid("not_confirmed")
        receipts = await _with_referenced(network, reading.receipt, request.datatoken)
    evidence = Evidence(reading.of_factory, reading.deployed, network.factory, receipts)
    return check_order(request, evidence, time.time() if now is None else now)


async def _with_referenced(network: Network, receipt: Receipt, datatoken: str) -> dict[str, Receipt]:
    """The receipt and those it refers to, directly and through further reuses; a bounded number of both."""
    known, pending = {receipt.tx_hash: receipt}, references(receipt, datatoken)
    asked: set[str] = {receipt.tx_hash}
    while pending := [tx_hash for tx_hash in dict.fromkeys(pending) if tx_hash not in asked]:
        if len(asked) + len(pending) > LONGEST_REUSE_CHAIN + 1:
            raise OrderInvalid("reuse_chain_too_long")
        asked.update(pending)
        found = [answer for answer in await network.receipts(pending) if answer is not None]
        known |= {answer.tx_hash: answer for answer in found}
        pending = [tx_hash for answer in found for tx_hash in references(answer, datatoken)]
    return known
