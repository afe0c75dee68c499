"""What is asked for a file of each type: every type but a contract's is in the end a request to a URL.

`userdata` are a consumer's parameters, an object or its JSON text: query parameters for url (GET), ipfs and arweave,
the JSON body for url (POST), variables for graphql, arguments by name for a contract. Text that is no JSON counts as
none where parameters are optional anyway (ocean.js cuts texts off at `&`), and is an error for the other two.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ocean.addresses import AddressInvalid, checksum
from ocean.files import ArweaveFile, ContractFile, GraphqlFile, HttpFile, IpfsFile, UrlFile


class GatewayMissing(LookupError):
    """No gateway is configured for files of this type."""

    def __init__(self, type_: str) -> None:
        super().__init__(f"no gateway for files of type {type_} is configured")
        self.type = type_


class UserdataInvalid(ValueError):
    """A consumer's parameters do not fit the file. The text is for the client and shows no value."""


@dataclass(frozen=True, slots=True)
class Gateways:
    """Addresses of the gateways to public networks, None where there is none."""

    ipfs: str | None = None
    arweave: str | None = None


@dataclass(frozen=True, slots=True)
class Fetch:
    """A file as one HTTP request: `file` with `userdata` is what `OutgoingClient.stream` takes."""

    file: UrlFile
    userdata: dict[str, Any] | None = None


def to_fetch(file: HttpFile, gateways: Gateways, userdata: Any = None) -> Fetch:
    """Raises GatewayMissing, UserdataInvalid."""
    if isinstance(file, GraphqlFile):
        variables = required_object(userdata)
        body: dict[str, Any] = {"query": file.query}
        if variables:
            body["variables"] = variables
        return Fetch(UrlFile(file.url, "POST", file.headers), body)
    values = optional_object(userdata)
    if isinstance(file, IpfsFile):
        return Fetch(UrlFile(_joined(gateways.ipfs, "ipfs", "ipfs/" + quote(file.hash)), "GET", file.headers), values)
    if isinstance(file, ArweaveFile):
        return Fetch(
            UrlFile(_joined(gateways.arweave, "arweave", quote(file.transaction_id, safe="")), "GET", file.headers),
            values,
        )
    return Fetch(file, values)


def arguments(file: ContractFile, userdata: Any = None) -> list[Any]:
    """The arguments of a contract's function, in order; addresses in checksum spelling.

    False, 0 and "" are values (Ocean Provider takes them for missing). Raises UserdataInvalid.
    """
    if not file.inputs:
        return []
    values = required_object(userdata)
    if not values:
        raise UserdataInvalid("Missing parameters")
    missing = [name for name, _ in file.inputs if values.get(name) is None]
    if missing:
        raise UserdataInvalid(f"Missing userparams: {','.join(missing)}")
    return [_argument(name, type_, values[name]) for name, type_ in file.inputs]


def optional_object(userdata: Any) -> dict[str, Any] | None:
    """The parameters where they are optional; None for nothing, and for whatever is no object."""
    try:
        return required_object(userdata)
    except UserdataInvalid:
        return None


def required_object(userdata: Any) -> dict[str, Any] | None:
    """The parameters as an object, None if there are none. Raises UserdataInvalid."""
    if isinstance(userdata, str):
        if not userdata.strip():
            return None
        try:
            userdata = json.loads(userdata)
        except (ValueError, RecursionError):
            raise UserdataInvalid("userdata is not JSON.") from None
    if userdata is None:
        return None
    if not isinstance(userdata, Mapping):
        raise UserdataInvalid("userdata must be an object.")
    return dict(userdata) or None


def _joined(gateway: str | None, type_: str, path: str) -> str:
    if not gateway:
        raise GatewayMissing(type_)
    return f"{gateway.rstrip('/')}/{path}"


def _argument(name: str, type_: str, value: Any) -> Any:
    if type_ == "address":
        try:
            return checksum(value) if isinstance(value, str) else _refuse(name)
        except AddressInvalid:
            _refuse(name)
    if type_.startswith(("uint", "int")) and not type_.endswith("]") and isinstance(value, str):
        try:
            return int(value)  # large numbers travel as text, because JavaScript rounds them
        except ValueError:
            _refuse(name)
    if type_.startswith("bytes") and not type_.endswith("]") and isinstance(value, str):
        try:
            return bytes.fromhex(value.removeprefix("0x"))
        except ValueError:
            _refuse(name)
    return value


def _refuse(name: str) -> Any:
    raise UserdataInvalid(f"Invalid userparams: {name}")
