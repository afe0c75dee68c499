"""Settings as people write them: lists and tables out of the text of an environment, and problems as one line each.

A list or table is JSON. A list of plain words may also be written with commas. What cannot be read is named by its
setting, with what is expected and an example; never with its value, which may be a secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

_WORDS: Final = (str, int, float, SecretStr)


class SettingUnreadable(ValueError):
    """The text of one setting is not of the form that it must have. Its text tells the name, never the value."""

    def __init__(self, name: str, expected: str, example: str) -> None:
        super().__init__(f"{name} cannot be read: expected {expected}, for example {name}='{example}'")
        self.name = name


def readable(environment: Mapping[str, str], model: type[BaseModel], prefix: str) -> dict[str, str]:
    """The environment, lower-case names, with every list and table as JSON. Raises SettingUnreadable."""
    found = {name.lower(): value for name, value in environment.items()}
    for name, field in _fields(model, prefix):
        text = found.get(name.lower())
        if text is not None and (kind := _container(field)) is not None:
            found[name.lower()] = _as_json(name, text, field, kind)
    return found


def problems(trouble: ValidationError, prefix: str) -> str:
    """All problems of a set of settings, each with the setting's name, in one line. No value is repeated."""
    return "; ".join(f"{_name(error['loc'], prefix)}{_said(str(error['msg']))}" for error in trouble.errors())


def _said(message: str) -> str:
    return message.removeprefix("Value error, ")


def _name(location: tuple[int | str, ...], prefix: str) -> str:
    words = "".join(f"[{part}]" if isinstance(part, int) else f"__{part}" for part in location)
    return f"{prefix}{words.removeprefix('__').upper()}: " if words else ""


def _fields(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        full, kind = f"{prefix}{name}".upper(), field.annotation
        yield full, field
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _fields(kind, full + "__")


def _container(field: FieldInfo) -> type | None:
    """list for a list, dict for a table or a group of settings, None for a plain value."""
    kind = field.annotation
    if get_origin(kind) is tuple:
        return list
    is_group = isinstance(kind, type) and issubclass(kind, BaseModel)
    return dict if is_group or get_origin(kind) is dict else None


def _as_json(name: str, text: str, field: FieldInfo, kind: type) -> str:
    words = get_args(field.annotation)[:1] if kind is list else ()
    if words and words[0] in _WORDS and not text.lstrip().startswith(("[", "{", '"')):
        return json.dumps([part.strip() for part in text.split(",") if part.strip()])
    try:
        value: Any = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, kind):
        raise SettingUnreadable(name, *_expected(name, field, kind, words))
    return text


def _expected(name: str, field: FieldInfo, kind: type, words: tuple[Any, ...]) -> tuple[str, str]:
    expected = "a list, as JSON or words with commas between them" if words and words[0] in _WORDS else ""
    expected = expected or ("a list as JSON" if kind is list else "a table as JSON")
    if field.examples:
        return expected, str(field.examples[0])
    if words and words[0] in _WORDS:
        return expected, "1,2" if words[0] in (int, float) else "one,two"
    if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
        inner = next(iter(field.annotation.model_fields))
        return f"{expected} (or {name}__{inner.upper()} and so on, one by one)", f'{{"{inner}": …}}'
    return expected, '{"name": "value"}' if kind is dict else '[{"name": "value"}]'
