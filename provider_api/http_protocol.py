"""uvicorn's HTTP/1.1 protocol with limits for all that is no body, and errors in JSON.

uvicorn collects request line, headers and trailers for as long as they come. Here a connection that has sent
`MAX_HEAD_BYTES` without finishing a head, a piece of a body or a request is answered with 431 and closed. (A finished
head that is too large is refused by `provider_api.transport`, whatever the server.)
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from provider_api.errors import NotOffered
from provider_api.responses import json_bytes
from provider_api.transport import MAX_HEAD_BYTES


class _AddressTooLong(Exception):
    """Ends the parsing; uvicorn takes it for a request that cannot be read."""


class BoundedProtocol(HttpToolsProtocol):
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

    def data_received(self, data: bytes) -> None:
        self._progress = False
        super().data_received(data)
        self._unfinished_bytes = 0 if self._progress else self._unfinished_bytes + len(data)
        if self._unfinished_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            address_bytes = len(getattr(self, "url", b""))  # there is none before a request begins
            self._refuse(NotOffered(414 if 2 * address_bytes > self._unfinished_bytes else 431))

    def on_headers_complete(self) -> None:
        self._progress = True
        if len(self.url) > MAX_HEAD_BYTES:  # uvicorn's URL parser takes no longer ones
            raise _AddressTooLong
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._progress = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._progress = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What the parser cannot read, or a callback of ours refuses. `msg` is uvicorn's own constant text."""
        self._refuse(NotOffered(414 if len(getattr(self, "url", b"")) > MAX_HEAD_BYTES else 400))

    def _refuse(self, error: NotOffered) -> None:
        cycle = self.cycle
        if cycle is not None and cycle.response_started and not cycle.response_complete:
            self.transport.close()  # an answer is on its way: nothing may be written into it
            return
        body = json_bytes(error.body())
        head = (
            f"HTTP/1.1 {error.status} {error.name}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nAccess-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
