"""JSON-RPC to one chain node through web3's HTTP provider: timeouts, batches, a call counter, our own errors.

Error policy: a node that cannot be reached, does not answer in time or answers nonsense is `ChainUnavailable`; one that
answers with a JSON-RPC error is `NodeRefused`, a kind of it; only a reverted call is the caller's business,
`CallReverted`. The provider is used below web3's middlewares, which cost more than the call; nothing is retried here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any, cast

from aiohttp import ClientError, ClientTimeout
from web3 import AsyncHTTPProvider
from web3.types import RPCEndpoint

Request = tuple[str, Sequence[Any]]  # method, parameters
MAX_BATCH = 50


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
        limits = ClientTimeout(total=timeout_seconds, sock_connect=min(3.0, timeout_seconds))
        self.provider = AsyncHTTPProvider(url, {"timeout": limits}, exception_retry_configuration=None)
        self.chain_id = chain_id
        self.requests = 0
        self.round_trips = 0
        self._batches = True

    async def call(self, method: str, *params: Any) -> Any:
        """The `result` of one call. Raises ChainUnavailable, NodeRefused, CallReverted."""
        self.requests += 1
        return self._result(await self._post(self.provider.make_request(RPCEndpoint(method), list(params))))

    async def batch(self, requests: Sequence[Request]) -> list[Any]:
        """Results in order, one HTTP request per 50 calls; a call that the node refused yields its error as a value.

        A node that knows no batches is remembered and asked call by call, at the same time.
        """
        results: list[Any] = []
        for start in range(0, len(requests), MAX_BATCH):
            results += await self._batch(requests[start : start + MAX_BATCH])
        return results

    async def close(self) -> None:
        await self.provider.disconnect()

    async def _batch(self, requests: Sequence[Request]) -> list[Any]:
        if self._batches and len(requests) > 1:
            calls = [(RPCEndpoint(method), list(params)) for method, params in requests]
            answers = await self._post(self.provider.make_batch_request(calls))
            if isinstance(answers, list) and len(answers) == len(requests):
                self.requests += len(requests)
                return [self._result_or_error(answer) for answer in answers]
            self._batches = False
        return list(await asyncio.gather(*(self._call_or_error(method, params) for method, params in requests)))

    async def _call_or_error(self, method: str, params: Sequence[Any]) -> Any:
        try:
            return await self.call(method, *params)
        except (NodeRefused, CallReverted) as exc:
            return exc

    async def _post(self, request: Any) -> Any:
        self.round_trips += 1
        try:
            return await request
        except (ClientError, TimeoutError, OSError) as exc:
            raise ChainUnavailable(self.chain_id, type(exc).__name__) from exc
        except (json.JSONDecodeError, UnicodeDecodeError, ValueError, KeyError) as exc:
            raise ChainUnavailable(self.chain_id, "not a JSON-RPC answer") from exc

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
