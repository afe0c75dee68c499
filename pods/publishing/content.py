"""Tells what a file is by its content, for a release rule that lists the types of files that may leave.

The file was written by an algorithm that may want to carry a copy of the data out as something harmless. So a file is
of a kind only if all of it is: what lies behind the end of a picture, in a picture's notes, between the members of an
archive or in a member of it counts. Whatever is not wholly of a kind is "other". Names say nothing. Every file is read
once, in pieces, and what is unpacked is never written anywhere but to a temporary file without a name.

What a kind is stands at its function. That a kind is recognised does not say what is in it: numbers, texts, pixels and
a model's weights can be a copy of the data, and only the rules about amounts stop that.
"""

from __future__ import annotations

import codecs
import csv
import itertools
import json
import math
import os
import re
import struct
import tempfile
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from xml.parsers import expat

from contract.release import ContentType

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

_PIECE: Final = 1 << 20
_HEAD: Final = 512
_OTHER: Final[frozenset[ContentType]] = frozenset({"other"})


@dataclass(frozen=True, slots=True)
class Content:
    """What a file is: `kinds` is never empty. `members`: of an archive, what the files in it are, at any depth."""

    kinds: frozenset[ContentType]
    members: frozenset[frozenset[ContentType]] = frozenset()

    def passes(self, allowed: Collection[ContentType]) -> bool:
        """A file passes if one of its kinds is allowed; an archive, if that holds for it and for all that is in it."""
        return all(not kinds.isdisjoint(allowed) for kinds in (self.kinds, *self.members))

    def __str__(self) -> str:
        inside = "; ".join(sorted(" and ".join(sorted(kinds)) for kinds in self.members))
        return " and ".join(sorted(self.kinds)) + (f" (in it: {inside})" if inside else "")


class FileShrank(OSError):
    """The file has become shorter than it was when it was found."""


def content_of(descriptor: int, size: int, *, texts: bool = True) -> Content:
    """What the first `size` bytes of a regular file are. Does not move the descriptor's offset. Raises OSError.

    `texts` False: a text is just "text" and its other kinds are not looked for, which is five times as fast.
    """
    try:
        content = _judge(_File(descriptor, 0, size), _Limits(texts))
    except _TooMuch:
        content = Content(_OTHER)
    if os.fstat(descriptor).st_size < size:
        raise FileShrank("the file has become shorter")
    return content


# --- What is read -----------------------------------------------------------------------------------------------------


class _NotIt(Exception):
    """The bytes are not of the kind that they seemed to be of."""


class _TooMuch(Exception):
    """More is packed in the file than is looked at."""


class _Limits:
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
            raise _TooMuch

    def name(self, size: int, members: int = 0) -> None:
        """Bytes that stand about members of an archive, and how many members more there are."""
        self._names -= size
        self._members -= members
        if self._names < 0 or self._members < 0:
            raise _TooMuch

    def keep(self, size: int) -> None:
        """Negative: given back."""
        self._inner_zips -= size
        if self._inner_zips < 0:
            raise _TooMuch


class _Stream:
    """Bytes that are read once, from the first to the last. `position`: how many have been taken."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = b""
        self._start = 0  # of what is left of it
        self.position = 0

    def piece(self, most: int = _PIECE) -> bytes:
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
        """Raises _NotIt if there are fewer."""
        taken = self.peek(count)
        if len(taken) < count:
            raise _NotIt
        self._start += count
        self.position += count
        return taken

    def unpacked(self, form: str) -> tuple[Any, ...]:
        return struct.unpack(form, self.read(struct.calcsize(form)))

    def skip(self, count: int) -> None:
        """Raises _NotIt if there are fewer."""
        while count:
            piece = self.piece(min(count, _PIECE))
            if not piece:
                raise _NotIt
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
        """Raises _NotIt if anything is left."""
        if self.peek(1):
            raise _NotIt

    def _next(self) -> bytes:
        """Small pieces are put together: some readers begin again with each."""
        taken = bytearray()
        for piece in self._pieces:
            taken += piece
            if len(taken) >= _PIECE:
                break
        return bytes(taken)


class _File(_Stream):
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
            raise _NotIt
        self._at += count - held
        self.position += count

    def part(self, start: int, stop: int) -> _File:
        """Raises _NotIt if it is not within."""
        if not 0 <= start <= stop <= self.stop:
            raise _NotIt
        return _File(self._descriptor, start, stop)

    def rest(self, tail: int = 0) -> bytes:
        left = len(self._held) - self._start + self.stop - self._at
        self.skip(max(0, left - tail))
        return super().rest(tail)

    def _next(self) -> bytes:
        # The first piece is small: it shows most files to be what they are not.
        most = min(_PIECE if self.position or self._held else 16 * _HEAD, self.stop - self._at)
        piece = os.pread(self._descriptor, most, self._at)
        if most and not piece:
            raise FileShrank("the file has become shorter")
        self._at += len(piece)
        return piece


def _inflated(stream: _Stream, form: int = -15) -> Iterator[bytes]:
    """Raises _NotIt, zlib.error. Leaves the stream behind what it has unpacked."""
    engine = zlib.decompressobj(form)
    while not engine.eof:
        packed = engine.unconsumed_tail or stream.piece(1 << 16)
        piece = engine.decompress(packed, _PIECE)
        if piece:
            yield piece
        elif not packed:
            raise _NotIt
    stream.give_back(len(engine.unused_data))


def _check_not_padded(packed: int, plain: int) -> None:
    """What is packed is not much longer than before: more could be in it than comes out."""
    if packed > plain + plain // 8 + 512:
        raise _NotIt


# --- What it is -------------------------------------------------------------------------------------------------------

# Control characters; texts have three of them: tabs and what ends lines.
_C0: Final = bytes(sorted({*range(0x20), 0x7F} - {0x09, 0x0A, 0x0D}))
_C1: Final = re.compile("[\x80-\x9f]")


def _judge(stream: _Stream, limits: _Limits) -> Content:
    """Leaves the stream somewhere. Raises _TooMuch, OSError."""
    head = stream.peek(_HEAD)
    try:
        if len(head.translate(None, _C0)) == len(head):
            return Content(_text_kinds(stream, limits))
        for kind, begins, read in _WHOLES:
            if begins(head):
                read(stream, limits)
                return Content(frozenset({kind}))
        for kind, begins, unpack in _ARCHIVES:
            if begins(head):
                return Content(frozenset({kind}), _judge_members(unpack(stream, limits), limits))
    except (_NotIt, zlib.error):
        pass  # it began like one, or like a text, and went on otherwise
    return Content(_OTHER)


def _judge_members(members: Iterator[Iterator[bytes]], limits: _Limits) -> frozenset[frozenset[ContentType]]:
    """Raises _NotIt, also for an archive that is too deep in others."""
    if limits.depth == MAX_DEPTH:
        raise _NotIt
    kinds: set[frozenset[ContentType]] = set()
    limits.depth += 1
    try:
        for pieces in members:
            member = _Stream(pieces)
            content = _judge(member, limits)
            member.rest()
            kinds |= content.members | {content.kinds}
    finally:
        limits.depth -= 1
    return frozenset(kinds)


# --- Texts ------------------------------------------------------------------------------------------------------------

_HTML_BEGINS: Final = re.compile(r"\s*+(?:<!--(?:(?!-->).)*+-->\s*+)*+<(?:!doctype\s+html|html)\b", re.I | re.S)
_HTML_ENDS: Final = re.compile(r"</html\s*>\s*\Z", re.I)
_PDF_ENDS: Final = re.compile(rb"startxref\s+([0-9]{1,19})\s+%%EOF\s{0,2}\Z")
_TAIL: Final = 1024


def _text_kinds(stream: _Stream, limits: _Limits) -> frozenset[ContentType]:
    """UTF-8 without control characters, from the first byte to the last; also the empty file. Of a PDF, which can be
    all text, only the first bytes need be."""
    is_pdf = stream.peek(5) == b"%PDF-"
    text = _Text(stream, limits.texts)
    pieces = text.pieces()
    is_csv = limits.texts and _is_csv(_lines(pieces))
    for _ in pieces:
        pass  # what the reader of a CSV has left; the others are given all
    kinds: set[ContentType] = text.kinds() if text.is_text else set()
    if text.is_text and is_csv:
        kinds.add("csv")
    if is_pdf:
        _check_pdf_end((text.last + stream.rest(_TAIL))[-_TAIL:], stream.position)
        kinds.add("pdf")
    elif not text.is_text:
        raise _NotIt
    return frozenset(kinds)


class _Text:
    """A stream as text, in pieces, each of which is shown to those who tell the kinds of texts apart."""

    def __init__(self, stream: _Stream, apart: bool) -> None:
        self.is_text = True
        self.head = ""
        self.last = b""
        self._stream = stream
        self._tail = ""
        self._json = _Json() if apart else None
        self._markup = _Markup() if apart else None

    def pieces(self) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")()
        while piece := self._stream.piece():
            self.last = (self.last + piece)[-_TAIL:]
            try:
                text = decoder.decode(piece)
            except UnicodeDecodeError:
                self.is_text = False
                return
            if len(piece.translate(None, _C0)) < len(piece) or (not piece.isascii() and _C1.search(text)):
                self.is_text = False
                return
            if not self.head:
                text = text.removeprefix("\ufeff")
            self.head += text[: 4 * _TAIL - len(self.head)]
            self._tail = (self._tail + text)[-_TAIL:]
            for reader in (self._json, self._markup):
                if reader is not None:
                    reader.feed(text)
            yield text
        self.is_text = not decoder.getstate()[0]  # no character is cut off by the end

    def kinds(self) -> set[ContentType]:
        kinds: set[ContentType] = {"text"}
        if self._json is not None and self._json.ends_well():
            kinds.add("json")
        if self._markup is not None and self._markup.ends_well():
            kinds.add("xml")
            if self._markup.root in ("svg", "http://www.w3.org/2000/svg svg"):
                kinds.add("svg")
        if _HTML_BEGINS.match(self.head) and _HTML_ENDS.search(self._tail):
            kinds.add("html")
        return kinds


def _lines(pieces: Iterator[str]) -> Iterator[str]:
    """Without their ends. One that is too long is the last, and is not whole."""
    rest = ""
    for piece in pieces:
        *lines, rest = (rest + piece).split("\n")
        yield from lines
        if len(rest) > MAX_ROW:
            break
    if rest:
        yield rest


def _is_csv(lines: Iterator[str]) -> bool:
    """With one of four delimiters, which is in the first line, all rows have equally many fields, and at least two.

    Empty lines are no rows. Quotes are as the module csv has them when it is strict.
    """
    first = next((line for line in lines if line.strip()), "")
    marks = [mark for mark in ",;\t|" if mark in first]
    copies = itertools.tee(itertools.chain((first,), lines), len(marks))
    tables = [_Table(mark, copy, len(first)) for mark, copy in zip(marks, copies, strict=True)]
    while tables:
        behind = min(tables, key=lambda each: each.lines)  # so little is kept for the others
        try:
            if not behind.next():
                return True
        except (csv.Error, _NotIt):
            tables.remove(behind)
    return False


class _Table:
    """The rows of a text with one delimiter, several at once: a quarter of a megabyte, if all are like the first."""

    def __init__(self, mark: str, lines: Iterator[str], usual: int) -> None:
        self.lines = 0
        self._several = min(1000, 1 + (MAX_ROW >> 4) // (usual + 1))
        self._size = 0  # of those that are being read
        self._widths: set[int] = set()
        self._rows = csv.reader(self._counted(lines), delimiter=mark, strict=True)

    def next(self) -> bool:
        """False: there are no more. Raises csv.Error, _NotIt for rows that are not like the others or too long."""
        self._size = 0
        widths = list(map(len, itertools.islice(self._rows, self._several)))
        self._widths.update(widths)
        self._widths.discard(0)
        if len(self._widths) > 1 or 1 in self._widths:
            raise _NotIt
        return bool(widths)

    def _counted(self, lines: Iterator[str]) -> Iterator[str]:
        for line in lines:
            self.lines += 1
            self._size += len(line)
            if self._size > MAX_ROW:
                raise _NotIt
            yield line


class _Json:
    """Reads JSON in pieces and keeps nothing of it but which brackets are open; NaN and Infinity, which Python and
    others write, are numbers."""

    _STRING = r'"(?:[^"\\\x00-\x1f]++|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*+"'
    _SCALAR = rf"(?:{_STRING}|-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?|true|false|null|NaN|-?Infinity)"
    _SPACE = r"[ \t\r\n]*+"
    _SIGN = re.compile(r"[^ \t\r\n]")
    _TEXT = re.compile(_STRING)
    _WORD = re.compile(r"[-+.0-9A-Za-z]++")
    _VALUE = re.compile(_SCALAR)
    # Many at once, which is what makes it fast: also lists and objects that are not deep.
    _SMALL = _SCALAR
    for _ in range(2):
        _PAIR = rf"{_STRING}{_SPACE}:{_SPACE}{_SMALL}{_SPACE}"
        _LIST = rf"\[{_SPACE}(?:{_SMALL}{_SPACE}(?:,{_SPACE}{_SMALL}{_SPACE})*+)?+\]"
        _OBJECT = rf"\{{{_SPACE}(?:{_PAIR}(?:,{_SPACE}{_PAIR})*+)?+\}}"
        _SMALL = rf"(?:{_SCALAR}|{_LIST}|{_OBJECT})"
    _WHOLE = re.compile(_SMALL)
    _ITEMS = re.compile(rf"(?:{_SMALL}{_SPACE},{_SPACE}){{1,500}}")
    _PAIRS = re.compile(rf"(?:{_STRING}{_SPACE}:{_SPACE}{_SMALL}{_SPACE},{_SPACE}){{1,500}}")
    _SEVERAL: ClassVar = {
        "item": (_ITEMS, "item"),
        "first item": (_ITEMS, "item"),
        "key": (_PAIRS, "key"),
        "first key": (_PAIRS, "key"),
    }

    def __init__(self) -> None:
        self._fits = True
        self._open: list[str] = []
        # What comes next: "value" at the top or behind a colon, "item" or "key"; instead of the first of these, or of a
        # "comma", also the end of what is open; "colon"; "nothing" behind the whole.
        self._next = "value"
        self._rest = ""

    def feed(self, text: str, *, last: bool = False) -> None:
        if not self._fits:
            return
        text, self._rest = self._rest + text, ""
        sign = self._SIGN.search(text)
        while sign is not None:
            at = sign.start()
            after = self._step(text, at, last)
            if after is None:
                self._fits = False
                return
            if after == at:  # a token goes on in the next piece
                self._rest = text[at:]
                self._fits = len(self._rest) <= (MAX_TOKEN if text[at] == '"' else 400)
                return
            sign = self._SIGN.search(text, after)

    def ends_well(self) -> bool:
        self.feed("", last=True)
        return self._fits and self._next == "nothing"

    def _step(self, text: str, at: int, last: bool) -> int | None:
        """Where the token, or several, that begins at `at` ends; `at` if it is not whole. None: this is no JSON."""
        several, then = self._SEVERAL.get(self._next, (None, ""))
        if several is not None and (found := several.match(text, at)):
            self._next = then
            return found.end()
        sign = text[at]
        if sign in "}]" and self._next in ("comma", "first key", "first item"):
            if not self._open or self._open.pop() + sign not in ("{}", "[]"):
                return None
            self._next = "comma" if self._open else "nothing"
            return at + 1
        if self._next == "comma":
            self._next = "key" if self._open[-1] == "{" else "item"
            return at + 1 if sign == "," else None
        if self._next == "colon":
            self._next = "value"
            return at + 1 if sign == ":" else None
        if self._next == "nothing":
            return None
        if sign in "{[" and not self._next.endswith("key"):
            if found := self._WHOLE.match(text, at):
                self._next = "comma" if self._open else "nothing"
                return found.end()
            self._open.append(sign)
            self._next = "first key" if sign == "{" else "first item"
            return at + 1 if len(self._open) <= MAX_NESTING else None
        return self._scalar(text, at, last)

    def _scalar(self, text: str, at: int, last: bool) -> int | None:
        is_key, is_string = self._next.endswith("key"), text[at] == '"'
        one = (self._TEXT if is_string else self._WORD).match(text, at)
        if not last and (one.end() == len(text) if one is not None else is_string):
            return at
        if one is None or not (is_string or (not is_key and self._VALUE.fullmatch(one[0]))):
            return None
        self._next = "colon" if is_key else "comma" if self._open else "nothing"
        return one.end()


class _Markup:
    """Reads XML in pieces: well-formed, without entities of its own."""

    def __init__(self) -> None:
        self.root: str | None = None  # its namespace, a space, its name
        self._names: set[str] = set()
        self._depth = 0
        self._fed = 0
        self._fits = True
        self._parser = expat.ParserCreate("utf-8", " ")
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._doctype

    def feed(self, text: str, *, last: bool = False) -> None:
        if not self._fits:
            return
        encoded = text.encode()
        self._fed += len(encoded)
        try:
            self._parser.Parse(encoded, last)
        except (expat.ExpatError, _NotIt):
            self._fits = False
        if self._fed - self._parser.CurrentByteIndex > MAX_TOKEN + _PIECE and not last:
            self._fits = False  # it would be read again and again, until it ends
        if not self._fits:
            self._parser = expat.ParserCreate()  # which lets go of what it had

    def ends_well(self) -> bool:
        self.feed("", last=True)
        return self._fits

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self.root = self.root or name
        self._names.add(name)
        self._names.update(attributes)
        self._depth += 1
        if self._depth > MAX_NESTING or len(self._names) > MAX_MARKUP_NAMES:
            raise _NotIt

    def _end(self, _name: str) -> None:
        self._depth -= 1

    def _doctype(self, _name: str, _system: str | None, _public: str | None, declares: bool) -> None:
        if declares:
            raise _NotIt


# --- Pictures and pages -----------------------------------------------------------------------------------------------


def _png(stream: _Stream, limits: _Limits) -> None:
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
            raise _NotIt
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
                raise _NotIt
        else:
            raise _NotIt


def _png_chunk(stream: _Stream, length: int) -> bytes:
    stream.skip(4)
    body = stream.read(4 + length)
    if stream.unpacked(">I") != (zlib.crc32(body),):
        raise _NotIt
    return body[4:]


def _png_pixels(stream: _Stream, plain: int) -> int:
    """How many bytes they are packed in."""
    parts = _Stream(_png_parts(stream))
    size = 0
    for piece in _inflated(parts, 15):
        size += len(piece)
        if size > plain:
            raise _NotIt
    if size < plain or parts.peek(1):
        raise _NotIt
    _check_not_padded(parts.position, plain)
    return parts.position


def _png_parts(stream: _Stream) -> Iterator[bytes]:
    while (start := stream.peek(8))[4:] == b"IDAT":
        left = int.from_bytes(start[:4], "big")
        stream.skip(8)
        checksum = zlib.crc32(b"IDAT")
        while left:
            piece = stream.piece(min(left, _PIECE))
            if not piece:
                raise _NotIt
            checksum = zlib.crc32(piece, checksum)
            left -= len(piece)
            yield piece
        if stream.unpacked(">I") != (checksum,):
            raise _NotIt


def _png_size(header: bytes) -> int:
    """Bytes of all rows, each with the one that names its filter."""
    if len(header) != 13:
        raise _NotIt
    width, height, depth, colour, packing, filtering, interlaced = struct.unpack(">IIBBBBB", header)
    depths = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}.get(colour, ())
    if not width or not height or depth not in depths or packing or filtering or interlaced > 1:
        raise _NotIt
    bits = depth * {2: 3, 4: 2, 6: 4}.get(colour, 1)
    whole = ((0, 0, 1, 1),)
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    sizes = [(-((x - width) // dx), -((y - height) // dy)) for x, y, dx, dy in (passes if interlaced else whole)]
    return sum(rows * (1 + (columns * bits + 7) // 8) for columns, rows in sizes if columns > 0 and rows > 0)


_JPEG_STOP: Final = re.compile(rb"\xff(?:[^\x00\xd0-\xd7]|\Z)")
_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def _jpeg(stream: _Stream, limits: _Limits) -> None:
    """One picture, nothing behind its end, segments beside its scans of at most MAX_NOTES bytes together. The scans are
    not decoded; they are no longer than so many pixels can need."""
    stream.skip(2)
    notes, most, scanned = 0, 0, 0
    while (marker := _jpeg_marker(stream)) != 0xD9:
        (length,) = stream.unpacked(">H")
        if marker in _JPEG_FRAMES and not most:
            _, height, width, components = stream.unpacked(">BHHB")
            if not 1 <= components <= 4 or length != 8 + 3 * components or not height * width:
                raise _NotIt
            most = min(MAX_PICTURE, 4 * height * width * components + _TAIL)
            stream.skip(3 * components)
        elif marker == 0xDA and most and length in (8, 10, 12, 14):
            stream.skip(length - 2)
            scanned += _jpeg_scan(stream, most - scanned)
        elif marker >= 0xC0 and marker not in _JPEG_FRAMES and not 0xD0 <= marker <= 0xDA and length >= 2:
            notes += 2 + length
            stream.skip(length - 2)
        else:
            raise _NotIt
        if notes > MAX_NOTES:
            raise _NotIt
    if not scanned:
        raise _NotIt
    stream.end()


def _jpeg_marker(stream: _Stream) -> int:
    for _ in range(16):  # it may be filled up
        first, second = stream.peek(2).ljust(2, b"\0")
        stream.skip(1)
        if first != 0xFF:
            break
        if second != 0xFF:
            stream.skip(1)
            return second
    raise _NotIt


def _jpeg_scan(stream: _Stream, most: int) -> int:
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
    raise _NotIt


def _gif(stream: _Stream, limits: _Limits) -> None:
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
            raise _NotIt
        if notes > MAX_NOTES or stream.position > MAX_PICTURE:
            raise _NotIt
    if not pictures:
        raise _NotIt
    stream.end()


def _gif_colours(flags: int) -> int:
    return 3 << (1 + (flags & 7)) if flags & 0x80 else 0


def _gif_blocks(stream: _Stream, most: int) -> int:
    total = 0
    while size := stream.read(1)[0]:
        stream.skip(size)
        total += size
        if total > min(most, MAX_PICTURE):
            raise _NotIt
    return total


def _pdf(stream: _Stream, limits: _Limits) -> None:
    """It ends with its end. What is in it, and that may be other files, is not looked at."""
    _check_pdf_end(stream.rest(_TAIL), stream.position)


def _check_pdf_end(tail: bytes, size: int) -> None:
    end = _PDF_ENDS.search(tail)
    if end is None or int(end[1]) >= size:
        raise _NotIt


# --- Tables, arrays and models ----------------------------------------------------------------------------------------


def _parquet(stream: _Stream, limits: _Limits) -> None:
    """Its name at both ends, and a footer that has room between them. The footer is not read."""
    size, name = struct.unpack("<I4s", stream.rest(8).rjust(8, b"\0"))
    if name != b"PAR1" or not 0 < size <= stream.position - 12:
        raise _NotIt


_NPY_TYPE: Final = r"'[<>|=]([biufcSaUVMm])([0-9]{1,9})(?:\[[0-9A-Za-z]{1,9}\])?'"
_NPY_SHAPE: Final = r"\(((?:[0-9]{1,19}(?:, |,|(?=\)))){0,64})\)"
_NPY_FIELD: Final = rf"\('[^'\\]*', {_NPY_TYPE}(?:, {_NPY_SHAPE})?\)"
_NPY_ONE: Final = re.compile(rf"{_NPY_TYPE}()")
_NPY_SEVERAL: Final = re.compile(rf"\[(?:{_NPY_FIELD}(?:, |(?=\])))+\]")
_NPY_EACH: Final = re.compile(_NPY_FIELD)
_NPY_HEADER: Final = re.compile(
    rf"\{{'descr': (.+), 'fortran_order': (?:True|False), 'shape': {_NPY_SHAPE}, ?\}} *\n?", re.DOTALL
)


def _numpy(stream: _Stream, limits: _Limits) -> None:
    """An array whose header tells how long it is. Arrays of objects are pickles and none of these; nor are those whose
    fields have fields."""
    version = stream.read(8)[6]
    (length,) = stream.unpacked("<H" if version == 1 else "<I")
    if version not in (1, 2, 3) or length > MAX_NOTES:
        raise _NotIt
    header = _NPY_HEADER.fullmatch(stream.read(length).decode("latin-1"))
    if header is None or not (_NPY_ONE.fullmatch(header[1]) or _NPY_SEVERAL.fullmatch(header[1])):
        raise _NotIt
    fields = (_NPY_ONE if header[1][0] == "'" else _NPY_EACH).finditer(header[1])
    sizes = [int(field[2]) * (4 if field[1] == "U" else 1) * _npy_items(field[3] or "") for field in fields]
    stream.skip(sum(sizes) * _npy_items(header[2]))
    stream.end()


def _npy_items(shape: str) -> int:
    return math.prod(int(length) for length in shape.replace(",", " ").split())


def _hdf5(stream: _Stream, limits: _Limits) -> None:
    """As long as its first block says. What is in it is not looked at."""
    head = stream.peek(64).ljust(64, b"\0")
    wide, base, end = {0: (13, 24, 40), 1: (13, 28, 44)}.get(head[8], (9, 12, 28))
    stream.rest()
    if head[8] > 3 or head[wide] != 8 or any(head[base : base + 8]):
        raise _NotIt
    if int.from_bytes(head[end : end + 8], "little") != stream.position:
        raise _NotIt


_SAFETENSORS_HEADER: Final = 4 << 20
_TENSOR_BYTES: Final = (
    dict.fromkeys(("F64", "I64", "U64", "C64"), 8)
    | dict.fromkeys(("F32", "I32", "U32"), 4)
    | dict.fromkeys(("F16", "BF16", "I16", "U16"), 2)
    | dict.fromkeys(("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 1)
)


def _safetensors(stream: _Stream, limits: _Limits) -> None:
    """Tensors as long as their types and shapes say, one behind the other, from the end of the header to that of the
    file. What else is in the header has at most MAX_NOTES bytes."""
    (length,) = stream.unpacked("<Q")
    try:
        header = json.loads(stream.read(length).decode())
        notes = len(json.dumps(header.pop("__metadata__", {})))
        tensors = sorted(_tensor(**each) for each in header.values())
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise _NotIt from None
    at = 0
    for begin, end in tensors:
        if begin != at:
            raise _NotIt
        at = end
    if notes > MAX_NOTES or length > MAX_NOTES + 2 * MAX_NAME * len(tensors):
        raise _NotIt
    stream.skip(at)
    stream.end()


def _tensor(dtype: str, shape: list[int], data_offsets: list[int]) -> tuple[int, int]:
    begin, end = data_offsets
    if len(shape) > 64 or any(type(number) is not int or not 0 <= number < 1 << 63 for number in (*shape, begin, end)):
        raise ValueError
    if dtype not in _TENSOR_BYTES or math.prod(shape) * _TENSOR_BYTES[dtype] != end - begin:
        raise ValueError
    return begin, end


# Fields of the messages ModelProto and GraphProto: how they are written, and whether they are notes.
_ONNX_MODEL: Final = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
_ONNX_MODEL_NOTES: Final = frozenset({2, 3, 4, 6, 14})
_ONNX_GRAPH: Final = dict.fromkeys((1, 2, 5, 10, 11, 12, 13, 14, 15, 16), 2)
_ONNX_GRAPH_NOTES: Final = frozenset({2, 10, 16})


def _onnx(stream: _Stream, limits: _Limits) -> None:
    """A model with one graph, which has nodes and outputs, of fields that the format has, and notes of at most
    MAX_NOTES bytes together. Nodes and weights are not looked into."""
    model: set[int] = set()
    graph: set[int] = set()
    notes = 0
    for number, value in _protobuf(stream, None, _ONNX_MODEL):
        if number == 7 and 7 not in model:
            for inner, length in _protobuf(stream, stream.position + value, _ONNX_GRAPH):
                graph.add(inner)
                notes += length if inner in _ONNX_GRAPH_NOTES else 0
                stream.skip(length)
        elif number == 7 or (number == 1 and not 1 <= value <= 100):
            raise _NotIt
        elif _ONNX_MODEL[number] == 2:
            notes += value if number in _ONNX_MODEL_NOTES else 0
            stream.skip(value)
        model.add(number)
    if not {1, 7, 8} <= model or not {1, 12} <= graph or notes > MAX_NOTES:
        raise _NotIt


def _protobuf(stream: _Stream, stop: int | None, known: dict[int, int]) -> Iterator[tuple[int, int]]:
    """Numbers of fields, with their values or the lengths of what follows them and has to be taken by the caller."""
    for _ in range(MAX_FIELDS):
        if stream.position == stop if stop is not None else not stream.peek(1):
            return
        number, form = divmod(_varint(stream), 8)
        if known.get(number) != form:
            raise _NotIt
        value = _varint(stream)
        if stop is not None and stream.position + value > stop:
            raise _NotIt
        yield number, value
    raise _NotIt


def _varint(stream: _Stream) -> int:
    value = 0
    for place in range(10):
        (byte,) = stream.read(1)
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value
    raise _NotIt


def _pickle(stream: _Stream, limits: _Limits) -> None:
    """It begins and ends as one does. What is between is not looked at: there may be arrays that joblib has written, or
    anything else."""
    if stream.rest(1) != b".":
        raise _NotIt


# --- Archives: members one after the other, each as pieces that are to be taken before the next -----------------------

_Members = Iterator[Iterator[bytes]]


class _Quiet:
    """Pieces that end silently where something is wrong with them: whoever reads them must not take that for a flaw of
    what is in them. `check` tells it to whoever packs them out."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._flawed = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._pieces
        except (_NotIt, zlib.error):
            self._flawed = True

    def check(self) -> None:
        if self._flawed:
            raise _NotIt


def _gzip(stream: _Stream, limits: _Limits) -> _Members:
    """One or more parts, which are one member together, with nothing behind them."""
    pieces = _Quiet(_gunzipped(stream, limits))
    yield iter(pieces)
    pieces.check()


def _gunzipped(stream: _Stream, limits: _Limits) -> Iterator[bytes]:
    total = parts = 0
    while stream.peek(1) or not parts:
        _skip_gzip_header(stream, limits)
        checksum = size = 0
        for piece in _inflated(stream):
            limits.unpack(len(piece))
            checksum = zlib.crc32(piece, checksum)
            size += len(piece)
            yield piece
        if stream.unpacked("<II") != (checksum, size & 0xFFFFFFFF):
            raise _NotIt
        total += size
        parts += 1
    _check_not_padded(stream.position, total + 40 * parts)


def _skip_gzip_header(stream: _Stream, limits: _Limits) -> None:
    magic, flags = stream.unpacked("<3sB6x")
    if magic != b"\x1f\x8b\x08" or flags & 0xE0:
        raise _NotIt
    before = stream.position
    if flags & 4:
        stream.skip(*stream.unpacked("<H"))
    for flag in (8, 16):  # name and comment, which end with NUL
        if flags & flag:
            length = stream.peek(MAX_NAME).find(b"\0") + 1
            if not length:
                raise _NotIt
            stream.skip(length)
    stream.skip(flags & 2)  # a checksum
    limits.name(8 + stream.position - before)


def _is_tar(head: bytes) -> bool:
    return len(head) == 512 and head[0] > 0 and _octal(head[148:156]) == sum(head) - sum(head[148:156]) + 8 * 0x20


def _octal(field: bytes) -> int:
    """-1: it is none."""
    digits = field.strip(b" \0")
    return -1 if digits.strip(b"01234567") else int(digits or b"0", 8)


def _tar(stream: _Stream, limits: _Limits) -> _Members:
    """Files and folders, with nothing between them and NULs behind them. Links, devices and sparse files are not taken,
    nor files whose size stands elsewhere than in their header."""
    while any(header := stream.read(512)):
        size = _octal(header[124:136])
        if not _is_tar(header) or size < 0:
            raise _NotIt
        name = _tar_name(header, limits)
        form = header[156:157].replace(b"\0", b"0")
        if form in b"xgL" and size <= 4 * MAX_NAME:  # more about the next one, or about all
            limits.name(size)
            if re.search(rb"[0-9] (?:size|linkpath|GNU\.sparse[^=]*)=", stream.read(size)):
                raise _NotIt
        elif form == b"0" and (size or not name.endswith(b"/")):
            limits.name(0, members=1)
            limits.unpack(size)
            yield _part(stream, size)
        elif form not in b"05" or size:
            raise _NotIt
        if any(stream.read(-size % 512)):
            raise _NotIt
    end = stream.position
    while piece := stream.piece():  # tapes are filled up
        if piece.strip(b"\0") or stream.position - end > _PIECE:
            raise _NotIt


def _tar_name(header: bytes, limits: _Limits) -> bytes:
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
        raise _NotIt
    limits.name(8 + sum(len(text) for text, _, _ in parts))
    return parts[0][0]


def _part(stream: _Stream, size: int) -> Iterator[bytes]:
    while size and (piece := stream.piece(min(size, _PIECE))):
        size -= len(piece)
        yield piece


@dataclass(frozen=True, slots=True)
class _Entry:
    """A member as the directory of a zip has it."""

    flags: int
    method: int
    checksum: int
    packed: int
    size: int
    is_link: bool
    place: int
    name: bytes

    @property
    def is_streamed(self) -> bool:
        """What it measures stands behind it."""
        return bool(self.flags & 8)


def _zip(stream: _Stream, limits: _Limits) -> _Members:
    """Members that are stored or deflated, one behind the other without a gap, then a directory that says the same of
    them, then its end without a comment."""
    if isinstance(stream, _File):
        yield from _unzip(stream, limits)
        return
    size = 0
    with tempfile.TemporaryFile() as copy:
        try:
            while piece := stream.piece():
                size += len(piece)
                limits.keep(len(piece))
                copy.write(piece)
            copy.flush()
            yield from _unzip(_File(copy.fileno(), 0, size), limits)
        finally:
            limits.keep(-size)


def _unzip(file: _File, limits: _Limits) -> _Members:
    entries, directory = _zip_directory(file, limits)
    places = [entry.place for entry in entries] + [directory]
    if places[0]:
        raise _NotIt
    for entry, following in zip(entries, places[1:], strict=True):
        local = file.part(entry.place, following)
        _check_local_header(local, entry, limits)
        limits.unpack(entry.size)
        start = entry.place + local.position
        pieces = _Quiet(_unzipped(file.part(start, start + entry.packed), entry))
        if not entry.name.endswith(b"/"):
            yield iter(pieces)
        elif entry.size or any(pieces):
            raise _NotIt
        pieces.check()
        local.skip(entry.packed)
        _check_descriptor(local, entry)


def _zip_directory(file: _File, limits: _Limits) -> tuple[list[_Entry], int]:
    """The members by their place, and where the directory begins."""
    end = file.part(max(0, file.stop - 22), file.stop)
    magic, disk, first, here, count, length, start, comment = end.unpacked("<4s4HIIH")
    if magic != b"PK\5\6" or disk or first or here != count or comment or start + length + 22 != file.stop:
        raise _NotIt
    directory = file.part(start, start + length)
    entries = []
    for _ in range(count):
        magic, _, _, flags, method, _, _, checksum, packed, size, *lengths, disk, _, attributes, place = (
            directory.unpacked("<4s6H3I5H2I")
        )
        name, extra, comment = lengths
        if magic != b"PK\1\2" or comment or disk or name > MAX_NAME:
            raise _NotIt
        limits.name(8 + name + extra, members=1)
        is_link = attributes >> 28 == 0xA
        entries.append(_Entry(flags, method, checksum, packed, size, is_link, place, directory.read(name)))
        directory.skip(extra)
    directory.end()
    return sorted(entries, key=lambda entry: entry.place), start


def _check_local_header(local: _File, entry: _Entry, limits: _Limits) -> None:
    """It says what the directory says. Sizes may be missing if they stand behind the data or in the form of zip64."""
    magic, _, flags, method, _, _, *measures, name, extra = local.unpacked("<4s5H3I2H")
    if magic != b"PK\3\4" or (flags, method) != (entry.flags, entry.method) or method not in (0, 8) or entry.is_link:
        raise _NotIt
    if flags & ~0x080E or name > MAX_NAME or local.read(name) != entry.name:  # encrypted ones have other flags
        raise _NotIt
    said = ([entry.checksum, entry.packed, entry.size], [entry.checksum, 0xFFFFFFFF, 0xFFFFFFFF])
    if not entry.is_streamed and measures not in said:
        raise _NotIt
    limits.name(extra)
    local.skip(extra)


def _check_descriptor(local: _File, entry: _Entry) -> None:
    """Behind the data stands what it measures, if it was not known before, and nothing else."""
    if entry.is_streamed:
        behind = local.read(min(24, local.stop - entry.place - local.position))
        forms = [struct.pack(form, entry.checksum, entry.packed, entry.size) for form in ("<III", "<IQQ")]
        if behind.removeprefix(b"PK\7\x08") not in forms:
            raise _NotIt
    local.end()


def _unzipped(data: _File, entry: _Entry) -> Iterator[bytes]:
    checksum = size = 0
    for piece in _inflated(data) if entry.method else iter(data.piece, b""):
        checksum = zlib.crc32(piece, checksum)
        size += len(piece)
        if size > entry.size:
            raise _NotIt
        yield piece
    data.end()
    _check_not_padded(entry.packed, entry.size)
    if (checksum, size) != (entry.checksum, entry.size):
        raise _NotIt


# --- How they begin ---------------------------------------------------------------------------------------------------


def _starts(*magics: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(magics)


def _is_safetensors(head: bytes) -> bool:
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= _SAFETENSORS_HEADER


_WHOLES: Final[tuple[tuple[ContentType, Callable[[bytes], bool], Callable[[_Stream, _Limits], None]], ...]] = (
    ("png", _starts(b"\x89PNG\r\n\x1a\n"), _png),
    ("jpeg", _starts(b"\xff\xd8\xff"), _jpeg),
    ("gif", _starts(b"GIF87a", b"GIF89a"), _gif),
    ("pdf", _starts(b"%PDF-"), _pdf),
    ("parquet", _starts(b"PAR1"), _parquet),
    ("numpy", _starts(b"\x93NUMPY"), _numpy),
    ("hdf5", _starts(b"\x89HDF\r\n\x1a\n"), _hdf5),
    ("safetensors", _is_safetensors, _safetensors),
    ("pickle", _starts(b"\x80\2", b"\x80\3", b"\x80\4", b"\x80\5"), _pickle),
    ("onnx", _starts(b"\x08"), _onnx),
)
_ARCHIVES: Final[tuple[tuple[ContentType, Callable[[bytes], bool], Callable[[_Stream, _Limits], _Members]], ...]] = (
    ("gzip", _starts(b"\x1f\x8b\x08"), _gzip),
    ("zip", _starts(b"PK\3\4", b"PK\5\6"), _zip),
    ("tar", _is_tar, _tar),
)
