"""Where parameters come from, and the rules their fields must pass, with the peer's texts.

Input: if the URL has any query parameter, the query is the whole input and the body is ignored; otherwise the JSON body
is, and only with a JSON content type. Broken JSON counts as an empty object. Of a repeated query key the first value
wins. Query values are text, JSON values keep their type, numbers keep the digits they were sent with.

Validation: fields are checked in order. A field marked `bail` ends the validation at its first failing rule; any other
one reports all its failing rules and lets the next fields report too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from provider_api.errors import InvalidRequest, Refused

MAX_DEPTH = 64
Rule = Callable[[str, Any, "Input"], str | None]


class NumberText(str):
    """A JSON number with a fraction or an exponent, exactly as it was written."""

    __slots__ = ()


class _NotJson(ValueError):
    pass


def _no_constant(text: str) -> Any:
    raise _NotJson(text)


def parse_json(body: bytes) -> Any:
    """A JSON value without loss: integers of any length, other numbers as their text.

    None for broken JSON. Raises Refused (400) for what is JSON but cannot be worked with: nested too deep, or text that
    is no Unicode.
    """
    try:
        value = json.loads(body, parse_float=NumberText, parse_constant=_no_constant)
    except RecursionError:
        raise Refused("The JSON document is nested too deep.") from None
    except ValueError:
        return None
    _require_sane(value)
    return value


def _require_sane(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        following: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                following.extend(item.keys())
                following.extend(item.values())
            elif isinstance(item, list):
                following.extend(item)
            elif isinstance(item, str) and not _is_unicode(item):
                raise Refused("The JSON document contains text that is not valid Unicode.")
        if not following:
            return
        level = following
    raise Refused("The JSON document is nested too deep.")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Input:
    """Parameters of one request. Dotted names reach into nested JSON objects."""

    values: Mapping[str, Any]

    def get(self, name: str) -> Any:
        """The value, None if absent. A query cannot nest, so a dotted name is looked up as it stands there too."""
        if name in self.values:
            return self.values[name]
        value: Any = self.values
        for part in name.split("."):
            if not isinstance(value, Mapping):
                return None
            value = value.get(part)
        return value

    def text(self, name: str) -> str:
        """The value as it is signed: text as it is, numbers as written, "" if absent."""
        value = self.get(name)
        return "" if value is None else as_text(value)


def read_input(query: str, content_type: str, body: bytes) -> Input:
    """The parameters of a request. Raises Refused for a JSON body that is no object."""
    pairs = parse_qsl(query, keep_blank_values=True)
    if pairs:
        values: dict[str, Any] = {}
        for name, value in pairs:
            values.setdefault(name, value)
        return Input(values)
    return Input(read_json_object(content_type, body))


def read_json_object(content_type: str, body: bytes) -> dict[str, Any]:
    """The JSON body alone; {} if absent or broken. Raises Refused (400) if it is JSON but no object."""
    kind = content_type.partition(";")[0].strip().lower()
    if not (kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))):
        return {}
    if not body:
        return {}
    value = parse_json(body)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused("The JSON document must be an object.")
    return value


def plain(value: Any) -> Any:
    """The value with ordinary numbers, for content that is handed on instead of being signed."""
    if isinstance(value, NumberText):
        return float(value)
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def as_text(value: Any) -> str:
    """A scalar as text; containers as compact JSON."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool) or value is None or isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"))
    return str(value)


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    rules: tuple[Rule, ...]
    bail: bool = False


def validate(fields: Sequence[Field], given: Input) -> None:
    """Raises InvalidRequest with every text, in the order of the fields."""
    errors: dict[str, list[str]] = {}
    for field in fields:
        value = given.get(field.name)
        for rule in field.rules:
            text = rule(field.name, value, given)
            if text is not None:
                errors.setdefault(field.name, []).append(text)
                if field.bail:
                    raise InvalidRequest(errors)
    if errors:
        raise InvalidRequest(errors)


def is_present(value: Any) -> bool:
    """Present and not empty; 0 and false are values."""
    if isinstance(value, bool) or (isinstance(value, int | float) and value == 0):
        return True
    return bool(value)


def _words(name: str) -> str:
    return name.replace("_", " ")


def required(name: str, value: Any, given: Input) -> str | None:
    return None if is_present(value) else f"The {_words(name)} field is required."


def required_without(*others: str) -> Rule:
    def rule(name: str, value: Any, given: Input) -> str | None:
        if is_present(value) or all(is_present(given.get(other)) for other in others):
            return None
        return f"The {_words(name)} field is required when {', '.join(others)} is not present."

    return rule


def required_with_all(*others: str) -> Rule:
    def rule(name: str, value: Any, given: Input) -> str | None:
        if is_present(value) or not all(is_present(given.get(other)) for other in others):
            return None
        return f"The {_words(name)} field is required when {', '.join(others)} are present."

    return rule


NONCE = re.compile(r"[0-9]{1,78}(\.[0-9]{1,18})?", re.ASCII)


def nonce_number(name: str, value: Any, given: Input) -> str | None:
    """A decimal number, 0 or greater: at most 78 digits, at most 18 of them after the point.

    Stricter than the peer, which takes whatever Python's float() takes (`inf` locked an account for ever there).
    """
    if not is_present(value):
        return None
    text = "" if isinstance(value, bool | dict | list) else as_text(value)
    ok = NONCE.fullmatch(text) is not None and sum(c.isdigit() for c in text) <= 78
    return None if ok else f"The {_words(name)} must be a number."


def integer(name: str, value: Any, given: Input) -> str | None:
    """Decimal digits only, as text or JSON number."""
    if value is None:
        return None
    ok = not isinstance(value, bool) and isinstance(value, int | str) and re.fullmatch(r"[0-9]{1,30}", str(value))
    return None if ok else f"The {_words(name)} must be an integer."


def text_value(name: str, value: Any, given: Input) -> str | None:
    """Text, or a plain number that stands for its text."""
    if value is None or (isinstance(value, str | int) and not isinstance(value, bool)):
        return None
    return f"The {_words(name)} format is invalid."


def address(name: str, value: Any, given: Input) -> str | None:
    """An Ethereum address in any letter case. The peer crashes on others."""
    if not is_present(value):
        return None
    ok = isinstance(value, str) and re.fullmatch(r"0[xX][0-9a-fA-F]{40}", value)
    return None if ok else f"The {_words(name)} format is invalid."


def non_empty_list_of_objects(name: str, value: Any, given: Input) -> str | None:
    if value is None or (isinstance(value, list) and all(isinstance(item, dict) for item in value)):
        return None
    return f"The {_words(name)} format is invalid."
