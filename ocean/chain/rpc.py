"""JSON-RPC over HTTP to one chain node: timeouts, batches, a call counter, our own errors.

Error policy: a node that cannot be reached, does not answer in time or answers nonsense is `ChainUnavailable`; one that
answers with a JSON-RPC error is `NodeRefused`, a kind of it; only a reverted call is the caller's business,
`CallReverted`. Nothing is retried, but for a kept connection that the node closed while the request was on its way.

web3's own HTTP provider is not used: its session cache takes a lock in a thread of its own for every call, and calls
were seen to wait for that lock for ever. `Network.web3` puts web3 on top of this transport for whoever wants its API.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Sequence
from typing import Any, cast

from aiohttp import ClientError, ClientSession, ClientTimeout, ServerDisconnectedError

Request = tuple[str, Sequence[Any]]  # method, parameters
MAX_BATCH = 50
CONNECT_SECONDS = 3.0
_HEADERS = {"content-type": "application/json"}


class ChainUnavailable(RuntimeError):
    """The chain's node did not give a usable answer. Nothing is known; ask again later."""

    def __init__(self, chain_id: int, reason: str = "no answer") -> None:
        super().__init__(f"the node of chain {chain_id} is not available: {reason}")
        self.chain_id = chain_id
        self.reason = reason


class NodeRefused(ChainUnavailable):
    """The node answered with an error, for example because a log query spans too many blocks."""

    def __init__(self, chain_id: int, code: int, message: str) -> None:
        super().__init__(chain_id, message)
        self.code = code


class CallReverted(RuntimeError):
    """A contract refused the call or transaction."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Rpc:
    """`requests` counts JSON-RPC calls, `round_trips` HTTP requests; benchmarks read both."""

    def __init__(self, url: str, *, chain_id: int = 0, timeout_seconds: float = 10.0) -> None:
        self.url = url
        self.chain_id = chain_id
        self.requests = 0
        self.round_trips = 0
        self._limits = ClientTimeout(total=timeout_seconds, sock_connect=min(CONNECT_SECONDS, timeout_seconds))
        self._session: ClientSession | None = None
        self._numbers = itertools.count(1)
        self._batches = True

    async def call(self, method: str, *params: Any) -> Any:
        """The `result` of one call. Raises ChainUnavailable, NodeRefused, CallReverted."""
        self.requests += 1
        return self._result(await self.post(self._request(method, params)))

    async def batch(self, requests: Sequence[Request]) -> list[Any]:
        """Results in order, one HTTP request per 50 calls; a call that the node refused yields its error as a value.

        A node that knows no batches is remembered and asked call by call, at the same time.
        """
        results: list[Any] = []
        for start in range(0, len(requests), MAX_BATCH):
            results += await self._batch(requests[start : start + MAX_BATCH])
        return results

    async def post(self, payload: Any) -> Any:
        """Send a JSON-RPC request or batch as it is; the JSON of the answer. Raises ChainUnavailable."""
        self.round_trips += 1
        if self._session is None:
            self._session = ClientSession(timeout=self._limits, headers=_HEADERS)
        body = json.dumps(payload, separators=(",", ":"))
        try:
            try:
                return await self._exchange(self._session, body)
            except ServerDisconnectedError:
                if "eth_sendRawTransaction" in body:  # it may have arrived
                    raise
                return await self._exchange(self._session, body)
        except (ClientError, TimeoutError, OSError) as exc:
            raise ChainUnavailable(self.chain_id, type(exc).__name__) from exc
        except (ValueError, RecursionError) as exc:
            raise ChainUnavailable(self.chain_id, "not a JSON-RPC answer") from exc

    async def _exchange(self, session: ClientSession, body: str) -> Any:
        async with session.post(self.url, data=body) as response:
            return json.loads(await response.read())

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _batch(self, requests: Sequence[Request]) -> list[Any]:
        if self._batches and len(requests) > 1:
            payload = [self._request(method, params) for method, params in requests]
            answers = await self.post(payload)
            if isinstance(answers, list):
                self.requests += len(requests)
                return self._in_order(payload, answers)
            if not isinstance(answers, dict):
                raise ChainUnavailable(self.chain_id, "not a JSON-RPC answer")
            self._batches = False
        return list(await asyncio.gather(*(self._call_or_error(method, params) for method, params in requests)))

    def _in_order(self, payload: Sequence[dict[str, Any]], answers: Sequence[Any]) -> list[Any]:
        """Results as they were asked for: a node may answer a batch in any order."""
        found = {answer["id"]: answer for answer in answers if isinstance(answer, dict) and "id" in answer}
        return [self._result_or_error(found.get(request["id"])) for request in payload]

    def _request(self, method: str, params: Sequence[Any]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": next(self._numbers), "method": method, "params": list(params)}

    async def _call_or_error(self, method: str, params: Sequence[Any]) -> Any:
        try:
            return await self.call(method, *params)
        except (NodeRefused, CallReverted) as exc:
            return exc

    def _result_or_error(self, answer: Any) -> Any:
        try:
            return self._result(answer)
        except (NodeRefused, CallReverted) as exc:
            return exc

    def _result(self, answer: Any) -> Any:
        if not isinstance(answer, dict):
            raise ChainUnavailable(self.chain_id, "not a JSON-RPC answer")
        error = answer.get("error")
        if error is None:
            if "result" not in answer:
                raise ChainUnavailable(self.chain_id, "not a JSON-RPC answer")
            return answer["result"]
        details = cast("dict[str, Any]", error) if isinstance(error, dict) else {"message": str(error)}
        code, message = int(details.get("code") or 0), str(details.get("message"))
        if code == 3 or "revert" in message.lower():
            raise CallReverted(message)
        raise NodeRefused(self.chain_id, code, message)
