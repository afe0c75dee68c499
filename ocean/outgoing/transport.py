"""HTTP/1.1 through the guard: httpx's transport over httpcore's pool, with a network backend that asks the guard.

The host name of the URL stays what TLS verifies and what the Host header says; only the connection goes to the
address that was checked. Foreign exceptions end here. The transport is used directly, without httpx's client, which
would write URLs to the log and keep cookies.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from ssl import SSLContext
from typing import Any, Protocol, cast

import httpcore
import httpx

from ocean.outgoing.allowed import Allowed
from ocean.outgoing.body import Body
from ocean.outgoing.errors import OutgoingFailed, OutgoingRefused
from ocean.outgoing.translation import translated


class Guard(Protocol):
    """What the transport asks (`ocean.outgoing.guard`)."""

    dial: httpcore.AsyncNetworkBackend
    ssl_context: SSLContext

    def granted(self, publisher: str | None, url: httpx.URL) -> frozenset[Allowed]: ...

    async def addresses(
        self, host: str, port: int, timeout_seconds: float | None, granted: Iterable[Allowed] | None
    ) -> tuple[str, ...]: ...


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connections for requests for which the same exceptions hold."""

    def __init__(self, guard: Guard, granted: frozenset[Allowed]) -> None:
        self._guard, self._granted = guard, granted

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
        addresses = await self._guard.addresses(host, port, deadline - loop.time(), self._granted)
        for position, address in enumerate(addresses):
            attempts_left = len(addresses) - position
            try:
                stream = await self._guard.dial.connect_tcp(
                    address,
                    port,
                    timeout=max(0.05, (deadline - loop.time()) / attempts_left),
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if attempts_left == 1:
                    raise
            else:
                if not self._granted and _leads_to_ourselves(stream, address):
                    await stream.aclose()
                    raise OutgoingRefused("forbidden")
                return stream
        raise OutgoingFailed("name", retriable=False)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _leads_to_ourselves(stream: httpcore.AsyncNetworkStream, address: str) -> bool:
    """Whether the connection ends on this machine: the system then takes the very address that is called as its own
    end, also where that is a public one. (A gateway that leads back to us cannot be seen from here.)"""
    connection = stream.get_extra_info("socket")
    if connection is None:
        return False
    peer: str = connection.getpeername()[0]
    return peer == address and peer == connection.getsockname()[0]


class GuardedTransport(httpx.AsyncBaseTransport):
    """Raises OutgoingRefused and OutgoingFailed, also from the bodies of its responses.

    A connection that was opened under an exception of the guard serves only requests that have the same one, so that
    nobody comes to a private server on somebody else's connection. A request's extension `publisher` says whose file it
    is about.
    """

    def __init__(self, guard: Guard, max_connections: int, per_target: int | None = None) -> None:
        self._guard = guard
        self._most, self._per_target = max_connections, per_target
        self.refused = 0
        self._pools: dict[frozenset[Allowed], httpcore.AsyncConnectionPool] = {}
        self._open: Counter[tuple[str, int | None]] = Counter()  # requests whose answers are not closed, by target

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
        pool = self._pool_for(self._guard.granted(request.extensions.get("publisher"), request.url))
        target = (request.url.host, request.url.port)
        self._take(target)
        try:
            with translated():
                response = await pool.handle_async_request(core)
            read_seconds = request.extensions.get("timeout", {}).get("read")
            body = Body(response, read_seconds, lambda: self._give_back(target))
        except BaseException:
            self._give_back(target)
            raise
        return httpx.Response(response.status, headers=response.headers, stream=body, request=request)

    @property
    def under_way(self) -> int:
        return self._open.total()

    async def aclose(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()

    def _pool_for(self, granted: frozenset[Allowed]) -> httpcore.AsyncConnectionPool:
        """There are no more pools than combinations of the operator's exceptions."""
        if granted not in self._pools:
            self._pools[granted] = httpcore.AsyncConnectionPool(
                ssl_context=self._guard.ssl_context,
                max_connections=self._most,
                max_keepalive_connections=self._most,
                keepalive_expiry=15.0,
                network_backend=_GuardedBackend(self._guard, granted),
            )
        return self._pools[granted]

    def _take(self, target: tuple[str, int | None]) -> None:
        """Raises OutgoingFailed (busy)."""
        if self._per_target is not None and (
            self._open.total() >= self._most or self._open[target] >= self._per_target
        ):
            self.refused += 1
            raise OutgoingFailed("busy", retriable=True)
        self._open[target] += 1

    def _give_back(self, target: tuple[str, int | None]) -> None:
        self._open[target] -= 1
        if not self._open[target]:
            del self._open[target]
