"""Logging of the service: static event names, ids as fields, and a last net that masks what must never be written."""

from __future__ import annotations

import itertools
import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

import structlog

from ocean.kit.logs import lines_for_people, processors

if TYPE_CHECKING:  # commands import this before they need any settings
    from provider_api.settings import LogSettings

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_LONGEST, _LONGEST_TRACE, _LONGEST_KEY = 1000, 16_000, 100  # characters of a value, of an exception's frames, of a name
_MOST_ITEMS, _DEEPEST, _MOST_BITS = 50, 4, 256
_LAST_WORD = re.compile(r"\S+\Z")
_SECRET = re.compile(r"(?i)\b(?:https?|s3|file)://[^\s'\"<>]+|(?:0x)?[0-9a-f]{128,}")


def configure_logging(settings: LogSettings) -> None:
    """Text for people, or one JSON object per line; to standard error."""
    renderer: Any = structlog.processors.JSONRenderer() if settings.json_lines else lines_for_people()
    structlog.configure(
        processors=processors(renderer, bound),
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def bound(logger: object, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The last net: URLs and long hexadecimal texts (signatures, keys, encrypted files) that slipped into a field are
    hidden, and nothing is longer than a line of a log may be, whoever wrote it."""
    fields = list(event.items())[:_MOST_ITEMS]
    return {_text(str(key), _LONGEST_KEY): _bounded(value, _longest(key)) for key, value in fields}


def _longest(key: str) -> int:
    return _LONGEST_TRACE if key == "exception" else _LONGEST


def _bounded(value: Any, longest: int, depth: int = 0) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value if not isinstance(value, int) or value.bit_length() <= _MOST_BITS else "<large number>"
    if isinstance(value, str):
        return _text(value, longest)
    if isinstance(value, bytes | bytearray):
        return f"<{len(value)} bytes>"
    if depth < _DEEPEST and isinstance(value, Mapping):
        items = [(str(key), one) for key, one in itertools.islice(value.items(), _MOST_ITEMS)]
        return {_text(key, _LONGEST_KEY): _bounded(one, longest, depth + 1) for key, one in items}
    if depth < _DEEPEST and isinstance(value, list | tuple | set | frozenset):
        shown = [_bounded(one, longest, depth + 1) for one in itertools.islice(value, _MOST_ITEMS)]
        return [*shown, f"… {len(value) - _MOST_ITEMS} more"] if len(value) > _MOST_ITEMS else shown
    return _text(str(value), longest)


def _text(value: str, longest: int) -> str:
    """Secrets are hidden first: a cut must not leave a part of one that no longer looks like one. So a little more than
    is shown is looked at, without the last word of that, of which the rest is not known."""
    looked_at = value
    if len(value) > 4 * longest:
        looked_at = _LAST_WORD.sub("", value[: 4 * longest])
    masked = _SECRET.sub("<hidden>", looked_at)
    if len(masked) <= longest and looked_at is value:
        return masked
    shown = masked if len(masked) <= longest else masked[:longest]
    return f"{shown}… ({len(value)} characters)"
