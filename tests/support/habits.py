"""A chain node with the habits of public ones: an HTTP server in front of the development chain.

Behind one address may stand several nodes that lag differently; a node restarts and knows nothing for a while; limits
of ranges, batches and rates come in all forms (`node_texts`); fields that nobody needs are absent in one way or the
other, or odd. What an answer says of the chain is the development chain's own truth, only less of it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, web

from tests.support.node_texts import BATCHES, RANGES, RATES, RESULTS
from tests.support.serving import served

# What no reader needs, of blocks (also AuRa's and Clique's), receipts and logs.
NEEDLESS = {
    "eth_getBlockByNumber": (
        *("extraData", "miner", "difficulty", "totalDifficulty", "size", "gasLimit", "gasUsed", "nonce", "mixHash"),
        *("logsBloom", "sha3Uncles", "stateRoot", "receiptsRoot", "transactionsRoot", "transactions", "uncles"),
        *("parentHash", "withdrawals", "withdrawalsRoot", "parentBeaconBlockRoot", "blobGasUsed", "excessBlobGas"),
        *("requestsHash", "author", "sealFields", "signature", "step", "timestamp"),
    ),
    "eth_getTransactionReceipt": (
        *("contractAddress", "cumulativeGasUsed", "gasUsed", "effectiveGasPrice", "logsBloom", "root", "to", "type"),
        *("transactionIndex", "blobGasPrice", "blobGasUsed", "blockHash"),
    ),
    "eth_getLogs": ("transactionIndex", "removed", "blockTimestamp"),
}
ABSENT: dict[str, Any] = {"null": None, "empty": "", "0x": "0x", "garbled": {"?": ["x", -1]}, "long": "0x" + "ab" * 97}


class Node:
    """Change the attributes to change its habits; `Node(url)` has none."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.url = ""
        self.chance = random.Random(7)  # noqa: S311 - reproducible, not secret
        self.lags: Sequence[int] = (0,)  # of the nodes behind the address, in blocks; each call meets another one
        self.log_lag = 0  # of the node that answers log queries
        self.false_hashes: tuple[int | None, int] = (-1, 0)  # block (None: any), and how often its hash is a lie
        self.restarted = False  # head 0, and nothing above it
        self.forgets = 0.0  # share of blocks and receipts that are not known at the moment
        self.hides_receipts = False  # of transactions that are known
        self.longest_range: int | None = None
        self.range_form = "geth-like"
        self.most_results: int | None = None
        self.result_form = "infura"
        self.most_calls: int | None = None  # in a batch
        self.batch_form = "geth"
        self.rate_refusals = 0  # requests that are refused from now on
        self.rate_form = "infura"
        self.retry_after: float | None = None
        self.absent: Mapping[str, Sequence[str]] = {}  # fields by method
        self.absence = "missing"  # or one of ABSENT
        self.long_extra_data = False
        self.shuffles = False
        self.page: tuple[int, str] | None = None  # said to everything, with a status
        self.hangs = False
        self.answers_left: int | None = None  # requests until it is away; None: it stays
        self.legacy = False  # no EIP-1559
        self.calls: list[Mapping[str, Any]] = []  # of every request so far, also those inside batches
        self.refused = 0  # requests, and calls in batches
        self.round_trips = 0  # HTTP requests
        self._session: ClientSession | None = None

    def reset(self) -> None:
        """Without habits again; what was counted stays."""
        fresh = Node(self.target)
        kept = {"url", "calls", "refused", "round_trips", "chance", "_session"}
        for name, value in vars(fresh).items():
            if name not in kept:
                setattr(self, name, value)

    def count(self, method: str) -> int:
        return sum(call["method"] == method for call in self.calls)

    # --- HTTP --------------------------------------------------------------------------------------------------------

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        calls = body if isinstance(body, list) else [body]
        self.round_trips += 1
        self.calls += calls
        if self.hangs:
            await asyncio.sleep(60)
        if self.answers_left == 0:
            return web.Response(status=502, text="Bad Gateway")
        if self.answers_left is not None:
            self.answers_left -= 1
        if self.page is not None:
            return web.Response(status=self.page[0], text=self.page[1], content_type="text/html")
        if self.rate_refusals > 0:
            return self._too_often(body)
        if not isinstance(body, list):
            return _json(*await self._one(body))
        if self.most_calls is not None and len(calls) > self.most_calls:
            return await self._too_many(request, calls)
        answers = [(await self._one(call))[1] for call in calls]
        if self.shuffles:
            self.chance.shuffle(answers)
        return _json(200, answers)

    def _too_often(self, body: Any) -> web.Response:
        self.rate_refusals -= 1
        self.refused += 1
        status, code, message = RATES[self.rate_form]
        number = body["id"] if isinstance(body, dict) else None
        answer = _json(status, _error(number, code, message))
        if self.retry_after is not None:
            answer.headers["Retry-After"] = str(self.retry_after)
        return answer

    async def _too_many(self, request: web.Request, calls: Sequence[Mapping[str, Any]]) -> web.StreamResponse:
        self.refused += 1
        limit = self.most_calls or 0
        shape, status, code, words = BATCHES[self.batch_form]
        message = words.format(limit=limit, asked=len(calls))
        if shape == "close":
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        if shape == "object":
            return _json(status, _error(None, code, message))
        if shape == "list":
            return _json(status, [_error(None, code, message)])
        if shape == "each":
            return _json(status, [_error(call["id"], code, message) for call in calls])
        if shape == "text":
            return web.Response(status=status, text=message)
        answers = [(await self._one(call))[1] for call in calls[:limit]]
        rest = [_error(call["id"], code, message) for call in calls[limit:]] if shape == "rest" else []
        return _json(status, answers + rest)

    # --- one call ----------------------------------------------------------------------------------------------------

    async def _one(self, call: Mapping[str, Any]) -> tuple[int, Any]:
        """HTTP status (of a single call) and answer."""
        method, params, number = call["method"], list(call["params"]), call["id"]
        lag = self.chance.choice(self.lags)
        head = 0 if self.restarted else max(0, int(await self._ask("eth_blockNumber", []), 16) - lag)
        if method == "eth_blockNumber":
            return _result(number, hex(head))
        if method == "eth_getLogs":
            return await self._logs(number, params[0], head - self.log_lag)
        if method == "eth_getBlockByNumber":
            wanted = head if params[0] in ("latest", "pending") else int(params[0], 16)
            known = wanted <= head and (wanted == 0 or not self._forgets())
            block = await self._ask(method, [hex(wanted), params[1]]) if known else None
            if block is not None and self.false_hashes[1] > 0 and self.false_hashes[0] in (None, wanted):
                self.false_hashes = (self.false_hashes[0], self.false_hashes[1] - 1)
                block["hash"] = "0x" + "ee" * 32
            return _result(number, self._altered(method, block))
        if method == "eth_getTransactionReceipt":
            receipt = await self._ask(method, params)
            known = receipt is not None and int(receipt["blockNumber"], 16) <= head and not self._forgets()
            known = known and not self.hides_receipts
            return _result(number, self._altered(method, receipt) if known else None)
        if self.legacy and (refused := _not_legacy(number, method, params)) is not None:
            return 200, refused
        if method in ("eth_call", "eth_getCode", "eth_getBalance", "eth_getTransactionCount") and params[1] == "latest":
            params[1] = hex(head)
        answer = await self._forward({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return 200, answer

    async def _logs(self, number: Any, query: Mapping[str, Any], head: int) -> tuple[int, Any]:
        first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
        asked = last - first + 1
        if self.longest_range is not None and asked > self.longest_range:
            self.refused += 1
            status, code, words = RANGES[self.range_form]
            return status, _error(number, code, words.format(limit=self.longest_range, asked=asked))
        logs = [] if first > head else await self._ask("eth_getLogs", [{**query, "toBlock": hex(min(last, head))}])
        if self.most_results is not None and len(logs) > self.most_results and asked > 1:
            self.refused += 1
            status, code, words = RESULTS[self.result_form]
            return status, _error(number, code, words.format(limit=self.most_results))
        return _result(number, [self._altered("eth_getLogs", log) for log in logs])

    def _forgets(self) -> bool:
        return self.chance.random() < self.forgets

    def _altered(self, method: str, item: Any) -> Any:
        """Without what the node leaves out."""
        if not isinstance(item, dict):
            return item
        fields = dict(item)
        for name in self.absent.get(method, ()):
            if self.absence == "missing":
                fields.pop(name, None)
            else:
                fields[name] = ABSENT[self.absence]
        if method == "eth_getBlockByNumber":
            if self.long_extra_data:
                fields["extraData"] = "0x" + "ab" * 97
            if self.legacy:
                fields.pop("baseFeePerGas", None)
        return fields

    async def _ask(self, method: str, params: Sequence[Any]) -> Any:
        answer = await self._forward({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        if "error" in answer:
            raise web.HTTPInternalServerError(text=str(answer["error"]))
        return answer["result"]

    async def _forward(self, call: Mapping[str, Any]) -> Any:
        if self._session is None:
            self._session = ClientSession()
        async with self._session.post(self.target, json=call) as answer:
            return await answer.json()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


@asynccontextmanager
async def node_with_habits(target: str, made: Node | None = None) -> AsyncIterator[Node]:
    """`made`: another kind of node than one in front of `target`."""
    node = made or Node(target)
    app = web.Application()
    app.router.add_post("/", node.handle)
    try:
        async with served(app) as node.url:
            yield node
    finally:
        await node.close()


def _not_legacy(number: Any, method: str, params: Sequence[Any]) -> Any:
    """What a node before EIP-1559 refuses."""
    if method in ("eth_maxPriorityFeePerGas", "eth_feeHistory"):
        return _error(number, -32601, f"the method {method} does not exist/is not available")
    if method == "eth_sendRawTransaction" and params[0].startswith("0x02"):
        return _error(number, -32000, "transaction type not supported")
    return None


def _result(number: Any, result: Any) -> tuple[int, Any]:
    return 200, {"jsonrpc": "2.0", "id": number, "result": result}


def _error(number: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}


def _json(status: int, answer: Any) -> web.Response:
    return web.json_response(answer, status=status)
