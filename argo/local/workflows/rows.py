"""Stored workflows as values, and the questions that lists ask: which, in which order, how many are left."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from argo.local.engine.state import OWN
from argo.local.engine.stored import Part, Unreadable
from argo.local.workflows.selectors import Requirement
from ocean.kit.bounded_json import no_constant

_COMPLETED: Final = OWN + "completed"
_LAST_MOMENT: Final = 253_402_300_799  # the end of the year 9999, the last that a calendar date can say
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
    damage: str = ""  # what of it could not be read; what stands in its place is empty


class Reader:
    """Lists, in a thread of the caller's choice."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def close(self) -> None:
        self._db.close()

    def select(
        self,
        labels: Sequence[Requirement],
        names: Sequence[Requirement],
        *,
        limit: int,
        offset: int,
        newer_than: int = 0,
    ) -> tuple[list[Row], int]:
        """One page, unfinished before finished, newest first; and how many come after it. `limit` 0: all. Only those
        with a version above `newer_than`."""
        where, values = _where([*labels], [*names])
        where, values = f"{where} AND version > ?", (*values, newer_than)
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
    """A row as far as it can be read: one that is spoiled must not keep others from being read."""
    (key, name, uid, created, position, finished, expires, version, generation, *texts) = found
    damage: list[str] = []
    labels, annotations = (_text_map(text, what, damage) for text, what in zip(texts, _TEXTS, strict=False))
    spec, status = (_object(text, what, damage) for text, what in zip(texts[2:], _OBJECTS, strict=True))
    born, end = _moment(created, "created", damage), _moment(position, "position", damage) if finished else None
    numbers = [value if isinstance(value, int) else 1 for value in (version, generation)]
    if damage:
        said = f"the stored workflow cannot be read: {', '.join(damage)}"
        status = {"phase": "Error", "startedAt": None, "finishedAt": None, "message": said}
    return Row(
        name=str(name),
        uid=str(uid),
        created=born,
        labels=labels,
        annotations=annotations,
        spec=spec,
        status=status,
        finished=end,
        expires=expires if isinstance(expires, int | float) else None,
        version=numbers[0],
        generation=numbers[1],
        id=key,
        damage=", ".join(damage),
    )


_TEXTS: Final = ("labels", "annotations")
_OBJECTS: Final = ("spec", "status")


def _object(text: Any, what: str, damage: list[str]) -> dict[str, Any]:
    try:
        found = read_json(text)
    except Unreadable:
        damage.append(f"{what} is not JSON")
        return {}
    if isinstance(found, dict):
        return found
    damage.append(f"{what} is not an object")
    return {}


def _text_map(text: Any, what: str, damage: list[str]) -> dict[str, str]:
    found = _object(text, what, damage)
    if all(isinstance(value, str) and _storable(key + value) for key, value in found.items()):
        return found
    damage.append(f"{what} does not map text to text")
    return {}


def _storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return False
    return True


def _moment(value: Any, what: str, damage: list[str]) -> float:
    if isinstance(value, int | float) and 0 <= value < _LAST_MOMENT:
        return float(value)
    damage.append(f"{what} is not a time")
    return 0.0


def read_json(text: Any) -> Any:
    """Raises Unreadable; also for NaN and its like, which would spoil the answer for others."""
    try:
        return json.loads(text, parse_constant=no_constant)
    except (ValueError, TypeError, RecursionError) as exc:
        raise Unreadable("not JSON") from exc


def read_content(db: sqlite3.Connection, row: Row) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments as sent, and the stored template {"name", "spec"}. Raises Unreadable."""
    found = db.execute("SELECT arguments, template FROM content WHERE id = ?", (row.id,)).fetchone()
    if not found:
        return {}, {"name": "", "spec": {}}
    try:
        arguments, template = Part(read_json(found[0]), "arguments"), Part(read_json(found[1]), "template")
    except Unreadable as exc:
        raise Unreadable(f"arguments and template: {exc}") from exc
    given = [{"name": item.text("name"), "value": item.text("value")} for item in arguments.parts("parameters")]
    stored = {"name": template.text("name"), "spec": template.mapping("spec")}
    return ({"parameters": given} if "parameters" in arguments else {}), stored


def _where(labels: Iterable[Requirement], names: Iterable[Requirement]) -> tuple[str, tuple[str | int, ...]]:
    parts, values = ["1"], list[str | int]()
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
        number = " AND int64(value) " + operator + " CAST(? AS INTEGER)"
        yield below.format("", number), [key, *values]


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" for _ in values)
