"""web3's provider for one chain node: JSON-RPC over HTTP with time limits, batches and a call counter.

web3's own `AsyncHTTPProvider` takes a lock in a worker thread for every call to look up its session (calls were seen to
wait for it for ever), opens a connection for every request, and takes a node without batches for a broken one. This one
keeps its session and connections. Nothing is retried, but for a kept connection that the node closed while the request
was on its way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from aiohttp import ClientError, ClientSession, ClientTimeout, ServerDisconnectedError
from web3.providers.async_base import AsyncJSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from ocean.chain.errors import ChainUnavailable, refusal
from ocean.together import together

MAX_BATCH = 50
CONNECT_SECONDS = 3.0
_HEADERS = {"content-type": "application/json"}
_SEND = "eth_sendRawTransaction"  # may have arrived although no answer came back


class Rpc(AsyncJSONBaseProvider):
    """`requests` counts JSON-RPC calls, `round_trips` HTTP requests; benchmarks read both."""

    global_ccip_read_enabled = False  # else a contract could name URLs for us to fetch (EIP-3668)

    def __init__(self, url: str, *, chain_id: int = 0, timeout_seconds: float = 10.0) -> None:
        super().__init__()
        self.url = url
        self.chain_id = chain_id
        self.requests = 0
        self.round_trips = 0
        self._limits = ClientTimeout(total=timeout_seconds, sock_connect=min(CONNECT_SECONDS, timeout_seconds))
        self._session: ClientSession | None = None
        self._batches = True

    async def call(self, method: str, *params: Any) -> Any:
        """The plain `result` of one call, for methods that web3 does not know.

        Raises ChainUnavailable, NodeRefused, CallReverted."""
        answer = await self.make_request(RPCEndpoint(method), params)
        if "error" in answer:
            raise refusal(self.chain_id, answer["error"])
        return answer["result"]

    async def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """The answer, which may be an error of the node's. Raises ChainUnavailable."""
        self.requests += 1
        return self._checked(await self._post(self.encode_rpc_request(method, params), repeatable=method != _SEND))

    async def make_batch_request(self, requests: list[tuple[RPCEndpoint, Any]]) -> list[RPCResponse]:
        """Answers in order, one HTTP request per 50 calls. Raises ChainUnavailable.

        A node that knows no batches is remembered and asked call by call, at the same time.
        """
        answers: list[RPCResponse] = []
        for start in range(0, len(requests), MAX_BATCH):
            answers += await self._batch(requests[start : start + MAX_BATCH])
        return answers

    async def disconnect(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _batch(self, requests: Sequence[tuple[RPCEndpoint, Any]]) -> list[RPCResponse]:
        if self._batches and len(requests) > 1:
            calls = [self.form_request(method, params) for method, params in requests]
            answer = await self._post(self.encode_batch_request_dicts(calls))
            if isinstance(answer, list):
                self.requests += len(calls)
                found = {item["id"]: item for item in answer if isinstance(item, dict) and type(item.get("id")) is int}
                return [self._checked(found.get(call["id"])) for call in calls]  # they may come in any order
            self._checked(answer)
            self._batches = False
        return list(await together(*(self.make_request(method, params) for method, params in requests)))

    async def _post(self, body: bytes, *, repeatable: bool = True) -> Any:
        self.round_trips += 1
        if self._session is None:
            self._session = ClientSession(timeout=self._limits, headers=_HEADERS)
        try:
            try:
                return await self._exchange(self._session, body)
            except ServerDisconnectedError:
                if not repeatable:
                    raise
                return await self._exchange(self._session, body)
        except (ClientError, TimeoutError, OSError) as exc:
            raise ChainUnavailable(self.chain_id, type(exc).__name__) from exc
        except (ValueError, RecursionError) as exc:
            raise ChainUnavailable(self.chain_id, "not a JSON-RPC answer") from exc

    async def _exchange(self, session: ClientSession, body: bytes) -> Any:
        async with session.post(self.url, data=body) as response:
            return self.decode_rpc_response(await response.read())

    def _checked(self, answer: Any) -> RPCResponse:
        if isinstance(answer, dict):
            if answer.get("error") is not None:
                return cast("RPCResponse", answer)
            answer.pop("error", None)  # some nodes say `null` beside a result, which web3 takes for nonsense
            if "result" in answer:
                return cast("RPCResponse", answer)
        raise ChainUnavailable(self.chain_id, "not a JSON-RPC answer")
