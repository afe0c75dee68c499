"""Label selectors: which workflows a question is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from contract import names
from ocean.kit.kubernetes_names import is_label_key, is_label_value

_UNFINISHED: Final = "workflows.argoproj.io/completed!=true"


def selector_of(labels: Mapping[str, str], *, unfinished_only: bool = False) -> str:
    """A label selector; the value ANY asks only that the label is there, NONE that it is not, NONE before a value that
    the label has not that value.

    Raises ValueError without any label (that would be everybody's) or for one that is none.
    """
    if not labels:
        raise ValueError("a query needs at least one label")
    for key, value in labels.items():
        if not is_label_key(key) or not (value == names.ANY or is_label_value(value.removeprefix(names.NONE))):
            raise ValueError(f"not a label: {key}")
    parts = [_requirement(key, value) for key, value in sorted(labels.items())]
    return ",".join([*parts, _UNFINISHED] if unfinished_only else parts)


def _requirement(key: str, value: str) -> str:
    if value in (names.ANY, names.NONE):
        return key if value == names.ANY else f"!{key}"
    return f"{key}!={value[1:]}" if value.startswith(names.NONE) else f"{key}={value}"
