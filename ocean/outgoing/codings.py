"""Content codings as servers really announce them, and the bytes behind them.

The header should list codings that were applied, and often does not: storage services repeat whatever was uploaded
with an object (`UTF-8`, `aws-chunked`, an empty text). A word that names no coding says nothing about the bytes: they
are the file. Only a coding that exists and that we cannot undo makes a file unreadable.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Sequence
from typing import Final

import httpx

from ocean.outgoing.errors import OutgoingFailed

_GZIP: Final = {"gzip", "x-gzip"}
_OPENED: Final = _GZIP | {"deflate"}
# The other registered codings (IANA, HTTP Content Coding Registry).
_CLOSED: Final = {"aes128gcm", "br", "compress", "x-compress", "dcb", "dcz", "exi", "pack200-gzip", "zstd"}
_MOST_LAYERS: Final = 3  # more than one is a mistake somewhere; each one may hide a thousandfold size
_STEP_BYTES: Final = 1024 * 1024  # at most so much at once, whatever the server packed
_MAGIC: Final = b"\x1f\x8b"


def codings_of(headers: httpx.Headers) -> tuple[str, ...]:
    """The codings that were really applied, in that order: the known words of all Content-Encoding headers."""
    words = headers.get_list("content-encoding", split_commas=True)
    plain = [word.partition(";")[0].strip().strip('"').lower() for word in words]
    return tuple(word for word in plain if word in _OPENED or word in _CLOSED)


def can_be_opened(codings: Sequence[str]) -> bool:
    return len(codings) <= _MOST_LAYERS and all(coding in _OPENED for coding in codings)


def unpacked(chunks: AsyncIterator[bytes], codings: Sequence[str]) -> AsyncIterator[bytes]:
    """The content without its codings, in bounded steps. Its iterator raises OutgoingFailed (encoding, incomplete)."""
    for coding in reversed(codings):
        chunks = _without(chunks, coding)
    return chunks


async def _without(chunks: AsyncIterator[bytes], coding: str) -> AsyncIterator[bytes]:
    """One coding less: gzip of one or several members, or deflate, with zlib's frame around it or without.

    No bytes at all are an empty file. What follows a whole gzip member and begins no other one is padding.
    """
    unpacker, waiting, members = None, b"", 0
    try:
        async for data in chunks:
            waiting += data
            while waiting:
                if unpacker is None:
                    if len(waiting) < len(_MAGIC):
                        break
                    if members and not waiting.startswith(_MAGIC):
                        waiting = b""
                        break
                    unpacker = zlib.decompressobj(_window(coding, waiting))
                part = unpacker.decompress(waiting, _STEP_BYTES)
                waiting = unpacker.unconsumed_tail
                if unpacker.eof:
                    members, waiting, unpacker = members + 1, unpacker.unused_data, None
                if part:
                    yield part
        if unpacker is not None:
            if part := unpacker.flush():
                yield part
            if not unpacker.eof:
                raise OutgoingFailed("incomplete", retriable=True)
        elif waiting and not members:
            raise OutgoingFailed("encoding", retriable=False)
    except zlib.error:
        raise OutgoingFailed("encoding", retriable=False) from None


def _window(coding: str, beginning: bytes) -> int:
    """zlib's `wbits`. Some servers send deflate as zlib frames it, as the standard says, others without a frame."""
    framed = beginning[0] & 0x0F == 8 and int.from_bytes(beginning[:2]) % 31 == 0
    return 47 if coding in _GZIP or framed or beginning.startswith(_MAGIC) else -15
