"""Logging of the service: static event names, ids as fields, and a last net that masks what must never be written."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from provider_api.settings import LogSettings

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_SECRET = re.compile(r"(?i)\b(?:https?|s3|file)://[^\s'\"<>]+|(?:0x)?[0-9a-f]{128,}")


def configure_logging(settings: LogSettings) -> None:
    """Text for people, or one JSON object per line; to standard error."""
    renderer: Any = (
        structlog.processors.JSONRenderer() if settings.json_lines else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            mask,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def mask(logger: object, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide URLs and long hexadecimal texts (signatures, keys, encrypted files) that slipped into a field."""
    return {key: _masked(value) for key, value in event.items()}


def _masked(value: Any) -> Any:
    return _SECRET.sub("<hidden>", value) if isinstance(value, str) else value
