"""`{{tag}}` in templates: one pass, tags from a closed set, values never looked at again.

A real controller substitutes several times and evaluates `{{=expressions}}` found in values. Here a value is literal
text, and a template that contains an expression is refused when it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


class UnknownTag(Exception):
    """A tag that has no value here. In a checked template that cannot happen before its node runs."""

    def __init__(self, tag: str) -> None:
        super().__init__(f"failed to resolve {{{{{tag}}}}}")
        self.tag = tag


def tags(value: Any) -> Iterator[str]:
    """Every tag in a JSON value, keys included, without the braces, stripped."""
    if isinstance(value, str):
        yield from (tag.strip() for tag in _TAG.findall(value))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from tags(key)
            yield from tags(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tags(item)


def substitute(text: str, scope: Mapping[str, str]) -> str:
    """Raises UnknownTag."""

    def value(found: re.Match[str]) -> str:
        tag = found[1].strip()
        if tag not in scope:
            raise UnknownTag(tag)
        return scope[tag]

    return _TAG.sub(value, text)
