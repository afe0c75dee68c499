"""Texts of others: bounded while they are read, printed so that they can neither steer a terminal nor turn a line
around."""

from __future__ import annotations

from typing import Any, Final

from ocean.kit.bounded_json import require_bounded
from records.statement import read_object

MOST_ANSWER_VALUES: Final = 2_000_000
LONGEST_TEXT: Final = 1000  # characters of one text that is printed


def harmless(text: str, *, longest: int = LONGEST_TEXT) -> str:
    """Control characters, marks that turn the text's direction, line ends, and whatever else has no shape of its own
    are written as escapes."""
    cut = text if len(text) <= longest else f"{text[:longest]}… ({len(text) - longest} characters more)"
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in cut)


def said_in(body: Any) -> str:
    """What an error's JSON says: `error`, a text or an object, or `errors` by their fields, and what is `wanted`
    instead. A text in place of JSON is a proxy's, for example, and says nothing to a consumer."""
    document = body if isinstance(body, dict) else {}
    said = _joined(document.get("errors") or document.get("error")) or "it does not say why"
    wanted = _joined(document.get("wanted"))
    return (f"{said}; wanted: {wanted}" if wanted else said)[:LONGEST_TEXT]


def _joined(said: Any) -> str:
    if isinstance(said, dict):
        return "; ".join(f"{place}: {_joined(text)}" for place, text in said.items())
    if isinstance(said, list):
        return ", ".join(_joined(text) for text in said)
    return "" if said is None else str(said)


def bounded_object(content: bytes) -> dict[str, Any]:
    """A JSON object of bounded depth, without a key that stands there twice. Raises ValueError."""
    found = read_object(content, "it")
    require_bounded(found, max_values=MOST_ANSWER_VALUES)
    return found
