"""How deep and how large a stranger's JSON may be before anybody works on it.

Python's parser takes nesting close to its recursion limit; copying or writing such a value again needs several times
as many frames, and a number like 1e999 is read as an infinity that no JSON can say. Both are refused here, by a walk
that does not recurse.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, NoReturn

MAX_DEPTH = 64
MAX_VALUES = 200_000


class JsonUnbounded(ValueError):
    """The value is nested too deeply, has too many parts, or holds a number that JSON has not."""


def read_bounded(text: bytes | str) -> Any:
    """The value of a stranger's text. Raises JsonUnbounded, and ValueError for what is no JSON."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise JsonUnbounded("nested too deeply") from None
    require_bounded(value)
    return value


def no_constant(_: str) -> NoReturn:
    """For `parse_constant`: Python's parser takes NaN and Infinity, which JSON has not."""
    raise ValueError("NaN and Infinity are not JSON")


def require_bounded(value: Any, *, max_depth: int = MAX_DEPTH, max_values: int = MAX_VALUES) -> None:
    """Raises JsonUnbounded."""
    count = 0
    for level in levels(value, max_depth=max_depth):
        count += len(level)
        if count > max_values:
            raise JsonUnbounded("too many values")
        if any(isinstance(item, float) and not math.isfinite(item) for item in level):
            raise JsonUnbounded("a number that is none")


def levels(value: Any, *, max_depth: int, with_names: bool = False) -> Iterator[list[Any]]:
    """The value, then the values in it, then those in them, without recursion. `with_names`: the names of an object's
    values come beside them. Raises JsonUnbounded after `max_depth` levels inside the value, if there are more."""
    level = [value]
    for _ in range(max_depth + 1):
        yield level
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(item.values())
                if with_names:
                    inner.extend(item)
            elif isinstance(item, list):
                inner.extend(item)
        if not inner:
            return
        level = inner
    raise JsonUnbounded("nested too deeply")
