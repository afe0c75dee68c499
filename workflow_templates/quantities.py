"""Amounts as descriptions of environments have them (`500m`, `2`, `512Mi`; the types are in parts.py), as numbers."""

from __future__ import annotations

from typing import Final

_MIB: Final = {"Ki": 1 / 1024, "Mi": 1, "Gi": 1024}


def milli(quantity: str) -> int:
    """Processors in thousandths."""
    return int(quantity[:-1]) if quantity.endswith("m") else 1000 * int(quantity)


def mib(quantity: str) -> int:
    """Bytes in MiB, rounded up."""
    unit = quantity[-2:]
    mebibytes = int(quantity[:-2]) * _MIB[unit] if unit in _MIB else int(quantity) / (1 << 20)
    return -int(-mebibytes // 1)
