"""`c2d login`, `logout`, `whoami`: a token of the provider, so that commands that pay nothing ask for no password."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from client.accounts.keystore import Owner, remember_password, unlock
from client.accounts.tokens import Token, forget, keep
from client.exits import Exit, SignedOut, Unusable
from client.printing import Printer
from client.profiles import KEYSTORE, Profiles
from client.session import Session
from ocean.addresses import is_address
from ocean.chain.development import account
from ocean.client import Consumer, ConsumerError


async def login(session: Session, printer: Printer, *, keystore: Path | None, hours: int, save_password: bool) -> Exit:
    """Make a token with the account's key, and keep it. `keystore`: becomes the account of the profile."""
    profiles, given = Profiles(), session.given.password_file
    place = keystore if keystore is not None else session.profile.keystore
    if place is not None:
        owner = remember_password(place, given) if save_password else unlock(place, given)
    elif session.profile.development_account is not None:
        owner = Owner(session.address, bytes(account(session.profile.development_account).key))
    else:
        raise SignedOut("whose account? --keystore FILE names it, an Ethereum keystore file of version 3")
    expires = int(time.time()) + 3600 * hours
    async with Consumer(session.profile.provider, owner.key) as consumer:
        token = await consumer.create_token(expires)
    if keystore is not None:
        profiles.set(session.name, **session.profile.model_dump() | {"account": f"{KEYSTORE}{place}"})
    _keep(session, Token(session.profile.provider, owner.address, token, expires))
    return _told(printer, session, owner.address, expires)


async def login_with(session: Session, printer: Printer, token: str, address: str, expires: int) -> Exit:
    """Keep a token that was made elsewhere, by a wallet in a browser for example, after the provider has taken it."""
    if not is_address(address):
        raise Unusable(f"{address} is no address")
    async with Consumer(session.profile.provider, None, address=address, token=token) as consumer:
        try:
            await consumer.stop("0" * 32)  # of no job: signed, and without a consequence
        except ConsumerError as exc:
            if exc.status in (400, 401):
                raise SignedOut("the provider does not take this token for this address") from None
            raise
    _keep(session, Token(session.profile.provider, address, token, expires))
    return _told(printer, session, address, expires)


async def logout(session: Session, printer: Printer) -> Exit:
    """Forget the token. With the account's key it is also taken out of use, which is not asked for here."""
    known = session.consumer.token is not None
    forget(session.name)
    printer.progress("signed out" if known else "there was no token")
    if printer.as_json:
        printer.document({"signedOut": known})
    return Exit.DONE


async def whoami(session: Session, printer: Printer) -> Exit:
    """Print profile, provider and account, and whether the provider answers."""
    root = await session.consumer.root()
    document: dict[str, Any] = {
        "profile": session.name,
        "provider": session.profile.provider,
        "software": f"{root.get('software', '?')} {root.get('version', '?')}",
        "chain": await session.chain_id(),
        "address": session.consumer.address or None,
        "signedIn": session.consumer.token is not None,
    }
    if printer.as_json:
        printer.document(document)
    else:
        printer.table(("", ""), ((name, "-" if value is None else str(value)) for name, value in document.items()))
    if not session.consumer.address:
        raise SignedOut("there is no account: c2d login --keystore FILE")
    return Exit.DONE


def _keep(session: Session, token: Token) -> None:
    try:
        keep(session.name, token)
    except OSError as exc:
        raise Unusable(f"the token cannot be kept: {exc.strerror}") from None


def _told(printer: Printer, session: Session, address: str, expires: int) -> Exit:
    until = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(expires))
    printer.progress(f"signed in at {session.profile.provider} as {address} until {until}", "green")
    if printer.as_json:
        printer.document({"profile": session.name, "address": address, "expires": expires})
    return Exit.DONE
