"""A service in this process beside a real HTTP server from which publishers sell files."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpcore
import httpx
from eth_account import Account

from ocean import ecies
from ocean.ddo import DDO
from ocean.keys import public_bytes
from ocean.outgoing import OutgoingGuard, Resolver
from ocean.outgoing.sockets import SocketBackend
from ocean.signing import download_message, sign
from provider_api.settings import OutgoingSettings
from tests.support import provider_facts as facts
from tests.support.http_server import Handler, HttpServer
from tests.support.provider_neighbours import CONSUMER_KEY, PROVIDER_KEY, World

NAME, PUBLIC = "files.example", "93.184.216.34"


async def _resolve(host: str, port: int) -> Sequence[str]:
    usual: Resolver = OutgoingGuard.__init__.__kwdefaults__["resolve"]
    return [PUBLIC] if host == NAME else await usual(host, port)


class _Dialer(SocketBackend):
    """Connects to this machine instead of the public address."""

    async def connect_tcp(self, host: str, port: int, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        return await super().connect_tcp("127.0.0.1" if host == PUBLIC else host, port, *args, **options)


@dataclass
class Shop:
    """`async with Shop.open(folder, handler) as shop`: what the handler serves may be asked for by the service."""

    world: World
    server: HttpServer

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        folder: Path,
        handler: Handler,
        outgoing: Mapping[str, Any] | None = None,
        *,
        bound: Sequence[str] = ("{address}@*",),
        **settings: Any,
    ) -> AsyncIterator[Self]:
        """`bound`: which private addresses are open, and for whom; `{address}` is the server's own."""
        async with HttpServer(handler) as server:
            address = f"127.0.0.1:{server.port}"
            given = {name: str(value).replace("{address}", address) for name, value in (outgoing or {}).items()}
            allowed = OutgoingSettings(
                **({"allow_private": tuple(text.replace("{address}", address) for text in bound)} | given)
            )  # type: ignore[arg-type]
            guarding = {"resolve": _resolve, "dial": _Dialer()}
            async with World(folder, outgoing=allowed, guarding=guarding, **settings).running() as world:
                yield cls(world, server)

    @property
    def url(self) -> str:
        """At a public name: strangers may ask for it as well."""
        return f"http://{NAME}:{self.server.port}"

    def file(self, path: str = "/rain.csv", **more: Any) -> dict[str, Any]:
        return {"type": "url", "url": self.url + path, "method": "GET", **more}

    def publish(self, *files: Any, number: int = 1, service: Mapping[str, Any] | None = None, **document: Any) -> str:
        """An access asset with these file objects, whatever they are; its DID. Keywords replace parts of the DDO."""
        listed = {"datatokenAddress": facts.TOKEN, "nftAddress": facts.NFT, "files": list(files)}
        content = list(files) if document.get("version") == "4.0.0" else listed
        blob = ecies.encrypt(public_bytes(PROVIDER_KEY), json.dumps(content).encode())
        made = {"type": "access", "files": "0x" + blob.hex(), "compute": None, **(service or {})}
        source = facts.document(facts.did(number), service=made) | document
        self.world.chain.assets[source["id"]] = DDO.parse(source)
        return str(source["id"])

    # --- requests ----------------------------------------------------------------------------------------------------

    async def info(self, did: str = "", **body: Any) -> httpx.Response:
        """By asset, or a file object as keywords."""
        asked = {"did": did, "serviceId": "svc", **body} if did else body
        return await self.world.http.post("/api/services/fileinfo", json=asked)

    async def initialize(self, did: str, **query: Any) -> httpx.Response:
        asked = {"documentId": did, "serviceId": "svc", "consumerAddress": self.world.consumer.address} | query
        return await self.world.http.get("/api/services/initialize", params=asked)

    def request(self, did: str, nonce: Any, order: str, *, key: str = CONSUMER_KEY, **query: Any) -> dict[str, Any]:
        """The query of a signed download of the first file; keywords replace values after signing."""
        return {
            "documentId": did,
            "serviceId": "svc",
            "consumerAddress": Account.from_key(key).address,
            "transferTxId": order,
            "fileIndex": "0",
            "nonce": str(nonce),
            "signature": sign(download_message(did, str(nonce)), key),
        } | query

    async def download(
        self, did: str, nonce: Any, order: str | None = None, *, headers: Mapping[str, str] | None = None, **query: Any
    ) -> httpx.Response:
        """With an order of the consumer's own, unless told otherwise."""
        asked = self.request(did, nonce, self.world.order() if order is None else order, **query)
        return await self.send(asked, headers)

    async def send(self, query: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> httpx.Response:
        return await self.world.http.get("/api/services/download", params=dict(query), headers=dict(headers or {}))
