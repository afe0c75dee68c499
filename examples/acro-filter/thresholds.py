"""What the operator has decided: ACRO's own thresholds, and limits of this filter for what ACRO lets pass."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_WHOLE = {"safe_threshold", "safe_dof_threshold", "safe_nk_n", "max_analyses", "max_cells"}
_SHARES = {"safe_nk_k", "safe_pratio_p", "max_leverage"}
_ACRO = {"safe_threshold", "safe_dof_threshold", "safe_nk_n", "safe_nk_k", "safe_pratio_p"}


class ThresholdsInvalid(Exception):
    """The operator's file is not one that can be kept; the filter then withholds everything."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """`acro`: by ACRO's names. `max_leverage`: a share, 1.0 for no limit."""

    acro: Mapping[str, float]
    suppress: bool
    max_analyses: int
    max_cells: int
    max_leverage: float


def read_thresholds(path: Path) -> Thresholds:
    """Raises OSError, and ThresholdsInvalid for a name that is missing or unknown and for a value out of range."""
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except ValueError as exc:
        raise ThresholdsInvalid(str(exc)) from exc
    if set(found) != {"acro", "filter"} or not all(isinstance(table, dict) for table in found.values()):
        raise ThresholdsInvalid("needs the tables acro and filter")
    acro, own = found["acro"], found["filter"]
    if set(acro) != _ACRO or set(own) != (_WHOLE | _SHARES | {"suppress"}) - _ACRO:
        raise ThresholdsInvalid("a name is missing or unknown")
    for name, value in {**acro, **own}.items():
        if not _is_good(name, value):
            raise ThresholdsInvalid(f"{name} cannot be {value!r}")
    return Thresholds(acro=acro, **own)


def _is_good(name: str, value: object) -> bool:
    if name == "suppress":
        return isinstance(value, bool)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, int) and value > 0 if name in _WHOLE else 0 < value <= 1
