"""Owners' trust in algorithms: statements (`records.trust`) beside the results in one store, and what they release.

What an owner says about an algorithm on his dataset are objects that are only ever added, one after the other; the last
one stands. So nothing that was said before can be said again by somebody who has kept it: each has to be newer than the
one before. Another owner of the same dataset begins anew.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Final

import structlog

from ocean.keys import Key, address_of
from provider_api.http.errors import Refused
from provider_api.jobs.received import CLOCK_SECONDS, MOST_BYTES, Received
from records.envelope import signed_again
from records.statement import StatementInvalid
from records.trust import Trust, trust_of
from records.verify import NotVerified, Signed, read_signed
from results import store as pod_store
from results.object_names import trust_key

log = structlog.get_logger(__name__)

MOST_STATEMENTS: Final = 50  # of one owner about one algorithm on one dataset


@dataclass(frozen=True, slots=True)
class Kept:
    """A statement as it lies in the store, signed by the owner and by the service."""

    trust: Trust
    encoded: bytes


class Trusts:
    """One for each result store. `key` is the service's own. Every method raises StoreUnavailable."""

    def __init__(self, store: pod_store.Store, key: Key) -> None:
        self._store, self._key, self._account = store, key, address_of(key)

    async def last(self, did: str, program: str, account: str) -> Kept | None:
        """What an owner has said last; None: nothing."""
        return (await self._said(did, program, account))[1]

    async def keep(self, received: Received[Trust]) -> None:
        """Add what the owner, who is proven to be one, says now. The same once more changes nothing. Raises Refused:
        400 for a statement from another time, 409 for one that is not newer than the last."""
        trust = received.said
        if trust.at > time.time() + CLOCK_SECONDS:
            raise Refused("The statement is from the future: look at the clock, and sign it anew.")
        kept = signed_again(received.envelope, self._key).encoded()
        while True:
            count, last = await self._said(trust.did, trust.program, trust.account)
            if last is not None and last.trust == trust:
                return
            if last is not None and trust.at <= last.trust.at:
                raise Refused("A newer statement about this algorithm stands already.", 409)
            if count >= MOST_STATEMENTS:
                raise Refused(f"There are {MOST_STATEMENTS} statements about this algorithm already.", 409)
            if await pod_store.put_new(self._store, trust_key(trust.did, trust.program, trust.account, count), kept):
                log.info("trust_stated", did=trust.did, program=trust.program, until=trust.until)
                return

    async def _said(self, did: str, program: str, account: str) -> tuple[int, Kept | None]:
        """How many statements there are, and the last one. One that cannot be read withdraws."""
        last: Kept | None = None
        for number in range(MOST_STATEMENTS):
            encoded = await pod_store.read_small(
                self._store, trust_key(did, program, account, number), most=2 * MOST_BYTES
            )
            if encoded is None:
                return number, last
            try:
                trust = kept_trust(read_signed(encoded), self._account)
                readable = (trust.did, trust.program, trust.account) == (did, program, account)
            except (NotVerified, StatementInvalid):
                readable = False
            if not readable:
                log.warning("trust_unreadable", did=did, program=program)
                trust = Trust(program, did, account, 0 if last is None else last.trust.at, None)
            last = Kept(trust, encoded)
        return MOST_STATEMENTS, last


def kept_trust(signed: Signed, service: str) -> Trust:
    """What is kept, as its owner has signed it. Without a signature of the service (a checksum address), which may have
    got another key since, it withdraws. Raises StatementInvalid for what is no trust of its owner."""
    trust = trust_of(signed.statement)
    if trust.account not in signed.signers:
        raise StatementInvalid("it is not signed by the account that it names")
    return trust if service in signed.signers else replace(trust, until=None)
