"""A validator's word for a document: its signature of the document's SHA-256, which the NFT contract checks.

The contract takes a proof when the signature is of the hash that is published with it. The provider's key signs nothing
here but SHA-256 hashes of documents; what else it signs (fees, requests) are Keccak-256 hashes, so that a proof can
never pass for any of them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ocean.keys import Key, address_of, ethereum_digest, sign_digest


@dataclass(frozen=True, slots=True)
class MetadataProof:
    """`digest` is the SHA-256 of the document's bytes, `v` 27 or 28; r and s are 32 bytes."""

    validator: str  # checksum address
    digest: bytes
    v: int
    r: bytes
    s: bytes

    def tuple(self) -> tuple[str, int, bytes, bytes]:
        """As `setMetaData` takes it."""
        return self.validator, self.v, self.r, self.s


def prove(document: bytes, key: Key) -> MetadataProof:
    """The proof for exactly these bytes: another serialisation of the same document has another hash."""
    digest = hashlib.sha256(document).digest()
    signature = sign_digest(ethereum_digest(digest), key)
    return MetadataProof(address_of(key), digest, 27 + signature.recovery, signature.r, signature.s)
