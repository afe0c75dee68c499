"""Transactions of our own: sign here, send, wait for the receipt. For publishing, ordering, the development chain."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from ocean.addresses import checksum
from ocean.chain.logs import Receipt
from ocean.chain.network import Network
from ocean.chain.rpc import CallReverted, Rpc

FIRST_POLL_SECONDS = 0.003
LONGEST_POLL_SECONDS = 2.0


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
    """One transaction of a sequence; `to` None deploys a contract. `gas` is its limit."""

    data: bytes
    gas: int
    to: str | None = None


def account_of(key: LocalAccount | str) -> LocalAccount:
    if isinstance(key, LocalAccount):
        return key
    account: LocalAccount = Account.from_key(key)
    return account


async def send(
    network: Network,
    key: LocalAccount | str,
    to: str | None,
    data: bytes,
    *,
    value: int = 0,
    timeout_seconds: float = 120,
) -> Receipt:
    """Estimate, sign, send, wait. Raises TransactionFailed (also when the estimate reverts: then nothing was sent),
    TransactionUnconfirmed, ChainUnavailable."""
    account, rpc = account_of(key), network.rpc
    call: dict[str, Any] = {"from": account.address, "data": "0x" + data.hex(), "value": hex(value)}
    if to is not None:
        call["to"] = checksum(to)
    async with network.sending(account.address):
        gas, nonce, block = await rpc.batch(
            [
                ("eth_estimateGas", [call]),
                ("eth_getTransactionCount", [account.address, "pending"]),
                ("eth_getBlockByNumber", ["latest", False]),
            ]
        )
        for answer in (gas, nonce, block):
            if isinstance(answer, CallReverted):
                raise TransactionFailed(answer.reason) from answer
            if isinstance(answer, Exception):
                raise answer
        # A fifth more: the state may change between the estimate and the block.
        step = Step(data, int(gas, 16) * 6 // 5, to)
        raw = _signed(account, network.chain_id, step, int(nonce, 16), _fee(block), value)
        tx_hash = await _sent(rpc, raw)
    return await mined(rpc, tx_hash, timeout_seconds=timeout_seconds)


async def send_all(
    rpc: Rpc, key: LocalAccount | str, steps: Sequence[Step], *, timeout_seconds: float = 120
) -> list[Receipt]:
    """Send transactions with consecutive nonces, for a fresh chain; receipts in order. Raises as `send`.

    One after the other: anvil loses or leaves lying some of many that arrive at once (seen in one of five deployments).
    """
    account = account_of(key)
    nonce, block = await rpc.batch(
        [("eth_getTransactionCount", [account.address, "pending"]), ("eth_getBlockByNumber", ["latest", False])]
    )
    first, fee = int(nonce, 16), _fee(block)
    receipts: list[Receipt] = []
    for index, step in enumerate(steps):
        tx_hash = await _sent(rpc, _signed(account, rpc.chain_id, step, first + index, fee, 0))
        receipts.append(await mined(rpc, tx_hash, timeout_seconds=timeout_seconds))
    return receipts


async def mined(rpc: Rpc, tx_hash: str, *, timeout_seconds: float = 120) -> Receipt:
    """Wait for the receipt, asking ever more slowly. Raises TransactionFailed, TransactionUnconfirmed."""
    deadline, pause = time.monotonic() + timeout_seconds, FIRST_POLL_SECONDS
    while (answer := await rpc.call("eth_getTransactionReceipt", tx_hash)) is None:
        if time.monotonic() > deadline:
            raise TransactionUnconfirmed(tx_hash)
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, LONGEST_POLL_SECONDS)
    receipt = Receipt.parse(answer)
    if not receipt.succeeded:
        raise TransactionFailed("reverted", tx_hash)
    return receipt


def created_address(sender: str, nonce: int) -> str:
    """Checksum address of the contract that `sender` deploys with this nonce: known before it is sent."""
    number = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    encoded = number if nonce and nonce < 0x80 else bytes([0x80 + len(number)]) + number
    body = b"\x94" + bytes.fromhex(sender[2:]) + encoded
    return checksum("0x" + keccak(bytes([0xC0 + len(body)]) + body)[12:].hex())


def _fee(block: Any) -> tuple[int, int]:
    """(most to pay per gas, tip): twice the base fee leaves room for six full blocks."""
    tip = 10**9
    return 2 * int(block.get("baseFeePerGas") or "0x0", 16) + tip, tip


def _signed(account: LocalAccount, chain_id: int, step: Step, nonce: int, fee: tuple[int, int], value: int) -> bytes:
    transaction: dict[str, Any] = {
        "type": 2,
        "chainId": chain_id,
        "nonce": nonce,
        "gas": step.gas,
        "maxFeePerGas": fee[0],
        "maxPriorityFeePerGas": fee[1],
        "value": value,
        "data": step.data,
    }
    if step.to is not None:
        transaction["to"] = checksum(step.to)
    return bytes(account.sign_transaction(transaction).raw_transaction)


async def _sent(rpc: Rpc, raw: bytes) -> str:
    try:
        return str(await rpc.call("eth_sendRawTransaction", "0x" + raw.hex()))
    except CallReverted as exc:
        raise TransactionFailed(exc.reason) from exc
