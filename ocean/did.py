"""Identifiers of assets: `did:op:` and the SHA-256 of the data NFT's checksum address followed by the chain id.

The hash goes one way: an asset's NFT cannot be computed from its DID, only checked against it.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from ocean.addresses import checksum

PREFIX: Final = "did:op:"

_DID = re.compile(r"did:op:[0-9a-f]{64}")


def did_of(nft_address: str, chain_id: int) -> str:
    """The DID of the asset of a data NFT. The address may have any letter case. Raises AddressInvalid."""
    return PREFIX + hashlib.sha256(f"{checksum(nft_address)}{chain_id}".encode()).hexdigest()


def is_did(text: object) -> bool:
    """True for `did:op:` and 64 lower-case hex digits; other spellings never name an asset."""
    return isinstance(text, str) and _DID.fullmatch(text) is not None
