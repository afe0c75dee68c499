"""A DDO as it lies on chain: packing for publishers, unpacking with bounds for readers.

The flags byte says how the bytes in the event were made from the document: bit 0 compressed (LZMA), then bit 1
encrypted (ECIES for a provider). The hash beside them is the SHA-256 of the plain bytes, whatever the flags.
"""

from __future__ import annotations

import hashlib
import lzma
from collections.abc import Callable
from dataclasses import dataclass

COMPRESSED, ENCRYPTED = 1, 2
MAX_DOCUMENT_BYTES = 8 * 1024 * 1024  # a compressed document may not blow up
_MAX_MEMORY_BYTES = 128 * 1024 * 1024  # the dictionary that an LZMA header may ask for


class DocumentUnreadable(ValueError):
    """The bytes on chain are no document with the announced hash; `reason` is a short code."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the metadata on chain cannot be read: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class PackedDocument:
    """What a metadata event carries of a document."""

    flags: bytes  # one byte; empty counts as 0
    data: bytes
    digest: bytes  # SHA-256 of the plain document


def pack(document: bytes, flags: int, encrypt: Callable[[bytes], bytes] | None = None) -> PackedDocument:
    """Pack a plain document. `encrypt` is needed with the flag for it."""
    data = lzma.compress(document) if flags & COMPRESSED else document
    if flags & ENCRYPTED:
        if encrypt is None:
            raise ValueError("encryption was asked for, but no way to encrypt was given")
        data = encrypt(data)
    return PackedDocument(bytes([flags]), data, hashlib.sha256(document).digest())


def unpack(packed: PackedDocument, decrypt: Callable[[bytes], bytes]) -> bytes:
    """The plain document. What `decrypt` raises passes through.

    Raises DocumentUnreadable: flags_unknown, compression_broken, document_too_large, hash_mismatch.
    """
    flags = packed.flags[0] if packed.flags else 0
    if len(packed.flags) > 1 or flags & ~(COMPRESSED | ENCRYPTED):
        raise DocumentUnreadable("flags_unknown")
    data = decrypt(packed.data) if flags & ENCRYPTED else packed.data
    if flags & COMPRESSED:
        data = _decompressed(data)
    if len(data) > MAX_DOCUMENT_BYTES:
        raise DocumentUnreadable("document_too_large")
    if hashlib.sha256(data).digest() != packed.digest:
        raise DocumentUnreadable("hash_mismatch")
    return data


def _decompressed(data: bytes) -> bytes:
    """Of the .xz container or raw .lzma, whichever it is."""
    decompressor = lzma.LZMADecompressor(memlimit=_MAX_MEMORY_BYTES)
    try:
        plain = decompressor.decompress(data, max_length=MAX_DOCUMENT_BYTES + 1)
    except (lzma.LZMAError, EOFError, MemoryError) as exc:
        raise DocumentUnreadable("compression_broken") from exc
    if len(plain) > MAX_DOCUMENT_BYTES:
        raise DocumentUnreadable("document_too_large")
    if not decompressor.eof:
        raise DocumentUnreadable("compression_broken")
    return plain
