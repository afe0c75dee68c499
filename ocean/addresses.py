"""Ethereum addresses: one account has one spelling inside the service.

Requests may spell an address in any letter case, with or without `0x`. Everything that is stored or compared uses
`canonical` (lower case); everything that is shown, signed into a DID or sent to a client uses `checksum` (EIP-55).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, cast

from ocean.keccak import keccak256

if TYPE_CHECKING:  # a tenth of a second, which pods do not have
    from eth_typing import ChecksumAddress

ZERO: Final = "0x" + "0" * 40

_ADDRESS = re.compile(r"(?:0[xX])?([0-9a-fA-F]{40})")


class AddressInvalid(ValueError):
    """The text is not an address: `0x` and 40 hex digits. Carries no text, a caller may have mixed up a secret."""

    def __init__(self) -> None:
        super().__init__("not an Ethereum address")


def canonical(text: str) -> str:
    """Lower-case `0x` spelling of an address in any letter case, with or without `0x`. Raises AddressInvalid."""
    match = _ADDRESS.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise AddressInvalid
    return "0x" + match[1].lower()


def checksum(text: str) -> ChecksumAddress:
    """EIP-55 spelling of an address. The letter case of the input is free, also a wrong checksum is accepted.

    Raises AddressInvalid.
    """
    return _spelled(canonical(text))


def is_address(text: object) -> bool:
    return isinstance(text, str) and _ADDRESS.fullmatch(text) is not None


@lru_cache(maxsize=8192)
def _spelled(lower: str) -> ChecksumAddress:
    digits = lower[2:]
    marks = keccak256(digits.encode()).hex()
    spelled = (digit.upper() if mark >= "8" else digit for digit, mark in zip(digits, marks, strict=False))
    return cast("ChecksumAddress", "0x" + "".join(spelled))
