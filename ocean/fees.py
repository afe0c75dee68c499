"""The provider's fee: what an environment costs, the signed quote, and when it stops covering a job.

Amounts are integers in base units of the fee token, prices are decimals in whole tokens per minute, times are Unix
seconds. Nothing is computed in floating point, and every second of the duration is paid for (Ocean Provider
forgets whole days).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NoReturn

from ocean.addresses import ZERO, AddressInvalid, canonical, checksum
from ocean.keccak import keccak256
from ocean.keys import Key, NoSigner, Signature, address_of, ethereum_digest, recover_digest, sign_digest
from ocean.kit.bounded_json import no_constant
from ocean.kit.compact_json import compact_json
from ocean.signing import SignatureInvalid

GRACE_SECONDS: Final = 90  # after `valid_until`, for the way from the order to the start
MAX_ORDERING_SECONDS: Final = 600  # the most that time between quote and order may add to the grace

_UINT256: Final = 2**256


class QuoteMalformed(ValueError):
    """Not a provider fee quote. `field` names the first offending field of the wire form."""

    def __init__(self, field: str) -> None:
        super().__init__(f"not a provider fee quote: {field}")
        self.field = field


@dataclass(frozen=True, slots=True)
class ProviderData:
    """What a quote was made for. `timestamp`: when; `environment` is None for a download."""

    environment: str | None
    timestamp: Decimal
    datatoken: str
    service_id: str


@dataclass(frozen=True, slots=True)
class Quote:
    """A signed provider fee, as an order carries it. `v` is 27 or 28, `r` and `s` have 32 bytes."""

    provider_data: bytes
    fee_address: str
    fee_token: str
    amount: int
    valid_until: int
    v: int
    r: bytes
    s: bytes

    def to_json(self) -> dict[str, Any]:
        """The wire form that clients pass on to the contract."""
        return {
            "providerFeeAddress": self.fee_address,
            "providerFeeToken": self.fee_token,
            "providerFeeAmount": str(self.amount),
            "providerData": "0x" + self.provider_data.hex(),
            "v": self.v,
            "r": "0x" + self.r.hex(),
            "s": "0x" + self.s.hex(),
            "validUntil": self.valid_until,
        }

    @classmethod
    def from_json(cls, wire: Any) -> Quote:
        """Read the wire form. Raises QuoteMalformed."""
        if not isinstance(wire, dict):
            raise QuoteMalformed("object")
        return cls(
            provider_data=_bytes(wire, "providerData"),
            fee_address=_address(wire, "providerFeeAddress"),
            fee_token=_address(wire, "providerFeeToken"),
            amount=_integer(wire, "providerFeeAmount"),
            valid_until=_integer(wire, "validUntil"),
            v=_integer(wire, "v"),
            r=_bytes(wire, "r", 32),
            s=_bytes(wire, "s", 32),
        )

    def tuple(self) -> tuple[str, str, int, int, bytes, bytes, int, bytes]:
        """The argument of `startOrder` and `reuseOrder`, in the contract's order."""
        return (
            self.fee_address,
            self.fee_token,
            self.amount,
            self.v,
            self.r,
            self.s,
            self.valid_until,
            self.provider_data,
        )


def make_quote(
    key: Key,
    *,
    environment: str | None,
    datatoken: str,
    service_id: str,
    fee_token: str,
    amount: int,
    valid_until: int,
    now: float,
) -> Quote:
    """Sign a quote; the key's address is the fee address. `now` becomes the time of the quote, in seconds."""
    data = {"environment": environment, "timestamp": float(now), "dt": checksum(datatoken), "id": service_id}
    provider_data = compact_json(data).encode()
    fee_address, token = address_of(key), checksum(fee_token)
    made = sign_digest(quote_digest(provider_data, fee_address, token, amount, valid_until), key)
    return Quote(provider_data, fee_address, token, amount, valid_until, made.recovery + 27, made.r, made.s)


def quote_digest(provider_data: bytes, fee_address: str, fee_token: str, amount: int, valid_until: int) -> bytes:
    """The 32 bytes that a provider signs for a fee; the contract computes the same."""
    return ethereum_digest(
        keccak256(
            provider_data
            + bytes.fromhex(canonical(fee_address)[2:])
            + bytes.fromhex(canonical(fee_token)[2:])
            + amount.to_bytes(32, "big")
            + valid_until.to_bytes(32, "big")
        )
    )


def quote_signer(quote: Quote) -> str:
    """Checksum address that signed the quote, which need not be its fee address. Raises SignatureInvalid."""
    if quote.v not in (27, 28):
        raise SignatureInvalid("recovery_id")
    signed = quote_digest(quote.provider_data, quote.fee_address, quote.fee_token, quote.amount, quote.valid_until)
    try:
        return recover_digest(signed, Signature(quote.v - 27, quote.r, quote.s))
    except NoSigner:
        raise SignatureInvalid("unrecoverable") from None


def read_provider_data(data: bytes) -> ProviderData:
    """What a quote was made for; further keys are ignored. Raises QuoteMalformed."""
    try:
        document = json.loads(data, parse_float=Decimal, parse_constant=no_constant)
    except (ValueError, RecursionError):
        raise QuoteMalformed("providerData") from None
    if not isinstance(document, dict):
        raise QuoteMalformed("providerData")
    environment, timestamp = document.get("environment"), document.get("timestamp", 0)
    datatoken, service_id = document.get("dt"), document.get("id")
    if environment is not None and not isinstance(environment, str):
        raise QuoteMalformed("environment")
    if isinstance(timestamp, bool) or not isinstance(timestamp, int | Decimal):
        raise QuoteMalformed("timestamp")
    if not isinstance(datatoken, str):
        raise QuoteMalformed("dt")
    if not isinstance(service_id, str):
        raise QuoteMalformed("id")
    return ProviderData(environment, Decimal(timestamp), datatoken, service_id)


def fee_amount(price_per_minute: Decimal | int, seconds: int, decimals: int, *, fee_token: str | None = None) -> int:
    """Fee in base units for a duration, rounded down exactly; 0 for no time left, and where the token is zero.

    `decimals` is the fee token's. Raises ValueError for a negative or endless price.
    """
    if fee_token is not None and canonical(fee_token) == ZERO:
        return 0
    price = Decimal(price_per_minute)
    if not price.is_finite() or price < 0:
        raise ValueError("a price is a number, 0 or more")
    numerator, denominator = price.as_integer_ratio()
    return int(numerator * max(0, seconds) * 10**decimals // (60 * denominator))


def sufficient(paid: int, required: int, decimals: int) -> bool:
    """Whether a fee covers what is required, allowing for the rounding of quotes made in floating point.

    The allowance is max(1, 10^(decimals - 12)) base units; nothing at all never covers a fee.
    """
    allowance = max(1, 10 ** max(0, decimals - 12))
    return paid >= required or (paid > 0 and paid >= required - allowance)


def expired(*, valid_until: int, now: float, quoted_at: Decimal | float | None, block_timestamp: int) -> bool:
    """Whether a fee no longer covers anything at `now`. `valid_until` 0 never expires.

    The buyer lost the time from quote to block, so that much (0 to 600 s) and 90 s are added. An unknown time of the
    quote (None or 0) adds only the 90 s; Ocean Provider would accept such a fee for ever.
    """
    if valid_until == 0 or now < valid_until:
        return False
    ordering = Decimal(block_timestamp) - Decimal(quoted_at) if quoted_at else Decimal(0)
    ordering = min(max(ordering, Decimal(0)), Decimal(MAX_ORDERING_SECONDS))
    return Decimal(now) >= valid_until + ordering + GRACE_SECONDS


def _address(wire: dict[str, Any], field: str) -> str:
    value = wire.get(field)
    try:
        return checksum(value) if isinstance(value, str) else _malformed(field)
    except AddressInvalid:
        raise QuoteMalformed(field) from None


def _integer(wire: dict[str, Any], field: str) -> int:
    value = wire.get(field)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 78:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _UINT256:
        _malformed(field)
    return value


def _bytes(wire: dict[str, Any], field: str, length: int | None = None) -> bytes:
    value = wire.get(field)
    if not isinstance(value, str) or value[:2] not in ("0x", "0X"):
        _malformed(field)
    try:
        raw = bytes.fromhex(value[2:])
    except ValueError:
        raise QuoteMalformed(field) from None
    if length is not None and len(raw) != length:
        _malformed(field)
    return raw


def _malformed(field: str) -> NoReturn:
    raise QuoteMalformed(field)
