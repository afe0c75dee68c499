"""web3 on one chain node: contract functions, reads in batches, and web3's errors made ours.

Reads that belong together travel in one request. web3's batches end with the first call that fails; here each call
keeps its own outcome, because a contract that refuses is an answer too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any, cast
from weakref import WeakKeyDictionary

from eth_abi.exceptions import DecodingError
from web3 import AsyncWeb3
from web3.contract.async_contract import AsyncContract, AsyncContractConstructor, AsyncContractFunction
from web3.exceptions import (
    BadFunctionCallOutput,
    BlockNotFound,
    ContractLogicError,
    TransactionNotFound,
    Web3Exception,
    Web3RPCError,
)
from web3.manager import RequestManager

from ocean.addresses import canonical, checksum
from ocean.chain.contracts import abi, artifact, entry
from ocean.chain.errors import CallReverted, ChainUnavailable, refusal
from ocean.chain.rpc import Rpc

KEPT_CALLS = 1024
_NOT_THE_CONTRACT = (BadFunctionCallOutput, DecodingError, OverflowError, UnicodeDecodeError)
_FAILURES = (Web3Exception, ValueError, TypeError, KeyError, AttributeError)


class _Manager(RequestManager):
    """Each call of a batch keeps its own outcome; an error is a value, nothing there is None.

    What a node or a hostile contract says in an error is not given to web3, which would decode it.
    """

    def _format_batched_response(self, requests_info: Any, response: Any) -> Any:
        chain_id = cast("Rpc", self.provider).chain_id
        if "error" in response:
            return refusal(chain_id, response["error"])
        try:
            return super()._format_batched_response(requests_info, response)
        except (BlockNotFound, TransactionNotFound, *_NOT_THE_CONTRACT):
            return None
        except _FAILURES as exc:
            return ChainUnavailable(chain_id, f"an answer could not be read ({type(exc).__name__})")


class _Web3(AsyncWeb3[Rpc]):
    RequestManager = _Manager


class Node:
    """`web3` is web3's whole API, without its middleware. Close with `await close()`."""

    def __init__(self, rpc: Rpc) -> None:
        self.rpc = rpc
        self.web3: AsyncWeb3[Rpc] = _Web3(rpc, middleware=[])
        self.view = lru_cache(maxsize=KEPT_CALLS)(self.function)  # the same, remembered: for reads that come again
        self._requests: WeakKeyDictionary[AsyncContractFunction, Any] = WeakKeyDictionary()
        self._interface = cache(self._new_interface)
        self._bytecode = cache(self._new_bytecode)
        self._sending: dict[str, asyncio.Lock] = {}

    @property
    def chain_id(self) -> int:
        return self.rpc.chain_id

    async def close(self) -> None:
        await self.rpc.disconnect()

    def function(self, contract: str, address: str, name: str, *args: Any) -> AsyncContractFunction:
        """A call of Ocean's `contract` at `address`: to read it, or to send it as a transaction.

        Addresses among the arguments must be checksum addresses.
        """
        bound = self._interface(contract, name)(checksum(address))
        function: AsyncContractFunction = bound.functions[name](*args)
        return function

    def creation(self, contract: str, *args: Any) -> AsyncContractConstructor:
        """The transaction that deploys Ocean's `contract` with these constructor arguments."""
        return self._bytecode(contract).constructor(*args)

    async def read(self, *calls: AsyncContractFunction | Awaitable[Any]) -> list[Any]:
        """Answers of contract functions and of coroutines like `web3.eth.get_block(1)`, in order, from one request.

        None when a contract refuses the call or is not what it was taken for, or there is no such transaction or
        block. Raises ChainUnavailable, NodeRefused.
        """
        async with self.web3.batch_requests() as batch:
            for call in calls:
                batch.add(self._request(call) if isinstance(call, AsyncContractFunction) else call)
            outcomes = await batch.async_execute()
        for outcome in outcomes:
            if isinstance(outcome, ChainUnavailable):
                raise outcome
        return [None if isinstance(outcome, CallReverted) else outcome for outcome in outcomes]

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Around calls of `web3` outside of `read`: raises CallReverted, NodeRefused, ChainUnavailable."""
        try:
            yield
        except Web3Exception as exc:
            raise self._error(exc) from exc

    def sending(self, address: str) -> asyncio.Lock:
        """Held while one account takes a nonce and sends, so that our own transactions do not race."""
        return self._sending.setdefault(canonical(address), asyncio.Lock())

    async def _request(self, call: AsyncContractFunction) -> Any:
        """What web3 makes of a call in a batch: the request and how to read its answer. Most of a read's work."""
        if call not in self._requests:
            self._requests[call] = await call.call()
        return self._requests[call]

    def _error(self, exc: Exception) -> ChainUnavailable | CallReverted:
        if isinstance(exc, ContractLogicError):
            return CallReverted(exc.message or "execution reverted")
        if isinstance(exc, Web3RPCError) and exc.rpc_response is not None:
            return refusal(self.chain_id, exc.rpc_response.get("error"))
        return ChainUnavailable(self.chain_id, f"an answer could not be read ({type(exc).__name__})")

    def _new_interface(self, contract: str, name: str) -> type[AsyncContract]:
        """Of one function only: web3 prepares all that an ABI lists, for each address anew."""
        return self.web3.eth.contract(abi=[entry(contract, "function", name)])

    def _new_bytecode(self, contract: str) -> type[AsyncContract]:
        constructors = [item for item in abi(contract) if item["type"] == "constructor"]
        return self.web3.eth.contract(abi=constructors, bytecode=artifact(contract)["bytecode"])
