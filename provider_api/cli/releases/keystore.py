"""The owner's account, from a keystore file. Its key stays in this process and is never printed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import typer
from eth_account import Account

from ocean.addresses import checksum, is_address
from ocean.keys import address_of
from provider_api.cli.text import Unusable, bounded_object, harmless

MOST_FILE_BYTES: Final = 64 << 10  # of a keystore, and of a file with a password


@dataclass(frozen=True, slots=True)
class Access:
    """Which service is asked, and the keystore of the account that asks. Without a file the password is asked for."""

    url: str
    keystore: Path
    password_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """`address`: checksum address; the key is never shown."""

    address: str
    key: bytes = field(repr=False)


def opened(access: Access) -> Owner:
    """The account in the keystore. Raises Unusable, whose text has neither key nor password."""
    place = access.keystore
    try:
        keystore = bounded_object(_content(place, "the keystore"))
    except ValueError as exc:
        raise exc if isinstance(exc, Unusable) else _no_keystore(place) from None
    keystore = {name.lower(): value for name, value in keystore.items()}
    if keystore.get("version") != 3 or not isinstance(keystore.get("crypto"), dict):
        raise _no_keystore(place)
    password = _password(access)
    try:
        key = bytes(Account.decrypt(keystore, password))
        address = address_of(key)
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError, OverflowError):
        raise Unusable(f"{place} does not open: the password is wrong, or the file is damaged") from None
    said = keystore.get("address")
    if isinstance(said, str) and is_address(said) and checksum(said) != address:
        raise Unusable(f"{place} is damaged: it says that it is of {checksum(said)}, and its key is of {address}")
    return Owner(address, key)


def _no_keystore(place: Path) -> Unusable:
    return Unusable(f"{place} is no keystore: an Ethereum keystore file of version 3, as geth writes it, is expected")


def _password(access: Access) -> str:
    """Raises Unusable."""
    if access.password_file is None:
        try:
            question = f"Password of {harmless(str(access.keystore))}"
            return str(typer.prompt(question, default="", show_default=False, hide_input=True, err=True))
        except typer.Abort:
            raise Unusable("no password was given; a file with it can be named by --password-file") from None
    try:
        text = _content(access.password_file, "the password's file").decode()
    except UnicodeDecodeError:
        raise Unusable(f"{access.password_file} is no text in UTF-8, so it is no password's file") from None
    return text.removesuffix("\n").removesuffix("\r")


def _content(path: Path, what: str) -> bytes:
    """Raises Unusable."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_FILE_BYTES + 1)
    except OSError as exc:
        raise Unusable(f"{what} {path} cannot be read: {exc.strerror or type(exc).__name__}") from None
    if len(content) > MOST_FILE_BYTES:
        raise Unusable(f"{what} {path} is larger than {MOST_FILE_BYTES} bytes; name the right file")
    return content
