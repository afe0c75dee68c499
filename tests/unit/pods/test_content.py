"""What files are by their content: each kind made by hand, and each way in which data can be hidden in it."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import pickle
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.release import ContentType
from pods.publishing.content import Content, FileShrank, content_of
from pods.publishing.kinds.streams import (
    MAX_MEMBERS,
    MAX_NESTING,
    MAX_NOTES,
    MAX_ROW,
    MAX_TOKEN,
    MAX_UNPACKED,
)

pytestmark = pytest.mark.unit

DATA = b"name,income\nAda,12\nGrace,34\n"  # what must not leave
OTHER = frozenset({"other"})


def judged(content: bytes, hole: int = 0) -> Content:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.truncate(len(content) + hole)
        file.flush()
        return content_of(file.fileno(), len(content) + hole)


def kinds(content: bytes) -> str:
    return str(judged(content))


# --- One of each kind -------------------------------------------------------------------------------------------------


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*extra: bytes, packed: bytes = zlib.compress(bytes(2 * 7)), head: tuple[int, ...] = (2, 2, 8, 2)) -> bytes:
    """Two pixels by two, of three colours: two rows of 1 + 2 * 3 bytes."""
    width, height, depth, colour, *interlaced = head
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, *(interlaced or (0,)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(extra) + chunk(b"IDAT", packed) + chunk(b"IEND")


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, 2 + len(body)) + body


def jpeg(*extra: bytes, scan: bytes = b"\x12\xff\x00\x34\xff\xd0\x56", size: tuple[int, int] = (8, 8)) -> bytes:
    frame = segment(0xC0, struct.pack(">BHHB", 8, *size, 1) + b"\x01\x11\x00")
    tables = segment(0xDB, bytes(65)) + segment(0xC4, bytes(19))
    return (
        b"\xff\xd8" + b"".join(extra) + tables + frame + segment(0xDA, b"\x01\x01\x00\x00\x3f\x00") + scan + b"\xff\xd9"
    )


def blocks(content: bytes) -> bytes:
    parts = [content[at : at + 255] for at in range(0, len(content), 255)]
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def gif(*extra: bytes, data: bytes = b"\x44\x01") -> bytes:
    screen = struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6)
    picture = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02" + blocks(data)
    return b"GIF89a" + screen + b"".join(extra) + b"!\xf9" + blocks(bytes(4)) + picture + b";"


PDF = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\nxref\n0 1\ntrailer\n<<>>\nstartxref\n30\n%%EOF\n"
PARQUET = b"PAR1\x15\x00column data" + b"\x15\x02footer" + struct.pack("<I", 8) + b"PAR1"


def npy(descr: str = "'<f8'", shape: str = "(2, 3)", data: bytes = bytes(48), version: int = 1) -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(header)) + header + data


def hdf5(version: int = 0, body: bytes = bytes(100)) -> bytes:
    old = bytes([version, 0, 0, 0, 0, 8, 8, 0]) + bytes(8 + 4 * version)
    start = old if version < 2 else bytes([version, 8, 8, 0])
    base = b"\x89HDF\r\n\x1a\n" + start + bytes(16)
    return base + struct.pack("<Q", len(base) + 8 + len(body)) + body


def safetensors(header: dict[str, Any] | None = None, data: bytes = bytes(32), spaces: int = 0) -> bytes:
    text = json.dumps(
        {
            "__metadata__": {"format": "pt"},
            "b": {"dtype": "I64", "shape": [1], "data_offsets": [24, 32]},
            "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
            "none": {"dtype": "F32", "shape": [0, 3], "data_offsets": [24, 24]},
        }
        if header is None
        else header
    ).encode()
    text += b" " * spaces
    return struct.pack("<Q", len(text)) + text + data


def tensor(shape: list[int], begin: int, end: int) -> dict[str, Any]:
    return {"dtype": "U8", "shape": shape, "data_offsets": [begin, end]}


def field(number: int, content: bytes | int) -> bytes:
    def varint(value: int) -> bytes:
        low, high = value & 0x7F, value >> 7
        return bytes([low | 0x80]) + varint(high) if high else bytes([low])

    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def onnx(*, graph: bytes = b"", model: bytes = b"", start: bytes = field(1, 8)) -> bytes:
    whole = field(1, b"a node") + field(2, b"g") + field(5, bytes(300)) + field(11, b"x") + field(12, b"y") + graph
    return start + field(2, b"maker") + field(7, whole) + field(8, field(2, 17)) + model


def tar(*members: tuple[str, bytes], form: int = tarfile.GNU_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mtime = 1.5 if form == tarfile.PAX_FORMAT else 1  # as `add` has it
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


class _Pipe(io.RawIOBase):
    """A file in which nothing can be gone back."""

    def __init__(self) -> None:
        self.content = b""

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self.content += bytes(content)
        return len(content)


def streamed_zip(name: str, content: bytes) -> bytes:
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return pipe.content


SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><path d="M 0 0"/></svg>\n'
HTML = b"<!-- made by hand -->\n<!DOCTYPE html>\n<html><body><p>so<br>it is</body></html>\n"

REAL: list[tuple[str, bytes, str]] = [
    ("nothing", b"", "text"),
    ("text", "Grüße, ja?\nund so weiter\r\n\tdas\n".encode(), "text"),
    ("one column", b"a\n1\n2\n", "text"),
    ("csv", DATA, "csv and text"),
    ("csv, semicolons, decimal commas", b"a;b\n1,5;2\n3;4\n", "csv and text"),
    ("csv, tabs, mark of the order of bytes", b"\xef\xbb\xbfa\tb\r\n1\t2\r\n", "csv and text"),
    ("csv, quotes", b'a|b\n\n"x|\n""y"""|2\n', "csv and text"),
    ("json", b' {"a": [1, -2.5e+3, true, null, NaN,\n "\\u00e9\\n", {}, []]}\n', "json and text"),
    ("json in a line, with a comma", b'{"a": 1, "b": 2}', "csv and json and text"),
    ("json, a number", b"12", "json and text"),
    ("json lines", b'{"a":1}\n{"a":2}\n', "text"),
    ("xml", b"<a><b c='1'/>\xc3\xa9</a>", "text and xml"),
    ("svg", SVG, "svg and text and xml"),
    ("html", HTML, "html and text"),
    ("png", png(), "png"),
    ("png, interlaced", png(head=(2, 2, 8, 2, 1), packed=zlib.compress(bytes(4 + 4 + 7))), "png"),
    ("png, with notes", png(chunk(b"tEXt", b"Software\0x"), chunk(b"pHYs", bytes(9))), "png"),
    ("png, one bit", png(head=(9, 2, 1, 0), packed=zlib.compress(bytes(2 * 3))), "png"),
    ("png, palette", png(chunk(b"PLTE", bytes(6)), head=(2, 2, 8, 3), packed=zlib.compress(bytes(6))), "png"),
    ("jpeg", jpeg(), "jpeg"),
    ("jpeg, with notes", jpeg(segment(0xE0, b"JFIF\0"), segment(0xE1, bytes(999)), segment(0xFE, b"hello")), "jpeg"),
    ("gif", gif(), "gif"),
    ("gif, with notes", gif(b"!\xfe" + blocks(b"hello")), "gif"),
    ("pdf", PDF, "pdf"),
    ("pdf, all text", PDF.replace(b"\xe2\xe3\xcf\xd3", b"abcd"), "pdf and text"),
    ("parquet", PARQUET, "parquet"),
    ("numpy", npy(), "numpy"),
    ("numpy, fields", npy("[('a', '<i4'), ('b', '|S3', (2,))]", "(3,)", bytes(30)), "numpy"),
    ("numpy, text", npy("'<U2'", "(3,)", bytes(24), version=3), "numpy"),
    ("numpy, times", npy("'<M8[ns]'", "()", bytes(8), version=2), "numpy"),
    ("hdf5 0", hdf5(0), "hdf5"),
    ("hdf5 1", hdf5(1), "hdf5"),
    ("hdf5 2", hdf5(2), "hdf5"),
    ("hdf5 3", hdf5(3), "hdf5"),
    ("safetensors", safetensors(), "safetensors"),
    ("onnx", onnx(), "onnx"),
    *((f"pickle {version}", pickle.dumps({"a": [1, 2.5]}, version), "pickle") for version in (2, 3, 4, 5)),
    ("gzip", gzip.compress(DATA), "gzip (in it: csv and text)"),
    ("gzip, two parts", gzip.compress(DATA) + gzip.compress(b"Alan,56\n"), "gzip (in it: csv and text)"),
    ("zip", zipped(("a.csv", DATA), ("b/", b""), ("b/c", png())), "zip (in it: csv and text; png)"),
    ("zip, stored", zipped(("a.csv", DATA), method=zipfile.ZIP_STORED), "zip (in it: csv and text)"),
    ("zip, streamed", streamed_zip("a.csv", DATA), "zip (in it: csv and text)"),
    ("zip, empty", zipped(), "zip"),
    ("tar", tar(("a.csv", DATA), ("c", png())), "tar (in it: csv and text; png)"),
    ("tar, pax", tar(("a.csv", DATA), ("ü" * 80, b"x"), form=tarfile.PAX_FORMAT), "tar (in it: csv and text; text)"),
    ("tar, ustar", tar(("d/" * 60 + "a.csv", DATA), form=tarfile.USTAR_FORMAT), "tar (in it: csv and text)"),
    ("tar, long name", tar(("a" * 200, DATA)), "tar (in it: csv and text)"),
    ("tar.gz", gzip.compress(tar(("a.csv", DATA))), "gzip (in it: csv and text; tar)"),
    ("zip in zip", zipped(("z", zipped(("a.csv", DATA)))), "zip (in it: csv and text; zip)"),
    ("zip in tar in gzip", gzip.compress(tar(("z", zipped(("p", png()))))), "gzip (in it: png; tar; zip)"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "expected"), [pytest.param(*rest, id=name) for name, *rest in REAL])
def test_a_real_one(content: bytes, expected: str) -> None:
    assert kinds(content) == expected


NOT_DEEP = [pytest.param(content, id=name) for name, content, _ in REAL if name.count(" in ") < 2]


@pytest.mark.parametrize("content", NOT_DEEP)
def test_it_is_the_same_in_an_archive(content: bytes) -> None:
    """There it is read in another way: once, without a size and without going back."""
    alone = judged(content)
    for packed in (gzip.compress(content), tar(("x", content)), zipped(("x", content)), streamed_zip("x", content)):
        assert judged(packed).members == alone.members | {alone.kinds}


def test_every_kind_is_made_once() -> None:
    found = {kind for _, content, _ in REAL for kind in judged(content).kinds}
    assert found == set(get_args(ContentType)) - {"other"}


# --- What is hidden ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [pytest.param(content, id=name) for name, content, _ in REAL if b"\0" in content])
@pytest.mark.parametrize("more", [b"\0" + DATA, zipped(("a.csv", DATA)), b"\xff\xd9\0;\0"], ids=["csv", "zip", "ends"])
def test_nothing_may_stand_behind_the_end(content: bytes, more: bytes) -> None:
    assert judged(content + more).kinds == OTHER


def test_only_nuls_may_stand_behind_a_tar() -> None:
    whole = tar(("a.csv", DATA))
    assert kinds(whole + bytes(1024)) == "tar (in it: csv and text)"
    assert kinds(whole + bytes(1024) + b"x") == "other"
    assert kinds(whole[:1024]) == "other"


def damaged_zip(local: int = 0, central: int = 0, change: int = 1) -> bytes:
    """Bits of a byte are changed in the header of the member, and in its entry in the directory."""
    content = bytearray(zipped(("a.csv", DATA)))
    if local:
        content[local] ^= change
    if central:
        content[content.rindex(b"PK\1\2") + central] ^= change
    return bytes(content)


def zip_with_an_entry(entry: zipfile.ZipInfo) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(entry, DATA)
    return out.getvalue()


def link() -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo("a")
    entry.external_attr = 0o120777 << 16
    return entry


def zip_with_a_gap() -> bytes:
    """Data between the last member and the directory, whose place is moved behind it."""
    content = zipped(("a.csv", b"1,2\n"))
    place = content.rindex(b"PK\1\2")
    end = bytearray(content[-22:])
    end[16:20] = struct.pack("<I", place + len(DATA))
    return content[:place] + DATA + content[place:-22] + bytes(end)


def tar_with(kind: bytes, **fields: Any) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        entry = tarfile.TarInfo("a")
        entry.type = kind
        for name, value in fields.items():
            setattr(entry, name, value)
        archive.addfile(entry)
    return out.getvalue()


def tar_with_bytes(at: int, content: bytes) -> bytes:
    whole = bytearray(tar(("a.csv", DATA)))
    whole[at : at + len(content)] = content
    whole[148:156] = b"        "
    whole[148:156] = b"%06o\0 " % sum(whole[:512])
    return bytes(whole)


def tar_of_another_size() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo("a.csv")
        entry.pax_headers = {"size": "9"}
        archive.addfile(entry)
    return out.getvalue()


def gzip_with(flags: int, more: bytes) -> bytes:
    plain = gzip.compress(DATA, mtime=0)
    return plain[:3] + bytes([flags]) + plain[4:10] + more + plain[10:]


def gzip_padded() -> bytes:
    """With a thousand empty blocks."""
    plain = gzip.compress(DATA)
    return plain[:10] + b"\0\0\0\xff\xff" * 1000 + plain[10:]


BIG = b"x" * (MAX_NOTES + 1)

HIDDEN: list[tuple[str, bytes, str]] = [
    ("png: a copy as text", png(chunk(b"tEXt", b"Comment\0" + BIG)), "other"),
    ("png: copies in many small notes", png(*(chunk(b"tEXt", b"Comment\0" + bytes(100)) for _ in range(600))), "other"),
    ("png: a chunk that nobody knows", png(chunk(b"daTa", BIG)), "other"),
    ("png: a chunk that must be known", png(chunk(b"DATA", b"x")), "other"),
    ("png: behind the pixels", png(packed=zlib.compress(bytes(14)) + DATA), "other"),
    ("png: more pixels", png(packed=zlib.compress(bytes(15))), "other"),
    ("png: fewer pixels", png(packed=zlib.compress(bytes(13))), "other"),
    ("png: a bomb", png(packed=zlib.compress(bytes(50_000_000))), "other"),
    ("png: pixels twice", png()[:-12] + chunk(b"tIME") + png()[33:], "other"),
    ("png: too many pixels", png(head=(1 << 30, 1 << 30, 8, 2)), "other"),
    ("png: no pixels", png()[:33] + chunk(b"IEND"), "other"),
    ("png: a wrong checksum", png()[:29] + b"\0\0\0\0" + png()[33:], "other"),
    ("png: a depth that there is not", png(head=(2, 2, 4, 2)), "other"),
    ("png: a zip behind it, its end last", png() + zipped(("a.csv", DATA)), "other"),
    ("jpeg: a copy as comments", jpeg(*(segment(0xFE, bytes(60_000)) for _ in range(2))), "other"),
    ("jpeg: a copy as notes of a program", jpeg(*(segment(0xEF, bytes(1_000)) for _ in range(70))), "other"),
    ("jpeg: a scan too long for its picture", jpeg(scan=b"\x12" * 10_000), "other"),
    ("jpeg: no end", jpeg()[:-2], "other"),
    ("jpeg: no scan", b"\xff\xd8" + segment(0xDB, bytes(65)) + b"\xff\xd9", "other"),
    ("jpeg: no picture", jpeg(size=(0, 8)), "other"),
    ("jpeg: two", jpeg() + jpeg(), "other"),
    ("gif: a copy as comments", gif(b"!\xfe" + blocks(BIG)), "other"),
    ("gif: a copy in what says how long", gif(b"!\xf9" + blocks(BIG)), "other"),
    ("gif: data too long for its picture", gif(data=bytes(1000)), "other"),
    ("gif: no picture", b"GIF89a\1\0\1\0\0\0\0;", "other"),
    ("pdf: behind its end, with another end", PDF + DATA + b"%%EOF\n", "other"),
    ("pdf: a table that is not there", PDF.replace(b"\n30\n", b"\n3000\n"), "other"),
    ("parquet: a footer longer than all", PARQUET[:-8] + struct.pack("<I", 1000) + b"PAR1", "other"),
    ("parquet: one end only", PARQUET[:-4] + b"PAR2", "other"),
    ("csv with a column PAR1", b"PAR1,b\n1,2\n", "csv and text"),
    ("numpy: more than its shape", npy(data=bytes(49)), "other"),
    ("numpy: less than its shape", npy(data=bytes(47)), "other"),
    ("numpy: objects", npy("'|O'", "(2,)", bytes(16)), "other"),
    ("numpy: a program in the header", npy("__import__('os')", "(2,)", bytes(16)), "other"),
    ("numpy: a huge shape", npy("'<f8'", "(9999999999999999999, 9999999999999999999)"), "other"),
    ("numpy: a deep header", npy("[" * 5000 + "]" * 5000), "other"),
    ("numpy: a version that there is not", npy(version=9), "other"),
    ("hdf5: a version that there is not", hdf5()[:8] + b"\4" + hdf5()[9:], "other"),
    ("hdf5: shorter than it says", hdf5()[:-1], "other"),
    ("safetensors: a gap", safetensors({"a": tensor([1], 8, 9)}, bytes(9)), "other"),
    ("safetensors: overlapping", safetensors({"a": tensor([2], 0, 2), "b": tensor([2], 0, 2)}, bytes(2)), "other"),
    ("safetensors: a length that is not its shape's", safetensors({"a": tensor([1], 0, 9)}, bytes(9)), "other"),
    ("safetensors: a copy as notes", safetensors({"__metadata__": {"x": "x" * MAX_NOTES}}, b""), "other"),
    ("safetensors: a copy as spaces", safetensors(spaces=1_000_000), "other"),
    ("safetensors: a number too large", safetensors({"a": tensor([1 << 70], 0, 1 << 70)}), "other"),
    ("safetensors: not a table", struct.pack("<Q", 10) + b'{"a": [1]}', "other"),
    ("safetensors: deep", struct.pack("<Q", 200_006) + b'{"a": ' + b"[" * 100_000 + b"]" * 100_000, "other"),
    ("onnx: a csv by that name", DATA, "csv and text"),
    ("onnx: a field that there is not", onnx(model=field(99, DATA)), "other"),
    ("onnx: another graph", onnx(model=field(7, DATA)), "other"),
    ("onnx: a field of the graph that there is not", onnx(graph=field(99, DATA)), "other"),
    ("onnx: a copy as documentation", onnx(model=field(6, BIG)), "other"),
    ("onnx: a copy as the graph's", onnx(graph=field(10, BIG)), "other"),
    ("onnx: a version that there is not", onnx(start=field(1, 1000)), "other"),
    ("onnx: a graph longer than the file", field(1, 8) + b"\x3a\xff\xff\xff\x7f" + bytes(100), "other"),
    ("pickle: no end", pickle.dumps([1], 4)[:-1], "other"),
    ("pickle: an old one", pickle.dumps([b"\0" * 3], 1), "other"),
    ("gzip of the data by the name of a csv", gzip.compress(DATA), "gzip (in it: csv and text)"),
    ("gzip: a wrong checksum", gzip.compress(DATA)[:-8] + bytes(8), "other"),
    ("gzip: cut off", gzip.compress(DATA)[:-1], "other"),
    ("gzip: a second part of something else", gzip.compress(DATA) + gzip.compress(b"\0"), "gzip (in it: other)"),
    ("gzip: NULs behind it", gzip.compress(DATA) + bytes(9), "other"),
    ("gzip: a name without an end", gzip_with(8, b"x" * 5000), "other"),
    ("gzip: a name", gzip_with(8, b"a.csv\0"), "gzip (in it: csv and text)"),
    ("gzip: a comment that is a copy", gzip_with(16, b"x" * 5000 + b"\0"), "other"),
    ("gzip: more in it than comes out", gzip_padded(), "other"),
    ("zip: something before it", b"PK\3\4" + bytes(26) + zipped(("a.csv", DATA)), "other"),
    ("zip: a gap", zip_with_a_gap(), "other"),
    ("zip: a comment", zipped(("a.csv", DATA))[:-2] + struct.pack("<H", len(DATA)) + DATA, "other"),
    ("zip: a link", zip_with_an_entry(link()), "other"),
    ("zip: bzip2", zipped(("a.csv", DATA), method=zipfile.ZIP_BZIP2), "other"),
    ("zip: encrypted", damaged_zip(local=6, central=8), "other"),
    ("zip: another checksum", damaged_zip(local=14, central=16), "other"),
    ("zip: another size", damaged_zip(local=22, central=24), "other"),
    ("zip: two names for a member", damaged_zip(local=30), "other"),
    ("zip: two sizes for a member", damaged_zip(local=22), "other"),
    ("zip: a member somewhere else", damaged_zip(central=42), "other"),
    ("zip: a packed size too large", damaged_zip(local=18, central=20), "other"),
    ("zip: a folder that is a file", zipped(("a/", DATA)), "other"),
    ("zip: the data among pictures", zipped(("a.png", png()), ("b.png", DATA)), "zip (in it: csv and text; png)"),
    ("zip: broken in a zip", zipped(("a", zip_with_a_gap())), "zip (in it: other)"),
    ("zip: four deep", zipped(("a", zipped(("b", zipped(("c", zipped(("d", DATA)))))))), "zip (in it: other; zip)"),
    ("tar: a link", tar_with(tarfile.SYMTYPE, linkname="../secret"), "other"),
    ("tar: a device", tar_with(tarfile.CHRTYPE), "other"),
    ("tar: sparse", tar_with(tarfile.GNUTYPE_SPARSE), "other"),
    ("tar: behind a name", tar_with_bytes(50, b"secret"), "other"),
    ("tar: where links say where to", tar_with_bytes(157, b"secret"), "other"),
    ("tar: where there is nothing", tar_with_bytes(400, b"secret"), "other"),
    ("tar: between members", tar_with_bytes(512 + len(DATA), b"secret"), "other"),
    ("tar: a size elsewhere", tar_with_bytes(124, b"\x80" + bytes(10) + b"\x1b"), "other"),
    ("tar: a size elsewhere, in words", tar_of_another_size(), "other"),
    ("tar: a wrong checksum", b"b" + tar(("a.csv", DATA))[1:], "other"),
    ("text: a control character", b"abc\x1b[0m", "other"),
    ("text: one at the end of much", b"abcdefg\n" * 300_000 + b"\x00", "other"),
    ("text: another kind of control character", "a\x85b".encode(), "other"),
    ("text: half a character", "abcü".encode()[:-1], "other"),
    ("text: Latin 1", "für".encode("latin-1"), "other"),
    ("csv: a row with more", DATA + b"Alan,56,secret\n", "text"),
    ("csv: a quote that is not closed", DATA + b'Alan,"56\n', "text"),
    ("csv: a giant field", b'a,b\n"' + b"x" * 200_000 + b'",2\n', "text"),
    ("csv: a giant row", b"1," * (MAX_ROW // 2 + 1) + b"1\n", "text"),
    ("csv: a giant row of short lines", b'"a\n",' * (MAX_ROW // 4) + b"1\n", "text"),
    ("json: deep", b"[" * 100_000 + b"]" * 100_000, "text"),
    ("json: deep, not closed", b'{"a":' * 100_000, "text"),
    ("json: deep enough", b"[" * MAX_NESTING + b"]" * MAX_NESTING, "json and text"),
    ("json: a giant string", b'["' + b"x" * (MAX_TOKEN + 1_100_000) + b'"]', "text"),
    ("json: a number without end", b"1" * 1_200_000, "text"),
    ("json: something behind it", b"{}\nsecret\n", "text"),
    ("xml: laughter", b'<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><l>&b;</l>', "text"),
    ("xml: an entity of a file", b'<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]>\n<l>&a;</l>', "text"),
    ("xml: deep", b"<a>" * 5000 + b"</a>" * 5000, "text"),
    ("xml: a giant comment", b"<a><!--" + b"x" * (MAX_TOKEN + 3_000_000) + b"--></a>", "text"),
    ("xml: names without end", b"<a>" + b"".join(b"<a%d/>" % number for number in range(11_000)) + b"</a>", "text"),
    ("xml: something behind it", b"<a/>secret", "text"),
    ("svg: another svg", b'<svg xmlns="http://example.com"/>', "text and xml"),
    ("html: something behind it", HTML + b"secret", "text"),
    ("html: comments without end", b"<!---->" * 580 + b"<p>", "text"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "expected"), [pytest.param(*rest, id=name) for name, *rest in HIDDEN])
def test_something_hidden(content: bytes, expected: str) -> None:
    assert kinds(content) == expected


# What the kind of a file does not tell. A rule that allows these kinds needs others beside it, about amounts.
KNOWN: list[tuple[str, bytes, str]] = [
    ("the data in base64", b"bmFtZSxpbmNvbWUK\n", "text"),
    ("the data as pixels", png(packed=zlib.compress(b"\0Ada 12\0Alan34")), "png"),
    ("the data as the weights of a model", onnx(graph=field(5, DATA)), "onnx"),
    ("the data in a page", PDF.replace(b"endobj", DATA), "pdf"),
    ("the data before the footer of a table", PARQUET[:4] + DATA + PARQUET[4:], "parquet"),
    ("the data behind a pickle, with its last byte again", pickle.dumps([1], 4) + DATA + b".", "pickle"),
    ("the data in a comment of a picture", b"<svg><!--" + DATA + b"--></svg>", "svg and text and xml"),
    ("the data as a small note of a picture", png(chunk(b"tEXt", b"Comment\0" + DATA)), "png"),
]


@pytest.mark.parametrize(("content", "expected"), [pytest.param(*rest, id=name) for name, *rest in KNOWN])
def test_what_is_not_stopped(content: bytes, expected: str) -> None:
    assert kinds(content) == expected


@pytest.mark.parametrize("size", [MAX_UNPACKED, MAX_UNPACKED + 1])
def test_a_bomb(size: int) -> None:
    engine = zlib.compressobj(1, zlib.DEFLATED, 31)
    packed = [engine.compress(bytes(min(1 << 24, size - at))) for at in range(0, size, 1 << 24)]
    assert kinds(b"".join(packed) + engine.flush()) == ("other" if size > MAX_UNPACKED else "gzip (in it: other)")


def test_a_zip_that_unpacks_to_too_much() -> None:
    content = bytearray(zipped(("a", bytes(1000))))
    for place in (22, content.rindex(b"PK\1\2") + 24):
        content[place : place + 4] = struct.pack("<I", MAX_UNPACKED + 1)
    assert kinds(bytes(content)) == "other"


@pytest.mark.parametrize("count", [MAX_MEMBERS, MAX_MEMBERS + 1])
def test_many_members(count: int) -> None:
    archive = zipped(*((str(number), b"x") for number in range(count)), method=zipfile.ZIP_STORED)
    assert kinds(archive) == ("other" if count > MAX_MEMBERS else "zip (in it: text)")


def test_names_of_members_are_no_way_out() -> None:
    assert kinds(zipped(*((f"{number:01000}", b"x") for number in range(2000)), method=zipfile.ZIP_STORED)) == "other"
    assert kinds(zipped(("x" * 1025, b"x"))) == "other"
    assert kinds(tar(*((f"{number:01000}", b"x") for number in range(2000)))) == "other"


HEADS = [
    b"",
    DATA,
    b"\x1f\x8b\x08\0",
    b"PK\3\4",
    b"PAR1\0",
    b"%PDF-1.4\0",
    b"GIF89a\1\0\1\0\0\0\0",
    jpeg(size=(65_535, 65_535))[:-2],
    png()[:33] + b"\x7f\xff\xff\xffIDAT" + zlib.compress(b"x"),
    hdf5(),
    safetensors(),
    onnx(),
    pickle.dumps([1], 4),
    npy(),
    tar(("a", DATA)),
    tar_with_bytes(124, b"77777777777\0"),
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("head", HEADS)
def test_a_terabyte_of_holes_is_not_read(head: bytes) -> None:
    assert judged(head, hole=1 << 40).kinds == OTHER


def test_a_terabyte_of_numbers_is_an_array(tmp_path: Path) -> None:
    content = npy("'|u1'", f"({1 << 40},)", b"")
    assert judged(content, hole=1 << 40).kinds == {"numpy"}


# --- How it is read ---------------------------------------------------------------------------------------------------


def test_the_offset_stays_and_only_the_size_counts(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(DATA + b"\0what is written later")
    with path.open("rb") as file:
        file.seek(7)
        assert content_of(file.fileno(), len(DATA)).kinds == {"csv", "text"}
        assert file.tell() == 7


@pytest.mark.parametrize("content", [DATA, png(), npy(), PARQUET], ids=["csv", "png", "npy", "parquet"])
def test_a_file_that_shrinks(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with path.open("rb") as file, pytest.raises(FileShrank):
        content_of(file.fileno(), len(content) + 1)


def test_what_cannot_be_read_is_told() -> None:
    descriptor = os.open("/", os.O_RDONLY)
    try:
        with pytest.raises(IsADirectoryError):
            content_of(descriptor, 10)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("content", [DATA, b'{"a": 1}', HTML, SVG])
def test_texts_need_not_be_told_apart(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with path.open("rb") as file:
        assert "text" in content_of(file.fileno(), len(content), texts=False).kinds


@pytest.mark.parametrize(
    ("content", "allowed", "passes"),
    [
        (DATA, ("csv",), True),
        (DATA, ("text",), True),
        (DATA, ("json", "other", "zip"), False),
        (DATA, (), False),
        (zipped(("a", DATA)), ("zip",), False),
        (zipped(("a", DATA)), ("csv",), False),
        (zipped(("a", DATA)), ("zip", "csv"), True),
        (zipped(("a", DATA), ("b", png())), ("zip", "csv"), False),
        (zipped(("a", zipped(("b", png())))), ("zip", "png"), True),
        (gzip.compress(tar(("b", png()))), ("gzip", "png"), False),
        (b"\0", ("other",), True),
    ],
)
def test_what_a_rule_lets_pass(content: bytes, allowed: tuple[ContentType, ...], passes: bool) -> None:
    assert judged(content).passes(allowed) is passes


# --- For all ----------------------------------------------------------------------------------------------------------

MAGICS = sorted({content[:size] for _, content, _ in REAL for size in (4, 16, 64, 300)} | {b""})


def check(content: Content) -> None:
    for each in (content.kinds, *content.members):
        assert each
        assert each <= set(get_args(ContentType))
        assert "other" not in each or each == OTHER


@given(st.sampled_from(MAGICS), st.binary(max_size=2000))
def test_whatever_the_bytes_are_there_is_an_answer(magic: bytes, rest: bytes) -> None:
    check(judged(magic + rest))


@given(st.sampled_from([content for _, content, _ in REAL]), st.data())
def test_a_changed_file_has_an_answer(content: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(content)))
    stop = data.draw(st.integers(at, min(len(content), at + 8)))
    check(judged(content[:at] + data.draw(st.binary(max_size=8)) + content[stop:]))


@given(st.binary(min_size=1, max_size=100).filter(lambda more: more.strip(b"\0") != b""))
def test_whatever_stands_behind_a_picture_makes_it_another_thing(more: bytes) -> None:
    for whole in (
        png(),
        jpeg(),
        gif(),
        npy(),
        safetensors(),
        gzip.compress(DATA),
        zipped(("a", DATA)),
        tar(("a", b"")),
    ):
        assert judged(whole + more).kinds == OTHER


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)


@given(VALUES, st.sampled_from([None, 0, 1]), st.booleans())
def test_json_is_json(value: Any, indent: int | None, plain: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=plain)
    controls = any(0x7F <= ord(each) < 0xA0 or 0xD800 <= ord(each) < 0xE000 for each in text)
    assert ("json" in judged(text.encode("utf-8", "surrogatepass")).kinds) is not controls


TOKENS = [*'{}[],:" \n-.', '"a"', '"\\n"', '"\\u12aF"', "0", "01", "1.5", "-0.5e3", "true", "null", "tru", "NaN", "é"]


@given(st.lists(st.sampled_from(TOKENS), max_size=8).map("".join))
def test_json_is_what_python_reads(text: str) -> None:
    try:
        json.loads(text)
        reads = True
    except ValueError:
        reads = False
    assert ("json" in judged(text.encode()).kinds) is reads


def longer(text: str) -> Iterator[bytes]:
    """The same at the end of the first pieces that are read."""
    for size in (8192, 8192 + (1 << 20)):
        for back in range(len(text) + 1):
            yield (b" " * (size - back)) + text.encode()


@pytest.mark.parametrize("text", ['{"ä": [1.25e7, "\\u00e9"]}', "[-1.5, true]", "12.5"])
def test_json_may_be_cut_anywhere_by_the_reading(text: str) -> None:
    assert all("json" in judged(content).kinds for content in longer(text))


CELLS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=9)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1))
def test_what_the_module_csv_writes_is_csv(rows: list[tuple[str, ...]]) -> None:
    for mark in ",;\t|":
        out = io.StringIO()
        csv.writer(out, delimiter=mark, quoting=csv.QUOTE_ALL).writerows(rows)
        assert "csv" in judged(out.getvalue().encode()).kinds
