"""Archives: zip, which is read from its end."""

from __future__ import annotations

import struct
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from pods.publishing.kinds.archives import Members, Quiet
from pods.publishing.kinds.streams import MAX_NAME, File, Limits, NotIt, Stream, check_not_padded, inflated


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


def unpack_zip(stream: Stream, limits: Limits) -> Members:
    """Members that are stored or deflated, one behind the other without a gap, then a directory that says the same of
    them, then its end without a comment."""
    if isinstance(stream, File):
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
            yield from _unzip(File(copy.fileno(), 0, size), limits)
        finally:
            limits.keep(-size)


def _unzip(file: File, limits: Limits) -> Members:
    entries, directory = _zip_directory(file, limits)
    places = [entry.place for entry in entries] + [directory]
    if places[0]:
        raise NotIt
    for entry, following in zip(entries, places[1:], strict=True):
        local = file.part(entry.place, following)
        _check_local_header(local, entry, limits)
        limits.unpack(entry.size)
        start = entry.place + local.position
        pieces = Quiet(_unzipped(file.part(start, start + entry.packed), entry))
        if not entry.name.endswith(b"/"):
            yield iter(pieces)
        elif entry.size or any(pieces):
            raise NotIt
        pieces.check()
        local.skip(entry.packed)
        _check_descriptor(local, entry)


def _zip_directory(file: File, limits: Limits) -> tuple[list[_Entry], int]:
    """The members by their place, and where the directory begins."""
    end = file.part(max(0, file.stop - 22), file.stop)
    magic, disk, first, here, count, length, start, comment = end.unpacked("<4s4HIIH")
    if magic != b"PK\5\6" or disk or first or here != count or comment or start + length + 22 != file.stop:
        raise NotIt
    directory = file.part(start, start + length)
    entries = []
    for _ in range(count):
        magic, _, _, flags, method, _, _, checksum, packed, size, *lengths, disk, _, attributes, place = (
            directory.unpacked("<4s6H3I5H2I")
        )
        name, extra, comment = lengths
        if magic != b"PK\1\2" or comment or disk or name > MAX_NAME:
            raise NotIt
        limits.name(8 + name + extra, members=1)
        is_link = attributes >> 28 == 0xA
        entries.append(_Entry(flags, method, checksum, packed, size, is_link, place, directory.read(name)))
        directory.skip(extra)
    directory.end()
    return sorted(entries, key=lambda entry: entry.place), start


def _check_local_header(local: File, entry: _Entry, limits: Limits) -> None:
    """It says what the directory says. Sizes may be missing if they stand behind the data or in the form of zip64."""
    magic, _, flags, method, _, _, *measures, name, extra = local.unpacked("<4s5H3I2H")
    if magic != b"PK\3\4" or (flags, method) != (entry.flags, entry.method) or method not in (0, 8) or entry.is_link:
        raise NotIt
    if flags & ~0x080E or name > MAX_NAME or local.read(name) != entry.name:  # encrypted ones have other flags
        raise NotIt
    said = ([entry.checksum, entry.packed, entry.size], [entry.checksum, 0xFFFFFFFF, 0xFFFFFFFF])
    if not entry.is_streamed and measures not in said:
        raise NotIt
    limits.name(extra)
    local.skip(extra)


def _check_descriptor(local: File, entry: _Entry) -> None:
    """Behind the data stands what it measures, if it was not known before, and nothing else."""
    if entry.is_streamed:
        behind = local.read(min(24, local.stop - entry.place - local.position))
        forms = [struct.pack(form, entry.checksum, entry.packed, entry.size) for form in ("<III", "<IQQ")]
        if behind.removeprefix(b"PK\7\x08") not in forms:
            raise NotIt
    local.end()


def _unzipped(data: File, entry: _Entry) -> Iterator[bytes]:
    checksum = size = 0
    for piece in inflated(data) if entry.method else iter(data.piece, b""):
        checksum = zlib.crc32(piece, checksum)
        size += len(piece)
        if size > entry.size:
            raise NotIt
        yield piece
    data.end()
    check_not_padded(entry.packed, entry.size)
    if (checksum, size) != (entry.checksum, entry.size):
        raise NotIt
