"""What is asked for a file: every type comes to a request over HTTP, or to a call of a contract's view function.

`userdata` are a consumer's parameters, an object or its JSON text; each type says what becomes of them. Text that is no
JSON counts as none where parameters are optional anyway (ocean.js cuts texts off at `&`), and is an error elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ocean.kit.object_or_text import TextIsNotJson, object_or_text

Gateways = Mapping[str, str]
"""Addresses of the gateways to public networks, by the type of file that is fetched through them."""


class GatewayMissing(LookupError):
    """No gateway is configured for files of this type."""

    def __init__(self, type_: str) -> None:
        super().__init__(f"no gateway for files of type {type_} is configured")
        self.type = type_


class UserdataInvalid(ValueError):
    """A consumer's parameters do not fit the file. The text is for the client and shows no value."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """One HTTP request: with its `userdata` it is what `OutgoingClient.stream` takes. All of it is secret."""

    url: str = field(repr=False)
    method: Literal["GET", "POST"] = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    userdata: dict[str, Any] | None = field(default=None, repr=False, hash=False)


@dataclass(frozen=True, slots=True)
class ViewCall:
    """One call of a contract's view function. `chain_id` None: nobody knows on which chain, so it cannot be made."""

    address: str  # in checksum spelling
    abi: Mapping[str, Any] = field(repr=False, hash=False)
    chain_id: int | None
    arguments: tuple[Any, ...] = field(default=(), repr=False, hash=False)


Request = Fetch | ViewCall


def through_gateway(gateways: Gateways, type_: str, path: str) -> str:
    """The address of a path on a type's gateway. Raises GatewayMissing."""
    gateway = gateways.get(type_)
    if not gateway:
        raise GatewayMissing(type_)
    return f"{gateway.rstrip('/')}/{path}"


def optional_object(userdata: Any) -> dict[str, Any] | None:
    """The parameters where they are optional; None for nothing, and for whatever is no object: one client's encoding
    cuts texts off."""
    try:
        return required_object(userdata)
    except UserdataInvalid:
        return None


def required_object(userdata: Any) -> dict[str, Any] | None:
    """The parameters as an object, None if there are none. Raises UserdataInvalid."""
    if isinstance(userdata, str) and not userdata.strip():
        return None
    try:
        userdata = object_or_text(userdata)
    except TextIsNotJson:
        raise UserdataInvalid("userdata is not JSON.") from None
    if userdata is None:
        return None
    if not isinstance(userdata, Mapping):
        raise UserdataInvalid("userdata must be an object.")
    return dict(userdata) or None
