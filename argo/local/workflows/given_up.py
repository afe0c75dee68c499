"""Workflows that cannot go on (stored by another version, spoiled, a fault of ours) become Error with the reason."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from argo.local.engine.node import Node
from argo.local.engine.state import OWN
from argo.local.engine.stored import Part, Unreadable, file_name
from argo.local.engine.times import stamp
from argo.local.workflows.rows import Row

_KEPT_SECONDS: Final = 30 * 86400.0  # where the template does not say how long


def require_readable(row: Row) -> None:
    """Raises Unreadable for a row of which something is lost, or whose name cannot be that of a file."""
    if row.damage:
        raise Unreadable(row.damage)
    file_name(row.name, "its name")


def given_up(row: Row, reason: str, now: float, content: dict[str, Any] | None = None) -> Row:
    """The row as it ends: Error with the reason, the nodes that can be read, no volumes.

    `content`: the stored template, where it can be read; it says how long the workflow is kept.
    """
    ended = stamp(now)
    try:
        begun = stamp(Part(row.status, "status").moment("startedAt"))
    except Unreadable:
        begun = None
    nodes = _nodes(row.status.get("nodes"), now)
    status: dict[str, Any] = {"phase": "Error", "startedAt": begun or ended, "finishedAt": ended, "progress": "0/0"}
    status |= {"message": reason, "conditions": [{"type": "Completed", "status": "True"}]}
    status |= {"nodes": nodes} if nodes else {}
    labels = {**row.labels, OWN + "completed": "true", OWN + "phase": "Error"}
    expires = now + _kept_seconds(content)
    return dataclasses.replace(row, status=status, labels=labels, finished=now, expires=expires)


def _nodes(stored: Any, now: float) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, made in stored.items() if isinstance(stored, dict) else ():
        try:
            node = Node.read(made)
        except Unreadable:
            continue
        if not node.final:
            node.phase, node.finished_at, node.waiting = "Error", now, ""
        found[key] = node.document((0, 0))
    return found


def _kept_seconds(content: dict[str, Any] | None) -> float:
    ttl = (content or {}).get("spec", {}).get("ttlStrategy")
    if isinstance(ttl, dict):
        for name in ("secondsAfterFailure", "secondsAfterCompletion"):
            if type(value := ttl.get(name)) is int and 0 <= value < _KEPT_SECONDS * 12:
                return float(value)
    return _KEPT_SECONDS
