"""Two lanes: `make test` does a part of what takes long, `make soak` (C2D_SOAK=1) all of it.

A test of both lanes is marked `soak` and takes its size from `size()`; docs/map.md lists them.
"""

from __future__ import annotations

import os
from typing import Final

SOAK: Final = os.environ.get("C2D_SOAK", "") == "1"


def size(*, test: int, soak: int) -> int:
    """How many rounds, jobs or sequences this lane has."""
    return soak if SOAK else test
