"""The README's first command, as somebody runs it, with and without sandboxes on the machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

C2D = (sys.executable, "-c", "from provider_api.cli import main; main()")


def run_demo(folder: Path, path: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("C2D_")}
    done = subprocess.run(
        [*C2D, "demo", "--data", str(folder)],
        env={**environment, "PATH": path},
        capture_output=True,
        text=True,
        timeout=550,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def path_without(program: str, folder: Path) -> str:
    """A PATH on which everything but `program` can be found."""
    folder.mkdir()
    for directory in os.environ["PATH"].split(os.pathsep):
        for entry in Path(directory).glob("*") if Path(directory).is_dir() else ():
            if entry.name != program and not os.path.lexists(folder / entry.name):  # links may lead nowhere
                (folder / entry.name).symlink_to(entry)
    return str(folder)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("sandboxes", [True, False], ids=["as this machine can", "without bubblewrap"])
def test_the_demo_ends_with_results(tmp_path: Path, sandboxes: bool) -> None:
    path = os.environ["PATH"] if sandboxes else path_without("bwrap", tmp_path / "bin")
    shown = run_demo(tmp_path / "demo", path)
    assert "70 Job finished" in shown
    assert ("in a sandbox" in shown) is (sandboxes and shutil.which("bwrap") is not None)
    (folder,) = (tmp_path / "demo" / "downloads").iterdir()
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["departures"] == 108_875
    assert metrics["weather_and_clock"]["r2"] > metrics["clock_only"]["r2"] > 0
    assert (folder / "delays.svg").read_text().startswith("<svg")
    assert "R² on held-out days" in (folder / "algorithm.log").read_text()

    again = run_demo(tmp_path / "demo", path)  # in the same folder: the chain goes on, nothing is in the way
    assert "70 Job finished" in again
    assert len(set(re.findall(r"00[0-9a-f]{30}", again)) - set(re.findall(r"00[0-9a-f]{30}", shown))) == 1
