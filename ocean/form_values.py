"""What a person would read in a value that an HTML form or a JavaScript library has sent for a parameter.

Forms send text for everything, "" for a field that was left empty, "on" for a box that was ticked, and nothing, null or
"undefined" for what nobody touched; libraries wrap a single choice into a list, or into {"value", "label"}. A value
that can be read in one way only becomes a value of the parameter's type; for any other there is no guess.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from typing import Any, Final

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,400}", re.ASCII)
_DECIMAL: Final = re.compile(r"[+-]?([0-9]{1,400}\.?[0-9]{0,400}|\.[0-9]{1,400})([eE][+-]?[0-9]{1,4})?", re.ASCII)
YES: Final = frozenset({"true", "1", "yes", "y", "on", "t"})
_NO: Final = frozenset({"false", "0", "no", "n", "off", "f"})
_UNTOUCHED: Final = frozenset({"", "null", "undefined"})
_WRAPPING: Final = frozenset({"value", "label"})


class ValueUnreadable(ValueError):
    """The value cannot be read as one of the type. It is not shown: parameters may be somebody's keys."""


def read_value(kind: Any, value: Any, options: Collection[str] = ()) -> Any:
    """The value as one of the type `text`, `number`, `boolean` or `select` (a key of `options`), as it is for any other
    type. None: not given. An empty text stays "" where text is wanted. Raises ValueUnreadable."""
    match kind:
        case "text":
            return _text(_single(value))
        case "number":
            return _number(_single(value))
        case "boolean":
            return _boolean(_single(value))
        case "select":
            return _selected(_single(value), options)
        case _:
            return value


def _single(value: Any) -> Any:
    """The one value in a list or wrapping; None for an empty list."""
    while True:
        if isinstance(value, list) and len(value) < 2:
            value = value[0] if value else None
        elif isinstance(value, Mapping) and "value" in value and value.keys() <= _WRAPPING:
            value = value["value"]
        else:
            return value


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return str(value)
    raise ValueUnreadable("no text")


def _number(value: Any) -> int | float | None:
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return value
    text = value.strip() if isinstance(value, str) else "no number"
    if text.lower() in _UNTOUCHED:
        return None
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    raise ValueUnreadable("no number")


def _boolean(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    text = value.strip().lower() if isinstance(value, str) else "no boolean"
    if text in _UNTOUCHED:
        return None
    if text in YES or text in _NO:
        return text in YES
    raise ValueUnreadable("no boolean")


def _selected(value: Any, options: Collection[str]) -> str | None:
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = _text(value) or ""
    for read in (text, text.strip()):
        if read in options:
            return read
    if text.strip().lower() in _UNTOUCHED:
        return None
    raise ValueUnreadable("no option")
