"""What a measurement is: several values of ours, several of the reference, and the table that shows both."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Sample:
    """Values of the same thing, measured several times."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def text(self, unit: str) -> str:
        """Median and unit, then the smallest and largest value."""
        low, high = min(self.values), max(self.values)
        spread = f" [dim]({_short(low)}–{_short(high)})[/dim]" if len(self.values) > 1 else ""
        return f"[bold]{_short(self.median)}[/bold] {unit}{spread}"


@dataclass(frozen=True, slots=True)
class Figure:
    """`ours` beside `reference`, both in `unit`. The ratio is ours divided by the reference."""

    name: str
    unit: str
    ours: Sample
    compared_with: str
    reference: Sample
    note: str = ""

    @property
    def ratio(self) -> float:
        return self.ours.median / self.reference.median


def sample(values: Iterable[float]) -> Sample:
    return Sample(tuple(values))


def show(figures: Iterable[Figure], console: Console) -> None:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("figure", "here", "compared with", "that", "ratio", ""):
        table.add_column(name, justify="right" if name == "ratio" else "left", overflow="fold")
    for figure in figures:
        here, that = figure.ours.text(figure.unit), figure.reference.text(figure.unit)
        note = f"[dim]{figure.note}[/dim]"
        table.add_row(figure.name, here, figure.compared_with, that, f"{figure.ratio:.2f}", note)
    console.print(table)


def _short(value: float) -> str:
    """Three digits that matter."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
