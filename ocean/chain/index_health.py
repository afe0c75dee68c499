"""Whether an index keeps up with its chain, and if not, why: for readiness and metrics."""

from __future__ import annotations

import time

from ocean.chain.errors import ChainUnavailable, NodeRefused
from ocean.chain.refusals import meaning

PATIENT_ROUNDS = 3  # that may fail one after the other before the index counts as troubled
FAR_BEHIND = 64  # blocks that a node may lag behind what is known


class IndexHealth:
    """`failures`: rounds that failed since the last good one. `caught_up_at`: Unix seconds of that one, 0 for never."""

    def __init__(self) -> None:
        self.failures = 0
        self.caught_up_at = 0.0
        self._reason = "not read yet"

    def succeeded(self, behind: int) -> None:
        """`behind`: by how many blocks the node lags what is known."""
        if behind > FAR_BEHIND:
            self._count(f"the node is {behind} blocks behind what it said before")
            return
        self.failures, self.caught_up_at, self._reason = 0, time.time(), ""

    def failed(self, failure: Exception) -> None:
        """Readiness is told to everybody: nothing of a node's own words, which may name an account, is kept."""
        if isinstance(failure, NodeRefused):
            self._count(f"the node refuses: {meaning(failure.code, failure.reason).value}")
        elif isinstance(failure, ChainUnavailable):
            self._count(failure.reason)
        else:
            self._count(type(failure).__name__)

    @property
    def trouble(self) -> str:
        """Why the index has not caught up for some rounds; "" while it does."""
        return self._reason if self.failures >= PATIENT_ROUNDS else ""

    def _count(self, reason: str) -> None:
        self.failures += 1
        self._reason = reason
