"""A chain node with the habits of public ones: an HTTP server in front of the development chain that can refuse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, web

from tests.support.serving import served


class RpcProxy:
    """Passes JSON-RPC on to `target`. Change the attributes to change its habits."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.url = ""
        self.longest_range: int | None = None  # of log queries, in blocks
        self.batches = True
        self.hangs = False
        self.answer: str | None = None  # said to everything, instead of JSON-RPC
        self.methods: list[str] = []  # of every call so far, also of those inside batches
        self.round_trips = 0  # HTTP requests

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.round_trips += 1
        self.methods += [item["method"] for item in (body if isinstance(body, list) else [body])]
        if self.hangs:
            await asyncio.sleep(3600)
        if self.answer is not None:
            return web.Response(text=self.answer)
        if isinstance(body, list):
            if not self.batches:
                return web.json_response(_error(None, "batches are not supported"))
            return web.json_response([await self._one(item) for item in body])
        return web.json_response(await self._one(body))

    async def _one(self, item: dict[str, Any]) -> Any:
        if item["method"] == "eth_getLogs" and self.longest_range is not None:
            query = item["params"][0]
            if int(query["toBlock"], 16) - int(query["fromBlock"], 16) >= self.longest_range:
                return _error(item["id"], "block range is too large")
        async with ClientSession() as session, session.post(self.target, json=item) as answer:
            return await answer.json()


def _error(number: Any, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": -32600, "message": message}}


@asynccontextmanager
async def rpc_proxy(target: str) -> AsyncIterator[RpcProxy]:
    proxy = RpcProxy(target)
    app = web.Application()
    app.router.add_post("/", proxy.handle)
    async with served(app) as proxy.url:
        yield proxy
