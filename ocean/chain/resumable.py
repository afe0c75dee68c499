"""Transactions that are made once, whatever dies: signed, written down, and only then sent; sent again as they are.

A transaction has a nonce of its account, and each nonce is mined once. So one of two things happens to what was written
down: it is mined, or another transaction with its nonce is, perhaps of another process with the same key. Which of
them is asked of the chain before anything is signed with another nonce. With the same nonce it may be signed again, for
a higher fee: still one of them is mined.

Signatures are deterministic: two processes that want the same with the same nonce would sign the very same transaction,
and each would take its receipt for its own. So every transaction ends in a mark of its process's work, behind the
arguments, where contracts do not look.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from eth_account.signers.local import LocalAccount
from hexbytes import HexBytes
from web3.types import Nonce

from ocean.chain.answers import balance, header, transaction_count
from ocean.chain.errors import CallReverted, ChainUnavailable, NodeRefused
from ocean.chain.logs import Receipt
from ocean.chain.network import Network
from ocean.chain.transactions import Call, TransactionFailed, TransactionUnconfirmed, filled_in, poll_seconds
from ocean.kit.patience import ask_patiently

SURE_READINGS = 3  # that show another transaction in the place of ours: nodes behind one address lag differently
RESEND_SECONDS = 5.0  # a node may forget what waits
PAUSE_SECONDS = 1.0  # before a node that did not answer is asked again

_FEES = {"gasPrice", "maxFeePerGas", "maxPriorityFeePerGas"}
_GAS_PER_BYTE = 40  # of a call's data, at most (EIP-7623)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed transaction as it is sent."""

    raw: str  # 0x-hex
    tx_hash: str
    nonce: int
    fee: int  # for a unit of gas, at most, in wei


class Notes(Protocol):
    """Where signed transactions are written down under the name of their step: all that were signed with its present
    nonce, the last one with the highest fee."""

    def find(self, step: str) -> tuple[Signed, ...]: ...

    def write(self, step: str, transactions: tuple[Signed, ...]) -> None:
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

        `call` is signed if the step has none yet, lost its nonce, or must pay more. Raises TransactionFailed, OutOfGas,
        TransactionUnconfirmed, ChainUnavailable, and what the notes raise.
        """
        if not self._notes.find(step):
            self._notes.write(step, (await self._patiently(lambda: self._sign(call)),))
        while (receipt := await self._settled(step, call)) is None:
            self._notes.write(step, (await self._patiently(lambda: self._sign(call)),))
        if not receipt.succeeded:
            raise TransactionFailed("reverted", receipt.tx_hash)
        return receipt

    async def _sign(self, call: Call, instead_of: tuple[Signed, ...] = ()) -> Signed:
        network = self._network
        try:
            nonce = Nonce(instead_of[-1].nonce) if instead_of else None
            transaction = await filled_in(network, self._account, call, nonce)
            owned = await network.ask(balance(self._account.address))
        except CallReverted as exc:
            raise TransactionFailed(exc.reason) from exc
        except NodeRefused as exc:
            if _no_funds(exc):
                raise OutOfGas from exc
            raise
        transaction["data"] = HexBytes(transaction["data"]) + self._mark
        transaction["gas"] += _GAS_PER_BYTE * len(self._mark)
        priced: dict[str, Any] = dict(transaction)
        for field in _FEES & priced.keys():  # a node replaces a transaction by one that pays a tenth more
            priced[field] = int(priced[field]) * 5 ** len(instead_of) // 4 ** len(instead_of)
        fee = int(priced.get("maxFeePerGas") or priced.get("gasPrice") or 0)
        if owned < priced["gas"] * fee:
            raise OutOfGas
        made = self._account.sign_transaction(priced)
        return Signed(made.raw_transaction.to_0x_hex(), made.hash.to_0x_hex(), int(priced["nonce"]), fee)

    async def _settled(self, step: str, call: Call) -> Receipt | None:
        """The receipt, deep enough; None when another transaction was mined with the step's nonce."""
        network, sent_at, readings, since = self._network, -RESEND_SECONDS, 0, 0
        while True:
            signed = self._notes.find(step)
            receipt, mined, head, base_fee = await self._patiently(lambda: self._look(signed))  # noqa: B023  (awaited)
            if receipt is not None and head - receipt.block_number + 1 >= self._confirmations:
                return receipt
            if receipt is None and mined > signed[-1].nonce:
                since = since if readings else head
                readings += 1
                if readings >= SURE_READINGS and head - since + 1 >= self._confirmations:
                    return None
            else:
                readings = 0
            if receipt is None and not readings and time.monotonic() - sent_at >= RESEND_SECONDS:
                if base_fee > signed[-1].fee:
                    await self._bid_higher(step, call)
                await self._patiently(lambda: self._send(self._notes.find(step)[-1]))
                sent_at = time.monotonic()
            elif time.monotonic() >= self._end:
                raise TransactionUnconfirmed(signed[-1].tx_hash)
            else:
                await asyncio.sleep(poll_seconds(network))

    async def _bid_higher(self, step: str, call: Call) -> None:
        """No block takes what pays less than the base fee. The call may fail now because it has just been mined."""
        signed = self._notes.find(step)
        with suppress(TransactionFailed):
            self._notes.write(step, (*signed, await self._patiently(lambda: self._sign(call, signed))))

    async def _look(self, signed: tuple[Signed, ...]) -> tuple[Receipt | None, int, int, int]:
        """The receipt of whichever was mined, the account's mined nonces, the head, its base fee."""
        mined, head = await self._network.read(transaction_count(self._account.address, "latest"), header("latest"))
        if head is None:
            raise ChainUnavailable(self._network.chain_id, "the node does not know its own head")
        # After the count: what is mined between the two is found.
        receipts = await self._network.receipts([each.tx_hash for each in signed])
        found = next((receipt for receipt in receipts if receipt is not None), None)
        return found, int(mined), head.number, head.base_fee or 0

    async def _send(self, signed: Signed) -> None:
        try:
            await self._network.rpc.call("eth_sendRawTransaction", signed.raw)
        except (NodeRefused, CallReverted) as exc:
            if isinstance(exc, NodeRefused) and _no_funds(exc):
                raise OutOfGas from exc
            # Known already, nonce taken, another one waits with it: the next look tells which.

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        return await ask_patiently(ask, ChainUnavailable, end=self._end, pause_seconds=PAUSE_SECONDS)


def _no_funds(refused: NodeRefused) -> bool:
    return "insufficient funds" in refused.reason.lower()
