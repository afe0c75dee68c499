"""Encryption to a provider's Ethereum key: the format in which files and documents are published.

    blob = ephemeral public key, uncompressed (65) | nonce (16) | tag (16) | cipher text
    key  = HKDF-SHA256(ephemeral public key | shared point, uncompressed; no salt, no info), 32 bytes
    AES-256-GCM, no associated data

Every option is stated, because eciespy's defaults have changed between versions; vectors pin the format.
"""

from __future__ import annotations

from typing import Final

import ecies
from coincurve import PublicKey
from ecies.config import Config

from ocean.keys import Key, private_bytes, public_bytes

OVERHEAD_BYTES: Final = 65 + 16 + 16

_FORMAT: Final = Config(
    elliptic_curve="secp256k1",
    is_ephemeral_key_compressed=False,
    is_hkdf_key_compressed=False,
    symmetric_algorithm="aes-256-gcm",
    symmetric_nonce_length=16,
)


class DecryptionFailed(ValueError):
    """The blob was not made for this key, or is damaged."""

    def __init__(self) -> None:
        super().__init__("not encrypted for this key")


class PublicKeyInvalid(ValueError):
    """Not a public key: 33, 64 or 65 bytes of a point of the curve, or their hex text."""

    def __init__(self) -> None:
        super().__init__("not a secp256k1 public key")


def public_key_of(private_key: Key) -> bytes:
    """The 65 bytes of the public key. Raises KeyInvalid."""
    return public_bytes(private_key)


def encrypt(public_key: bytes | str, plain: bytes) -> bytes:
    """The blob, 97 bytes longer than the plain bytes. The key may be hex text. Raises PublicKeyInvalid."""
    return ecies.encrypt(_point(public_key), plain, _FORMAT)


def decrypt(private_key: Key, blob: bytes) -> bytes:
    """The plain bytes. Raises DecryptionFailed, KeyInvalid."""
    secret = private_bytes(private_key)
    if len(blob) < OVERHEAD_BYTES or blob[0] != 4:
        raise DecryptionFailed
    try:
        return ecies.decrypt(secret, bytes(blob), _FORMAT)
    except ValueError:
        raise DecryptionFailed from None


def _point(public_key: bytes | str) -> bytes:
    try:
        raw = bytes.fromhex(public_key.removeprefix("0x")) if isinstance(public_key, str) else bytes(public_key)
        return PublicKey(b"\x04" + raw if len(raw) == 64 else raw).format(compressed=False)
    except (ValueError, TypeError):
        raise PublicKeyInvalid from None
