"""Query parameters, named one by one.

A real server ignores a parameter that it does not know, so that a misspelt label selector answers the whole namespace.
Here it is refused by name; a caller that works here works there.
"""

from __future__ import annotations

from collections.abc import Iterable

from starlette.requests import Request

from argo.local.errors import invalid
from argo.local.rest.fields import Fields
from argo.local.workflows.selectors import MAX_WORDS, Requirement, parse_labels
from ocean.kit.digits import int64

IGNORED = frozenset({"deleteOptions.propagationPolicy", "deleteOptions.gracePeriodSeconds", "force"})
_REMAINING = "ext.showRemainingItemCount"


class Query:
    """The parameters of one request. Raises ApiError 400 for one that is not in `known` or is there twice."""

    def __init__(self, request: Request, known: Iterable[str]) -> None:
        self._values: dict[str, str] = {}
        allowed = frozenset(known)
        for name, value in request.query_params.multi_items():
            if name not in allowed:
                raise invalid(f"query parameter {name} is not supported by this server")
            if name in self._values:
                raise invalid(f"query parameter {name} is there twice")
            self._values[name] = value

    def text(self, name: str) -> str:
        return self._values.get(name, "")

    def number(self, name: str) -> int:
        """0 where it is missing."""
        text = self.text(name)
        number = int64(text or "0")
        if number is None or number < 0:
            raise invalid(
                f'type mismatch, parameter: {name}, error: strconv.ParseInt: parsing "{text}": invalid syntax'
            )
        return number

    def flag(self, name: str) -> bool:
        text = self.text(name)
        if text not in ("", "true", "false", "1", "0"):
            raise invalid(
                f'type mismatch, parameter: {name}, error: strconv.ParseBool: parsing "{text}": invalid syntax'
            )
        return text in ("true", "1")

    def fields(self) -> Fields:
        return Fields(self.text("fields"))

    def labels(self) -> tuple[Requirement, ...]:
        return parse_labels(self.text("listOptions.labelSelector"))

    def names(self) -> tuple[tuple[Requirement, ...], bool]:
        """From the field selector: conditions on the name, and whether the remaining count was asked for."""
        found: list[Requirement] = []
        remaining = False
        for part in filter(None, (item.strip() for item in self.text("listOptions.fieldSelector").split(","))):
            negated = "!=" in part
            key, _, value = part.replace("!=", "=").replace("==", "=").partition("=")
            if key == _REMAINING:
                remaining = value == "true"
            elif key == "metadata.name" and value:
                found.append(Requirement("name", "notin" if negated else "in", (value,)))
            else:
                raise invalid(f"unsupported requirement {part}")
        if len(found) > MAX_WORDS:
            raise invalid(f"the selector is longer than this server takes: at most {MAX_WORDS} conditions")
        return tuple(found), remaining
