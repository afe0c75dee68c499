"""Parameters that a consumer hands to a dataset's server or to an algorithm, and what the publisher asks of them.

A definition: {"name", "type": text | number | boolean | select, "required", "default", "options"}. A value that is not
given (missing, null, or empty as forms send it) is replaced by the default; if there is none and it is required, it is
missing. A schema makes publishers write a default always, so an empty one is none for what is required. A value that is
given is read as `form_values` says, and must be of the defined type then, a selected one a key of the options. Ocean
Provider checks nothing of this. Names without a definition pass through.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from ocean.form_values import YES, ValueUnreadable, read_value
from ocean.kit.object_or_text import TextIsNotJson, object_or_text

Problem = Literal["missing", "invalid"]

_SHOWN_OPTIONS = 10


class ParameterRefused(ValueError):
    """A parameter is missing or has a value that is not allowed. The text is `missing:name` or `invalid:name`.

    `allowed` says what the publisher asks for. The value itself is not shown, it may be somebody's key.
    """

    def __init__(self, problem: Problem, name: str, allowed: str) -> None:
        super().__init__(f"{problem}:{name}")
        self.problem = problem
        self.name = name
        self.allowed = allowed


def read_values(given: Any) -> Any:
    """Values as sent: an object, or its JSON text. Text that is not JSON counts as nothing, because one client's
    encoding cuts texts off."""
    try:
        return object_or_text(given)
    except TextIsNotJson:
        return None


def completed(definitions: Any, given: Any) -> Any:
    """The values as they are defined, with defaults filled in; without definitions, the values as they are.

    `definitions` is a DDO's `consumerParameters` as published (a list, its JSON text, or nothing); entries that
    define nothing are left out of account. Raises ParameterRefused.
    """
    values, problems = _read(definitions, given)
    for problem in problems:
        raise problem
    return values


def so_far(definitions: Any, given: Any) -> Any:
    """The same before anything is demanded: what is missing is left out, what does not fit stays as it was sent."""
    return _read(definitions, given)[0]


def problems(definitions: Any, given: Any) -> list[ParameterRefused]:
    """Everything for which `completed` would refuse the values."""
    return _read(definitions, given)[1]


def _read(definitions: Any, given: Any) -> tuple[Any, list[ParameterRefused]]:
    values = read_values(given)
    found = list(_definitions(definitions))
    if not found:
        return values, []
    result = dict(values) if isinstance(values, dict) else {}
    refused: list[ParameterRefused] = []
    for definition in found:
        name, options = definition["name"], _option_keys(definition.get("options"))
        try:
            value = read_value(definition.get("type"), result.get(name), options)
        except ValueUnreadable:
            refused.append(ParameterRefused("invalid", name, _allowed(definition, options)))
            continue
        if value is None or value == "":
            value = _instead(definition, options, value)
            if value in (None, "") and _truth(definition.get("required")):
                refused.append(ParameterRefused("missing", name, _allowed(definition, options)))
        if value is None:
            result.pop(name, None)
        else:
            result[name] = value
    return result, refused


def _definitions(definitions: Any) -> Iterator[dict[str, Any]]:
    entries = read_values(definitions)
    for entry in entries if isinstance(entries, list) else ():
        definition = read_values(entry)
        if isinstance(definition, dict) and isinstance(definition.get("name"), str) and definition["name"]:
            yield definition


def _instead(definition: dict[str, Any], options: list[str], empty: Any) -> Any:
    """The default as a value of the type, where nothing was given. Schemas make publishers write "5" and "true"."""
    try:
        default = read_value(definition.get("type"), definition.get("default"), options)
    except ValueUnreadable:
        default = None
    return empty if default is None else default


def _allowed(definition: dict[str, Any], options: list[str]) -> str:
    match definition.get("type"):
        case "number":
            return "a number"
        case "boolean":
            return "true or false"
        case "select":
            further = ", …" if len(options) > _SHOWN_OPTIONS else ""
            return f"one of {', '.join(options[:_SHOWN_OPTIONS])}{further}" if options else "one of no options"
        case _:
            return "text"


def _option_keys(options: Any) -> list[str]:
    """Keys of [{key: label}, ...]; an item may also be the JSON text of such an object, or just a key."""
    keys: list[str] = []
    entries = read_values(options)
    for entry in entries if isinstance(entries, list) else ():
        option = read_values(entry)
        if isinstance(option, dict):
            keys.extend(option)
        elif isinstance(entry, str):
            keys.append(entry)
        elif isinstance(entry, int | float) and not isinstance(entry, bool):
            keys.append(str(entry))
    return keys


def _truth(value: Any) -> bool:
    return value.strip().lower() in YES if isinstance(value, str) else bool(value)
