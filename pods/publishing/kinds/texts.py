"""Which kinds of text a file is: also CSV, HTML and what `structured` knows; and PDF, which can be all text."""

from __future__ import annotations

import codecs
import csv
import itertools
import re
from collections.abc import Iterator
from typing import Final

from contract.release import ContentType
from pods.publishing.kinds.streams import MAX_ROW, TAIL, Limits, NotIt, Stream
from pods.publishing.kinds.structured import Json, Markup

# Control characters; texts have three of them: tabs and what ends lines.
C0: Final = bytes(sorted({*range(0x20), 0x7F} - {0x09, 0x0A, 0x0D}))
C1: Final = re.compile("[\x80-\x9f]")


_HTML_BEGINS: Final = re.compile(r"\s*+(?:<!--(?:(?!-->).)*+-->\s*+)*+<(?:!doctype\s+html|html)\b", re.I | re.S)
_HTML_ENDS: Final = re.compile(r"</html\s*>\s*\Z", re.I)


def text_kinds(stream: Stream, limits: Limits) -> frozenset[ContentType]:
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
        check_pdf_end((text.last + stream.rest(TAIL))[-TAIL:], stream.position)
        kinds.add("pdf")
    elif not text.is_text:
        raise NotIt
    return frozenset(kinds)


class _Text:
    """A stream as text, in pieces, each of which is shown to those who tell the kinds of texts apart."""

    def __init__(self, stream: Stream, apart: bool) -> None:
        self.is_text = True
        self.head = ""
        self.last = b""
        self._stream = stream
        self._tail = ""
        self._json = Json() if apart else None
        self._markup = Markup() if apart else None

    def pieces(self) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")()
        while piece := self._stream.piece():
            self.last = (self.last + piece)[-TAIL:]
            try:
                text = decoder.decode(piece)
            except UnicodeDecodeError:
                self.is_text = False
                return
            if len(piece.translate(None, C0)) < len(piece) or (not piece.isascii() and C1.search(text)):
                self.is_text = False
                return
            if not self.head:
                text = text.removeprefix("\ufeff")
            self.head += text[: 4 * TAIL - len(self.head)]
            self._tail = (self._tail + text)[-TAIL:]
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
        except (csv.Error, NotIt):
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
        """False: there are no more. Raises csv.Error, NotIt for rows that are not like the others or too long."""
        self._size = 0
        widths = list(map(len, itertools.islice(self._rows, self._several)))
        self._widths.update(widths)
        self._widths.discard(0)
        if len(self._widths) > 1 or 1 in self._widths:
            raise NotIt
        return bool(widths)

    def _counted(self, lines: Iterator[str]) -> Iterator[str]:
        for line in lines:
            self.lines += 1
            self._size += len(line)
            if self._size > MAX_ROW:
                raise NotIt
            yield line


_PDF_ENDS: Final = re.compile(rb"startxref\s+([0-9]{1,19})\s+%%EOF\s{0,2}\Z")


def check_pdf(stream: Stream, limits: Limits) -> None:
    """It ends with its end. What is in it, and that may be other files, is not looked at."""
    check_pdf_end(stream.rest(TAIL), stream.position)


def check_pdf_end(tail: bytes, size: int) -> None:
    end = _PDF_ENDS.search(tail)
    if end is None or int(end[1]) >= size:
        raise NotIt
