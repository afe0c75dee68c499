"""Recognisable secrets, and the search for them in everything that lasts."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tests.support.living_folder import paths_in


def marker(name: str) -> str:
    """A text that occurs nowhere by chance. Letters and digits, so that no URL or JSON spells it otherwise."""
    return f"{name}{secrets.token_hex(12)}"


def spellings(text: str) -> list[bytes]:
    """The text as it is, as hex in both cases, and as base64 (both alphabets) at any place of a longer text."""
    plain = text.encode()
    found = [plain, plain.hex().encode(), plain.hex().upper().encode()]
    for offset in range(3):
        whole = base64.b64encode(b"\0" * offset + plain)
        # Characters that depend on neighbouring bytes, and the padding, are cut off.
        first, last = (0, 2, 3)[offset], (offset + len(plain)) * 8 // 6
        found += [whole[first:last], whole[first:last].translate(bytes.maketrans(b"+/", b"-_"))]
    return list(dict.fromkeys(found))


def find_markers(markers: Mapping[str, str], places: Iterable[tuple[str, bytes]]) -> list[tuple[str, str]]:
    """(marker's name, place) for each marker that a place holds in any spelling."""
    wanted = [(name, spelling) for name, text in markers.items() for spelling in spellings(text)]
    found = [(name, place) for place, content in places for name, spelling in wanted if spelling in content]
    return list(dict.fromkeys(found))


def files_below(folder: Path, *, without: Iterable[Path] = ()) -> Iterator[tuple[str, bytes]]:
    """Every file: (path, path and content, because a name can tell too)."""
    left_out = tuple(without)
    for path in sorted(paths_in(folder)):
        if any(path.is_relative_to(other) for other in left_out):
            continue
        try:
            content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        except FileNotFoundError:
            continue  # removed meanwhile
        yield str(path), str(path).encode() + b"\0" + content
