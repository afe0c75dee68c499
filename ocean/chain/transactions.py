"""Transactions of our own: web3 encodes them; here they are filled in, signed, sent, and their receipt is waited for.
For publishing, ordering, the development chain."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eth_account import Account
from eth_account.signers.local import LocalAccount
from hexbytes import HexBytes
from web3.contract.async_contract import AsyncContractConstructor, AsyncContractFunction
from web3.types import Nonce, TxParams, Wei

from ocean.chain.answers import Question, header, quantity, transaction_count
from ocean.chain.errors import AnswerMalformed, CallReverted, ChainUnavailable, NodeBusy, NodeRefused
from ocean.chain.errors import TransactionFailed as TransactionFailed
from ocean.chain.errors import TransactionUnconfirmed as TransactionUnconfirmed
from ocean.chain.logs import Receipt, receipt_of
from ocean.chain.node import Node

Call = AsyncContractFunction | AsyncContractConstructor
_TIP = Wei(10**9)
_POLL_SECONDS = 0.5
_POLL_SECONDS_OF = {8996: 0.005}  # the development chain mines at once


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction of a sequence. `gas` is its limit."""

    call: Call
    gas: int


def account_of(key: LocalAccount | str) -> LocalAccount:
    if isinstance(key, LocalAccount):
        return key
    account: LocalAccount = Account.from_key(key)
    return account


async def filled_in(node: Node, account: LocalAccount, call: Call, nonce: Nonce | None = None) -> TxParams:
    """The transaction with its nonce (None: the next), fees and limit of gas.

    Raises CallReverted, NodeRefused, ChainUnavailable."""
    if nonce is None:
        nonce = Nonce(await node.ask(transaction_count(account.address, "pending")))
    fees = await fees_of(node)
    given: TxParams = {"from": account.address, "nonce": nonce, "chainId": node.chain_id, "gas": 0, **fees}
    transaction = await call.build_transaction(given)
    # A fifth more: the state may change between the estimate and the block.
    transaction["gas"] = await _estimated_gas(node, transaction) * 6 // 5
    return transaction


async def fees_of(node: Node) -> TxParams:
    """What a unit of gas costs: with EIP-1559 where the newest block has a base fee, else the legacy gas price."""
    newest = await node.ask(header("latest"))
    if newest is None:
        raise ChainUnavailable(node.chain_id, "the node does not know its own head")
    if newest.base_fee is None:
        return {"gasPrice": Wei(await _price(node))}
    try:
        tip = quantity(await node.rpc.call("eth_maxPriorityFeePerGas"), "a priority fee")
    except NodeBusy:
        raise
    except (NodeRefused, AnswerMalformed):  # not every node has it
        tip = max(0, await _price(node) - newest.base_fee)
    # Twice the base fee leaves room for six full blocks.
    return {"maxFeePerGas": Wei(2 * newest.base_fee + tip), "maxPriorityFeePerGas": Wei(tip)}


async def _price(node: Node) -> int:
    return int(await node.ask(Question("eth_gasPrice", (), lambda found: quantity(found, "a gas price"))))


async def _estimated_gas(node: Node, transaction: TxParams) -> int:
    asked = {"from": transaction["from"], "data": HexBytes(transaction["data"]).to_0x_hex()}
    if transaction.get("to"):
        asked["to"] = str(transaction["to"])
    found = await node.rpc.call("eth_estimateGas", asked)
    try:
        return quantity(found, "an estimate of gas")
    except AnswerMalformed as exc:
        raise ChainUnavailable(node.chain_id, f"{exc.name} could not be read") from exc


async def send(
    node: Node,
    key: LocalAccount | str,
    call: Call,
    *,
    timeout_seconds: float = 120,
    signed: Callable[[str], None] | None = None,
) -> Receipt:
    """Estimate, sign, send, wait. `signed` is told the hash before anything is sent. Raises TransactionFailed (also
    when the estimate reverts: then nothing was sent), TransactionUnconfirmed, ChainUnavailable."""
    account = account_of(key)
    async with node.sending(account.address):
        try:
            tx_hash = await _sent(node, account, await filled_in(node, account, call), signed)
        except CallReverted as exc:
            raise TransactionFailed(exc.reason) from exc
    return await mined(node, tx_hash, timeout_seconds=timeout_seconds)


async def send_all(
    node: Node, key: LocalAccount | str, steps: Sequence[Step], *, timeout_seconds: float = 120
) -> list[Receipt]:
    """Send transactions with consecutive nonces, for a fresh chain; receipts in order. Raises as `send`.

    One after the other: anvil loses or leaves lying some of many that arrive at once (seen in one of five deployments).
    """
    account = account_of(key)
    first, block = await node.read(transaction_count(account.address, "pending"), header("latest"))
    shared: TxParams = {
        "from": account.address,
        "chainId": node.chain_id,
        "maxFeePerGas": Wei(2 * (block.base_fee or 0) + _TIP),
        "maxPriorityFeePerGas": _TIP,
    }
    receipts: list[Receipt] = []
    for index, step in enumerate(steps):
        try:
            given: TxParams = {**shared, "nonce": first + index, "gas": step.gas}
            tx_hash = await _sent(node, account, await step.call.build_transaction(given))
        except CallReverted as exc:
            raise TransactionFailed(exc.reason) from exc
        receipts.append(await mined(node, tx_hash, timeout_seconds=timeout_seconds))
    return receipts


async def mined(node: Node, tx_hash: str, *, timeout_seconds: float = 120) -> Receipt:
    """Wait for the receipt. Raises TransactionFailed, TransactionUnconfirmed, ChainUnavailable."""
    end = time.monotonic() + timeout_seconds
    while (receipt := await node.ask(receipt_of(tx_hash))) is None:
        if time.monotonic() >= end:
            raise TransactionUnconfirmed(tx_hash)
        await asyncio.sleep(poll_seconds(node))
    found: Receipt = receipt
    if not found.succeeded:
        raise TransactionFailed("reverted", found.tx_hash)
    return found


def poll_seconds(node: Node) -> float:
    """How often to look for a receipt."""
    return _POLL_SECONDS_OF.get(node.chain_id, _POLL_SECONDS)


async def _sent(
    node: Node, account: LocalAccount, transaction: TxParams, signed: Callable[[str], None] | None = None
) -> str:
    """The transaction's hash, which is ours to know."""
    made = account.sign_transaction(transaction)  # type: ignore[arg-type]
    if signed is not None:
        signed(str(made.hash.to_0x_hex()))
    await node.rpc.call("eth_sendRawTransaction", made.raw_transaction.to_0x_hex())
    return str(made.hash.to_0x_hex())
