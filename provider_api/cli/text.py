"""Texts of others, printed so that they can neither steer a terminal nor turn a line around; and what went wrong."""

from __future__ import annotations

from typing import Any, Final

from ocean.kit.bounded_json import require_bounded
from records.statement import read_object

MOST_ANSWER_VALUES: Final = 2_000_000
LONGEST_TEXT: Final = 1000  # characters of one text that is printed


class Unusable(ValueError):
    """The command cannot be carried out; the text says why, and what to do. Exit code 2."""


class Refused(ValueError):
    """The service, or the state of the results, says no. Exit code 1."""


def harmless(text: str, *, longest: int = LONGEST_TEXT) -> str:
    """Control characters, marks that turn the text's direction, line ends, and whatever else has no shape of its own
    are written as escapes."""
    cut = text if len(text) <= longest else f"{text[:longest]}… ({len(text) - longest} characters more)"
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in cut)


def bounded_object(content: bytes) -> dict[str, Any]:
    """A JSON object of bounded depth, without a key that stands there twice. Raises ValueError."""
    found = read_object(content, "it")
    require_bounded(found, max_values=MOST_ANSWER_VALUES)
    return found
