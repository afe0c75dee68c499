"""How an option of an environment is declared: once, at its field in the environment's description.

The field has the option's name, type and default; `Option` beside it says the rest. All else is made of the two: the
row in docs/reference/environments.md, the annotation of the template, what the service reads from it and tells
consumers, and the property in the API's description.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import BaseModel

Kind = Literal["text", "address", "number", "whole", "chains", "flag", "rules"]


@dataclass(frozen=True, slots=True)
class Announced:
    """What the template announces of an option, in an annotation that is named after it, `max-jobs` for `max_jobs`.

    `absent` is what the service takes a template for that has no such annotation; None: the option is not set.
    """

    kind: Kind
    key: str = ""  # as consumers read it in computeEnvironments; "": they do not
    text: str = ""  # of the key, in the API's description
    absent: int | None = None
    source: str = ""  # attribute of the description with the value; "": `name`
    name: str = ""  # of the annotation, in Python's spelling; "": that of the field


@dataclass(frozen=True, slots=True)
class Option:
    """What the page says of an option, and what templates announce of it: nothing where it is the operator's alone."""

    unit: str
    meaning: str
    announced: Announced | None = None
    default: str = ""  # in words, where the field's own says too little


def options(model: type[BaseModel]) -> Iterator[tuple[str, Option]]:
    """The options that a description declares, by the names of their fields, in order."""
    for name, field in model.model_fields.items():
        yield from ((name, found) for found in field.metadata if isinstance(found, Option))


def announced(model: type[BaseModel]) -> tuple[Announced, ...]:
    """What templates announce, in the order of their annotations, with `name` and `source` filled in."""
    return tuple(
        replace(found, name=found.name or field, source=found.source or found.name or field)
        for field, option in options(model)
        if (found := option.announced) is not None
    )
