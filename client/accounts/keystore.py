"""An account from a keystore file. Its key stays in this process and is never printed, nor its password.

The password comes from a file, from the system's keyring (package `keyring`, if it is installed), or is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import typer
from eth_account import Account

from client.exits import SignedOut, Unusable
from client.text import bounded_object, harmless
from ocean.addresses import checksum, is_address
from ocean.keys import address_of

MOST_FILE_BYTES: Final = 64 << 10  # of a keystore, and of a file with a password
_KEYRING_SERVICE: Final = "compute-to-data"


@dataclass(frozen=True, slots=True)
class Owner:
    """`address`: checksum address; the key is never shown."""

    address: str
    key: bytes = field(repr=False)


def unlock(place: Path, password_file: Path | None = None, *, ask: bool = True) -> Owner:
    """The account in a keystore. `ask`: for the password, where it is not known otherwise. Raises Unusable, SignedOut;
    their texts have neither key nor password."""
    keystore = _keystore(place)
    return _opened(place, keystore, _password(place, password_file, _named(keystore), ask=ask))


def address_in(place: Path) -> str | None:
    """The address that a keystore names without its password; not every one does. Raises Unusable."""
    return _named(_keystore(place))


def remember_password(place: Path, password_file: Path | None) -> Owner:
    """Unlock it, and keep the password in the system's keyring. Raises Unusable, SignedOut."""
    keyring = _keyring()
    if keyring is None:
        raise Unusable("the package keyring is not installed: pip install 'compute-to-data[keyring]'")
    password = _password(place, password_file, None, ask=True)
    owner = _opened(place, _keystore(place), password)
    try:
        keyring.set_password(_KEYRING_SERVICE, owner.address, password)
    except Exception as exc:  # noqa: BLE001  (each backend has errors of its own)
        raise Unusable(f"the system's keyring does not take the password: {type(exc).__name__}") from None
    return owner


def _opened(place: Path, keystore: dict[str, Any], password: str) -> Owner:
    """Raises Unusable."""
    try:
        key = bytes(Account.decrypt(keystore, password))
        address = address_of(key)
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError, OverflowError):
        raise Unusable(f"{place} does not open: the password is wrong, or the file is damaged") from None
    known = _named(keystore)
    if known is not None and known != address:
        raise Unusable(f"{place} is damaged: it says that it is of {known}, and its key is of {address}")
    return Owner(address, key)


def _named(keystore: dict[str, Any]) -> str | None:
    said = keystore.get("address")
    return checksum(said) if isinstance(said, str) and is_address(said) else None


def _keystore(place: Path) -> dict[str, Any]:
    """Raises Unusable."""
    try:
        keystore = bounded_object(_content(place, "the keystore"))
    except ValueError as exc:
        raise exc if isinstance(exc, Unusable) else _no_keystore(place) from None
    keystore = {name.lower(): value for name, value in keystore.items()}
    if keystore.get("version") != 3 or not isinstance(keystore.get("crypto"), dict):
        raise _no_keystore(place)
    return keystore


def _no_keystore(place: Path) -> Unusable:
    return Unusable(f"{place} is no keystore: an Ethereum keystore file of version 3, as geth writes it, is expected")


def _password(place: Path, password_file: Path | None, address: str | None, *, ask: bool) -> str:
    """Raises Unusable, SignedOut."""
    if password_file is not None:
        try:
            text = _content(password_file, "the password's file").decode()
        except UnicodeDecodeError:
            raise Unusable(f"{password_file} is no text in UTF-8, so it is no password's file") from None
        return text.removesuffix("\n").removesuffix("\r")
    keyring = _keyring() if address is not None else None
    if keyring is not None:
        try:
            kept = keyring.get_password(_KEYRING_SERVICE, address)
        except Exception as exc:  # noqa: BLE001  (each backend has errors of its own)
            if type(exc).__name__ != "NoKeyringError":  # the package is there, and this system has no keyring
                typer.echo(f"the system's keyring does not answer ({type(exc).__name__})", err=True)
        else:
            if isinstance(kept, str):
                return kept
    if not ask:
        raise SignedOut("the password is not known without asking for it")
    try:
        question = f"Password of {harmless(str(place))}"
        return str(typer.prompt(question, default="", show_default=False, hide_input=True, err=True))
    except typer.Abort:
        raise SignedOut("no password was given; a file with it can be named by --password-file") from None


def _keyring() -> Any:
    """The module, or None where it is not installed."""
    return import_module("keyring") if find_spec("keyring") is not None else None


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
