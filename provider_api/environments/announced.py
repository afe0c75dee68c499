"""The options of environments as the service meets them: in annotations, in announcements.

What there is stands in workflow_templates/options.py. Templates may be written by hand or come from another release,
so numbers may have fractions, and anything may be missing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from contract import names
from contract.release import NO_RULES, ReleaseRules, read_rules
from workflow_templates.declaring import Announced
from workflow_templates.environment import ANNOUNCED

# What each announcement has, in the order of Ocean's operator.
ALWAYS: Final = (
    *("id", "consumerAddress", "priceMin", "feeToken", "maxJobDuration", "maxJobs", "currentJobs"),
    *("cpuNumber", "cpuType", "gpuNumber", "gpuType", "ramGB", "diskGB", "storageExpiry", "desc", "lastSeen"),
)
# What it has where it is set; options that are not named here follow.
_SOMETIMES: Final = (
    *("allowedChainId", "maxResultsGB", "scratchRoot", "imageUser", "maxJobsPerAccount", "filtered", "isolation"),
    *("release", "publishesResults", "publicationChainId"),
)


class TemplateUnusable(ValueError):
    """The template announces an environment that no job could run in. The text names the annotation."""


def read_options(annotations: Mapping[str, str]) -> dict[str, Any]:
    """Value of each option by its name; one that is not set is None, or what its kind has for nothing.

    Numbers are Decimal, whole ones int, chains a tuple of ids, flags bool. Raises TemplateUnusable.
    """
    return {option.name: _read(option, annotations.get(names.option(option.name), "")) for option in ANNOUNCED}


def shown(values: Mapping[str, Any]) -> dict[str, Any]:
    """The options that consumers read, as JSON."""
    read = {option.key: values[option.name] for option in ANNOUNCED if option.key}
    return {key: _json(value) for key, value in read.items() if (value and value != NO_RULES) or key in ALWAYS}


def ordered(members: Mapping[str, Any]) -> dict[str, Any]:
    """Members of an announcement, by key, in the order in which they are told and described."""
    known = (*ALWAYS, *_SOMETIMES)
    return {key: members[key] for key in known if key in members} | dict(members)


def _read(option: Announced, text: str) -> Any:
    if option.kind == "chains":
        return _integers(option, text)
    if option.kind == "rules":
        return _rules(option, text)
    if option.kind == "flag":
        return text == "true"
    if option.kind in ("text", "address"):
        return text
    number = _number(option, text)
    value = int(number) if option.kind == "whole" else number
    return value if option.absent is not None else value or None


def _number(option: Announced, text: str) -> Decimal:
    if not text:
        return Decimal(option.absent or 0)
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise TemplateUnusable(names.option(option.name)) from None
    if not value.is_finite() or value < 0:
        raise TemplateUnusable(names.option(option.name))
    return value


def _integers(option: Announced, text: str) -> tuple[int, ...]:
    if not text:
        return ()
    try:
        values = json.loads(text)
    except ValueError:
        raise TemplateUnusable(names.option(option.name)) from None
    if not isinstance(values, list) or not all(isinstance(v, int) and not isinstance(v, bool) for v in values):
        raise TemplateUnusable(names.option(option.name))
    return tuple(values)


def _rules(option: Announced, text: str) -> ReleaseRules:
    try:
        return read_rules(json.loads(text) if text else None)
    except ValueError:
        raise TemplateUnusable(names.option(option.name)) from None


def _json(value: Any) -> Any:
    """Numbers are JSON numbers: ocean.js tests `=== 0`."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, ReleaseRules):
        return value.told()
    return list(value) if isinstance(value, tuple) else value
