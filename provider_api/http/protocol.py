"""uvicorn's HTTP/1.1 protocol with limits for connections, for all that is no body, and errors in JSON.

uvicorn collects request line, headers and trailers for as long as they come. Here a connection that has sent
`MAX_HEAD_BYTES` without finishing a head, a piece of a body or a request is answered with 431 and closed. (A finished
head that is too large is refused by `provider_api.http.transport`, whatever the server.) A head has a time limit as a
whole, so that one byte now and then does not keep a connection; a body one for each pause. There are only so many
connections, and so many from one address.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from provider_api.http.clients import client_name
from provider_api.http.errors import ApiError, NeighbourAway, NotOffered, TooMuchAsked
from provider_api.http.responses import json_bytes
from provider_api.http.transport import MAX_HEAD_BYTES
from provider_api.settings import ServerSettings

_CONNECTION: Final = "c2d.connection"


@dataclass(frozen=True, slots=True)
class Connection:
    """What an answer without end must know of what is below it. `closing` is set when the server begins to shut down,
    for it waits for answers. `abort` ends the connection without sending what waits to be sent."""

    closing: asyncio.Event
    abort: Callable[[], None]


def connection_of(scope: MutableMapping[str, Any]) -> Connection | None:
    """That of a request; None where another server than ours has received it."""
    return scope.get(_CONNECTION)


class _AddressTooLong(Exception):
    """Ends the parsing; uvicorn takes it for a request that cannot be read."""


class Connections:
    """Those of one server."""

    def __init__(self, settings: ServerSettings) -> None:
        self.head_seconds, self.silence_seconds = settings.head_seconds, settings.silence_seconds
        self._most, self._most_each = settings.max_connections, settings.max_connections_each
        self._proxies = [ipaddress.ip_network(text, strict=False) for text in settings.trusted_proxies]
        self._open: Counter[str] = Counter()
        self.closing = asyncio.Event()

    def refusal(self, address: str) -> ApiError | None:
        """Why there can be no further connection from an address."""
        if self._open.total() >= self._most:
            return NeighbourAway("This service has as many connections as it can hold.", 5)
        if self._open[client_name(address)] >= self._most_each and not self._is_proxy(address):
            return TooMuchAsked("Your address has as many connections to this service as one may have.", 5)
        return None

    def opened(self, address: str) -> None:
        self._open[client_name(address)] += 1

    def closed(self, address: str) -> None:
        self._open = self._open - Counter([client_name(address)])

    def _is_proxy(self, address: str) -> bool:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._proxies)


class BoundedProtocol(HttpToolsProtocol):
    """Use `protocol_for`: each server counts its own connections."""

    limits = Connections(ServerSettings())

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._unfinished_bytes = 0
        self._progress = False
        self._counted = False
        self._in_body = False
        self._limit: asyncio.TimerHandle | None = None

    # --- the connection ----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        refusal = self.limits.refusal(self._address)
        if refusal is not None:
            self._refuse(refusal)
            return
        self.limits.opened(self._address)
        self._counted = True
        self._watch(self.limits.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        if self._counted:
            self._counted = False
            self.limits.closed(self._address)
        super().connection_lost(exc)

    @property
    def _address(self) -> str:
        return self.client[0] if self.client else ""

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._progress = False
        if self._in_body:
            self._watch(self.limits.silence_seconds)
        elif self._limit is None:
            self._watch(self.limits.head_seconds)
        super().data_received(data)
        self._unfinished_bytes = 0 if self._progress else self._unfinished_bytes + len(data)
        if self._unfinished_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            address_bytes = len(getattr(self, "url", b""))  # there is none before a request begins
            self._refuse(NotOffered(414 if 2 * address_bytes > self._unfinished_bytes else 431))

    def shutdown(self) -> None:
        self.limits.closing.set()
        super().shutdown()

    def _should_upgrade_to_ws(self) -> bool:
        """There are no websockets here; another protocol in this one's place would not be counted."""
        return False

    # --- time limits -------------------------------------------------------------------------------------------------

    def _watch(self, seconds: float) -> None:
        self._unwatch()
        self._limit = self.loop.call_later(seconds, self._took_too_long)

    def _unwatch(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _took_too_long(self) -> None:
        self._limit = None
        if self.transport.is_closing():
            return
        if self._in_body and self.flow.read_paused:  # we are it who do not read
            self._watch(self.limits.silence_seconds)
            return
        if self._in_body:
            self._refuse(NotOffered(408))
        elif self.cycle is None or self.cycle.response_complete:
            self._refuse(NotOffered(408) if self._unfinished_bytes else None)

    # --- what the parser finds ---------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        super().on_message_begin()
        scope: MutableMapping[str, Any] = self.scope  # type: ignore[assignment]
        scope[_CONNECTION] = Connection(self.limits.closing, self.transport.abort)

    def on_headers_complete(self) -> None:
        self._progress = True
        if len(self.url) > MAX_HEAD_BYTES:  # uvicorn's URL parser takes no longer ones
            raise _AddressTooLong
        self._in_body = True
        self._watch(self.limits.silence_seconds)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._progress = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._progress = True
        self._in_body = False
        self._unwatch()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What the parser cannot read, or a callback of ours refuses. `msg` is uvicorn's own constant text."""
        self._refuse(NotOffered(414 if len(getattr(self, "url", b"")) > MAX_HEAD_BYTES else 400))

    def _refuse(self, error: ApiError | None) -> None:
        """Answer, where that can be done, and close."""
        cycle = self.cycle
        if error is None or (cycle is not None and cycle.response_started and not cycle.response_complete):
            self.transport.close()  # an answer is on its way: nothing may be written into it
            return
        body = json_bytes(error.body())
        retry = "".join(f"{name}: {value}\r\n" for name, value in error.headers().items())
        head = (
            f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\nContent-Type: application/json\r\n{retry}"
            f"Content-Length: {len(body)}\r\nAccess-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


def protocol_for(settings: ServerSettings) -> type[BoundedProtocol]:
    """The protocol of one server. Raises ValueError for a proxy that is no address or network."""
    return type("Protocol", (BoundedProtocol,), {"limits": Connections(settings)})
