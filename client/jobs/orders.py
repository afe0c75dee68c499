"""Orders that were paid for a job that has not been started yet.

Each is written down before its transaction is sent, and removed when a job has it. So a run that died in between has
paid for the next one of the same assets in the same environment, which finds its orders here.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from contract.local_service import state_folder

if TYPE_CHECKING:
    from ocean.chain.network import Network


@dataclass(frozen=True, slots=True)
class Order:
    """`consumer`: the environment's address, for which it was made. `tx`: the transaction."""

    did: str
    service: str
    consumer: str
    tx: str


@dataclass
class Orders:
    """Those of one account on one chain. A file is locked as long as a command uses its order, so that two commands
    never take the same one; a lock ends with its process."""

    chain_id: int
    account: str
    _mine: dict[str, IO[str]] = field(default_factory=dict)

    @property
    def _folder(self) -> Path:
        return state_folder() / "orders" / f"{self.chain_id}-{self.account.lower()}"

    def note(self, order: Order) -> None:
        """Returns when it would survive a power cut. Raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.fdopen(os.open(self._folder / f"{order.tx}.json", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "r+")
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(json.dumps(asdict(order)) + "\n")
        file.flush()
        os.fsync(file.fileno())
        self._mine[order.tx] = file

    def take(self, did: str, service: str, consumer: str) -> str | None:
        """The transaction of an order like that, which no other command uses. Raises OSError."""
        for place in sorted(self._folder.glob("*.json")) if self._folder.is_dir() else ():
            file = place.open("r+")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                order = Order(**json.load(file))
            except (BlockingIOError, ValueError, TypeError):
                file.close()  # another command's, or a note that was not written to its end
                continue
            if (order.did, order.service, order.consumer) == (did, service, consumer) and place.exists():
                self._mine[order.tx] = file
                return order.tx
            file.close()
        return None

    def drop(self, tx: str) -> None:
        """It is of no use any more: a job has it, or it never came about. Raises OSError."""
        file = self._mine.pop(tx, None)
        (self._folder / f"{tx}.json").unlink(missing_ok=True)
        if file is not None:
            file.close()

    def settle(self) -> None:
        """A job has all of them. Raises OSError."""
        for tx in list(self._mine):
            self.drop(tx)

    def close(self) -> None:
        """Let others have what was not used."""
        for file in self._mine.values():
            file.close()
        self._mine.clear()


async def is_made(network: Network, tx: str) -> bool:
    """Whether an order's transaction came about; one that waits is waited for. Raises ChainUnavailable,
    TransactionUnconfirmed."""
    from ocean.chain.answers import Question
    from ocean.chain.errors import TransactionFailed
    from ocean.chain.transactions import mined

    known = Question("eth_getTransactionByHash", (tx,), lambda _: True, may_be_unknown=True)
    if not await network.ask(known):
        return False
    try:
        await mined(network, tx)
    except TransactionFailed:
        return False
    return True
