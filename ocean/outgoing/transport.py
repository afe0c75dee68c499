"""HTTP/1.1 through the guard: httpx's transport over httpcore's pool, with a network backend that asks the guard.

The host name of the URL stays what TLS verifies and what the Host header says; only the connection goes to the
address that was checked. Foreign exceptions end here. The transport is used directly, without httpx's client, which
would write URLs to the log and keep cookies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

import httpcore
import httpx

from ocean.outgoing.body import Body
from ocean.outgoing.errors import OutgoingFailed
from ocean.outgoing.translation import translated

if TYPE_CHECKING:
    from ocean.outgoing.guard import OutgoingGuard


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    def __init__(self, guard: OutgoingGuard) -> None:
        self._guard = guard

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (timeout if timeout is not None else 60.0)
        addresses = await self._guard.addresses(host, port, deadline - loop.time())
        for position, address in enumerate(addresses):
            attempts_left = len(addresses) - position
            try:
                return await self._guard.dial.connect_tcp(
                    address,
                    port,
                    timeout=max(0.05, (deadline - loop.time()) / attempts_left),
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if attempts_left == 1:
                    raise
        raise OutgoingFailed("name", retriable=False)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class GuardedTransport(httpx.AsyncBaseTransport):
    """Raises OutgoingRefused and OutgoingFailed, also from the bodies of its responses."""

    def __init__(self, guard: OutgoingGuard, max_connections: int) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=guard.ssl_context,
            max_connections=max_connections,
            max_keepalive_connections=max_connections,
            keepalive_expiry=15.0,
            network_backend=_GuardedBackend(guard),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        core = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=cast(httpx.AsyncByteStream, request.stream),
            extensions=request.extensions,
        )
        with translated():
            response = await self._pool.handle_async_request(core)
        body = Body(response, request.extensions.get("timeout", {}).get("read"))
        return httpx.Response(response.status, headers=response.headers, stream=body, request=request)

    async def aclose(self) -> None:
        await self._pool.aclose()
