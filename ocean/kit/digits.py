"""Numbers as protocols write them: ASCII digits. `str.isdigit` also says yes to "²" and "٣", and `int` does not."""

from __future__ import annotations

import re
from typing import Final

_DIGITS: Final = re.compile(r"[0-9]+")
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,19}")
_INT64: Final = 1 << 63


def is_digits(text: str) -> bool:
    """Whether the text is one or more ASCII digits and nothing else."""
    return _DIGITS.fullmatch(text) is not None


def number_or_zero(text: str) -> int:
    """The number that a text of digits says; 0 for any other text."""
    return int(text) if is_digits(text) else 0


def int64(text: str) -> int | None:
    """The number that Go's ParseInt reads in base ten, or None where it refuses the text."""
    if not _INTEGER.fullmatch(text):
        return None
    number = int(text)
    return number if -_INT64 <= number < _INT64 else None
