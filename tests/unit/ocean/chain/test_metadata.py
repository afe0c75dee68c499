"""Documents as they lie on chain: each packing, and each way to be unreadable."""

from __future__ import annotations

import hashlib
import lzma

import pytest

from ocean.chain.metadata import MAX_DOCUMENT_BYTES, DocumentUnreadable, PackedDocument, pack, unpack

pytestmark = pytest.mark.unit

PLAIN = b'{"id":"did:op:1"}'
DIGEST = hashlib.sha256(PLAIN).digest()


def flip(data: bytes) -> bytes:
    """Stands for encryption and decryption."""
    return bytes(byte ^ 0x55 for byte in data)


@pytest.mark.parametrize("flags", [0, 1, 2, 3])
def test_round_trip(flags: int) -> None:
    packed = pack(PLAIN, flags, flip)
    assert (packed.flags, packed.digest) == (bytes([flags]), DIGEST)
    assert unpack(packed, flip) == PLAIN


def test_raw_lzma_and_empty_flags() -> None:
    alone = lzma.compress(PLAIN, format=lzma.FORMAT_ALONE)
    assert unpack(PackedDocument(b"\1", alone, DIGEST), flip) == PLAIN
    assert unpack(PackedDocument(b"", PLAIN, DIGEST), flip) == PLAIN


@pytest.mark.parametrize(
    ("packed", "reason"),
    [
        (PackedDocument(b"\4", PLAIN, DIGEST), "flags_unknown"),
        (PackedDocument(b"\0\0", PLAIN, DIGEST), "flags_unknown"),
        (PackedDocument(b"\0", PLAIN + b" ", DIGEST), "hash_mismatch"),
        (PackedDocument(b"\1", PLAIN, DIGEST), "compression_broken"),
        (PackedDocument(b"\1", lzma.compress(PLAIN)[:-8], DIGEST), "compression_broken"),
        (PackedDocument(b"\1", lzma.compress(bytes(MAX_DOCUMENT_BYTES + 1)), DIGEST), "document_too_large"),
        (PackedDocument(b"\0", bytes(MAX_DOCUMENT_BYTES + 1), DIGEST), "document_too_large"),
        (PackedDocument(b"\1", lzma.compress(PLAIN, preset=9), b""), "hash_mismatch"),
        (PackedDocument(b"\1", b"", DIGEST), "compression_broken"),
    ],
)
def test_unreadable(packed: PackedDocument, reason: str) -> None:
    with pytest.raises(DocumentUnreadable) as caught:
        unpack(packed, flip)
    assert caught.value.reason == reason


def test_encryption_needs_a_way_to_encrypt() -> None:
    with pytest.raises(ValueError, match="encrypt"):
        pack(PLAIN, 2)
