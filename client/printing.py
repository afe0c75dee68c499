"""What a command prints: data on standard output, progress on standard error; with `--json` one document instead of
texts, or one a line. Texts of others are made harmless here."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from client.text import harmless

_LEAST_BESIDE: Final = 30  # columns of a terminal beside a table's first one
_WIDE: Final = 100_000  # what is no terminal wraps nothing


class Printer:
    """`as_json`: data are JSON. Colours follow the terminal and NO_COLOR. `way_back`: what is to be said to whoever
    breaks the command off, for the job goes on. `in_lines`: documents come one a line."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.way_back = ""
        self.in_lines = False
        self._data = Console(highlight=False, soft_wrap=True)
        self._progress = Console(stderr=True, highlight=False, soft_wrap=True)

    @property
    def on_terminal(self) -> bool:
        """Whether somebody reads the progress, and can answer."""
        return self._progress.is_terminal and sys.stdin.isatty()

    def document(self, document: Mapping[str, Any] | Sequence[Any], *, line: bool = False) -> None:
        """The data, as JSON; on one line where more of them follow."""
        text = json.dumps(document, ensure_ascii=False, indent=None if line else 2)
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def text(self, text: str, style: str = "") -> None:
        """A line of data."""
        self._data.print(Text(harmless(text, longest=10_000), style=style))

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Data in columns, without rules, so that programs can read it, too: a line for each row. A terminal that is
        too narrow for the first column beside others gets a block for each row."""
        console = Console(highlight=False)
        cells = [[harmless(cell) for cell in row] for row in rows]
        first = max((len(row[0]) for row in cells), default=0)
        if console.is_terminal and any(heads) and first + _LEAST_BESIDE > console.width:
            for row in cells:
                for head, cell in zip(heads, row, strict=True):
                    console.print(Text(f"{head} {cell}".strip()), soft_wrap=True)
                console.print()
            return
        table = Table(box=None, pad_edge=False, show_edge=False, header_style="bold", show_header=any(heads))
        for place, head in enumerate(heads):
            table.add_column(head, overflow="fold", no_wrap=place == 0)
        for row in cells:
            table.add_row(*(Text(cell) for cell in row))
        if not console.is_terminal:
            console.width = _WIDE
        console.print(table)

    def progress(self, text: str, style: str = "") -> None:
        self._progress.print(Text(harmless(text, longest=10_000), style=style))

    @contextmanager
    def status(self, text: str) -> Iterator[Callable[[str], None]]:
        """A line that stays while something is waited for, on a terminal only; what is yielded changes its text."""
        with self._progress.status(Text(harmless(text))) as line:
            yield lambda changed: line.update(Text(harmless(changed)))

    def trouble(self, text: str, code: int, reasons: Sequence[Mapping[str, Any]] = ()) -> None:
        """Why the command ends; with `--json` also as its document."""
        if self.as_json:
            document = {"error": text, "exit": int(code)} | ({"reasons": [*reasons]} if reasons else {})
            self.document(document, line=self.in_lines)
        self.progress(text, "red")
        for reason in reasons:
            self.progress(f"  - {sentence(reason)}")


def confirmed(question: str, *, err: bool = False) -> bool:
    """Ask; where nobody is there who could answer, that is a no. `err`: on standard error."""
    try:
        return typer.confirm(question, err=err)
    except typer.Abort:
        typer.echo(err=err)
        return False


def sentence(reason: Mapping[str, Any]) -> str:
    """One reason against a job, as `why-not` lists them."""
    text = f"{reason.get('place', '')}: {reason.get('code', '')}"
    if reason.get("expected"):
        text += f"; expected is {_shown(reason['expected'])}"
    if reason.get("found"):
        text += f", found was {_shown(reason['found'])}"
    who = {"publisher": "the dataset's publisher", "algorithm_publisher": "the algorithm's publisher"}
    changed_by = who.get(str(reason.get("who")), f"the {reason['who']}" if reason.get("who") else "")
    return f"{text} ({changed_by} can change it)" if changed_by else text


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return " or ".join(_shown(item) for item in value) or "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def size(count: float) -> str:
    """Bytes, for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def duration(seconds: float) -> str:
    """A time, for people."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
