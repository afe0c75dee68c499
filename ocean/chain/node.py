"""One chain node: contract functions by web3, reads in batches, and errors of ours.

Reads that belong together travel in one request. Blocks, receipts and logs are read by `answers` and `logs`. What a
contract answers is read with the decoder below web3, which says the same (tests compare them) at a third of the cost.
web3's batches end with the first call that fails; here each call keeps its own outcome, because a contract that refuses
is an answer too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from functools import cache, lru_cache, partial
from typing import Any, cast
from weakref import WeakKeyDictionary

from eth_abi.exceptions import DecodingError
from eth_abi.grammar import ABIType, BasicType, TupleType, parse
from eth_utils.abi import collapse_if_tuple
from web3 import AsyncWeb3
from web3.contract.async_contract import AsyncContract, AsyncContractConstructor, AsyncContractFunction
from web3.exceptions import (
    BadFunctionCallOutput,
    BlockNotFound,
    TransactionNotFound,
    Web3Exception,
)
from web3.manager import RequestManager
from web3.types import RPCEndpoint, RPCResponse

from ocean.addresses import canonical, checksum
from ocean.chain.answers import Question, absent, data
from ocean.chain.answers import chain_id as chain_id_of_node
from ocean.chain.contracts import abi, artifact, entry
from ocean.chain.errors import AnswerMalformed, CallReverted, ChainUnavailable, NodeRefused, refusal
from ocean.chain.refusals import Meaning, meaning
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


async def connected(url: str, *, expected: int = 0, timeout_seconds: float = 10.0) -> Rpc:
    """A node at that address, asked for its chain. `expected` is in the errors until it has answered. Raises
    ChainUnavailable."""
    rpc = Rpc(url, chain_id=expected, timeout_seconds=timeout_seconds)
    try:
        rpc.chain_id = await Node(rpc).ask(chain_id_of_node())
    except BaseException:
        await rpc.disconnect()
        raise
    return rpc


class _OfWeb3(Question):
    """`read` takes the whole answer."""


class _Web3(AsyncWeb3[Rpc]):
    RequestManager = _Manager


class Node:
    """`web3` is web3's whole API, without its middleware. Close with `await close()`."""

    def __init__(self, rpc: Rpc) -> None:
        self.rpc = rpc
        self.web3: AsyncWeb3[Rpc] = _Web3(rpc, middleware=[])
        self.view = lru_cache(maxsize=KEPT_CALLS)(self.function)  # the same, remembered: for reads that come again
        self._requests: WeakKeyDictionary[AsyncContractFunction, _OfWeb3] = WeakKeyDictionary()
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

    async def read(self, *calls: Question | AsyncContractFunction | Awaitable[Any]) -> list[Any]:
        """Answers of questions, contract functions, and coroutines of web3's, in order, from one request.

        None when a contract refuses the call or is not what it was taken for, or there is no such transaction or
        block. Raises ChainUnavailable, NodeRefused.
        """
        questions = [call if isinstance(call, Question) else await self._of_web3(call) for call in calls]
        requests = [(RPCEndpoint(question.method), question.params) for question in questions]
        answers = await self.rpc.make_batch_request(requests)
        outcomes = [self._outcome(question, answer) for question, answer in zip(questions, answers, strict=True)]
        for outcome in outcomes:
            if isinstance(outcome, ChainUnavailable):
                raise outcome
        return [None if isinstance(outcome, CallReverted) else outcome for outcome in outcomes]

    async def ask(self, question: Question) -> Any:
        """The answer to one. Raises as `read`."""
        (answer,) = await self.read(question)
        return answer

    def sending(self, address: str) -> asyncio.Lock:
        """Held while one account takes a nonce and sends, so that our own transactions do not race."""
        return self._sending.setdefault(canonical(address), asyncio.Lock())

    def _outcome(self, question: Question, answer: RPCResponse) -> Any:
        if isinstance(question, _OfWeb3):
            return question.read(answer)
        if "error" in answer:
            refused = refusal(self.chain_id, answer["error"])
            unknown = isinstance(refused, NodeRefused) and meaning(refused.code, refused.reason) is Meaning.NOT_THERE
            return None if unknown and question.may_be_unknown else refused
        if question.may_be_unknown and absent(answer["result"]):
            return None
        try:
            return question.read(answer["result"])
        except AnswerMalformed as exc:
            return ChainUnavailable(self.chain_id, f"{exc.name} could not be read")

    async def _of_web3(self, call: AsyncContractFunction | Awaitable[Any]) -> _OfWeb3:
        """What web3 makes of a call in a batch: the request and how to read its answer. Most of a read's work."""
        if isinstance(call, AsyncContractFunction) and call in self._requests:
            return self._requests[call]
        async with self.web3.batch_requests():
            made: Any = await (call.call() if isinstance(call, AsyncContractFunction) else call)
        method, params = made[0]
        question = _OfWeb3(method, params, partial(self.web3.manager._format_batched_response, made))
        if isinstance(call, AsyncContractFunction):
            if call.abi.get("outputs"):
                types = [collapse_if_tuple(dict(item)) for item in call.abi["outputs"]]
                question = _OfWeb3(method, params, partial(self._returned, types, [*map(parse, types)]))
            self._requests[call] = question
        return question

    def _returned(self, types: Sequence[str], kinds: Sequence[ABIType], answer: RPCResponse) -> Any:
        """What a contract function of these types returned: one value, or a list of several."""
        if "error" in answer:
            return refusal(self.chain_id, answer["error"])
        try:
            values = self.web3.codec.decode(types, data(answer["result"], "a contract's answer"))
        except _NOT_THE_CONTRACT:
            return None
        except AnswerMalformed as exc:
            return ChainUnavailable(self.chain_id, f"{exc.name} could not be read")
        found = [_spelled(value, kind) for value, kind in zip(values, kinds, strict=True)]
        return found[0] if len(found) == 1 else found

    def _new_interface(self, contract: str, name: str) -> type[AsyncContract]:
        """Of one function only: web3 prepares all that an ABI lists, for each address anew."""
        return self.web3.eth.contract(abi=[entry(contract, "function", name)])

    def _new_bytecode(self, contract: str) -> type[AsyncContract]:
        constructors = [item for item in abi(contract) if item["type"] == "constructor"]
        return self.web3.eth.contract(abi=constructors, bytecode=artifact(contract)["bytecode"])


def _spelled(value: Any, kind: ABIType) -> Any:
    """A value as web3 gives it: addresses with their checksum, arrays as lists."""
    if kind.is_array:
        return [_spelled(item, kind.item_type) for item in value]
    if isinstance(kind, TupleType):
        return tuple(_spelled(item, part) for item, part in zip(value, kind.components, strict=True))
    return checksum(value) if isinstance(kind, BasicType) and kind.base == "address" else value
