"""How names of an algorithm's files are shown: readable text without anything that could deceive or break a reader."""

from __future__ import annotations

import unicodedata

# Characters that turn the direction of the text around them: a name could look like another one.
_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})


def shown(path: bytes) -> str:
    r"""The path as text. Bytes that are not UTF-8, control characters, line and direction marks and backslashes become
    `\xNN` for each byte, so two different paths are never shown alike."""
    return "".join(
        "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))
        if _is_odd(character)
        else character
        for character in path.decode("utf-8", "surrogateescape")
    )


def _is_odd(character: str) -> bool:
    return character == "\\" or character in _TURNING or unicodedata.category(character) in _HIDDEN_CATEGORIES
