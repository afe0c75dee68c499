"""Archives: members one after the other, each as pieces that are to be taken before the next. gzip and tar."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

from pods.publishing.kinds.streams import MAX_NAME, PIECE, Limits, NotIt, Stream, check_not_padded, inflated

Members = Iterator[Iterator[bytes]]


class Quiet:
    """Pieces that end silently where something is wrong with them: whoever reads them must not take that for a flaw of
    what is in them. `check` tells it to whoever packs them out."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._flawed = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._pieces
        except (NotIt, zlib.error):
            self._flawed = True

    def check(self) -> None:
        if self._flawed:
            raise NotIt


def unpack_gzip(stream: Stream, limits: Limits) -> Members:
    """One or more parts, which are one member together, with nothing behind them."""
    pieces = Quiet(_gunzipped(stream, limits))
    yield iter(pieces)
    pieces.check()


def _gunzipped(stream: Stream, limits: Limits) -> Iterator[bytes]:
    total = parts = 0
    while stream.peek(1) or not parts:
        _skip_gzip_header(stream, limits)
        checksum = size = 0
        for piece in inflated(stream):
            limits.unpack(len(piece))
            checksum = zlib.crc32(piece, checksum)
            size += len(piece)
            yield piece
        if stream.unpacked("<II") != (checksum, size & 0xFFFFFFFF):
            raise NotIt
        total += size
        parts += 1
    check_not_padded(stream.position, total + 40 * parts)


def _skip_gzip_header(stream: Stream, limits: Limits) -> None:
    magic, flags = stream.unpacked("<3sB6x")
    if magic != b"\x1f\x8b\x08" or flags & 0xE0:
        raise NotIt
    before = stream.position
    if flags & 4:
        stream.skip(*stream.unpacked("<H"))
    for flag in (8, 16):  # name and comment, which end with NUL
        if flags & flag:
            length = stream.peek(MAX_NAME).find(b"\0") + 1
            if not length:
                raise NotIt
            stream.skip(length)
    stream.skip(flags & 2)  # a checksum
    limits.name(8 + stream.position - before)


def is_tar(head: bytes) -> bool:
    return len(head) == 512 and head[0] > 0 and _octal(head[148:156]) == sum(head) - sum(head[148:156]) + 8 * 0x20


def _octal(field: bytes) -> int:
    """-1: it is none."""
    digits = field.strip(b" \0")
    return -1 if digits.strip(b"01234567") else int(digits or b"0", 8)


def unpack_tar(stream: Stream, limits: Limits) -> Members:
    """Files and folders, with nothing between them and NULs behind them. Links, devices and sparse files are not taken,
    nor files whose size stands elsewhere than in their header."""
    while any(header := stream.read(512)):
        size = _octal(header[124:136])
        if not is_tar(header) or size < 0:
            raise NotIt
        name = _tar_name(header, limits)
        form = header[156:157].replace(b"\0", b"0")
        if form in b"xgL" and size <= 4 * MAX_NAME:  # more about the next one, or about all
            limits.name(size)
            if re.search(rb"[0-9] (?:size|linkpath|GNU\.sparse[^=]*)=", stream.read(size)):
                raise NotIt
        elif form == b"0" and (size or not name.endswith(b"/")):
            limits.name(0, members=1)
            limits.unpack(size)
            yield _part(stream, size)
        elif form not in b"05" or size:
            raise NotIt
        if any(stream.read(-size % 512)):
            raise NotIt
    end = stream.position
    while piece := stream.piece():  # tapes are filled up
        if piece.strip(b"\0") or stream.position - end > PIECE:
            raise NotIt


def _tar_name(header: bytes, limits: Limits) -> bytes:
    """Behind the texts in a header, and where its form has nothing, there are only NULs."""
    magic = header[257:263]
    texts, nothing = [header[:100]], [header[157:257]]  # of a link, it would say where to
    if magic in (b"ustar\0", b"ustar "):
        texts += [header[265:297], header[297:329]]
    else:
        nothing.append(header[257:329])
    if magic == b"ustar\0":
        texts.append(header[345:500])
        nothing.append(header[500:])
    else:
        nothing.append(header[345:])
    parts = [text.partition(b"\0") for text in texts]
    if any(map(any, nothing)) or any(any(behind) for _, _, behind in parts):
        raise NotIt
    limits.name(8 + sum(len(text) for text, _, _ in parts))
    return parts[0][0]


def _part(stream: Stream, size: int) -> Iterator[bytes]:
    while size and (piece := stream.piece(min(size, PIECE))):
        size -= len(piece)
        yield piece
