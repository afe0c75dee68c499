"""A setting that cannot be read: every command says so in one line, and none repeats its value."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import forks

pytestmark = pytest.mark.integration

SECRET = "a-secret-that-nobody-may-read"
ADMIN = ("admin migrate", "admin result-store", "admin publication 1")
COMMANDS = [
    ["provider_api.__main__:main"],
    *([forks.C2D, *words.split()] for words in ("serve", "doctor", *ADMIN, "demo")),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_says_it_in_one_line(tmp_path: Path, words: list[str]) -> None:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "C2D_CHAINS": SECRET}
    done = forks.run(*words, env=environment, cwd=tmp_path)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip() and "logs:" not in line]
    assert done.returncode == (2 if words[-1] == "doctor" else 1), lines
    said = lines[-1]
    assert "settings: C2D_CHAINS cannot be read: expected a list as JSON, for example C2D_CHAINS=" in said
    assert len(lines) == (2 if words[-1] == "demo" else 1), lines  # (the demo has a title)
    assert SECRET not in done.stdout + done.stderr
