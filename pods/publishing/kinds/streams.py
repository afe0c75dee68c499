"""What is read of a file, once and in pieces, and how much at most."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from typing import Any, Final

# Archives, together with what is packed in them, and the pixels of a picture.
MAX_DEPTH: Final = 3  # a zip in a tar in a gzip; what is packed deeper is not looked into
MAX_UNPACKED: Final = 1 << 30  # bytes of one file, every layer counted, so half of that for a tar.gz
MAX_MEMBERS: Final = 10_000
MAX_NAMES: Final = 1 << 20  # bytes of the members' names and of what else stands about them
MAX_NAME: Final = 1024
MAX_INNER_ZIPS: Final = 32 << 20  # bytes kept at one time: a zip in an archive is read from its end

MAX_NOTES: Final = 64 << 10  # bytes of a picture or a model that are no part of what it shows or computes
MAX_PICTURE: Final = 256 << 20
MAX_FIELDS: Final = 1_000_000  # of an ONNX model and its graph

MAX_ROW: Final = 4 << 20  # characters of a row of a CSV; of a field as many as the module csv takes, 128 KiB
MAX_TOKEN: Final = 4 << 20  # characters of a string in JSON, or of a tag with its attributes in XML
MAX_NESTING: Final = 500  # levels of JSON or XML
MAX_MARKUP_NAMES: Final = 10_000  # different names of tags and attributes in XML, which its parser keeps

PIECE: Final = 1 << 20
HEAD: Final = 512

TAIL: Final = 1024


class NotIt(Exception):
    """The bytes are not of the kind that they seemed to be of."""


class TooMuch(Exception):
    """More is packed in the file than is looked at."""


class Limits:
    """What may still be unpacked of a file."""

    def __init__(self, texts: bool) -> None:
        self.texts = texts
        self.depth = 0
        self._unpacked = MAX_UNPACKED
        self._members = MAX_MEMBERS
        self._names = MAX_NAMES
        self._inner_zips = MAX_INNER_ZIPS

    def unpack(self, size: int) -> None:
        self._unpacked -= size
        if self._unpacked < 0:
            raise TooMuch

    def name(self, size: int, members: int = 0) -> None:
        """Bytes that stand about members of an archive, and how many members more there are."""
        self._names -= size
        self._members -= members
        if self._names < 0 or self._members < 0:
            raise TooMuch

    def keep(self, size: int) -> None:
        """Negative: given back."""
        self._inner_zips -= size
        if self._inner_zips < 0:
            raise TooMuch


class Stream:
    """Bytes that are read once, from the first to the last. `position`: how many have been taken."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = b""
        self._start = 0  # of what is left of it
        self.position = 0

    def piece(self, most: int = PIECE) -> bytes:
        """As many as are at hand; none: it is over."""
        if self._start == len(self._held):
            self._held, self._start = self._next(), 0
        piece = self._held[self._start : self._start + most]
        self._start += len(piece)
        self.position += len(piece)
        return piece

    def peek(self, count: int) -> bytes:
        """The next ones without taking them; fewer only at the end."""
        while len(self._held) - self._start < count and (more := self._next()):
            self._held, self._start = self._held[self._start :] + more, 0
        return self._held[self._start : self._start + count]

    def read(self, count: int) -> bytes:
        """Raises NotIt if there are fewer."""
        taken = self.peek(count)
        if len(taken) < count:
            raise NotIt
        self._start += count
        self.position += count
        return taken

    def unpacked(self, form: str) -> tuple[Any, ...]:
        return struct.unpack(form, self.read(struct.calcsize(form)))

    def skip(self, count: int) -> None:
        """Raises NotIt if there are fewer."""
        while count:
            piece = self.piece(min(count, PIECE))
            if not piece:
                raise NotIt
            count -= len(piece)

    def give_back(self, count: int) -> None:
        """The last ones, of the piece that was taken last."""
        self._start -= count
        self.position -= count

    def rest(self, tail: int = 0) -> bytes:
        """Take all that is left, and return the last bytes of it."""
        last = b""
        while piece := self.piece():
            last = (last + piece)[-tail:] if tail else b""
        return last

    def end(self) -> None:
        """Raises NotIt if anything is left."""
        if self.peek(1):
            raise NotIt

    def _next(self) -> bytes:
        """Small pieces are put together: some readers begin again with each."""
        taken = bytearray()
        for piece in self._pieces:
            taken += piece
            if len(taken) >= PIECE:
                break
        return bytes(taken)


class File(Stream):
    """A part of a file, in which what is not needed is not read."""

    def __init__(self, descriptor: int, start: int, stop: int) -> None:
        super().__init__(iter(()))
        self._descriptor = descriptor
        self.stop = stop
        self._at = start

    def skip(self, count: int) -> None:
        held = min(count, len(self._held) - self._start)
        self._start += held
        if count - held > self.stop - self._at:
            raise NotIt
        self._at += count - held
        self.position += count

    def part(self, start: int, stop: int) -> File:
        """Raises NotIt if it is not within."""
        if not 0 <= start <= stop <= self.stop:
            raise NotIt
        return File(self._descriptor, start, stop)

    def rest(self, tail: int = 0) -> bytes:
        left = len(self._held) - self._start + self.stop - self._at
        self.skip(max(0, left - tail))
        return super().rest(tail)

    def _next(self) -> bytes:
        # The first piece is small: it shows most files to be what they are not.
        most = min(PIECE if self.position or self._held else 16 * HEAD, self.stop - self._at)
        piece = os.pread(self._descriptor, most, self._at)
        if most and not piece:
            raise FileShrank("the file has become shorter")
        self._at += len(piece)
        return piece


def inflated(stream: Stream, form: int = -15) -> Iterator[bytes]:
    """Raises NotIt, zlib.error. Leaves the stream behind what it has unpacked."""
    engine = zlib.decompressobj(form)
    while not engine.eof:
        packed = engine.unconsumed_tail or stream.piece(1 << 16)
        piece = engine.decompress(packed, PIECE)
        if piece:
            yield piece
        elif not packed:
            raise NotIt
    stream.give_back(len(engine.unused_data))


def check_not_padded(packed: int, plain: int) -> None:
    """What is packed is not much longer than before: more could be in it than comes out."""
    if packed > plain + plain // 8 + 512:
        raise NotIt


class FileShrank(OSError):
    """The file has become shorter than it was when it was found."""
