"""The lines for people, or as JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from provider_api.doctor.lines import Level, Line, exit_code

_MARKS: Final = {
    Level.OK: ("✔", "green"),
    Level.WARNING: ("!", "yellow"),
    Level.FAILURE: ("✘", "red"),
    Level.NOT_CHECKED: ("-", "dim"),
}


def as_json(lines: Sequence[Line]) -> str:
    document = {
        "exit_code": exit_code(lines),
        "counts": {level.value: count for level, count in _counts(lines).items()},
        "lines": [{**asdict(line), "level": line.level.value} for line in lines],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def show(lines: Sequence[Line], console: Console) -> None:
    """One row a line; below what is not well, what was expected and how to mend it."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for _ in range(3):
        table.add_column(overflow="fold")
    for alike in _alike(lines):
        line = alike[0]
        mark, colour = _MARKS[line.level]
        if len(alike) > 1:
            names = dict.fromkeys(each.name for each in alike)
            table.add_row(Text(mark, style=colour), Text(", ".join(names), style="dim"), Text(line.found))
            continue
        what = f"{line.what}: {line.subject}" if line.subject else line.what
        found = Text(line.found)
        if line.level in (Level.WARNING, Level.FAILURE):
            found.append(f"\nexpected: {line.expected}", style="dim")
        if line.mend:
            found.append(f"\nto mend: {line.mend}", style=colour)
        name = Text(line.name, style="dim")
        table.add_row(Text(mark, style=colour), Text(what).append("\n").append(name), found)
    console.print(table)
    console.print(_summary(lines), highlight=False)


def _alike(lines: Sequence[Line]) -> list[list[Line]]:
    """Lines that follow each other and were not checked for the same reason go together."""

    def reason(line: Line) -> object:
        return line.found if line.level is Level.NOT_CHECKED else object()

    return [list(group) for _, group in groupby(lines, key=reason)]


def _counts(lines: Sequence[Line]) -> dict[Level, int]:
    found = Counter(line.level for line in lines)
    return {level: found[level] for level in Level}


def _summary(lines: Sequence[Line]) -> str:
    counts = _counts(lines)
    words = [f"{counts[level]} {level.value}" for level in Level if counts[level]]
    return f"{', '.join(words)}. What each line means: docs/how-to/doctor.md"
