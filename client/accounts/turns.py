"""One command of an account at a time sends transactions: two that did would give theirs the same number, and the chain
takes one of them only."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contract.local_service import state_folder

_PAUSE_SECONDS = 0.1


@asynccontextmanager
async def turn(chain_id: int, account: str) -> AsyncIterator[None]:
    """Wait for the others of this user on this machine. A turn ends with its process. Raises OSError."""
    place = state_folder() / "turns" / f"{chain_id}-{account.lower()}"
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with place.open("a") as file:
        while not _locked(file.fileno()):  # noqa: ASYNC110  (other processes set no event)
            await asyncio.sleep(_PAUSE_SECONDS)
        yield


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
