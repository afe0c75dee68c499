"""Label selectors: which workflows a question is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from contract import names
from ocean.kit.kubernetes_names import is_label_key, is_label_value

_UNFINISHED: Final = "workflows.argoproj.io/completed!=true"


def selector_of(labels: Mapping[str, str], *, unfinished_only: bool = False) -> str:
    """A label selector; the value ANY asks only that the label is there, NONE that it is not.

    Raises ValueError without any label (that would be everybody's) or for one that is none.
    """
    if not labels:
        raise ValueError("a query needs at least one label")
    for key, value in labels.items():
        if not is_label_key(key) or not (value in (names.ANY, names.NONE) or is_label_value(value)):
            raise ValueError(f"not a label: {key}")
    words = {names.ANY: "{0}", names.NONE: "!{0}"}
    parts = [words.get(value, "{0}={1}").format(key, value) for key, value in sorted(labels.items())]
    return ",".join([*parts, _UNFINISHED] if unfinished_only else parts)
