"""Tables and arrays, as far as their ends and headers tell."""

from __future__ import annotations

import math
import re
import struct
from typing import Final

from pods.publishing.kinds.streams import MAX_NOTES, Limits, NotIt, Stream


def check_parquet(stream: Stream, limits: Limits) -> None:
    """Its name at both ends, and a footer that has room between them. The footer is not read."""
    size, name = struct.unpack("<I4s", stream.rest(8).rjust(8, b"\0"))
    if name != b"PAR1" or not 0 < size <= stream.position - 12:
        raise NotIt


_NPY_TYPE: Final = r"'[<>|=]([biufcSaUVMm])([0-9]{1,9})(?:\[[0-9A-Za-z]{1,9}\])?'"
_NPY_SHAPE: Final = r"\(((?:[0-9]{1,19}(?:, |,|(?=\)))){0,64})\)"
_NPY_FIELD: Final = rf"\('[^'\\]*', {_NPY_TYPE}(?:, {_NPY_SHAPE})?\)"
_NPY_ONE: Final = re.compile(rf"{_NPY_TYPE}()")
_NPY_SEVERAL: Final = re.compile(rf"\[(?:{_NPY_FIELD}(?:, |(?=\])))+\]")
_NPY_EACH: Final = re.compile(_NPY_FIELD)
_NPY_HEADER: Final = re.compile(
    rf"\{{'descr': (.+), 'fortran_order': (?:True|False), 'shape': {_NPY_SHAPE}, ?\}} *\n?", re.DOTALL
)


def check_numpy(stream: Stream, limits: Limits) -> None:
    """An array whose header tells how long it is. Arrays of objects are pickles and none of these; nor are those whose
    fields have fields."""
    version = stream.read(8)[6]
    (length,) = stream.unpacked("<H" if version == 1 else "<I")
    if version not in (1, 2, 3) or length > MAX_NOTES:
        raise NotIt
    header = _NPY_HEADER.fullmatch(stream.read(length).decode("latin-1"))
    if header is None or not (_NPY_ONE.fullmatch(header[1]) or _NPY_SEVERAL.fullmatch(header[1])):
        raise NotIt
    fields = (_NPY_ONE if header[1][0] == "'" else _NPY_EACH).finditer(header[1])
    sizes = [int(field[2]) * (4 if field[1] == "U" else 1) * _npy_items(field[3] or "") for field in fields]
    stream.skip(sum(sizes) * _npy_items(header[2]))
    stream.end()


def _npy_items(shape: str) -> int:
    return math.prod(int(length) for length in shape.replace(",", " ").split())


def check_hdf5(stream: Stream, limits: Limits) -> None:
    """As long as its first block says. What is in it is not looked at."""
    head = stream.peek(64).ljust(64, b"\0")
    wide, base, end = {0: (13, 24, 40), 1: (13, 28, 44)}.get(head[8], (9, 12, 28))
    stream.rest()
    if head[8] > 3 or head[wide] != 8 or any(head[base : base + 8]):
        raise NotIt
    if int.from_bytes(head[end : end + 8], "little") != stream.position:
        raise NotIt
