"""What publishing says of results that no rule lets go: lines on its pod's own output, which the operator reads.

A consumer never gets them: whoever reads which rule was not met, and by how much, has a way to carry data out. One line
is one JSON object behind `withheld`, so that a rehearsal, whose data are the reader's own, can tell it in sentences.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from ocean.kit.compact_json import compact_json

Rule = Literal["max_bytes", "max_files", "share_of_inputs", "types", "log_bytes"]
_RULE: Final = "withheld by a release rule: "
_FILE: Final = "withheld: "


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that the files break: how much there is, and how much there may be.

    Bytes or files; `allowed` None: the inputs' size is not known, so no byte may leave. Of types: what the file `path`
    is (or why it cannot be read), and what files may be.
    """

    rule: Rule
    found: int | str
    allowed: int | str | None
    path: str = ""

    def line(self) -> str:
        return _RULE + compact_json(asdict(self), ascii_only=False)


@dataclass(frozen=True, slots=True)
class Withheld:
    """A file that would have left. `path` as the manifest has it, `size` in bytes."""

    path: str
    size: int

    def line(self) -> str:
        return _FILE + compact_json(asdict(self), ascii_only=False)


def read_line(text: str) -> Broken | Withheld | None:
    """What a line of that output says; None for all others."""
    kind = Broken if text.startswith(_RULE) else Withheld
    told = text.removeprefix(_RULE).removeprefix(_FILE)
    if told == text:
        return None
    try:
        found: Any = json.loads(told)
        return kind(**found)
    except (ValueError, TypeError):  # another sentence that begins so
        return None
