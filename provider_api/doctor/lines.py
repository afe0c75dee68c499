"""One line of the doctor's report, and the kinds of lines there are. A line never holds a secret."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Line:
    """`name` is that of its kind, an entry of docs/how-to/doctor.md; `subject` which one of several, or ""."""

    name: str
    what: str
    subject: str
    level: Level
    found: str
    expected: str
    mend: str  # "" where there is nothing to mend


@dataclass(frozen=True, slots=True)
class Item:
    """A kind of line: what is looked at, what is expected, what to do if it is not so."""

    name: str
    what: str
    expected: str
    mend: str

    def ok(self, found: str, subject: str = "", *, expected: str = "") -> Line:
        return Line(self.name, self.what, subject, Level.OK, found, expected or self.expected, "")

    def warning(self, found: str, subject: str = "", *, expected: str = "", mend: str = "") -> Line:
        return self._trouble(Level.WARNING, found, subject, expected, mend)

    def failure(self, found: str, subject: str = "", *, expected: str = "", mend: str = "") -> Line:
        return self._trouble(Level.FAILURE, found, subject, expected, mend)

    def not_checked(self, reason: str, subject: str = "", *, mend: str = "") -> Line:
        return Line(self.name, self.what, subject, Level.NOT_CHECKED, reason, self.expected, mend)

    def _trouble(self, level: Level, found: str, subject: str, expected: str, mend: str) -> Line:
        return Line(self.name, self.what, subject, level, found, expected or self.expected, mend or self.mend)


FAILED: Final = 1


def exit_code(lines: Iterable[Line]) -> int:
    """1 as soon as one line is a failure. Warnings, and lines that could not be checked, are for people to judge."""
    return FAILED if any(line.level is Level.FAILURE for line in lines) else 0


def listed(words: Iterable[str], *, most: int = 6) -> str:
    """Some words as text, sorted; a long list is cut."""
    found = sorted(words)
    more = len(found) - most
    return ", ".join(found[:most]) + (f" and {more} more" if more > 0 else "")
