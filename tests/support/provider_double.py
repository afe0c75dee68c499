"""A provider that speaks the wire protocol and keeps no rules: to test our own clients of providers.

Its paths are unusual on purpose: clients must take them from the root document.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import repeat
from typing import Any

from aiohttp import web

from ocean.ecies import decrypt, encrypt, public_key_of
from ocean.signing import decrypt_message, job_message, recover, result_message, start_message
from tests.support.chain import provider
from tests.support.serving import served


class ProviderDouble:
    """Requires right signatures and growing nonces. `init` is its next answer to initializeCompute."""

    def __init__(self) -> None:
        self.url = ""
        self.nonces: dict[str, int] = {}
        self.started: list[dict[str, Any]] = []
        self.init: dict[str, Any] = {}
        self.result = b"result" * 100_000
        self.documents: dict[str, bytes] = {}  # transaction → encrypted document
        self.status: int | None = None  # answered to everything but the root, if set
        self.delays: Iterator[float] = repeat(0.0)  # of calls to decrypt, which so overtake each other
        self.overtaken = 0  # so many calls to decrypt meet a nonce of another process with the same key

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self.root),
            web.get("/x/nonce", self.nonce),
            web.post("/x/encrypt", self.encrypt),
            web.get("/x/envs", self.environments),
            web.post("/x/init", self.initialize),
            web.post("/x/job", self.start),
            web.get("/x/job", self.jobs),
            web.put("/x/job", self.stop),
            web.get("/x/result", self.send_result),
            web.post("/api/services/decrypt", self.decrypt),
        ]

    async def root(self, _: web.Request) -> web.Response:
        endpoints = {
            "nonce": ["GET", "/x/nonce"],
            "encrypt": ["POST", "/x/encrypt"],
            "computeEnvironments": ["GET", "/x/envs"],
            "initializeCompute": ["POST", "/x/init"],
            "computeStart": ["POST", "/x/job"],
            "computeStatus": ["GET", "/x/job"],
            "computeStop": ["PUT", "/x/job"],
            "computeResult": ["GET", "/x/result"],
        }
        return web.json_response({"serviceEndpoints": endpoints, "providerAddresses": {"8996": provider.address}})

    async def nonce(self, request: web.Request) -> web.Response:
        if self.status:
            return web.json_response({"error": "as told"}, status=self.status, headers={"Retry-After": "7"})
        return web.json_response({"nonce": str(self.nonces.get(request.query["userAddress"], 1))})

    async def encrypt(self, request: web.Request) -> web.Response:
        assert request.headers["content-type"] == "application/octet-stream"
        assert request.query["chainId"] == "8996"
        blob = encrypt(public_key_of(provider), await request.read())
        return web.Response(text="0x" + blob.hex(), status=201)

    async def environments(self, _: web.Request) -> web.Response:
        return web.json_response({"8996": [{"id": "free"}]})

    async def initialize(self, request: web.Request) -> web.Response:
        return web.json_response(self.init | {"asked": await request.json()})

    async def start(self, request: web.Request) -> web.Response:
        body = await request.json()
        message = start_message(body["consumerAddress"], body["dataset"]["documentId"], body["nonce"])
        if refused := self._refused(body["consumerAddress"], body["nonce"], message, body["signature"]):
            return refused
        self.started.append(body)
        return web.json_response([{"jobId": "1" * 32, "status": 1}])

    async def jobs(self, request: web.Request) -> web.Response:
        return web.json_response([dict(request.query)])

    async def stop(self, request: web.Request) -> web.Response:
        query = request.query
        message = job_message(query["consumerAddress"], query["jobId"], query["documentId"], query["nonce"])
        refused = self._refused(query["consumerAddress"], query["nonce"], message, query["signature"])
        return refused or web.json_response([{"jobId": query["jobId"], "stopreq": 1}])

    async def send_result(self, request: web.Request) -> web.Response:
        query = request.query
        message = result_message(query["consumerAddress"], query["jobId"], query["index"], query["nonce"])
        if refused := self._refused(query["consumerAddress"], query["nonce"], message, query["signature"]):
            return refused
        if query["index"] != "0":
            return web.json_response({"error": "No such index"}, status=404)
        return web.Response(body=self.result)

    async def decrypt(self, request: web.Request) -> web.Response:
        body = await request.json()
        await asyncio.sleep(next(self.delays))
        if self.overtaken:
            self.overtaken -= 1
            self.nonces[body["decrypterAddress"]] = int(body["nonce"])
        message = decrypt_message(body["transactionId"], body["decrypterAddress"], body["chainId"], body["nonce"])
        if refused := self._refused(body["decrypterAddress"], body["nonce"], message, body["signature"]):
            return refused
        if self.status:
            return web.json_response({"error": "Decrypter not authorized"}, status=self.status)
        return web.Response(body=decrypt(provider, self.documents[body["transactionId"]]), status=201)

    def _refused(self, address: str, nonce: str, message: str, signature: str) -> web.Response | None:
        if recover(message, signature) != address or int(nonce) <= self.nonces.get(address, 1):
            return web.json_response({"success": False, "errors": {"signature": "Invalid signature"}}, status=400)
        self.nonces[address] = int(nonce)
        return None


@asynccontextmanager
async def provider_double() -> AsyncIterator[ProviderDouble]:
    double = ProviderDouble()
    app = web.Application(client_max_size=16 << 20)
    app.router.add_routes(double.routes())
    async with served(app, cancels=False) as double.url:
        yield double
