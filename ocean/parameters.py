"""Parameters that a consumer hands to a dataset's server or to an algorithm, and what the publisher asks of them.

A definition: {"name", "type": text | number | boolean | select, "required", "default", "options"}. A missing or null
value is refused if required, otherwise replaced by the default; a value must have the defined type, a selected one
must be a key of the options. The peer checks nothing of this. Names without a definition pass through.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

Problem = Literal["missing", "invalid"]

_YES = {"true", "1", "yes", "y", "on", "t"}


class ParameterRefused(ValueError):
    """A parameter is missing or has a value that is not allowed. The text is `missing:name` or `invalid:name`."""

    def __init__(self, problem: Problem, name: str) -> None:
        super().__init__(f"{problem}:{name}")
        self.problem = problem
        self.name = name


def read_values(given: Any) -> Any:
    """Values as sent: an object, or its JSON text. Text that is not JSON counts as nothing, because one client's
    encoding cuts texts off."""
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except (ValueError, RecursionError):
        return None


def completed(definitions: Any, given: Any) -> Any:
    """The values with defaults filled in; without definitions, the values as they are. Raises ParameterRefused.

    `definitions` is a DDO's `consumerParameters` as published (a list, its JSON text, or nothing); entries that
    define nothing are left out of account.
    """
    values = read_values(given)
    found = list(_definitions(definitions))
    if not found:
        return values
    result = dict(values) if isinstance(values, dict) else {}
    for definition in found:
        name = definition["name"]
        if result.get(name) is None:
            result.pop(name, None)
            if _truth(definition.get("required")):
                raise ParameterRefused("missing", name)
            default = _default(definition)
            if default is not None:
                result[name] = default
        elif not _fits(definition, result[name]):
            raise ParameterRefused("invalid", name)
    return result


def _definitions(definitions: Any) -> Iterator[dict[str, Any]]:
    entries = read_values(definitions)
    for entry in entries if isinstance(entries, list) else ():
        definition = read_values(entry)
        if isinstance(definition, dict) and isinstance(definition.get("name"), str) and definition["name"]:
            yield definition


def _fits(definition: dict[str, Any], value: Any) -> bool:
    match definition.get("type"):
        case "text":
            return isinstance(value, str)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "select":
            return isinstance(value, str) and value in _option_keys(definition.get("options"))
        case _:
            return True


def _default(definition: dict[str, Any]) -> Any:
    """The default as a value of the type, None if there is none. Schemas make publishers write "5" and "true"."""
    default = definition.get("default")
    if isinstance(default, str):
        if definition.get("type") == "number":
            default = read_values(default)
        elif definition.get("type") == "boolean":
            default = {"true": True, "false": False}.get(default.lower())
    return default if default is not None and _fits(definition, default) else None


def _option_keys(options: Any) -> set[str]:
    """Keys of [{key: label}, ...]; an item may also be the JSON text of such an object, or just a key."""
    keys: set[str] = set()
    entries = read_values(options)
    for entry in entries if isinstance(entries, list) else ():
        option = read_values(entry)
        if isinstance(option, dict):
            keys.update(option)
        elif isinstance(entry, str):
            keys.add(entry)
    return keys


def _truth(value: Any) -> bool:
    return value.strip().lower() in _YES if isinstance(value, str) else bool(value)
