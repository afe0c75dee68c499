"""Unix seconds inside, Kubernetes' text (UTC, whole seconds) in JSON."""

from __future__ import annotations

from datetime import UTC, datetime


def stamp(seconds: float | None) -> str | None:
    return None if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def parse(text: str | None) -> float | None:
    return None if text is None else datetime.fromisoformat(text).timestamp()
