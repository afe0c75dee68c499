"""Transactions of our own: web3 fills them in, we sign here, send, wait for the receipt. For publishing, ordering, the
development chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_account import Account
from eth_account.signers.local import LocalAccount
from hexbytes import HexBytes
from web3.contract.async_contract import AsyncContractConstructor, AsyncContractFunction
from web3.exceptions import TimeExhausted
from web3.types import Nonce, TxParams, Wei

from ocean.chain.errors import CallReverted
from ocean.chain.logs import Receipt
from ocean.chain.node import Node

Call = AsyncContractFunction | AsyncContractConstructor
_TIP = Wei(10**9)
_POLL_SECONDS = 0.5
_POLL_SECONDS_OF = {8996: 0.005}  # the development chain mines at once


class TransactionFailed(RuntimeError):
    """A transaction was refused or reverted; `tx_hash` is None when it was never sent."""

    def __init__(self, reason: str, tx_hash: str | None = None) -> None:
        super().__init__(f"transaction failed: {reason}")
        self.reason = reason
        self.tx_hash = tx_hash


class TransactionUnconfirmed(TimeoutError):
    """Sent, but not mined in time; it may still be."""

    def __init__(self, tx_hash: str) -> None:
        super().__init__(f"transaction {tx_hash} is not mined yet")
        self.tx_hash = tx_hash


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
    """The transaction with its nonce (None: the next), fees and limit of gas. Raises web3's errors: use it within
    `node.translated`."""
    if nonce is None:
        nonce = await node.web3.eth.get_transaction_count(account.address, "pending")
    transaction = await call.build_transaction({"from": account.address, "nonce": nonce, "chainId": node.chain_id})
    # A fifth more: the state may change between the estimate and the block.
    transaction["gas"] = transaction["gas"] * 6 // 5
    return transaction


async def send(node: Node, key: LocalAccount | str, call: Call, *, timeout_seconds: float = 120) -> Receipt:
    """Estimate, sign, send, wait. Raises TransactionFailed (also when the estimate reverts: then nothing was sent),
    TransactionUnconfirmed, ChainUnavailable."""
    account = account_of(key)
    async with node.sending(account.address):
        try:
            with node.translated():
                tx_hash = await _sent(node, account, await filled_in(node, account, call))
        except CallReverted as exc:
            raise TransactionFailed(exc.reason) from exc
    return await mined(node, tx_hash, timeout_seconds=timeout_seconds)


async def send_all(
    node: Node, key: LocalAccount | str, steps: Sequence[Step], *, timeout_seconds: float = 120
) -> list[Receipt]:
    """Send transactions with consecutive nonces, for a fresh chain; receipts in order. Raises as `send`.

    One after the other: anvil loses or leaves lying some of many that arrive at once (seen in one of five deployments).
    """
    account, eth = account_of(key), node.web3.eth
    first, block = await node.read(eth.get_transaction_count(account.address, "pending"), eth.get_block("latest"))
    shared: TxParams = {
        "from": account.address,
        "chainId": node.chain_id,
        # Twice the base fee leaves room for six full blocks.
        "maxFeePerGas": Wei(2 * block.get("baseFeePerGas", 0) + _TIP),
        "maxPriorityFeePerGas": _TIP,
    }
    receipts: list[Receipt] = []
    for index, step in enumerate(steps):
        try:
            with node.translated():
                given: TxParams = {**shared, "nonce": first + index, "gas": step.gas}
                tx_hash = await _sent(node, account, await step.call.build_transaction(given))
        except CallReverted as exc:
            raise TransactionFailed(exc.reason) from exc
        receipts.append(await mined(node, tx_hash, timeout_seconds=timeout_seconds))
    return receipts


async def mined(node: Node, tx_hash: HexBytes, *, timeout_seconds: float = 120) -> Receipt:
    """Wait for the receipt. Raises TransactionFailed, TransactionUnconfirmed, ChainUnavailable."""
    with node.translated():
        try:
            answer = await node.web3.eth.wait_for_transaction_receipt(tx_hash, timeout_seconds, poll_seconds(node))
        except TimeExhausted as exc:
            raise TransactionUnconfirmed(tx_hash.to_0x_hex()) from exc
    receipt = Receipt.of(answer)
    if not receipt.succeeded:
        raise TransactionFailed("reverted", receipt.tx_hash)
    return receipt


def poll_seconds(node: Node) -> float:
    """How often to look for a receipt."""
    return _POLL_SECONDS_OF.get(node.chain_id, _POLL_SECONDS)


async def _sent(node: Node, account: LocalAccount, transaction: TxParams) -> HexBytes:
    return await node.web3.eth.send_raw_transaction(account.sign_transaction(transaction).raw_transaction)  # type: ignore[arg-type]
