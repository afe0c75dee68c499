"""Who may use an asset: the allow and deny lists of a DDO.

    {"allow": [{"type": "address", "values": ["0x…"]}], "deny": [...]}

All address entries of a list count together, the value `*` stands for everybody, and the deny list always wins. (Ocean
Provider reads the first address entry only, and no deny list beside an allow list.) An allow list with entries admits
only who stands in it: nobody, if it has no address, or only credentials which we cannot check.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from ocean.addresses import canonical
from ocean.kit.object_or_text import TextIsNotJson, object_or_text

EVERYBODY = "*"

Denial = Literal["CREDENTIAL_NOT_IN_ALLOW_LIST", "CREDENTIAL_IN_DENY_LIST"]


class CredentialsMalformed(ValueError):
    """The credentials cannot be read, so nobody is admitted. `place` is `credentials`, `allow` or `deny`."""

    def __init__(self, place: str) -> None:
        super().__init__(f"malformed credentials: {place}")
        self.place = place


def denial(credentials: Any, address: str) -> Denial | None:
    """Why the account may not use the asset, None if it may.

    `credentials` is the DDO's section: an object, its JSON text, or nothing. Raises CredentialsMalformed and
    AddressInvalid.
    """
    account = canonical(address)
    section = _section(credentials)
    denied, allowed = _read(section, "deny"), _read(section, "allow")
    if _names(denied, account):
        return "CREDENTIAL_IN_DENY_LIST"
    if section.get("allow") and not _names(allowed, account):
        return "CREDENTIAL_NOT_IN_ALLOW_LIST"
    return None


def _section(credentials: Any) -> dict[str, Any]:
    try:
        credentials = object_or_text(credentials)
    except TextIsNotJson:
        raise CredentialsMalformed("credentials") from None
    if credentials is None or credentials == "":
        return {}
    if not isinstance(credentials, dict):
        raise CredentialsMalformed("credentials")
    return credentials


def _names(addresses: set[str], account: str) -> bool:
    return account in addresses or EVERYBODY in addresses


def _read(section: dict[str, Any], place: str) -> set[str]:
    """The addresses of a list. Entries of a type that we cannot check have none."""
    addresses: set[str] = set()
    for entry in _entries(section, place):
        if entry["type"].lower() != "address":
            continue
        values = entry.get("values")
        if values == EVERYBODY:
            values = [EVERYBODY]
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise CredentialsMalformed(place)
        addresses.update(_spelled(value) for value in values)
    return addresses


def _entries(section: dict[str, Any], place: str) -> Iterator[dict[str, Any]]:
    entries = section.get(place)
    if entries is None:
        return
    if not isinstance(entries, list):
        raise CredentialsMalformed(place)
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("type"), str):
            raise CredentialsMalformed(place)
        yield entry


def _spelled(value: str) -> str:
    text = value.strip().lower()
    if text == EVERYBODY:
        return EVERYBODY
    return text if text.startswith("0x") else "0x" + text
