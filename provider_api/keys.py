"""The provider's keys. One Ethereum key is the root, everything else is derived from it: one secret to keep.

The Ethereum key itself signs fees and opens file lists. The service's box key, with which job specs are sealed, the key
that opens results from a public store, the one that authenticates tokens, the one that salts the digests of inputs and
the one that makes the nonces of sign-ins are HKDF-SHA256 of it with a label each: whoever holds one of them learns
nothing about the Ethereum key, and every replica of the service has the same ones without storing them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

from nacl.public import PrivateKey

from ocean.keys import address_of
from provider_api.settings import ProviderSettings

_BOX_LABEL = b"compute-to-data service box key 1"
_RESULTS_LABEL = b"compute-to-data results key 1"
_TOKEN_LABEL = b"compute-to-data token key 1"
_SALT_LABEL = b"compute-to-data salt key 1"
_SIGN_IN_LABEL = b"compute-to-data sign-in key 1"


class KeyMissing(ValueError):
    """No usable provider key is configured."""


@dataclass(frozen=True, slots=True, repr=False)
class ProviderKeys:
    private_key: str  # 0x + 64 lower-case hex
    address: str  # checksum spelling
    box: PrivateKey
    results: PrivateKey  # opens results in a store that everybody can read
    token: bytes  # 32 bytes, HMAC key of tokens
    salt: bytes  # 32 bytes, HMAC key of the salts in passports
    sign_in: bytes  # 32 bytes, HMAC key of the nonces with which people sign in

    def box_public_text(self) -> str:
        """Base64 of the box key's public part: the file service.pub in the secret of every environment."""
        return base64.b64encode(bytes(self.box.public_key)).decode()

    def __repr__(self) -> str:
        return f"ProviderKeys({self.address})"


def keys_of(private_key: str) -> ProviderKeys:
    """Raises KeyMissing, which does not repeat the text."""
    text = private_key.strip().lower().removeprefix("0x")
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise KeyMissing("the provider key must be 0x and 64 hexadecimal digits")
    raw = bytes.fromhex(text)
    box, token = _hkdf_sha256(raw, _BOX_LABEL), _hkdf_sha256(raw, _TOKEN_LABEL)
    results = _hkdf_sha256(raw, _RESULTS_LABEL)
    salt, sign_in = _hkdf_sha256(raw, _SALT_LABEL), _hkdf_sha256(raw, _SIGN_IN_LABEL)
    return ProviderKeys("0x" + text, address_of(raw), PrivateKey(box), PrivateKey(results), token, salt, sign_in)


def load_keys(settings: ProviderSettings) -> ProviderKeys:
    """The keys that the settings name. Raises KeyMissing."""
    if settings.key is not None:
        return keys_of(settings.key.get_secret_value())
    if settings.key_file is not None:
        try:
            return keys_of(settings.key_file.read_text())
        except OSError as exc:
            raise KeyMissing(f"the file with the provider key cannot be read: {exc.strerror}") from None
    raise KeyMissing("no provider key: set C2D_PROVIDER__KEY or C2D_PROVIDER__KEY_FILE")


def _hkdf_sha256(secret: bytes, label: bytes) -> bytes:
    """RFC 5869 with an empty salt and one block of output (32 bytes)."""
    extracted = hmac.new(bytes(32), secret, hashlib.sha256).digest()
    return hmac.new(extracted, label + b"\x01", hashlib.sha256).digest()
