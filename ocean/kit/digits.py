"""Numbers and digests as protocols write them: ASCII digits. `str.isdigit` also says yes to "²" and "٣", and `int`
does not."""

from __future__ import annotations

import re
from typing import Final

_DIGITS: Final = re.compile(r"[0-9]+")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,19}")
_INT64: Final = 1 << 63


def is_digits(text: str) -> bool:
    """Whether the text is one or more ASCII digits and nothing else."""
    return _DIGITS.fullmatch(text) is not None


def is_sha256(text: str) -> bool:
    """Whether the text may be a SHA-256: 64 hexadecimal digits, letters small."""
    return _SHA256.fullmatch(text) is not None


def number_or_zero(text: str) -> int:
    """The number that a text of digits says; 0 for any other text."""
    return int(text) if is_digits(text) else 0


def int64(text: str) -> int | None:
    """The number that Go's ParseInt reads in base ten, or None where it refuses the text."""
    if not _INTEGER.fullmatch(text):
        return None
    number = int(text)
    return number if -_INT64 <= number < _INT64 else None
