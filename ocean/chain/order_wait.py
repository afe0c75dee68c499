"""Orders that our node does not know yet, or not deep enough: a consumer's node may be some seconds ahead of it.

Who has just paid waits a moment instead of being refused. Waiting holds nothing but a place, of which there is a fixed
number; all who wait share one question a second. Afterwards it depends on what the node says of the transaction: where
it is known, or the node is behind, the same question will have another answer, so that the chain counts as not
available yet (OrderPending, ChainUnavailable). A transaction that the node never heard of is a consumer's mistake.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ocean.chain.answers import Question, head_number
from ocean.chain.errors import ChainUnavailable
from ocean.chain.logs import receipt_of
from ocean.chain.network import Network
from ocean.chain.order_values import Order, OrderInvalid, OrderRequest, normal_hash
from ocean.chain.orders import verify_order

PLACES = 64
LOOK_SECONDS = 1.0
# A node that lags does not know new assets nor earlier orders; asked again, another one may answer.
CONTRADICTED_SECONDS = (0.1, 0.2, 0.4, 0.8)
_CONTRADICTIONS = frozenset({"not_of_factory", "not_deployed", "reuse_of_other_order"})


class OrderPending(ChainUnavailable):
    """The order's transaction is known, but not mined or not deep enough yet. The same question may be asked again."""


class OrderDesk:
    """Verifies orders of one network. `wait_seconds`: how long a patient question waits at most, 0 for not at all.
    `newest`: the newest block that is known from before; `is_nft`: whether the factory was seen to make a data NFT."""

    def __init__(
        self, network: Network, wait_seconds: float, newest: Callable[[], int], is_nft: Callable[[str], bool]
    ) -> None:
        self._network, self._wait_seconds = network, wait_seconds
        self._newest, self._is_nft = newest, is_nft
        self._waiting: dict[str, list[asyncio.Event]] = {}
        self._places = PLACES
        self._watch: asyncio.Task[None] | None = None

    async def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)

    async def verify(self, request: OrderRequest, now: float) -> Order:
        """The order behind a request. Raises OrderInvalid, ChainUnavailable; for a patient one OrderPending too."""
        try:
            return await self._verify(request, now)
        except OrderInvalid as exc:
            if not request.patient or not exc.transient:
                raise
        tx_hash = normal_hash(request.tx_hash)
        await self._wait(tx_hash)
        try:
            return await self._verify(request, now)
        except OrderInvalid as exc:
            if exc.transient:
                await self._require_unknown(tx_hash)
            raise

    async def _verify(self, request: OrderRequest, now: float) -> Order:
        for pause_seconds in CONTRADICTED_SECONDS if request.patient else ():
            try:
                return await verify_order(self._network, request, now=now)
            except OrderInvalid as exc:
                if exc.reason not in _CONTRADICTIONS:
                    raise
            await asyncio.sleep(pause_seconds)
        try:
            return await verify_order(self._network, request, now=now)
        except OrderInvalid as exc:
            if exc.reason == "not_of_factory" and self._is_nft(request.nft):
                raise ChainUnavailable(self._network.chain_id, "the node does not know a known asset") from exc
            raise

    async def _wait(self, tx_hash: str) -> None:
        """Until the transaction is deep enough, or the time is over."""
        if self._places == 0 or self._wait_seconds == 0:
            return
        known = asyncio.Event()
        self._places -= 1
        self._waiting.setdefault(tx_hash, []).append(known)
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._look_out())
        try:
            await asyncio.wait_for(known.wait(), self._wait_seconds)
        except TimeoutError:
            return
        finally:
            self._places += 1
            self._waiting[tx_hash].remove(known)
            if not self._waiting[tx_hash]:
                del self._waiting[tx_hash]

    async def _look_out(self) -> None:
        """Ask for all transactions that somebody waits for, while anybody does."""
        while self._waiting:
            await asyncio.sleep(min(LOOK_SECONDS, self._wait_seconds / 4))
            asked = list(self._waiting)
            try:
                head, *receipts = await self._network.read(head_number(), *map(receipt_of, asked))
            except ChainUnavailable:
                continue  # the next look may be luckier; who waits is told in the end
            for tx_hash, receipt in zip(asked, receipts, strict=True):
                if receipt is not None and head - receipt.block_number + 1 >= self._network.confirmations:
                    for known in self._waiting.get(tx_hash, ()):
                        known.set()

    async def _require_unknown(self, tx_hash: str) -> None:
        """Raises OrderPending if the node knows of the transaction, ChainUnavailable if it is behind."""
        question = Question("eth_getTransactionByHash", (tx_hash,), lambda _: True, may_be_unknown=True)
        known, receipt, head = await self._network.read(question, receipt_of(tx_hash), head_number())
        if known or receipt is not None:
            raise OrderPending(self._network.chain_id, "the order's transaction is not confirmed yet")
        if head < self._newest():
            raise ChainUnavailable(self._network.chain_id, "the node is behind what it said before")
