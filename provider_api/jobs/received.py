"""What owners of datasets send: a signed statement, by the owner of the dataset that it is about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from ocean.addresses import canonical
from provider_api.http.errors import Refused
from records.envelope import Envelope, parse_envelope
from records.statement import Statement, StatementInvalid
from records.verify import NotVerified, read_signed

T = TypeVar("T")
OwnerOf = Callable[[str], Awaitable[str]]  # of an asset's NFT now, canonical. Raises Refused, ChainUnavailable

CLOCK_SECONDS: Final = 300  # that an owner's clock may be ahead of ours
MOST_BYTES: Final = 16 * 1024  # of what an owner sends; what is kept has one signature more


@dataclass(frozen=True, slots=True)
class Received(Generic[T]):
    """What somebody sent. Its signatures hold; whether they are the right ones is not judged yet."""

    envelope: Envelope
    signers: tuple[str, ...]  # checksum addresses
    said: T

    async def require_owner(self, account: str, did: str, owner_of: OwnerOf) -> None:
        """`account`: whom the statement names. Who owns the data NFT is asked only if it has signed. Raises
        Refused (400, 403), and what `owner_of` raises."""
        if account not in self.signers:
            raise Refused("The statement is not signed by the account that it names.")
        if canonical(await owner_of(did)) != canonical(account):
            raise Refused(f"{account} does not own the data NFT of {did}.", 403)


def read_received(encoded: bytes, kind: str, read: Callable[[Statement], T]) -> Received[T]:
    """`kind`: what is expected, for whoever sent something else. Raises Refused (400)."""
    if len(encoded) > MOST_BYTES:
        raise Refused(f"A {kind} has at most {MOST_BYTES} bytes.")
    try:
        signed = read_signed(encoded)
        return Received(parse_envelope(encoded), signed.signers, read(signed.statement))
    except (NotVerified, StatementInvalid) as exc:
        raise Refused(f"This is no signed {kind}: {exc}.") from exc
