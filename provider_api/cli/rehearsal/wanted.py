"""What a rehearsal is asked for, and why it may not be possible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Wanted:
    """The command line. Paths are as they were given."""

    script: Path
    data: tuple[Path, ...] = ()
    documents: tuple[Path, ...] = ()
    environment: str | None = None
    environments: Path | None = None
    image: str | None = None
    images: Path | None = None
    entrypoint: str | None = None
    parameters: tuple[str, ...] = ()
    custom_data: Path | None = None
    output: Path | None = None
    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a job would not be accepted: about what, in one word, and in a sentence."""

    place: str
    code: str
    sentence: str


class NotAccepted(Exception):
    """The service would refuse such a job, or its pods would at once."""

    def __init__(self, reasons: Sequence[Reason]) -> None:
        super().__init__("; ".join(reason.sentence for reason in reasons))
        self.reasons = tuple(reasons)


class MachineCannot(Exception):
    """This machine cannot run what would have to run; the text says why, and what helps."""
