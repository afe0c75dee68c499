"""Kubernetes quantities ("64Mi", "500m") and Go durations ("1s", "1m30s") as numbers."""

from __future__ import annotations

import re
from decimal import Decimal

from ocean.kit.digits import is_digits

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def quantity(text: str | int | float) -> Decimal:
    """The plain number. Raises ValueError."""
    found = _QUANTITY.fullmatch(str(text))
    if not found:
        raise ValueError(f"not a quantity: {text}")
    number, unit = Decimal(found[1]), found[2] or ""
    return number / 1000 if unit == "m" else number * _UNITS[unit]


def seconds(text: str | int) -> float:
    """Seconds of a duration; a bare number is seconds. Raises ValueError."""
    text = str(text)
    if is_digits(text):
        return float(text)
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"not a duration: {text}")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)
