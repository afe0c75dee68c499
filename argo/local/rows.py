"""Stored workflows as values, and the questions that lists ask: which, in which order, how many are left."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from argo.local.engine.state import OWN
from argo.local.selectors import Requirement

_COMPLETED: Final = OWN + "completed"
COLUMNS: Final = (
    "id, name, uid, created, position, finished, expires, version, generation, labels, annotations, spec, status"
)


@dataclass(slots=True)
class Row:
    """One workflow as it is stored. `labels` … `status` are JSON values."""

    name: str
    uid: str
    created: float
    labels: dict[str, str]
    annotations: dict[str, str]
    spec: dict[str, Any]
    status: dict[str, Any]
    finished: float | None = None
    expires: float | None = None
    version: int = 0
    generation: int = 1
    id: int = 0


class Reader:
    """Lists, in a thread of the caller's choice."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def close(self) -> None:
        self._db.close()

    def select(
        self, labels: Sequence[Requirement], names: Sequence[Requirement], *, limit: int, offset: int
    ) -> tuple[list[Row], int]:
        """One page, unfinished before finished, newest first; and how many come after it. `limit` 0: all."""
        where, values = _where([*labels], [*names])
        found = self._db.execute(
            f"SELECT {COLUMNS} FROM workflow WHERE {where} ORDER BY position DESC, id DESC LIMIT ? OFFSET ?",  # noqa: S608
            (*values, limit or -1, offset),
        ).fetchall()
        if not limit or len(found) < limit:
            return [read_row(item) for item in found], 0
        total = self._db.execute(f"SELECT COUNT(*) FROM workflow WHERE {where}", values).fetchone()[0]  # noqa: S608
        return [read_row(item) for item in found], max(0, total - offset - len(found))

    def content(self, row: Row) -> tuple[dict[str, Any], dict[str, Any]]:
        return read_content(self._db, row)


def read_row(found: Sequence[Any]) -> Row:
    (key, name, uid, created, position, finished, expires, version, generation, *texts) = found
    labels, annotations, spec, status = (json.loads(text) for text in texts)
    end = position if finished else None
    return Row(name, uid, created, labels, annotations, spec, status, end, expires, version, generation, key)


def read_content(db: sqlite3.Connection, row: Row) -> tuple[dict[str, Any], dict[str, Any]]:
    found = db.execute("SELECT arguments, template FROM content WHERE id = ?", (row.id,)).fetchone()
    return (json.loads(found[0]), json.loads(found[1])) if found else ({}, {"name": "", "spec": {}})


def _where(labels: Iterable[Requirement], names: Iterable[Requirement]) -> tuple[str, tuple[str, ...]]:
    parts, values = ["1"], list[str]()
    few = any(_is_completed(requirement) and requirement.operator == "notin" for requirement in labels)
    for requirement in labels:
        for part, part_values in _label_condition(requirement, few=few):
            parts.append(part)
            values += part_values
    for requirement in names:
        negated = "NOT " if requirement.operator == "notin" else ""
        parts.append(f"name {negated}IN ({_marks(requirement.values)})")
        values += requirement.values
    return " AND ".join(parts), tuple(values)


def _is_completed(requirement: Requirement) -> bool:
    """Does it ask for `completed=true` or `completed!=true`?"""
    return requirement.key == _COMPLETED and requirement.operator in ("in", "notin") and requirement.values == ("true",)


def _label_condition(requirement: Requirement, *, few: bool) -> Iterator[tuple[str, list[str]]]:
    """`few`: only unfinished workflows are asked for, so each is looked at, instead of all that have the label."""
    key, operator, values = requirement.key, requirement.operator, requirement.values
    if _is_completed(requirement):
        yield ("finished = 1" if operator == "in" else "finished = 0"), []
        return
    below = "id {}IN (SELECT id FROM label WHERE key = ?{})"
    if few:
        below = "{}EXISTS (SELECT 1 FROM label WHERE label.id = workflow.id AND key = ?{})"
    if operator == "exists":
        yield below.format("", ""), [key]
    elif operator == "absent":
        yield below.format("NOT ", ""), [key]
    elif operator in ("in", "notin"):
        negated = "NOT " if operator == "notin" else ""
        yield below.format(negated, f" AND value IN ({_marks(values)})"), [key, *values]
    else:
        number = " AND value GLOB '[-0-9]*' AND CAST(value AS INTEGER) " + operator + " CAST(? AS INTEGER)"
        yield below.format("", number), [key, *values]


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" for _ in values)
