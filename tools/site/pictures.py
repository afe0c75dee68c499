"""Draw the pictures of docs/pictures: `python -m tools.site.pictures`. A test compares them with what is drawn here.

Boxes have their own ground, and lines and texts outside of them a grey that can be read on white and on black, so one
picture serves light and dark pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "pictures"
_GREY: Final = "#7c8794"
_GROUNDS: Final = {
    "data": "#155e63",
    "people": "#3b4a6b",
    "service": "#0b7285",
    "result": "#2b7a3f",
    "closed": "#8a3b2e",
}
_LETTER: Final = 7.2  # width of one at 13 pixels, generously


@dataclass(frozen=True, slots=True)
class Box:
    """`kind`: which ground it has. `lines`: its name first."""

    x: int
    y: int
    width: int
    height: int
    kind: str
    lines: tuple[str, ...]

    def drawn(self) -> str:
        middle, top = self.x + self.width / 2, self.y + self.height / 2 - 9 * (len(self.lines) - 1) + 5
        ranks = ("name", *["said"] * (len(self.lines) - 1))
        texts = "".join(
            f'<text x="{middle:g}" y="{top + 18 * row:g}" class="{ranks[row]}">{escape(line)}</text>'
            for row, line in enumerate(self.lines)
        )
        ground = f'<rect x="{self.x}" y="{self.y}" width="{self.width}" height="{self.height}" rx="8"'
        return f'{ground} fill="{_GROUNDS[self.kind]}"/>{texts}'

    def holds_its_text(self) -> bool:
        return all(len(line) * _LETTER <= self.width for line in self.lines) and len(self.lines) * 18 <= self.height


@dataclass(frozen=True, slots=True)
class Arrow:
    """From one point to another; `label` stands above its middle."""

    x1: int
    y1: int
    x2: int
    y2: int
    label: str = ""

    def drawn(self) -> str:
        line = f'<path d="M{self.x1} {self.y1}L{self.x2} {self.y2}" class="line" marker-end="url(#end)"/>'
        if not self.label:
            return line
        x, y = (self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2 - 8
        return f'{line}<text x="{x:g}" y="{y:g}" class="label">{escape(self.label)}</text>'


@dataclass(frozen=True, slots=True)
class Frame:
    """A dashed line around a place, with its name at the top."""

    x: int
    y: int
    width: int
    height: int
    name: str

    def drawn(self) -> str:
        return (
            f'<rect x="{self.x}" y="{self.y}" width="{self.width}" height="{self.height}" rx="12" class="frame"/>'
            f'<text x="{self.x + self.width / 2:g}" y="{self.y + 22}" class="label">{escape(self.name)}</text>'
        )


@dataclass(frozen=True, slots=True)
class Picture:
    """`title`: what it shows, for who cannot see it."""

    title: str
    width: int
    height: int
    parts: tuple[Box | Arrow | Frame, ...]

    def svg(self) -> str:
        style = (
            "text{font-family:system-ui,sans-serif;text-anchor:middle;font-size:13px}"
            f".name{{fill:#fff;font-weight:600}}.said{{fill:#e8eef2}}.label{{fill:{_GREY}}}"
            f".line{{stroke:{_GREY};stroke-width:2;fill:none}}"
            f".frame{{stroke:{_GREY};stroke-width:1.5;stroke-dasharray:5 4;fill:none}}"
        )
        end = '<marker id="end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" role="img">\n'
            f"<title>{escape(self.title)}</title><style>{style}</style>\n"
            f'<defs>{end}<path d="M0 0L8 4L0 8z" fill="{_GREY}"/></marker></defs>\n'
            + "\n".join(part.drawn() for part in self.parts)
            + "\n</svg>\n"
        )


PICTURES: Final = {
    "idea": Picture(
        "A consumer's order and algorithm go to the data; only results come back",
        760,
        170,
        (
            Box(10, 55, 150, 70, "people", ("Consumer", "has a question")),
            Frame(270, 8, 480, 154, "next to the data"),
            Box(290, 55, 130, 70, "service", ("Service", "checks the order")),
            Box(460, 55, 130, 70, "closed", ("Algorithm", "no network")),
            Box(630, 55, 105, 70, "data", ("Data", "stays")),
            Arrow(160, 73, 288, 73, "order, start"),
            Arrow(288, 109, 162, 109, "results"),
            Arrow(420, 73, 458, 73),
            Arrow(458, 109, 422, 109),
            Arrow(630, 90, 592, 90),
        ),
    ),
    "job": Picture(
        "A job: configuration fetches files, the algorithm runs, a filter may judge, publishing stores results",
        760,
        170,
        (
            Box(10, 60, 140, 60, "service", ("Configuration", "fetches the files")),
            Box(190, 60, 140, 60, "closed", ("Algorithm", "runs alone")),
            Box(370, 60, 140, 60, "people", ("Filter", "may hold back")),
            Box(550, 60, 200, 60, "result", ("Publishing", "judges, stores, signs")),
            Arrow(150, 90, 188, 90),
            Arrow(330, 90, 368, 90),
            Arrow(510, 90, 548, 90),
            Frame(180, 15, 160, 140, "closed network"),
        ),
    ),
    "order": Picture(
        "An order: one datatoken for the publisher, and a fee for the service, in one transaction",
        760,
        240,
        (
            Box(10, 85, 150, 70, "people", ("Consumer", "asks, then buys")),
            Box(300, 85, 160, 70, "data", ("Order", "one transaction")),
            Box(600, 15, 150, 60, "result", ("Publisher", "price of the asset")),
            Box(600, 90, 150, 60, "service", ("Service", "fee for minutes")),
            Box(600, 165, 150, 60, "closed", ("Exchange", "a thousandth")),
            Arrow(160, 120, 298, 120, "tokens"),
            Arrow(460, 105, 598, 50, "price"),
            Arrow(460, 120, 598, 120, "fee"),
            Arrow(460, 135, 598, 190),
        ),
    ),
    "rules": Picture(
        "What leaves passes four judges: trust, the sandbox, rules and filter, and the owner",
        760,
        130,
        (
            Box(10, 30, 150, 70, "data", ("Trust", "which algorithm?")),
            Box(205, 30, 150, 70, "closed", ("Sandbox", "no way out")),
            Box(400, 30, 150, 70, "service", ("Rules, filter", "how much, what?")),
            Box(595, 30, 155, 70, "people", ("Owner", "yes or no")),
            Arrow(160, 65, 203, 65),
            Arrow(355, 65, 398, 65),
            Arrow(550, 65, 593, 65),
        ),
    ),
}
_MARK: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><title>Compute-to-Data</title>'
    '<path d="M12 2 3 7v10l9 5 9-5V7z" fill="none" stroke="#fff" stroke-width="4"/>'
    '<path d="M12 2 3 7v10l9 5 9-5V7z" fill="#0b7285" stroke="#0b7285" stroke-width="1.5" stroke-linejoin="round"/>'
    '<circle cx="12" cy="12" r="3.5" fill="#fff"/></svg>\n'
)


def drawn() -> dict[str, str]:
    """All pictures by their files' names."""
    return {"mark.svg": _MARK, **{f"{name}.svg": picture.svg() for name, picture in PICTURES.items()}}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, svg in drawn().items():
        (FOLDER / name).write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
