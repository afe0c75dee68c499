"""What a start waits for: neighbours that the settings name and that take no connection.

A line names the neighbour, its host and port and the end of the waiting, and no more of an address, which may hold a
password or the key of a node.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url

from ocean.kit.together import together
from provider_api.settings import Settings

FIRST_SECONDS: Final = 2.0
NEXT_SECONDS: Final = 5.0
CONNECT_SECONDS: Final = 2.0
_PORTS: Final = {"http": 80, "https": 443}


async def absent(settings: Settings) -> list[str]:
    """Those that cannot be reached now, as people would name them."""
    found = await together(*(_answers(host, port) for _, host, port in _neighbours(settings)))
    named = zip(_neighbours(settings), found, strict=True)
    return [f"{what} at {host}:{port}" for (what, host, port), there in named if not there]


@contextlib.asynccontextmanager
async def telling(settings: Settings, seconds: float, tell: Callable[[str], None]) -> AsyncIterator[None]:
    """While the block runs, tell what it waits for, each time that this changes."""
    reporter = asyncio.create_task(_report(settings, seconds, tell))
    try:
        yield
    finally:
        reporter.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reporter


async def _report(settings: Settings, seconds: float, tell: Callable[[str], None]) -> None:
    told: list[str] = []
    pause = FIRST_SECONDS
    while True:
        await asyncio.sleep(pause)
        missing = await absent(settings)
        if missing and missing != told:
            tell(f"waiting for {', '.join(missing)}: no connection; for at most {seconds:.0f} s from the start")
        told, pause = missing, NEXT_SECONDS


def _neighbours(settings: Settings) -> list[tuple[str, str, int]]:
    """Name, host and port of those that are reached over TCP."""
    urls = [("the chain's node", chain.url) for chain in settings.chains]
    if "argo" in settings.model_fields_set:
        urls.append(("Argo Server", settings.argo.url))
    found = []
    for what, url in urls:
        parts = urlsplit(url)
        if parts.hostname:
            found.append((what, parts.hostname, parts.port or _PORTS.get(parts.scheme, 443)))
    database = make_url(settings.storage_url())
    if database.get_backend_name() == "postgresql":
        found.append(("the database", database.host or "localhost", database.port or 5432))
    return found


async def _answers(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
