"""Runs other programs, whose words are shown only when they fail."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_LAST_WORDS = 3000


def output(
    command: Sequence[str],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    text: str | None = None,
    check: bool = True,
) -> str:
    """What it printed, without blanks around it. `text`: what it reads. With `check` a failure raises `RuntimeError`
    with its last words."""
    done = subprocess.run(command, cwd=folder, env=environment, input=text, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}:\n{(done.stdout + done.stderr).strip()[-_LAST_WORDS:]}")
    return done.stdout.strip()
