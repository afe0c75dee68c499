"""web3's provider for one chain node: JSON-RPC over HTTP with time limits, batches and a call counter.

web3's own `AsyncHTTPProvider` takes a lock in a worker thread for every call to look up its session (calls were seen to
wait for it for ever), opens a connection for every request, and takes a node without batches for a broken one. This one
keeps its session and connections.

A node that was asked too often is left alone as long as it says, and then asked the same again, within the time limit
of a request. A batch that is not answered as a batch is asked in smaller ones, at last call by call; this is remembered
only once the node has answered a single call, so that a node in trouble teaches nothing. Nothing else is retried, but
for a kept connection that the node closed while the request was on its way.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, cast

from aiohttp import ClientError, ClientSession, ClientTimeout, ServerDisconnectedError
from web3.providers.async_base import AsyncJSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from ocean.chain.errors import ChainUnavailable, NodeBusy, refusal
from ocean.chain.pacing import BatchLimit, Pause
from ocean.chain.refusals import Meaning, limit_named, meaning, text_of, wait_named
from ocean.kit.digits import is_digits
from ocean.kit.together import together

MAX_BATCH = 50
MAX_SINGLES = 8  # calls at a time, of a batch that is asked call by call
CONNECT_SECONDS = 3.0
_HEADERS = {"content-type": "application/json"}
_SEND = "eth_sendRawTransaction"  # may have arrived although no answer came back
_RESPONSE_TOO_LARGE = -32003  # given to those calls of a batch whose answers no longer fit
_UNREADABLE = object()

Call = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Reply:
    """`body` is parsed JSON, or _UNREADABLE."""

    status: int
    retry_after: str
    body: Any

    def busy(self) -> float | None:
        """Seconds to wait (0: not said) if the whole request was refused for its rate."""
        whole = self.body
        if isinstance(whole, list) and len(whole) == 1 and isinstance(whole[0], dict) and whole[0].get("id") is None:
            whole = whole[0]
        error = whole.get("error") if isinstance(whole, dict) else None
        if error is not None:
            return _busy(error, self.status, _seconds(self.retry_after))
        if self.status == 429 or (self.status == 503 and self.retry_after):
            return _seconds(self.retry_after) or 0.0
        return None

    def words(self) -> str:
        """What the node says of a request as a whole."""
        parts = self.body if isinstance(self.body, list) else [self.body]
        return " ".join(text_of(part["error"]) for part in parts if isinstance(part, dict) and part.get("error"))


class Rpc(AsyncJSONBaseProvider):
    """`requests` counts JSON-RPC calls, `round_trips` HTTP requests; benchmarks read both."""

    global_ccip_read_enabled = False  # else a contract could name URLs for us to fetch (EIP-3668)

    def __init__(self, url: str, *, chain_id: int = 0, timeout_seconds: float = 10.0) -> None:
        super().__init__()
        self.url = url
        self.chain_id = chain_id
        self.requests = 0
        self.round_trips = 0
        self._patience = timeout_seconds
        self._limits = ClientTimeout(total=timeout_seconds, sock_connect=min(CONNECT_SECONDS, timeout_seconds))
        self._session: ClientSession | None = None
        self._batches = BatchLimit(MAX_BATCH)
        self._pause = Pause()

    @property
    def batch_size(self) -> int:
        """How many calls a request may hold, as far as is known; 1: no batches."""
        return self._batches.size()

    async def call(self, method: str, *params: Any) -> Any:
        """The plain `result` of one call, for methods that web3 does not know.

        Raises ChainUnavailable, NodeRefused, CallReverted."""
        answer = await self.make_request(RPCEndpoint(method), params)
        if "error" in answer:
            raise refusal(self.chain_id, answer["error"])
        return answer["result"]

    async def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """The answer, which may be an error of the node's. Raises ChainUnavailable."""
        return await self._single(cast("Call", self.form_request(method, params)), time.monotonic() + self._patience)

    async def make_batch_request(self, requests: list[tuple[RPCEndpoint, Any]]) -> list[RPCResponse]:
        """Answers in order, in as few HTTP requests as the node allows. Raises ChainUnavailable."""
        calls: list[Call] = [cast("Call", self.form_request(method, params)) for method, params in requests]
        found = await self._answers(calls, time.monotonic() + self._patience)
        return [found[call["id"]] for call in calls]

    async def disconnect(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    # --- batches -----------------------------------------------------------------------------------------------------

    async def _answers(self, calls: Sequence[Call], end: float) -> dict[int, RPCResponse]:
        """By id."""
        found: dict[int, RPCResponse] = {}
        while missing := [call for call in calls if call["id"] not in found]:
            size = min(self._batches.size(), MAX_BATCH)
            if size == 1 or len(missing) == 1:
                return found | await self._one_by_one(missing, end)
            found |= await self._batch(missing[:size], end)
        return found

    async def _batch(self, calls: Sequence[Call], end: float) -> dict[int, RPCResponse]:
        """At least one answer, not necessarily all."""
        try:
            reply = await self._post(json.dumps(calls).encode(), end=end)
        except _Disconnected:  # the way in which some nodes refuse a batch
            reply = _Reply(0, "", _UNREADABLE)
        self.requests += len(calls)
        found, busy = self._sorted(reply.body, calls)
        if busy is not None:
            self._pause.begin(busy or None)
        elif len(found) == len(calls):
            self._batches.accepted(len(calls))
        else:
            words = reply.words()
            probe = next(call for call in calls if call["id"] not in found)
            found[probe["id"]] = await self._single(probe, end)  # raises if it is not the batch that was wrong
            self._batches.refused(len(calls), limit_named(words, len(calls)) if words else None)
        return found

    def _sorted(self, body: Any, calls: Sequence[Call]) -> tuple[dict[int, RPCResponse], float | None]:
        """Usable answers by id, in whatever order they came; the wait that some calls were told (0: not said)."""
        items = {str(item.get("id")): item for item in body if isinstance(item, dict)} if isinstance(body, list) else {}
        found: dict[int, RPCResponse] = {}
        busy: float | None = None
        for call in calls:
            answer = _usable(items.get(str(call["id"])))
            if answer is None:
                continue
            error = answer.get("error")
            if error is None:
                found[call["id"]] = answer
            elif (told := _busy(error)) is not None:
                busy = max(busy or 0.0, told)
            elif not _of_the_batch(error):
                found[call["id"]] = answer
        return found, busy

    async def _one_by_one(self, calls: Sequence[Call], end: float) -> dict[int, RPCResponse]:
        places = asyncio.Semaphore(MAX_SINGLES)

        async def ask(call: Call) -> RPCResponse:
            async with places:
                return await self._single(call, end)

        answers = await together(*(ask(call) for call in calls))
        return {call["id"]: answer for call, answer in zip(calls, answers, strict=True)}

    async def _single(self, call: Call, end: float) -> RPCResponse:
        self.requests += 1
        reply = await self._post(json.dumps(call).encode(), end=end, repeatable=call["method"] != _SEND)
        answer = _usable(reply.body)
        if answer is None:
            raise ChainUnavailable(self.chain_id, "not a JSON-RPC answer")
        return answer

    # --- HTTP --------------------------------------------------------------------------------------------------------

    async def _post(self, body: bytes, *, end: float, repeatable: bool = True) -> _Reply:
        """The node's answer to one request, asked again while it says that it was asked too often."""
        while True:
            if (wait := self._pause.wait()) > 0:
                if time.monotonic() + wait >= end:
                    raise NodeBusy(self.chain_id, 429, "too many requests", wait)
                await asyncio.sleep(wait)
                continue
            reply = await self._exchange(body, repeatable=repeatable)
            if (told := reply.busy()) is None:
                self._pause.end()
                return reply
            self._pause.begin(told or None)

    async def _exchange(self, body: bytes, *, repeatable: bool) -> _Reply:
        self.round_trips += 1
        if self._session is None:
            self._session = ClientSession(timeout=self._limits, headers=_HEADERS)
        try:
            try:
                return await self._send(self._session, body)
            except ServerDisconnectedError:
                if not repeatable:
                    raise
                return await self._send(self._session, body)
        except ServerDisconnectedError as exc:
            raise _Disconnected(self.chain_id, type(exc).__name__) from exc
        except TimeoutError as exc:
            raise NodeSlow(self.chain_id, type(exc).__name__) from exc
        except (ClientError, OSError) as exc:
            raise ChainUnavailable(self.chain_id, type(exc).__name__) from exc

    async def _send(self, session: ClientSession, body: bytes) -> _Reply:
        async with session.post(self.url, data=body) as response:
            raw = await response.read()
            try:
                found: Any = self.decode_rpc_response(raw)
            except (ValueError, RecursionError):
                found = _UNREADABLE
            return _Reply(response.status, response.headers.get("Retry-After", ""), found)


class NodeSlow(ChainUnavailable):
    """No answer in time: perhaps it was too much at once."""


class _Disconnected(ChainUnavailable):
    """The node closed the connection, twice."""


def _usable(answer: Any) -> RPCResponse | None:
    if not isinstance(answer, dict):
        return None
    if answer.get("error") is not None:
        return cast("RPCResponse", answer)
    answer.pop("error", None)  # some nodes say `null` beside a result, which web3 takes for nonsense
    return cast("RPCResponse", answer) if "result" in answer else None


def _busy(error: Any, status: int = 200, header_seconds: float | None = None) -> float | None:
    """Seconds to wait, 0 if the node does not say how long; None if this is no refusal for the rate."""
    words, code = text_of(error), error.get("code") if isinstance(error, Mapping) else None
    found = meaning(code, words)
    if found is not Meaning.RATE and not (status == 429 and found is not Meaning.BATCH):
        return None
    return header_seconds or wait_named(words) or 0.0


def _of_the_batch(error: Any) -> bool:
    """Whether an error says nothing of the call, but that it came in too large a batch."""
    code = error.get("code") if isinstance(error, Mapping) else None
    return code == _RESPONSE_TOO_LARGE or meaning(code, text_of(error)) is Meaning.BATCH


def _seconds(header: str) -> float | None:
    """Of a Retry-After, which is a number or a date."""
    text = header.strip()
    if is_digits(text):
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None
