"""Further ports of the process, beside the one of the service."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp

from provider_api.http.protocol import protocol_for
from provider_api.settings import ServerSettings


@asynccontextmanager
async def serving(app: ASGIApp, host: str, port: int) -> AsyncIterator[int]:
    """Serve an application beside the service; the port. Raises OSError for one that is taken."""
    listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    config = uvicorn.Config(
        app,
        http=protocol_for(ServerSettings()),
        proxy_headers=False,
        access_log=False,
        server_header=False,
        log_config=None,
        lifespan="off",
    )
    server = _Quiet(config)
    task = asyncio.create_task(server.serve([listening]))
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        await task


class _Quiet(uvicorn.Server):
    """Signals are for the service itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
