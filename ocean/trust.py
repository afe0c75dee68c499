"""Checksums by which a publisher trusts an algorithm: of its files, and of its container's start.

Image and tag are in neither; containers always run by the digest, which is in the second.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

_DIGEST = re.compile(r"[0-9a-fA-F]{64}")


def files_checksum(digests: Iterable[str]) -> str:
    """`filesChecksum`: the lower-case SHA-256 hex of every file, joined in file order. ValueError for another text."""
    texts = [text.lower() for text in digests]
    if not all(_DIGEST.fullmatch(text) for text in texts):
        raise ValueError("a SHA-256 digest has 64 hex digits")
    return "".join(texts)


def container_checksum(entrypoint: str, checksum: str) -> str:
    """`containerSectionChecksum`: SHA-256 hex of the entrypoint followed by the image checksum, nothing between."""
    return hashlib.sha256((entrypoint + checksum).encode()).hexdigest()
