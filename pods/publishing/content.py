"""Tells what a file is by its content, for a release rule that lists the types of files that may leave.

The file was written by an algorithm that may want to carry a copy of the data out as something harmless. So a file is
of a kind only if all of it is: what lies behind the end of a picture, in a picture's notes, between the members of an
archive or in a member of it counts. Whatever is not wholly of a kind is "other". Names say nothing. Every file is read
once, in pieces, and what is unpacked is never written anywhere but to a temporary file without a name.

What a kind is stands in `pods.publishing.kinds`. That a kind is recognised does not say what is in it: numbers, texts,
pixels and a model's weights can be a copy of the data, and only the rules about amounts stop that.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Final

from contract.release import ContentType
from pods.publishing.kinds.archives import Members, is_tar, unpack_gzip, unpack_tar
from pods.publishing.kinds.arrays import check_hdf5, check_numpy, check_parquet
from pods.publishing.kinds.models import check_onnx, check_pickle, check_safetensors, is_safetensors
from pods.publishing.kinds.pictures import check_gif, check_jpeg, check_png
from pods.publishing.kinds.streams import HEAD, MAX_DEPTH, File, FileShrank, Limits, NotIt, Stream, TooMuch
from pods.publishing.kinds.texts import C0, check_pdf, text_kinds
from pods.publishing.kinds.zips import unpack_zip

__all__ = ["Content", "FileShrank", "content_of"]

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


def content_of(descriptor: int, size: int, *, texts: bool = True) -> Content:
    """What the first `size` bytes of a regular file are. Does not move the descriptor's offset. Raises OSError.

    `texts` False: a text is just "text" and its other kinds are not looked for, which is five times as fast.
    """
    try:
        content = _judge(File(descriptor, 0, size), Limits(texts))
    except TooMuch:
        content = Content(_OTHER)
    if os.fstat(descriptor).st_size < size:
        raise FileShrank("the file has become shorter")
    return content


def _judge(stream: Stream, limits: Limits) -> Content:
    """Leaves the stream somewhere. Raises TooMuch, OSError."""
    head = stream.peek(HEAD)
    try:
        if len(head.translate(None, C0)) == len(head):
            return Content(text_kinds(stream, limits))
        for kind, begins, read in _WHOLES:
            if begins(head):
                read(stream, limits)
                return Content(frozenset({kind}))
        for kind, begins, unpack in _ARCHIVES:
            if begins(head):
                return Content(frozenset({kind}), _judge_members(unpack(stream, limits), limits))
    except (NotIt, zlib.error):
        pass  # it began like one, or like a text, and went on otherwise
    return Content(_OTHER)


def _judge_members(members: Iterator[Iterator[bytes]], limits: Limits) -> frozenset[frozenset[ContentType]]:
    """Raises NotIt, also for an archive that is too deep in others."""
    if limits.depth == MAX_DEPTH:
        raise NotIt
    kinds: set[frozenset[ContentType]] = set()
    limits.depth += 1
    try:
        for pieces in members:
            member = Stream(pieces)
            content = _judge(member, limits)
            member.rest()
            kinds |= content.members | {content.kinds}
    finally:
        limits.depth -= 1
    return frozenset(kinds)


def _starts(*magics: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(magics)


_WHOLES: Final[tuple[tuple[ContentType, Callable[[bytes], bool], Callable[[Stream, Limits], None]], ...]] = (
    ("png", _starts(b"\x89PNG\r\n\x1a\n"), check_png),
    ("jpeg", _starts(b"\xff\xd8\xff"), check_jpeg),
    ("gif", _starts(b"GIF87a", b"GIF89a"), check_gif),
    ("pdf", _starts(b"%PDF-"), check_pdf),
    ("parquet", _starts(b"PAR1"), check_parquet),
    ("numpy", _starts(b"\x93NUMPY"), check_numpy),
    ("hdf5", _starts(b"\x89HDF\r\n\x1a\n"), check_hdf5),
    ("safetensors", is_safetensors, check_safetensors),
    ("pickle", _starts(b"\x80\2", b"\x80\3", b"\x80\4", b"\x80\5"), check_pickle),
    ("onnx", _starts(b"\x08"), check_onnx),
)
_ARCHIVES: Final[tuple[tuple[ContentType, Callable[[bytes], bool], Callable[[Stream, Limits], Members]], ...]] = (
    ("gzip", _starts(b"\x1f\x8b\x08"), unpack_gzip),
    ("zip", _starts(b"PK\3\4", b"PK\5\6"), unpack_zip),
    ("tar", is_tar, unpack_tar),
)
