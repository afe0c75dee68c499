"""Objects that only the service can read, for stores that show everything to everybody.

    "C2D1" | sealed box of a random key (80 bytes) | chunk 0 | chunk 1 | …

The box opens with the private half of the key that it was sealed for. Each chunk is XChaCha20-Poly1305 of at most
64 KiB under that random key; its nonce is its number, and what is authenticated beside it are the object's name and
whether it is the last one. So a part of an object can be read alone, and one that was cut, reordered, or put in the
place of another one is noticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from nacl import bindings, utils
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox

CHUNK: Final = 1 << 16  # bytes of content in one chunk
_TAG: Final = bindings.crypto_aead_xchacha20poly1305_ietf_ABYTES
_KEY: Final = bindings.crypto_aead_xchacha20poly1305_ietf_KEYBYTES
_NONCE: Final = bindings.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
_MAGIC: Final = b"C2D1"
HEADER: Final = len(_MAGIC) + bindings.crypto_box_SEALBYTES + _KEY
SEALED_CHUNK: Final = CHUNK + _TAG


class SealBroken(ValueError):
    """Not an object that was sealed for this key under this name, or not all of it."""


def seal(pieces: Iterable[bytes], recipient: PublicKey, name: str) -> Iterator[bytes]:
    """The sealed object in pieces: the header, then one piece for each chunk."""
    key = utils.random(_KEY)
    yield _MAGIC + SealedBox(recipient).encrypt(key)
    waiting, number = bytearray(), 0
    for piece in pieces:
        waiting += piece
        while len(waiting) > CHUNK:  # what is left may be the last one
            yield _encrypt(bytes(waiting[:CHUNK]), key, name, number, last=False)
            del waiting[:CHUNK]
            number += 1
    yield _encrypt(bytes(waiting), key, name, number, last=True)


@dataclass(frozen=True, slots=True)
class Opened:
    """One sealed object, by its header and its sealed size."""

    name: str
    size: int  # of its content
    _key: bytes = field(repr=False)

    @classmethod
    def of(cls, header: bytes, sealed_size: int, key: PrivateKey, name: str) -> Opened:
        """Raises SealBroken."""
        body = sealed_size - HEADER
        chunks = -(-body // SEALED_CHUNK)
        size = body - chunks * _TAG
        if len(header) != HEADER or not header.startswith(_MAGIC) or chunks < 1 or size < (chunks - 1) * CHUNK:
            raise SealBroken("not a sealed object")
        try:
            return cls(name, size, SealedBox(key).decrypt(header[len(_MAGIC) :]))
        except CryptoError:
            raise SealBroken("sealed for another key") from None

    def chunks_of(self, start: int, end: int) -> tuple[int, int]:
        """The numbers [first, last) of the chunks that hold the bytes [start, end), end > start."""
        return start // CHUNK, (end - 1) // CHUNK + 1

    def length_of(self, number: int) -> int:
        """Of a sealed chunk, in bytes."""
        return min(CHUNK, self.size - number * CHUNK) + _TAG

    def place_of(self, number: int) -> tuple[int, int]:
        """Where in the object a chunk begins and ends."""
        begin = HEADER + number * SEALED_CHUNK
        return begin, begin + self.length_of(number)

    def open_chunk(self, number: int, sealed: bytes) -> bytes:
        """Raises SealBroken."""
        last = number == max(0, -(-self.size // CHUNK) - 1)
        try:
            return bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
                sealed, _beside(self.name, last=last), number.to_bytes(_NONCE, "big"), self._key
            )
        except (CryptoError, ValueError):
            raise SealBroken("the object is not what was sealed") from None


def _encrypt(content: bytes, key: bytes, name: str, number: int, *, last: bool) -> bytes:
    return bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
        content, _beside(name, last=last), number.to_bytes(_NONCE, "big"), key
    )


def _beside(name: str, *, last: bool) -> bytes:
    return (b"\x01" if last else b"\x00") + name.encode()
