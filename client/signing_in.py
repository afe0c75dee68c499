"""`c2d login`, `logout`, `whoami`: a token of the provider, so that commands that pay nothing ask for no password."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import Any

import httpx

from client.accounts.keystore import remember_password, unlock
from client.accounts.tokens import Token, forget, keep
from client.exits import Exit, SignedOut, Trouble, Unusable
from client.printing import Printer
from client.profiles import KEYSTORE, Profiles
from client.provider import Provider
from client.session import Session, owner_of
from client.text import bounded_object, said_in
from ocean.addresses import checksum
from ocean.client import AnswerUnusable, ConsumerError


async def login(session: Session, printer: Printer, *, keystore: Path | None, hours: int, save_password: bool) -> Exit:
    """Make a token with the account's key, and keep it. `keystore`: becomes the account of the profile."""
    given = session.given.password_file
    place = keystore if keystore is not None else session.profile.keystore
    if place is not None and save_password:
        owner = remember_password(place, given)
    elif keystore is not None:
        owner = unlock(keystore, given)
    else:
        owner = owner_of(session.name, session.profile, given)
    expires = int(time.time()) + 3600 * hours
    session.consumer.sign_with(owner.key)
    token = await session.consumer.create_token(expires)
    if keystore is not None:
        Profiles().set(session.name, account=f"{KEYSTORE}{keystore}")
    _keep(session, Token(session.profile.provider, owner.address, token, expires))
    return _told(printer, session, owner.address, expires)


async def login_with_token(session: Session, printer: Printer, token: str) -> Exit:
    """Keep a token that was made elsewhere, with a wallet in a browser for example, if the provider takes it. Raises
    SignedOut."""
    address, expires = _said_by(token)
    async with Provider(session.profile.provider, None, address=address, token=token) as consumer:
        try:
            await consumer.stop("0" * 32)  # there is no such job: a call that needs the token, and does nothing
        except ConsumerError as exc:
            if exc.status in (400, 401):
                raise SignedOut(f"the provider does not take this token: {said_in(exc.body)}") from None
            raise
    _keep(session, Token(session.profile.provider, address, token, expires))
    return _told(printer, session, address, expires)


def _said_by(token: str) -> tuple[str, int]:
    """Whose a token says that it is, and until when: a compact JWS. The provider verifies it. Raises Unusable."""
    try:
        _, payload, _ = token.split(".")
        said = bounded_object(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(checksum(said["address"])), int(said["exp"])
    except (ValueError, LookupError, TypeError):  # AddressInvalid and binascii.Error are ValueErrors
        raise Unusable(
            "this is no token: three texts with dots between them are expected, as a provider makes it"
        ) from None


async def logout(session: Session, printer: Printer) -> Exit:
    """Forget the token, and take it out of use at the provider where the key can be had without asking."""
    token = session.consumer.token
    forget(session.name)
    ended = token is not None and await _ended(session, printer, token)
    printer.progress("signed out" if token is not None else "there was no token")
    if printer.as_json:
        printer.document({"signedOut": token is not None, "takenOutOfUse": ended})
    return Exit.DONE


async def _ended(session: Session, printer: Printer, token: str) -> bool:
    """Whether the provider takes the token no more. What stands against it is told, and no reason to stay signed in."""
    try:
        owner = owner_of(session.name, session.profile, session.given.password_file, ask=False)
        session.consumer.sign_with(owner.key)
        await session.consumer.delete_token(token)
    except (Trouble, ConsumerError, AnswerUnusable, httpx.TransportError) as exc:
        printer.progress(f"the token is forgotten here, and stays good at the provider until it ends: {exc}", "yellow")
        return False
    return True


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
        printer.progress("there is no account: c2d login --keystore FILE", "yellow")
        return Exit.SIGNED_OUT
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
