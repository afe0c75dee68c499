"""secp256k1 keys and recoverable signatures of 32-byte digests, the base of request and fee signatures.

Straight on coincurve (libsecp256k1): recovering a signer costs some tens of microseconds. Errors never show a key.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from coincurve import PrivateKey, PublicKey

from ocean.addresses import checksum
from ocean.keccak import keccak256


class Account(Protocol):
    """What an eth_account account is to us. (Importing that package takes half a second, which pods do not have.)"""

    @property
    def key(self) -> bytes: ...


# A private key: an account, hex text with or without `0x`, or 32 bytes.
Key = Account | str | bytes


class KeyInvalid(ValueError):
    """Not a private key of the curve. The message never contains it."""

    def __init__(self) -> None:
        super().__init__("not a secp256k1 private key: 32 bytes, or their hex text, are expected")


class NoSigner(ValueError):
    """No key can have made this signature of this digest."""


class Signature(NamedTuple):
    """`recovery` is 0 or 1 (what Ethereum calls v, less 27); r and s are 32 bytes each."""

    recovery: int
    r: bytes
    s: bytes


def private_bytes(key: Key) -> bytes:
    """The 32 bytes of a private key. Raises KeyInvalid."""
    try:
        if isinstance(key, str):
            raw = bytes.fromhex(key[2:] if key[:2] in ("0x", "0X") else key)
        elif isinstance(key, bytes):
            raw = bytes(key)
        else:
            raw = bytes(key.key)
        if len(raw) != 32:
            raise KeyInvalid
        return PrivateKey(raw).secret
    except (ValueError, AttributeError, TypeError):
        raise KeyInvalid from None


def public_bytes(key: Key) -> bytes:
    """The 65 bytes (04, x, y) of the public key of a private key. Raises KeyInvalid."""
    return PrivateKey(private_bytes(key)).public_key.format(compressed=False)


def address_of(key: Key) -> str:
    """Checksum address of a private key. Raises KeyInvalid."""
    return _address(public_bytes(key))


def sign_digest(digest: bytes, key: Key) -> Signature:
    """Deterministic (RFC 6979), low-s signature of a 32-byte digest. Raises KeyInvalid."""
    raw = PrivateKey(private_bytes(key)).sign_recoverable(digest, hasher=None)
    return Signature(raw[64], raw[:32], raw[32:64])


def recover_digest(digest: bytes, signature: Signature) -> str:
    """Checksum address of the signer of a 32-byte digest. Raises NoSigner."""
    raw = signature.r + signature.s + bytes((signature.recovery,))
    try:
        public = PublicKey.from_signature_and_message(raw, digest, hasher=None)
    except Exception:  # noqa: BLE001  coincurve raises bare Exception for an unusable signature
        raise NoSigner("no key can have made this signature") from None
    return _address(public.format(compressed=False))


def ethereum_digest(inner: bytes) -> bytes:
    """What is signed for a 32-byte hash: `personal_sign` of its raw bytes, not of its hex text."""
    return personal_digest(inner)


def personal_digest(content: bytes) -> bytes:
    """The 32 bytes that `personal_sign` (EIP-191) signs for any content."""
    return keccak256(b"\x19Ethereum Signed Message:\n%d" % len(content) + content)


def _address(public: bytes) -> str:
    return checksum(keccak256(public[1:])[-20:].hex())
