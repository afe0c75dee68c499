"""Log lines for whoever runs a program of ours: an exception by its frames, never with the values in them.

structlog left alone prints all local variables of each frame where `rich` is installed: keys, signed texts, file lists.
Every program calls this, or provider_api/telemetry/logs.py, before it does anything.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

Processor = Callable[[Any, str, MutableMapping[str, Any]], Any]


def lines_for_people(*, colors: bool = False) -> Processor:
    return structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)


def processors(renderer: Processor, *nets: Processor) -> list[Processor]:
    """What each event goes through. `nets` see it last, an exception already as text, before it is rendered."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,  # the text that Python itself would print
        *nets,
        renderer,
    ]


def configure_for_commands(*nets: Processor) -> None:
    """Text, to where structlog writes by itself (standard output)."""
    structlog.configure(processors=processors(lines_for_people(colors=sys.stdout.isatty()), *nets))
