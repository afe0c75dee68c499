"""What the demo shows: one line per thing that happened, a live table while the job runs, the results at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

# What the status numbers of a good run mean to somebody who sees them for the first time.
STEPS = (
    ("queued", 1, "waiting for a free place"),
    ("configuration", 20, "downloading both datasets and the algorithm"),
    ("algorithm", 40, "in a sandbox: no network, inputs read-only"),
    ("publishing", 60, "results and logs go to the result store"),
    ("finished", 70, "only the consumer can fetch the results"),
)


FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Story:
    def __init__(self, console: Console) -> None:
        self.console = console
        self._started = time.monotonic()

    def title(self, text: str) -> None:
        self.console.print(f"\n[bold]{text}[/bold]")

    @contextmanager
    def doing(self, text: str) -> Iterator[list[str]]:
        """A spinner while the block runs, then the line with its time; append to the list to say what came out."""
        outcome: list[str] = []
        begin = time.monotonic()
        with self.console.status(text):
            yield outcome
        detail = f"  [cyan]{' '.join(outcome)}[/cyan]" if outcome else ""
        seconds = f"[dim]{time.monotonic() - begin:.2f} s[/dim]"
        self.console.print(f"  [green]✔[/green] {text}{detail} {seconds}", soft_wrap=True, highlight=False)

    @contextmanager
    def job(self, *, sandboxed: bool) -> Iterator[JobView]:
        view = JobView(sandboxed)
        with Live(view, console=self.console, refresh_per_second=20, transient=False):
            yield view

    def results(self, rows: Sequence[Mapping[str, Any]]) -> None:
        table = Table(box=None, header_style="dim", padding=(0, 2))
        for name in ("index", "file", "type", "bytes"):
            table.add_column(name, justify="right" if name in ("index", "bytes") else "left")
        for index, row in enumerate(rows):
            table.add_row(str(index), str(row["filename"]), str(row["type"]), f"{row['filesize']:,}")
        self.console.print(table)

    def metrics(self, metrics: Mapping[str, Any]) -> None:
        """What the algorithm found: share of late departures explained, on days that it had not seen."""
        table = Table(box=None, header_style="dim", padding=(0, 2))
        for name in ("late departures explained by", "R²", "mean abs. error"):
            table.add_column(name, justify="left" if name.startswith("late") else "right")
        for name, key in (("weather and time of day", "weather_and_clock"), ("time of day only", "clock_only")):
            table.add_row(name, f"{metrics[key]['r2']:.3f}", f"{metrics[key]['mean_absolute_error']:.3f}")
        self.console.print(table)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started


class JobView:
    """The steps of a job and when each began, as far as its status numbers have told."""

    def __init__(self, sandboxed: bool) -> None:
        self._sandboxed = sandboxed
        self._begin = time.monotonic()
        self._seen: dict[int, float] = {}
        self._text = ""
        self._end: float | None = None

    def update(self, status: int, text: str, *, finished: bool) -> None:
        self._seen.setdefault(status, time.monotonic() - self._begin)
        self._text = f"{status} {text}"
        if finished:
            self._end = time.monotonic() - self._begin

    @property
    def seconds(self) -> float:
        """From the accepted start to the final status, as the consumer saw it."""
        return (time.monotonic() - self._begin) if self._end is None else self._end

    def __rich__(self) -> Group:
        reached = max(self._seen, default=0)
        table = Table.grid(padding=(0, 2))
        for index, (name, number, meaning) in enumerate(STEPS):
            following = STEPS[index + 1][1] if index + 1 < len(STEPS) else None
            entered = min((t for s, t in self._seen.items() if s >= number), default=None)
            if entered is None:
                mark: Any = Text("  ○", style="dim")
            elif (following is not None and reached >= following) or self._end is not None:
                mark = Text("  ✔", style="green")
            else:
                mark = Text("  ") + Text(FRAMES[int(time.monotonic() * 12) % len(FRAMES)], style="cyan")
            when = "" if entered is None else f"{entered:5.2f} s"
            if name == "algorithm" and not self._sandboxed:
                meaning = "as a plain process: there is no bubblewrap here"
            style = "dim" if entered is None else ""
            table.add_row(mark, Text(name, style=style), Text(when, style="dim"), Text(meaning, style=style or "dim"))
        return Group(table, Text(f"    status {self._text}", style="cyan"))
