"""Pictures: all of a file is one, and its notes are short."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from typing import Final

from pods.publishing.kinds.streams import (
    MAX_NOTES,
    MAX_PICTURE,
    PIECE,
    TAIL,
    Limits,
    NotIt,
    Stream,
    check_not_padded,
    inflated,
)


def check_png(stream: Stream, limits: Limits) -> None:
    """Right checksums, exactly as many pixels as it should have, nothing behind IEND, and chunks beside the picture of
    at most MAX_NOTES bytes together."""
    stream.skip(8)
    notes, plain, packed = 0, 0, None
    while True:
        length, kind = struct.unpack(">I4s", stream.peek(8).ljust(8, b"\0"))
        if kind == b"IDAT" and plain and packed is None:
            packed = _png_pixels(stream, plain)
            continue
        if length > MAX_NOTES:
            raise NotIt
        body = _png_chunk(stream, length)
        if kind == b"IHDR" and not plain:
            plain = _png_size(body)
            limits.unpack(plain)
        elif kind == b"IEND" and packed is not None and not body:
            return stream.end()
        elif kind == b"PLTE" and plain and packed is None and len(body) <= 768:
            pass
        elif plain and kind[0] & 0x20:  # needed by no reader
            notes += 12 + length
            if notes > MAX_NOTES:
                raise NotIt
        else:
            raise NotIt


def _png_chunk(stream: Stream, length: int) -> bytes:
    stream.skip(4)
    body = stream.read(4 + length)
    if stream.unpacked(">I") != (zlib.crc32(body),):
        raise NotIt
    return body[4:]


def _png_pixels(stream: Stream, plain: int) -> int:
    """How many bytes they are packed in."""
    parts = Stream(_png_parts(stream))
    size = 0
    for piece in inflated(parts, 15):
        size += len(piece)
        if size > plain:
            raise NotIt
    if size < plain or parts.peek(1):
        raise NotIt
    check_not_padded(parts.position, plain)
    return parts.position


def _png_parts(stream: Stream) -> Iterator[bytes]:
    while (start := stream.peek(8))[4:] == b"IDAT":
        left = int.from_bytes(start[:4], "big")
        stream.skip(8)
        checksum = zlib.crc32(b"IDAT")
        while left:
            piece = stream.piece(min(left, PIECE))
            if not piece:
                raise NotIt
            checksum = zlib.crc32(piece, checksum)
            left -= len(piece)
            yield piece
        if stream.unpacked(">I") != (checksum,):
            raise NotIt


def _png_size(header: bytes) -> int:
    """Bytes of all rows, each with the one that names its filter."""
    if len(header) != 13:
        raise NotIt
    width, height, depth, colour, packing, filtering, interlaced = struct.unpack(">IIBBBBB", header)
    depths = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}.get(colour, ())
    if not width or not height or depth not in depths or packing or filtering or interlaced > 1:
        raise NotIt
    bits = depth * {2: 3, 4: 2, 6: 4}.get(colour, 1)
    whole = ((0, 0, 1, 1),)
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    sizes = [(-((x - width) // dx), -((y - height) // dy)) for x, y, dx, dy in (passes if interlaced else whole)]
    return sum(rows * (1 + (columns * bits + 7) // 8) for columns, rows in sizes if columns > 0 and rows > 0)


_JPEG_STOP: Final = re.compile(rb"\xff(?:[^\x00\xd0-\xd7]|\Z)")
_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def check_jpeg(stream: Stream, limits: Limits) -> None:
    """One picture, nothing behind its end, segments beside its scans of at most MAX_NOTES bytes together. The scans are
    not decoded; they are no longer than so many pixels can need."""
    stream.skip(2)
    notes, most, scanned = 0, 0, 0
    while (marker := _jpeg_marker(stream)) != 0xD9:
        (length,) = stream.unpacked(">H")
        if marker in _JPEG_FRAMES and not most:
            _, height, width, components = stream.unpacked(">BHHB")
            if not 1 <= components <= 4 or length != 8 + 3 * components or not height * width:
                raise NotIt
            most = min(MAX_PICTURE, 4 * height * width * components + TAIL)
            stream.skip(3 * components)
        elif marker == 0xDA and most and length in (8, 10, 12, 14):
            stream.skip(length - 2)
            scanned += _jpeg_scan(stream, most - scanned)
        elif marker >= 0xC0 and marker not in _JPEG_FRAMES and not 0xD0 <= marker <= 0xDA and length >= 2:
            notes += 2 + length
            stream.skip(length - 2)
        else:
            raise NotIt
        if notes > MAX_NOTES:
            raise NotIt
    if not scanned:
        raise NotIt
    stream.end()


def _jpeg_marker(stream: Stream) -> int:
    for _ in range(16):  # it may be filled up
        first, second = stream.peek(2).ljust(2, b"\0")
        stream.skip(1)
        if first != 0xFF:
            break
        if second != 0xFF:
            stream.skip(1)
            return second
    raise NotIt


def _jpeg_scan(stream: Stream, most: int) -> int:
    """Its length, which is at least one. Leaves the stream at the marker behind it."""
    before = stream.position
    while piece := stream.piece():
        found = _JPEG_STOP.search(piece)
        if found is not None:
            stream.give_back(len(piece) - found.start())
            if not _JPEG_STOP.match(stream.peek(2)):
                stream.skip(2)
                continue
        length = stream.position - before
        if length > most or (found is not None and not length):
            break
        if found is not None:
            return length
    raise NotIt


def check_gif(stream: Stream, limits: Limits) -> None:
    """Pictures, nothing behind the last, and extensions but those that say how long one is shown of at most MAX_NOTES
    bytes together. The pictures are not decoded; they are no longer than so many pixels can need."""
    stream.skip(6)
    _, _, flags, _, _ = stream.unpacked("<HHBBB")
    stream.skip(_gif_colours(flags))
    notes, pictures = 0, 0
    while (block := stream.read(1)) != b";":
        if block == b",":
            _, _, width, height, flags = stream.unpacked("<HHHHB")
            stream.skip(_gif_colours(flags) + 1)
            pictures += 1
            _gif_blocks(stream, 2 * width * height + 64)
        elif block == b"!":
            (label,) = stream.unpacked("B")
            size = _gif_blocks(stream, MAX_NOTES)
            notes += 0 if (label, size) == (0xF9, 4) else 2 + size
        else:
            raise NotIt
        if notes > MAX_NOTES or stream.position > MAX_PICTURE:
            raise NotIt
    if not pictures:
        raise NotIt
    stream.end()


def _gif_colours(flags: int) -> int:
    return 3 << (1 + (flags & 7)) if flags & 0x80 else 0


def _gif_blocks(stream: Stream, most: int) -> int:
    total = 0
    while size := stream.read(1)[0]:
        stream.skip(size)
        total += size
        if total > min(most, MAX_PICTURE):
            raise NotIt
    return total
