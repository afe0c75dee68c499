"""Transactions that are made once, whatever dies: signed, written down, and only then sent; sent again as they are.

A transaction has a nonce of its account, and each nonce is mined once. So one of two things happens to what was written
down: it is mined, or another transaction with its nonce is, perhaps of another process with the same key. Which of
them is asked of the chain before anything is signed anew.

Signatures are deterministic: two processes that want the same with the same nonce would sign the very same transaction,
and each would take its receipt for its own. So every transaction ends in a mark of its process's work, behind the
arguments, where contracts do not look.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from eth_account.signers.local import LocalAccount
from hexbytes import HexBytes

from ocean.chain.errors import CallReverted, ChainUnavailable, NodeRefused
from ocean.chain.logs import Receipt
from ocean.chain.network import Network
from ocean.chain.transactions import Call, TransactionFailed, TransactionUnconfirmed, filled_in, poll_seconds

SURE_READINGS = 3  # that show another transaction in the place of ours: nodes behind one address lag differently
RESEND_SECONDS = 5.0  # a node may forget what waits
PAUSE_SECONDS = 1.0  # before a node that did not answer is asked again

_GAS_PER_BYTE = 40  # of a call's data, at most (EIP-7623)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed transaction as it is sent."""

    raw: str  # 0x-hex
    tx_hash: str
    nonce: int


class Notes(Protocol):
    """Where signed transactions are written down, each under the name of its step."""

    def find(self, step: str) -> Signed | None: ...

    def write(self, step: str, transaction: Signed) -> None:
        """Returns when it would survive a power cut. Replaces what was there."""


class OutOfGas(TransactionFailed):
    """The account cannot pay for the transaction. Nothing was sent."""

    def __init__(self) -> None:
        super().__init__("the account that pays has not enough for the gas")


class Resumable:
    """Steps of one account. `mark`: bytes that nobody else's transactions end in. `confirmations`: how many blocks deep
    a transaction must lie; 1: it is mined.

    Until `patience_seconds` have passed since this was made, a node that does not answer is asked again.
    """

    def __init__(
        self,
        network: Network,
        account: LocalAccount,
        notes: Notes,
        *,
        mark: bytes,
        confirmations: int,
        patience_seconds: float,
    ) -> None:
        self._network, self._account, self._notes = network, account, notes
        self._mark, self._confirmations = mark, confirmations
        self._end = time.monotonic() + patience_seconds

    async def perform(self, step: str, call: Call) -> Receipt:
        """The receipt of the step's one transaction, which may have been made long ago.

        `call` is signed if the step has none yet, or lost its nonce. Raises TransactionFailed, OutOfGas,
        TransactionUnconfirmed, ChainUnavailable, and what the notes raise.
        """
        while True:
            signed = self._notes.find(step)
            if signed is None:
                signed = await self._patiently(lambda: self._sign(call))
                self._notes.write(step, signed)
            receipt = await self._settled(signed)
            if receipt is None:
                self._notes.write(step, await self._patiently(lambda: self._sign(call)))
            elif receipt.succeeded:
                return receipt
            else:
                raise TransactionFailed("reverted", receipt.tx_hash)

    async def _sign(self, call: Call) -> Signed:
        network = self._network
        try:
            with network.translated():
                transaction = await filled_in(network, self._account, call)
                balance = await network.web3.eth.get_balance(self._account.address)
        except CallReverted as exc:
            raise TransactionFailed(exc.reason) from exc
        except NodeRefused as exc:
            if _no_funds(exc):
                raise OutOfGas from exc
            raise
        transaction["data"] = HexBytes(transaction["data"]) + self._mark
        transaction["gas"] += _GAS_PER_BYTE * len(self._mark)
        if balance < transaction["gas"] * int(transaction.get("maxFeePerGas") or transaction.get("gasPrice") or 0):
            raise OutOfGas
        made = self._account.sign_transaction(transaction)  # type: ignore[arg-type]
        return Signed(made.raw_transaction.to_0x_hex(), made.hash.to_0x_hex(), int(transaction["nonce"]))

    async def _settled(self, signed: Signed) -> Receipt | None:
        """The receipt, deep enough; None when another transaction was mined with its nonce."""
        network, sent_at, readings, since = self._network, -RESEND_SECONDS, 0, 0
        while True:
            receipt, mined, head = await self._patiently(lambda: self._look(signed))
            if receipt is not None and head - receipt.block_number + 1 >= self._confirmations:
                return receipt
            if receipt is None and mined > signed.nonce:
                since = since if readings else head
                readings += 1
                if readings >= SURE_READINGS and head - since + 1 >= self._confirmations:
                    return None
            else:
                readings = 0
            if receipt is None and not readings and time.monotonic() - sent_at >= RESEND_SECONDS:
                await self._patiently(lambda: self._send(signed))
                sent_at = time.monotonic()
            elif time.monotonic() >= self._end:
                raise TransactionUnconfirmed(signed.tx_hash)
            else:
                await asyncio.sleep(poll_seconds(network))

    async def _look(self, signed: Signed) -> tuple[Receipt | None, int, int]:
        eth = self._network.web3.eth
        mined, head = await self._network.read(
            eth.get_transaction_count(self._account.address, "latest"), eth.block_number
        )
        # After the count: what is mined between the two is found.
        return await self._network.receipt(signed.tx_hash), int(mined), int(head)

    async def _send(self, signed: Signed) -> None:
        try:
            with self._network.translated():
                await self._network.web3.eth.send_raw_transaction(HexBytes(signed.raw))
        except (NodeRefused, CallReverted) as exc:
            if isinstance(exc, NodeRefused) and _no_funds(exc):
                raise OutOfGas from exc
            # Known already, nonce taken, another one waits with it: the next look tells which.

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await ask()
            except ChainUnavailable:
                if time.monotonic() + PAUSE_SECONDS >= self._end:
                    raise
            await asyncio.sleep(PAUSE_SECONDS)


def _no_funds(refused: NodeRefused) -> bool:
    return "insufficient funds" in refused.reason.lower()
