"""Sets of connections to files' sources: downloads, starts and strangers' questions do not wait for each other.

Who asks is known where a request comes in, and needed where a file is fetched; in between lies everything that does not
care. So it travels as a context variable, which tasks inherit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Self

from ocean.outgoing import OutgoingClient
from provider_api.strangers.budget import Budget

_asker: ContextVar[Asker | None] = ContextVar("asker", default=None)
_signer: ContextVar[Asker | None] = ContextVar("signer", default=None)


@dataclass(frozen=True, slots=True)
class Asker:
    """A stranger: the budget, and whom it charges."""

    budget: Budget
    name: str

    def require_bytes(self) -> None:
        """Raises TooMuchAsked."""
        self.budget.require_bytes(self.name)

    def spend_bytes(self, count: int) -> None:
        """Raises TooMuchAsked."""
        self.budget.spend_bytes(self.name, count)


@contextmanager
def asked_by(asker: Asker) -> Iterator[None]:
    """Everything that is done inside is for a stranger."""
    token = _asker.set(asker)
    try:
        yield
    finally:
        _asker.reset(token)


@contextmanager
def signed_by(asker: Asker) -> Iterator[None]:
    """What is done inside is for somebody who has signed. Whether he has paid is not known yet, see `unpaid`."""
    token = _signer.set(asker)
    try:
        yield
    finally:
        _signer.reset(token)


@contextmanager
def unpaid() -> Iterator[None]:
    """What is done inside is for the one who has signed this request, and has not paid: as for a stranger."""
    token = _asker.set(_asker.get() or _signer.get())
    try:
        yield
    finally:
        _asker.reset(token)


def asker() -> Asker | None:
    """The stranger for whom this is done; None: somebody who has signed, or the service itself."""
    return _asker.get()


@dataclass(frozen=True, slots=True)
class OutgoingPools:
    """`paid`: downloads of consumers. `hashing`: files that starts look at. `unsigned`: what strangers ask."""

    paid: OutgoingClient
    hashing: OutgoingClient
    unsigned: OutgoingClient

    @classmethod
    def single(cls, client: OutgoingClient) -> Self:
        """One client for everything, where nobody is to be kept apart."""
        return cls(client, client, client)

    def asking(self) -> OutgoingClient:
        """For a question that the current request makes necessary. Raises TooMuchAsked."""
        found = asker()
        if found is None:
            return self.hashing
        found.require_bytes()
        return self.unsigned


def count_bytes(count: int) -> None:
    """Bytes have come from a file's source for the current request. Raises TooMuchAsked."""
    if (found := asker()) is not None:
        found.spend_bytes(count)
