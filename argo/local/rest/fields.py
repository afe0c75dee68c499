"""The `fields` query parameter: which parts of an answer to keep.

`a.b,c` keeps these; a leading `-` turns the whole list into paths to leave out (one dash for all names). Lists are
passed through (`items.metadata.name` speaks of each item), keys with dots in them (labels) are found literally. A real
server rebuilds the answer from typed structures, so `metadata`, `spec.arguments` and empty times come back; `restore_*`
do the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class Fields:
    """A parsed `fields` value; "" keeps everything."""

    def __init__(self, text: str) -> None:
        self.exclude = text.startswith("-")
        names = [name.strip() for name in text.removeprefix("-").split(",")]
        self.paths = tuple(name for name in names if name)

    def wants(self, path: str) -> bool:
        """Could a value at this path, or below it, be part of the answer? Saves the making of what is dropped."""
        if not self.paths:
            return True
        if self.exclude:
            return not any(path == p or path.startswith(p + ".") for p in self.paths)
        return any(path == p or path.startswith(p + ".") or p.startswith(path + ".") for p in self.paths)

    def apply(self, value: Any) -> Any:
        if not self.paths:
            return value
        return _without(value, self.paths) if self.exclude else _only(value, self.paths)


def _below(key: str, paths: Sequence[str]) -> tuple[bool, list[str]]:
    """Is `key` named itself, and which paths continue below it?"""
    return key in paths, [path[len(key) + 1 :] for path in paths if path.startswith(key + ".")]


def _only(value: Any, paths: Sequence[str]) -> Any:
    if isinstance(value, list):
        return [_only(item, paths) for item in value]
    if not isinstance(value, Mapping):
        return value
    kept = {}
    for key, item in value.items():
        named, deeper = _below(key, paths)
        if named:
            kept[key] = item
        elif deeper and isinstance(item, Mapping | list):
            kept[key] = _only(item, deeper)
    return kept


def _without(value: Any, paths: Sequence[str]) -> Any:
    if isinstance(value, list):
        return [_without(item, paths) for item in value]
    if not isinstance(value, Mapping):
        return value
    kept = {}
    for key, item in value.items():
        named, deeper = _below(key, paths)
        if not named:
            kept[key] = _without(item, deeper) if deeper else item
    return kept


def restore_workflow(document: dict[str, Any]) -> dict[str, Any]:
    """A filtered workflow with what a typed answer always has."""
    metadata, spec, status = (dict(document.get(key) or {}) for key in ("metadata", "spec", "status"))
    spec.setdefault("arguments", {})
    status.setdefault("startedAt", None)
    status.setdefault("finishedAt", None)
    return {"metadata": metadata, "spec": spec, "status": status}


def restore_template(document: dict[str, Any]) -> dict[str, Any]:
    spec = dict(document.get("spec") or {})
    spec.setdefault("arguments", {})
    return {"metadata": dict(document.get("metadata") or {}), "spec": spec}
